"""Step `check`: compile the functions, read the lookup tables, run the function tests."""

from collections.abc import Callable
from typing import Any

from labeljob.contract.config import CheckTask
from labeljob.contract.datasets import LookupTable
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.reasons import JobReason
from labeljob.contract.result import CheckResult
from labeljob.errors import JobError
from labeljob.labeling_functions.connection import DEFAULT_LIMITS, TimeLimits
from labeljob.labeling_functions.engine import compile_functions
from labeljob.labeling_functions.function_tests import run_function_tests
from labeljob.labeling_functions.lookups import LookupData, function_set_digest, read_lookup
from labeljob.labeling_functions.problem import bounded, summarise
from labeljob.labeling_functions.validation import problems

OpenTable = Callable[[LookupTable], Any]  # -> pyarrow.Table


def run_check(task: CheckTask, open_table: OpenTable, limits: TimeLimits = DEFAULT_LIMITS) -> CheckResult:
    """Whether the set works, and its identity.

    Args:
        task: the set to check.
        open_table: reads a lookup table as a pyarrow.Table; its JobErrors pass through.
        limits: of the statement that runs the function tests.
    Raises:
        JobError: FUNCTIONS_INVALID, LOOKUP_INVALID or FUNCTION_TESTS_FAILED; the message has the first problems with
            their field paths, in at most 2,000 characters.
    """
    function_set = task.function_set
    found = problems(function_set)
    if found:
        raise JobError(JobReason.FUNCTIONS_INVALID, summarise(found))
    lookups = read_lookups(function_set, open_table)
    with compile_functions(function_set, lookups, limits=limits) as functions:
        failures = run_function_tests(function_set, functions)
    if failures:
        raise JobError(JobReason.FUNCTION_TESTS_FAILED, bounded([str(failure) for failure in failures]))
    return CheckResult(
        function_set_digest=function_set_digest(function_set, lookups),
        function_count=len(function_set.enabled_functions),
        tests_passed=len(function_set.tests or []),
    )


def read_lookups(function_set: FunctionSet, open_table: OpenTable) -> dict[str, LookupData]:
    """The tables of all enabled lookup functions, by function name; a table used twice is opened once."""
    opened: dict[LookupTable, Any] = {}
    lookups: dict[str, LookupData] = {}
    for function in function_set.enabled_functions:
        if function.lookup is None:
            continue
        table = function.lookup.table
        if table not in opened:
            opened[table] = open_table(table)
        lookups[function.name] = read_lookup(function, opened[table], function_set.classes)
    return lookups
