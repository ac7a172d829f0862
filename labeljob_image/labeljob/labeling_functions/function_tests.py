"""`spec.tests`: rows written beside the labeling functions, and what the functions must say of them."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from labeljob.contract.columns import Column, ColumnType
from labeljob.contract.function_set import FunctionSet, FunctionTest
from labeljob.hashing import Hasher
from labeljob.labeling_functions.connection import ARROW_TYPES
from labeljob.labeling_functions.problem import Problem
from labeljob.labeling_functions.quoting import INT64_MAX, INT64_MIN
from labeljob.labeling_functions.scope import undeclared
from labeljob.privacy import withheld
from labeljob.said import ABSTAINS, partial_text, said

FAILED = "error"


@dataclass(frozen=True)
class TestFailure:
    """An expectation that was not met. `got` is a class, abstain, or error."""

    __test__ = False  # not a test class

    test: int
    function: str
    expected: str
    got: str

    def __str__(self) -> str:
        return f"spec.tests[{self.test}].expect.{self.function}: expected {self.expected}, got {self.got}"


def _as_text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError
    return value


def _as_int64(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != math.floor(value) or not INT64_MIN <= value <= INT64_MAX:
        raise ValueError
    return int(value)


def _as_float64(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError
    return float(value)


def _as_boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _as_timestamp(value: object) -> datetime:
    """ISO 8601 text as UTC without a zone; text without a zone is UTC already."""
    moment = datetime.fromisoformat(_as_text(value))
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


READERS: Mapping[ColumnType, tuple[Callable[[object], Any], str]] = {
    "string": (_as_text, "text in quotes"),
    "int64": (_as_int64, "a whole number"),
    "float64": (_as_float64, "a number"),
    "boolean": (_as_boolean, "true or false"),
    "timestamp": (_as_timestamp, "ISO 8601 text such as 2026-01-31T12:00:00Z"),
}


def read_value(value: object, column_type: ColumnType) -> Any:
    """A test row's value in the column's type; None is null. ValueError or OverflowError when it is not of that type."""
    return None if value is None else READERS[column_type][0](value)


def problems(function_set: FunctionSet) -> Iterator[Problem]:
    """What is wrong with the tests themselves: unknown columns, functions or classes, and values of another type."""
    for index, test in enumerate(function_set.tests or ()):
        yield from _row_problems(test, f"spec.tests[{index}].row", function_set)
        yield from _expectation_problems(test, f"spec.tests[{index}].expect", function_set)


def _row_problems(test: FunctionTest, path: str, function_set: FunctionSet) -> Iterator[Problem]:
    for name, value in test.row.items():
        column = function_set.schema_.column(name)
        if column is None:
            yield Problem(f"{path}.{name}", undeclared(name))
            continue
        try:
            read_value(value, column.type)
        except (ValueError, OverflowError):
            yield Problem(f"{path}.{name}", f"is not of type {column.type}: write {READERS[column.type][1]}")


def _expectation_problems(test: FunctionTest, path: str, function_set: FunctionSet) -> Iterator[Problem]:
    names = {function.name: partial_text(function, function_set.classes, function_set.is_multi_label) for function in function_set.functions}
    soft = {function.name for function in function_set.functions if function.is_soft and function_set.is_multi_label}
    for name, expected in test.expect.items():
        if name in soft:
            yield Problem(f"{path}.{name}", "in a multi-label set its probabilities say something of each class, which is no one vote: leave it out of expect")
            continue
        if name not in names:
            yield Problem(f"{path}.{name}", "no function has this name: use a name of spec.functions")
        partial = names.get(name)
        if expected not in (*function_set.classes, ABSTAINS, partial):
            known = ", ".join([*function_set.classes, *([partial] if partial else []), ABSTAINS])
            yield Problem(f"{path}.{name}", f"{expected!r} is neither a class nor abstain: use one of {known}")


def rows_of(tests: Sequence[FunctionTest], columns: Sequence[Column]) -> Any:
    """The tests' rows as a pyarrow.Table: all the columns, null where a row leaves one out."""
    if not columns:
        return pa.table({"test": np.arange(len(tests))})
    values = {column.name: [read_value(test.row.get(column.name), column.type) for test in tests] for column in columns}
    return pa.table({column.name: pa.array(values[column.name], ARROW_TYPES[column.type]) for column in columns})


def not_row_wise(function_set: FunctionSet, functions: Any) -> list[Problem]:
    """The `python` functions whose vote on a test's row depends on the rows beside it.

    Args:
        function_set, functions: as for `run_function_tests`.
    """
    tests, python = function_set.tests or [], functions.python
    if not tests or not python.paths:
        return []
    rows = rows_of(tests, [column for column in function_set.schema_.columns if column.name in functions.input_columns])

    def votes(part: Any) -> Any:
        raw = np.zeros((len(functions.names), part.num_rows), dtype=np.int8)
        python.fill(raw, part, len(tests))
        return raw

    together, alone = votes(rows), np.concatenate([votes(rows.slice(index, 1)) for index in range(len(tests))], axis=1)
    differing = {position: int(np.argmax(line)) for position, line in enumerate(together != alone) if line.any()}
    what = "votes otherwise on the row alone than among the other tests' rows: look at each row by itself"
    return [Problem(f"{python.paths[position]}.python.entrypoint", f"spec.tests[{test}]: {what}") for position, test in differing.items()]


def _with_reason(answer: str, why: str | None) -> str:
    return f"error ({why})" if answer == FAILED and why else answer


def run_function_tests(function_set: FunctionSet, functions: Any, hasher: Hasher | None = None) -> list[TestFailure]:
    """Every expectation that is not met; expectations on disabled functions are left out.

    Args:
        function_set: a set without problems.
        functions: the set as CompiledFunctions.
        hasher: of the set's hashed columns; the rows of tests hold plain values.
    """
    tests = function_set.tests or []
    if not tests:
        return []
    columns = [column for column in function_set.schema_.columns if column.name in functions.input_columns]
    rows = rows_of(tests, columns).combine_chunks().to_batches()[0]
    batch = functions.apply(withheld(rows, function_set, hasher), error_allowance=len(tests))
    enabled = function_set.enabled_functions
    answers = [
        [FAILED if failed else said(function, int(vote), function_set.classes) for function, vote, failed in zip(enabled, *row, strict=True)]
        for row in zip(batch.votes, batch.errors, strict=True)
    ]
    place = {name: position for position, name in enumerate(functions.names)}
    return [
        TestFailure(index, name, expected, _with_reason(answers[index][place[name]], functions.python.why(place[name])))
        for index, test in enumerate(tests)
        for name, expected in test.expect.items()
        if name in place and answers[index][place[name]] != expected
    ]
