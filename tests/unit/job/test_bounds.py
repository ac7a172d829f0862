"""What stands behind the guard on user texts: time that ends a process, and memory that it cannot take."""

import os
import random
import resource
import subprocess
import sys
import threading
from pathlib import Path

import pyarrow as pa
import pytest

from labeljob.contract.config import SHARERS_VARIABLE, CheckTask, JobConfig, Owner
from labeljob.contract.digests import canonical_json
from labeljob.contract.reasons import ExitCode, JobReason
from labeljob.contract.result import JobResult
from labeljob.labeling_functions.limits import TimeLimits
from labeljob.model_artifact import VotingSet
from labeljob.resources import CGROUP, PROCESS_SHARE, _memory, available, bound_memory, machine_memory
from labeljob.run import HUNG
from labeljob.steps.check import run_check
from labeljob.steps.evaluate import vote_batches
from tests.patience import HANG_SECONDS
from tests.unit.job.builders import context, delta, function_set, pinned

SLOW = {"column": "message", "pattern": "x[xy]{500}z"}  # too many states for an automaton: RE2 looks for each of them at every letter
MESSAGE = [{"name": "message", "type": "string"}]
EITHER = bytes(ord("xy"[byte % 2]) for byte in range(256))
LONG = random.Random(0).randbytes(1_000_000).translate(EITHER).decode()  # DuckDB looks for an interrupt between calls; this one takes seconds


def test_a_statement_that_no_interrupt_stops_is_told(tmp_path: Path) -> None:
    """X20: behind the interrupt of a run stands the end of its process."""
    hung = threading.Event()
    declared = function_set(MESSAGE, [{"name": "slow", "label": "risky", "regex": SLOW}])
    _, source = pinned(delta(tmp_path, "data", pa.table({"id": ["a"], "message": [LONG]})), tmp_path)
    surroundings = context(tmp_path, limits=TimeLimits(statement=0.4, grace=0.01, hung=hung.set))
    list(vote_batches(source, 1, VotingSet(declared, {}), surroundings, lambda rows: None))
    assert hung.is_set()


def test_function_tests_that_no_interrupt_stops_are_told() -> None:
    """X20: the check Job alike."""
    hung = threading.Event()
    tests = [{"row": {"message": LONG}, "expect": {"slow": "abstain"}}]
    declared = function_set(MESSAGE, [{"name": "slow", "label": "risky", "regex": SLOW}], tests=tests)
    limits = TimeLimits(statement=0.4, grace=0.01, hung=hung.set)
    with pytest.raises(Exception, match=r"expect\.slow: expected abstain, got error"):
        run_check(CheckTask(function_set=declared), lambda table: None, limits)
    assert hung.is_set()


STUCK = """
import sys
from pathlib import Path
import duckdb
from labeljob.labeling_functions.connection import EvaluationFailed, fetch
from labeljob.labeling_functions.limits import TimeLimits
from labeljob.logs import Log
from labeljob.run import give_up
connection = duckdb.connect()
connection.create_function("stuck", lambda text: sys.stdin.read(), [str], str)
limits = TimeLimits(statement=0.05, grace=0.05, hung=lambda: give_up(Path(sys.argv[1]), Log("label")))
while True:
    try:
        fetch(connection, "SELECT stuck('x')", limits)
    except EvaluationFailed:  # interrupted before it was stuck, on a busy machine
        pass
"""


def test_a_process_that_hangs_ends_with_a_result(tmp_path: Path) -> None:
    """X20, X9: a statement that would never end; the reason is told, and no retry is asked for."""
    file = tmp_path / "result.json"
    with subprocess.Popen([sys.executable, "-c", STUCK, str(file)], stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=_environment()) as child:
        try:
            code = child.wait(timeout=HANG_SECONDS)
        finally:
            child.kill()
    assert code == ExitCode.BAD_DATA
    failure = JobResult.model_validate_json(file.read_bytes()).failure
    assert failure is not None
    assert (failure.reason, failure.message) == (JobReason.FUNCTIONS_FAILING, HUNG)


GREEDY = """
import resource, sys
from pathlib import Path
from labeljob.labeling_functions.connection import EvaluationFailed, fetch, open_locked
from labeljob.labeling_functions.limits import TimeLimits
from labeljob.resources import bound_memory
if sys.argv[1] == "bounded":
    bound_memory(Path("nowhere"), machine=640 << 20)
connection = open_locked(threads=1, memory_limit="256MB")
try:
    fetch(connection, "SELECT list_sum(range(40000000))", TimeLimits())
except EvaluationFailed:
    print("failed", fetch(connection, "SELECT 1 AS one", TimeLimits())["one"][0])
else:
    print("took all")
"""


@pytest.mark.parametrize(("how", "said"), [("bounded", "failed 1"), ("free", "took all")])
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts what a process may fill")
def test_memory_beyond_duckdbs_count_is_bounded(how: str, said: str) -> None:
    """X20: an expression that builds more than the process may have fails alone, and the connection lives; unbounded it takes it."""
    done = subprocess.run([sys.executable, "-c", GREEDY, how], capture_output=True, text=True, check=True, env=_environment())
    assert done.stdout.strip() == said


def test_jobs_that_run_side_by_side_divide_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """X8: shards on a laptop; one thread is the least."""
    alone = available(tmp_path)
    monkeypatch.setenv(SHARERS_VARIABLE, "1000")
    many = available(tmp_path)
    assert (many.threads, many.memory_bytes) == (1, alone.memory_bytes // 1000)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts what a process may fill")
def test_a_job_bounds_itself_unless_a_cgroup_does(tmp_path: Path) -> None:
    """The entry point does it, before it looks at the task."""
    code = "import resource, sys; from labeljob.run import main; main(sys.argv[1:]); print(resource.getrlimit(resource.RLIMIT_DATA)[0])"
    config, result = tmp_path / "config.json", tmp_path / "result.json"
    owner = Owner(kind="LabelingFunctionSet", namespace="default", name="x")
    task = JobConfig(step="check", owner=owner, check=CheckTask(function_set=function_set([])))
    config.write_bytes(canonical_json(task.wire()))
    call = [sys.executable, "-c", code, "--config", str(config), "--result", str(result)]
    done = subprocess.run(call, capture_output=True, text=True, check=True, env=_environment())
    assert JobResult.model_validate_json(result.read_bytes()).failure is None
    limited = (_memory(CGROUP) or machine_memory()) < machine_memory()
    assert int(done.stdout) == (resource.RLIM_INFINITY if limited else int(PROCESS_SHARE * machine_memory()))


def test_a_cgroups_limit_is_left_to_the_cgroup(tmp_path: Path) -> None:
    """What a pod takes too much is its kernel's to end, and its condition's to name."""
    before = resource.getrlimit(resource.RLIMIT_DATA)
    (tmp_path / "memory.max").write_text(str(1 << 28))
    assert bound_memory(tmp_path) is None
    assert resource.getrlimit(resource.RLIMIT_DATA) == before


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
