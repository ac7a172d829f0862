"""python: functions of a user's own, in a process apart. What one of them does is on its own rows, and on nobody else's."""

import itertools
import json
import os
import random
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labeljob.labeling_functions.engine import CompiledFunctions
from labeljob.labeling_functions.python_functions import CALL_ROWS
from labeljob.labeling_functions.python_runtime import PythonRuntime
from labeljob.labeling_functions.sandbox import landlock_version
from tests.unit.labeling_functions.python_modules import LEFTOVER, RULES, python, write
from tests.unit.labeling_functions.sets import compiled, risky, rows

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has the means")
ANSWERS = (python("large", "count", "message"), *(python(name) for name in ("dictionary", "chunked", "silent")))
FAILING = ("too_short", "a_list", "numbers", "other_class", "raises", "raises_by_name", "exits")
QUIET = ("prints", "spies", "looks_around")
Told = list[tuple[str, dict[str, Any]]]


class Here:
    """A folder of modules, and what is told about its functions."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.told = write(folder, rules=RULES), Told()

    def compiled(self, *functions: dict[str, Any], **more: Any) -> CompiledFunctions:
        runtime = PythonRuntime((self.folder,), tell=lambda event, **fields: self.told.append((event, fields)), **more)
        return compiled(*functions, python=runtime)

    def events(self, function: str) -> list[str]:
        return [event.removeprefix("python_function_") for event, fields in self.told if fields["function"] == function]


@pytest.fixture
def here(tmp_path: Path) -> Here:
    return Here(tmp_path)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Here, CompiledFunctions]]:
    """All functions that leave their process alone, in one."""
    os.environ["PLANTED_SECRET"] = "planted-value"
    found = Here(tmp_path_factory.mktemp("modules"))
    ticks = itertools.count()
    with found.compiled(*ANSWERS, *(python(name) for name in (*FAILING, *QUIET)), risky(sql="count > 3"), clock=lambda: next(ticks) ** 2.0) as functions:
        del os.environ["PLANTED_SECRET"]
        yield found, functions


def test_answers_of_any_text_type_become_votes(many: tuple[Here, CompiledFunctions]) -> None:
    """C2: class names and nulls in strings, dictionaries and chunks; a function sees its own columns alone, in its order."""
    batch = many[1].apply(rows(count=[1, 2, 3, 4], message=["a", None, "c", "d"]))
    assert batch.votes[:, :4].T.tolist() == [[-1, -1, 1, 1], [0, 0, 0, 0], [1, 1, 1, -1], [-1, -1, -1, -1]]
    assert not batch.errors[:, :4].any()
    assert batch.votes[:, -1].tolist() == [-1, -1, -1, 1]


def raised(what: str, text: str) -> str:
    line = next(number for number, line in enumerate(RULES.splitlines(), 1) if text in line)
    return f"raised {what} at rules.py:{line}"


def test_a_failure_is_of_its_own_rows(many: tuple[Here, CompiledFunctions]) -> None:
    """X9: an abstain with an error bit on the rows that fail, and what failed is said without a value."""
    here, functions = many
    batch = functions.apply(rows(count=[1] * 4, message=["a", "bad", None, "bad"]))
    place = {name: len(ANSWERS) + i for i, name in enumerate((*FAILING, *QUIET))}
    for name in ("too_short", "a_list", "numbers", "raises_by_name"):
        assert batch.errors[:, place[name]].all(), name
    for name in ("other_class", "raises", "exits"):
        assert batch.errors[:, place[name]].tolist() == [False, True, False, True], name
        assert batch.votes[:, place[name]].tolist() == [0, -1, 0, -1], name
    assert not batch.errors[:, [place[name] for name in QUIET]].any()
    said = {name: functions.python.why(place[name]) for name in FAILING}
    assert said == {
        "too_short": "returned an array of another length than the batch",
        "a_list": "returned list, which is no pyarrow.Array",
        "numbers": "returned an array of int64: class names are strings",
        "other_class": "returned a class that is not in spec.classes",
        "raises": raised("KeyError", 'raise KeyError('),
        "raises_by_name": raised("its own exception", 'raise type('),
        "exits": raised("SystemExit", 'sys.exit('),
    }
    assert "planted-value" not in json.dumps(here.told)
    assert {fields["what"] for _, fields in here.told} >= set(said.values())


def test_they_are_timed_when_they_are_called(many: tuple[Here, CompiledFunctions]) -> None:
    """C2: beside the one in SQL, and each around its own call: the clock goes faster with each reading, by as much from one function to the next."""
    _, functions = many
    batch = rows(message=["x"] * 10, count=[1] * 10)
    functions.apply(batch)
    found = functions.cost(batch).functions
    assert set(found) == set(functions.names)
    more = np.diff([found[name] for name in functions.names[:-1]])
    assert more == pytest.approx(np.full(len(more), more[0]))
    assert more[0] > 0
    assert functions.python.seconds(20) == {name: pytest.approx(2 * found[name]) for name in functions.python.seconds(10)}


def test_nothing_of_the_jobs_is_inherited(many: tuple[Here, CompiledFunctions], capfd: pytest.CaptureFixture[str]) -> None:
    """F5, X20: no environment, no argument, no file; and what a function prints is read by nobody."""
    batch = many[1].apply(rows(message=["a"]))
    spies = len(ANSWERS) + len(FAILING) + QUIET.index("spies")
    assert (batch.votes[0, spies], batch.errors[0, spies]) == (0, False)
    assert "planted-value" not in "".join(capfd.readouterr())


@pytest.mark.skipif(landlock_version() < 6 and "CI" not in os.environ, reason="this kernel cannot confine a process so far")
def test_nothing_outside_can_be_reached(many: tuple[Here, CompiledFunctions]) -> None:
    """F5, X20: neither files, nor the job's environment, nor the network, nor a signal to the job."""
    batch = many[1].apply(rows(message=["a"]))
    looks = len(ANSWERS) + len(FAILING) + QUIET.index("looks_around")
    assert (batch.votes[0, looks], batch.errors[0, looks]) == (0, False)


def test_any_split_into_batches_gives_the_same_votes(many: tuple[Here, CompiledFunctions]) -> None:
    """C2, X9: calls of the engine's choosing, and batches of the caller's; failing rows are found exactly in both."""
    functions, n_rows = many[1], 2 * CALL_ROWS + 100
    bad = set(random.Random(0).sample(range(n_rows), 20))
    table = rows(count=list(range(n_rows)), message=["bad" if row in bad else "x" for row in range(n_rows)])
    chosen = [0, 1, *(len(ANSWERS) + FAILING.index(name) for name in ("other_class", "raises", "exits"))]
    whole = functions.apply(table)
    parts = [functions.apply(part) for part in (table.slice(0, 7000), table.slice(7000, 1), table.slice(7001))]
    assert np.array_equal(whole.votes[:, chosen], np.vstack([part.votes for part in parts])[:, chosen])
    assert np.array_equal(whole.errors[:, chosen], np.vstack([part.errors for part in parts])[:, chosen])
    assert set(np.flatnonzero(whole.errors[:, chosen[-1]])) == bad


def test_the_search_for_failing_rows_is_bounded(many: tuple[Here, CompiledFunctions]) -> None:
    """X9: beyond the allowance undecided rows are errors, so the rate is never understated."""
    table = rows(count=[1] * 2000, message=["bad"] * 1000 + ["x"] * 1000)
    raises = len(ANSWERS) + FAILING.index("raises")
    errors = many[1].apply(table, error_allowance=5).errors[:, raises]
    assert errors[:1000].all()
    assert many[1].apply(table, error_allowance=1000).errors[:, raises].sum() == 1000


def test_a_process_that_ends_costs_the_row_that_ended_it(here: Here) -> None:
    """X20, X9: found among good rows; what is beside goes on, in this batch and the next."""
    messages = ["x"] * 300
    messages[200] = "die"
    with here.compiled(python("dies"), python("large", "count", "message")) as functions:
        batch = functions.apply(rows(count=list(range(300)), message=messages))
        assert np.flatnonzero(batch.errors[:, 0]).tolist() == [200]
        assert (np.delete(batch.votes[:, 0], 200) == 0).all()
        assert batch.votes[:, 1].tolist() == [-1] * 3 + [1] * 297
        assert functions.apply(rows(count=[1, 4], message=["x", "y"])).votes.tolist() == [[0, -1], [0, 1]]
        assert functions.python.why(0) == "its process was ended by signal 9"
    assert here.events("f0") == ["ended"] * 4 + ["failed"]
    assert here.events("f1") == []


def test_a_function_that_ends_its_process_again_and_again_is_quarantined(here: Here) -> None:
    """X20: it is an error on all rows that are left, and no process is started for it any more."""
    with here.compiled(python("always_dies"), python("large", "count", "message"), most_ends=2) as functions:
        batch = functions.apply(rows(count=[3] * 5, message=["x"] * 5))
        assert (batch.errors[:, 0].all(), batch.votes[:, 1].tolist()) == (True, [1] * 5)
        told = len(here.told)
        assert functions.apply(rows(count=[3], message=["x"])).errors.tolist() == [[True, False]]
        assert functions.python.is_quarantined(0)
    assert here.events("f0") == ["ended", "ended", "ended", "quarantined", "failed", "failed"]
    assert len(here.told) == told


def test_time_and_memory_and_what_is_no_answer(here: Here) -> None:
    """X20: each ends the process, and is the error of one function on one row."""
    functions = [python("hangs", timeoutSeconds=1), python("hoards"), python("garbles"), python("forks_and_dies"), python("dictionary")]
    with here.compiled(*functions, memory_bytes=256 << 20) as compiled_functions:
        batch = compiled_functions.apply(rows(message=["hoard"]))
        assert batch.errors.tolist() == [[True, sys.platform == "linux", True, False, False]]
        assert compiled_functions.apply(rows(message=["fork"])).errors.tolist() == [[True, False, True, True, False]]
        said = [compiled_functions.python.why(position) for position in range(4)]
    assert said[0] == "its process took longer than 1 s"
    assert said[1] == ("its process ran out of memory" if sys.platform == "linux" else None)
    assert said[2] == "its process sent what is no answer"
    assert said[3] == "its process ended with exit code 3"


def running(word: str) -> list[str]:
    """Process ids whose command line has this word."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            given = file.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        found += [file.parent.name] if word in given else []
    return found


def test_code_that_is_a_link_to_elsewhere_is_read(tmp_path: Path) -> None:
    """C2: as with packages that are installed for editing."""
    for name in ("store/acme", "folder"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "store/acme/__init__.py").write_text("from acme.words import f")
    (tmp_path / "store/acme/words.py").write_text("import pyarrow as pa\ndef f(batch):\n    return pa.array(['risky'] * batch.num_rows)")
    (tmp_path / "folder/acme").symlink_to(tmp_path / "store/acme")
    with compiled(python("f", module="acme"), python=PythonRuntime((str(tmp_path / "folder"),))) as functions:
        assert functions.apply(rows(message=["x"])).votes.tolist() == [[1]]


@LINUX
def test_what_a_function_starts_ends_with_its_process(here: Here) -> None:
    """X20: no leftovers."""
    with here.compiled(python("leaves_a_child")) as functions:
        assert functions.apply(rows(message=["x"])).votes.tolist() == [[0]]
        assert running(LEFTOVER)
    assert running(LEFTOVER) == []


ORPHAN = """
import sys
from labeljob.labeling_functions.python_process import FunctionProcess
process = FunctionProcess(["a", "b"], [sys.argv[1]], 1 << 28, 1)
print(process._process.pid, flush=True)
process.load(0, "endless:f")
"""


@LINUX
def test_the_process_ends_with_the_job(tmp_path: Path) -> None:
    """X20: even where the job is killed while a function works."""
    folder = write(tmp_path, endless="import os\nos.mkfifo(os.environ['HOME'] + '/never')\nopen('never').read()\n")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "TMPDIR": folder}
    with subprocess.Popen([sys.executable, "-c", ORPHAN, folder], stdout=subprocess.PIPE, text=True, env=environment) as job:
        assert job.stdout is not None
        worker = os.pidfd_open(int(job.stdout.readline()))
        try:
            assert select.select([worker], [], [], 0)[0] == []
            job.kill()
            assert select.select([worker], [], [], 60)[0] == [worker]
        finally:
            os.close(worker)


CONFINED = """
import sys
from labeljob.labeling_functions.sandbox import confine
print(confine([], []), flush=True)
open(sys.argv[1])
"""


@LINUX
def test_a_confined_process_reads_nothing_of_its_users(tmp_path: Path) -> None:
    """X20: where the kernel has Landlock; where it has not, nothing pretends."""
    (tmp_path / "file").write_text("x")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run([sys.executable, "-c", CONFINED, str(tmp_path / "file")], capture_output=True, text=True, check=False, env=environment)
    assert int(done.stdout) == landlock_version()
    assert ("PermissionError" in done.stderr) == (done.returncode == 1) == (landlock_version() > 0)
