"""Identity of the code of `python` functions, and what is refused of them before any data is read."""

import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from labeljob.cascade import open_cascade
from labeljob.contract.config import FUNCTIONS_VARIABLE, CheckTask
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.labeling_functions.identity import function_set_digest
from labeljob.labeling_functions.limits import DEFAULT_LIMITS
from labeljob.labeling_functions.multi_label import Answers, answers_of
from labeljob.labeling_functions.python_code import code_digests
from labeljob.labeling_functions.python_runtime import DEFAULT_FOLDER, PythonRuntime, folders_of
from labeljob.model_artifact import VotingSet
from labeljob.resources import Resources
from labeljob.steps.check import run_check
from tests.unit.labeling_functions.python_modules import RULES, python, write
from tests.unit.labeling_functions.sets import a_set, risky


def digest(folder: Path, entrypoint: str) -> str:
    function = {"python": {"entrypoint": entrypoint, "columns": ["message"]}}
    return code_digests(a_set(function, risky(sql="true")), (str(folder),))["f0"]


def test_a_module_is_its_file_and_what_it_imports_beside_it(tmp_path: Path) -> None:
    """F6: an edit anywhere among them is another digest; what is merely beside, is installed, or runs at import is not looked at."""
    source = "import json\nraise SystemExit\ndef f(batch):\n    from neighbour import words\n"
    write(tmp_path, acme=source, neighbour="import further", further="words = 1", unrelated="x = 1")
    first = digest(tmp_path, "acme:f")
    assert digest(tmp_path, "acme:other") == first
    for name, same in (("unrelated", True), ("further", False), ("neighbour", False), ("acme", False)):
        before = digest(tmp_path, "acme:f")
        (tmp_path / f"{name}.py").write_text((tmp_path / f"{name}.py").read_text() + "\n# edited")
        assert (digest(tmp_path, "acme:f") == before) is same, name
    assert "acme" not in sys.modules


def test_a_package_is_all_its_files(tmp_path: Path) -> None:
    """F6: data as well as code, wherever the function is in it; not what Python compiled."""
    (tmp_path / "acme/lfs/__pycache__").mkdir(parents=True)
    for name in ("__init__.py", "words.txt", "lfs/__init__.py", "lfs/mail.py", "lfs/__pycache__/mail.pyc"):
        (tmp_path / "acme" / name).write_text("")
    for name, same in (("lfs/__pycache__/mail.pyc", True), ("words.txt", False), ("__init__.py", False), ("lfs/mail.py", False)):
        before = digest(tmp_path, "acme.lfs.mail:f")
        (tmp_path / "acme" / name).write_text("# edited")
        assert (digest(tmp_path, "acme.lfs.mail:f") == before) is same, name


def test_a_namespace_is_not_all_that_is_called_so(tmp_path: Path) -> None:
    """F6: below a name that several distributions share, the first package or module counts; one moved elsewhere is the same code."""
    for team in ("one", "two"):
        (tmp_path / "here/acme" / team).mkdir(parents=True)
        (tmp_path / "here/acme" / team / "__init__.py").write_text("")
    (tmp_path / "here/acme/loose.py").write_text("")
    first = digest(tmp_path / "here", "acme.one.rules:f"), digest(tmp_path / "here", "acme.loose:f")
    (tmp_path / "here/acme/two/__init__.py").write_text("# edited")
    (tmp_path / "here").rename(tmp_path / "there")
    assert (digest(tmp_path / "there", "acme.one.rules:f"), digest(tmp_path / "there", "acme.loose:f")) == first
    for entrypoint in ("acme.three:f", "acme:f", "nowhere:f"):
        with pytest.raises(JobError, match=rf"spec.functions\[0\].python.entrypoint: there is no module {entrypoint[:-2]}: add it to the image"):
            digest(tmp_path / "there", entrypoint)


def test_modules_of_python_itself_and_of_libraries(tmp_path: Path) -> None:
    assert digest(tmp_path, "math:sqrt") != digest(tmp_path, "time:time")
    assert len(digest(tmp_path, "colorsys:hls_to_rgb")) == 64


def test_the_sets_digest_has_its_code(tmp_path: Path) -> None:
    """F6: of the enabled functions alone."""
    write(tmp_path, rules="")
    one, off = a_set(python("f"), risky(sql="true")), a_set(python("f") | {"enabled": False}, risky(sql="true"))
    assert function_set_digest(one, {}, {"f0": "a"}) != function_set_digest(one, {}, {"f0": "b"})
    assert code_digests(off, (str(tmp_path),)) == {}
    assert function_set_digest(off, {}) == function_set_digest(off, {}, {})


def test_other_code_than_the_model_was_fitted_with_is_refused(tmp_path: Path) -> None:
    """F6: before any of it runs."""
    folder = write(tmp_path, rules="import pathlib\npathlib.Path('ran').touch()")
    voting = VotingSet(a_set(python("f"), risky(sql="true")), {}, code={"f0": "another"})
    with ExitStack() as stack, pytest.raises(JobError, match="the code of f0 is not what the model was fitted with") as stopped:
        open_cascade(voting, Resources(1, 64 << 20), DEFAULT_LIMITS, PythonRuntime((folder,)), stack)
    assert stopped.value.reason is JobReason.MODEL_MISMATCH


def test_in_a_set_of_several_labels_a_function_may_name_any_class() -> None:
    """C2: it votes for the one that it names, and passes over the others."""
    function = a_set(python("f"), risky(sql="true")).functions[0]
    assert answers_of(function, ["a", "b", "c"]) == Answers(frozenset("abc"), frozenset("abc"))
    assert not function.abstain_is_missing


def test_where_modules_are_looked_for() -> None:
    assert folders_of({}) == (DEFAULT_FOLDER,)
    assert folders_of({FUNCTIONS_VARIABLE: "/a::/b"}) == ("/a", "/b")


def test_the_check_imports_and_calls(tmp_path: Path) -> None:
    """O7, C2: every function that cannot be imported is named with the remedy, whatever its import does."""
    modules = {"needs": "import no_such_library", "raises": "x = {}['planted-value']", "ends": "import os\nos._exit(4)", "exits": "raise SystemExit"}
    runtime = PythonRuntime((write(tmp_path, rules=RULES, **modules),))
    functions = [python("nope"), python("not_callable"), *(python("f", module=name) for name in modules), python("silent"), python("nope") | {"enabled": False}]
    with pytest.raises(JobError) as stopped:
        run_check(CheckTask(function_set=a_set(*functions)), lambda table: None, python=runtime)
    assert stopped.value.reason is JobReason.FUNCTIONS_INVALID
    place = "spec.functions[{}].python.entrypoint: "
    assert stopped.value.message.split("; ") == [
        place.format(0) + "rules has no function nope: correct the name",
        place.format(1) + "rules has no function not_callable: correct the name",
        place.format(2) + "importing it needs the module no_such_library, which is not there: add it",
        place.format(3) + "importing it raised KeyError at raises.py:1: correct the module",
        place.format(4) + "the process ended with exit code 4 while importing it: correct the module",
        place.format(5) + "importing it raised SystemExit at exits.py:1: correct the module",
    ]


def test_function_tests_call_python_functions_and_find_those_that_look_at_other_rows(tmp_path: Path) -> None:
    """O7, C2: a failing test says why; one whose votes depend on the batch is refused."""
    runtime = PythonRuntime((write(tmp_path, rules=RULES),))

    def check(function: str, *expected: str) -> int:
        tests = [{"row": {"message": text}, "expect": {"f0": vote}} for text, vote in zip(("x", "bad"), expected, strict=True)]
        return run_check(CheckTask(function_set=a_set(python(function), risky(sql="true"), tests=tests)), lambda table: None, python=runtime).tests_passed

    assert check("dictionary", "normal", "normal") == 2
    with pytest.raises(JobError, match=r"^spec.tests\[1\].expect.f0: expected normal, got error \(raised KeyError at rules.py:\d+\)$") as stopped:
        check("raises", "normal", "normal")
    assert stopped.value.reason is JobReason.FUNCTION_TESTS_FAILED
    with pytest.raises(JobError, match=r"^spec.functions\[0\].python.entrypoint: spec.tests\[0\]: votes otherwise on the row alone") as stopped:
        check("counts_rows", "risky", "risky")
    assert stopped.value.reason is JobReason.FUNCTIONS_INVALID
