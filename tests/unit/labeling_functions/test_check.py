"""The check step: validation, tables, tests beside the functions (O7)."""

from typing import Any

import pyarrow as pa
import pytest

from labeljob.contract.config import CheckTask
from labeljob.contract.datasets import LookupTable
from labeljob.contract.reasons import JobReason
from labeljob.contract.result import CheckResult
from labeljob.errors import JobError
from labeljob.labeling_functions.identity import function_set_digest, read_lookups
from labeljob.steps.check import run_check
from tests.unit.labeling_functions.sets import a_lookup, a_set, risky

OPENED: list[str] = []


def open_table(table: LookupTable) -> pa.Table:
    OPENED.append(table.uri)
    return pa.table({"key": ["a"], "verdict": ["normal"]})


def check(*functions: dict[str, Any], **more: Any) -> CheckResult:
    return run_check(CheckTask(function_set=a_set(*functions, **more)), open_table)


def test_a_good_set() -> None:
    """O7, C2: every value of a row is read as its declared type; what is left out is null; zones become UTC."""
    functions = (
        a_lookup(),
        risky(sql="seen = timestamp '2026-01-31 12:00:00'"),
        risky(sql="count = 3 AND score = 1"),
        risky(sql="flag AND message IS NULL"),
        risky(sql="true", enabled=False),
    )
    tests = [
        {"row": {"message": "a"}, "expect": {"f0": "normal", "f1": "abstain", "f3": "abstain", "f4": "abstain"}},
        {"row": {"seen": "2026-01-31T13:00:00+01:00"}, "expect": {"f1": "risky"}},
        {"row": {"seen": "2026-01-31 12:00:00"}, "expect": {"f1": "risky"}},
        {"row": {"count": 3.0, "score": 1, "flag": True, "message": None}, "expect": {"f2": "risky", "f3": "risky"}},
    ]
    OPENED.clear()
    result = check(*functions, a_lookup(), tests=tests)
    assert (result.function_count, result.tests_passed) == (5, 4)
    assert OPENED == ["configmap://tables/t.csv"]
    the_set = a_set(*functions, a_lookup(), tests=tests)
    assert result.function_set_digest == function_set_digest(the_set, read_lookups(the_set, open_table))


def test_failing_tests_are_named() -> None:
    """O7: test, function, expected and got; an error is not an abstain; a fallback steps back."""
    tests = [
        {"row": {"message": "4"}, "expect": {"f0": "abstain", "f1": "normal"}},
        {"row": {"message": "x"}, "expect": {"f0": "abstain", "f1": "normal"}},
    ]
    with pytest.raises(JobError) as stopped:
        check(risky(sql="cast(message AS int) > 3"), {"label": "normal", "sql": "true", "fallback": True}, tests=tests)
    assert stopped.value.reason is JobReason.FUNCTION_TESTS_FAILED
    assert stopped.value.message.split("; ") == [
        "spec.tests[0].expect.f0: expected abstain, got risky",
        "spec.tests[0].expect.f1: expected normal, got abstain",
        "spec.tests[1].expect.f0: expected abstain, got error",
    ]


def test_tests_of_functions_that_read_nothing() -> None:
    """O7: a constant expression has no input column."""
    assert check(risky(sql="true"), tests=[{"row": {}, "expect": {"f0": "risky"}}]).tests_passed == 1
    assert check(risky(sql="true")).tests_passed == 0


def test_an_invalid_set_opens_no_table() -> None:
    """F5, X24: refused before any data is read."""
    OPENED.clear()
    with pytest.raises(JobError, match=r"spec.functions\[1\].sql: column 'mail' is sensitive") as stopped:
        check(a_lookup(), risky(sql="mail = 'x'"))
    assert stopped.value.reason is JobReason.FUNCTIONS_INVALID
    assert OPENED == []


def test_a_bad_table_stops() -> None:
    """C2: LookupInvalid passes through."""

    def conflicting(table: LookupTable) -> pa.Table:
        return pa.table({"key": ["a", "a"], "verdict": ["normal", "risky"]})

    with pytest.raises(JobError, match="1 keys with more than one class") as stopped:
        run_check(CheckTask(function_set=a_set(a_lookup())), conflicting)
    assert stopped.value.reason is JobReason.LOOKUP_INVALID
