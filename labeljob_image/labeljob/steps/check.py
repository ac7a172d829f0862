"""Step `check`: compile the functions, read the lookup tables, run the function tests."""

from collections.abc import Callable

from labeljob.contract.config import CheckTask
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.reasons import JobReason
from labeljob.contract.result import CheckResult
from labeljob.errors import JobError
from labeljob.hashing import Hasher
from labeljob.labeling_functions.engine import compile_functions
from labeljob.labeling_functions.function_tests import not_row_wise, run_function_tests
from labeljob.labeling_functions.identity import OpenTable, function_set_digest, read_lookups
from labeljob.labeling_functions.limits import DEFAULT_LIMITS, TimeLimits
from labeljob.labeling_functions.problem import bounded, summarise
from labeljob.labeling_functions.python_code import code_digests
from labeljob.labeling_functions.python_runtime import DEFAULT_RUNTIME, PythonRuntime
from labeljob.labeling_functions.validation import problems


def run_check(
    task: CheckTask,
    open_table: OpenTable,
    limits: TimeLimits = DEFAULT_LIMITS,
    python: PythonRuntime = DEFAULT_RUNTIME,
    hasher_of: Callable[[FunctionSet], Hasher | None] = lambda _: None,
) -> CheckResult:
    """Whether the set works, and its identity.

    Args:
        task: the set to check.
        open_table: reads a lookup table as a pyarrow.Table; its JobErrors pass through.
        limits: of the statement that runs the function tests. python: where `python` functions come from.
        hasher_of: what hashes a set's sensitive columns; asked for once the set can work. Its JobErrors pass through.
    Raises:
        JobError: FUNCTIONS_INVALID, LOOKUP_INVALID or FUNCTION_TESTS_FAILED; the message has the first problems with
            their field paths, in at most 2,000 characters.
    """
    function_set = task.function_set
    found = problems(function_set)
    if found:
        raise JobError(JobReason.FUNCTIONS_INVALID, summarise(found))
    hasher = hasher_of(function_set)
    lookups, code = read_lookups(function_set, open_table, hasher), code_digests(function_set, python.folders)
    with compile_functions(function_set, lookups, limits=limits, python=python) as functions:
        failures = run_function_tests(function_set, functions, hasher)
        found = [] if failures else not_row_wise(function_set, functions)
    if failures:
        raise JobError(JobReason.FUNCTION_TESTS_FAILED, bounded([str(failure) for failure in failures]))
    if found:
        raise JobError(JobReason.FUNCTIONS_INVALID, summarise(found))
    return CheckResult(
        function_set_digest=function_set_digest(function_set, lookups, code, hasher.key_id if hasher else None),
        function_count=len(function_set.enabled_functions),
        tests_passed=len(function_set.tests or []),
    )
