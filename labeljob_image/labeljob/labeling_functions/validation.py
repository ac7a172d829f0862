"""What cannot work in a function set, said all at once, before any data is opened."""

import math
from collections.abc import Iterable, Iterator, Sequence

import duckdb

from labeljob.contract.columns import Column
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.functions import LabelingFunction
from labeljob.labeling_functions import function_tests, multi_label
from labeljob.labeling_functions.connection import create_empty_rows, open_locked
from labeljob.labeling_functions.kinds import kind_of
from labeljob.labeling_functions.problem import Problem
from labeljob.labeling_functions.scope import RESERVED_PREFIX, Scope, undeclared
from labeljob.labeling_functions.sql_guard import first_line
from labeljob.labeling_functions.statement import compile_function, select

NUMERIC = ("int64", "float64")


def problems(function_set: FunctionSet) -> list[Problem]:
    """Every problem of the set, in the order of its fields; empty when it can be compiled.

    Opens nothing: expressions are parsed and bound in an empty, locked DuckDB.
    """
    found = [*_column_problems(function_set.schema_.columns), *_id_problems(function_set)]
    connection = open_locked(threads=1, memory_limit="256MB")
    try:
        scope = Scope(function_set, connection)
        create_empty_rows(connection, scope.readable())
        found += _function_problems(scope)
    finally:
        connection.close()
    return [*found, *_vote_problems(function_set), *multi_label.problems(function_set), *function_tests.problems(function_set)]


def _column_problems(columns: Iterable[Column]) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for index, column in enumerate(columns):
        path = f"spec.schema.columns[{index}]"
        folded = column.name.lower()
        if folded in seen:
            yield Problem(f"{path}.name", f"{column.name!r} and {seen[folded]!r} differ only in case, which SQL does not see: rename one")
        seen.setdefault(folded, column.name)
        if folded.startswith(RESERVED_PREFIX) or "\0" in column.name:
            yield Problem(f"{path}.name", f"may not start with {RESERVED_PREFIX!r} or hold a NUL character: rename it")
        yield from _range_problems(column, path)


def _range_problems(column: Column, path: str) -> Iterator[Problem]:
    given = {name: bound for name, bound in (("minimum", column.minimum), ("maximum", column.maximum)) if bound is not None}
    for name, bound in given.items():
        if column.type not in NUMERIC:
            yield Problem(f"{path}.{name}", f"is for int64 and float64 columns, {column.name!r} is {column.type}: remove it")
        elif not math.isfinite(bound):
            yield Problem(f"{path}.{name}", "must be a finite number: leave it out instead")
    if column.minimum is not None and column.maximum is not None and column.minimum > column.maximum:
        yield Problem(f"{path}.minimum", f"is greater than maximum ({column.minimum:g} > {column.maximum:g}): swap them")


def _id_problems(function_set: FunctionSet) -> Iterator[Problem]:
    column = function_set.schema_.column(function_set.id_column)
    if column is None:
        yield Problem("spec.idColumn", f"{undeclared(function_set.id_column)} with nullable: false")
        return
    if column.type not in ("string", "int64"):
        yield Problem("spec.idColumn", f"column {column.name!r} is {column.type}, must be string or int64")
    if column.allows_null:
        yield Problem("spec.idColumn", f"column {column.name!r} identifies rows and cannot be null: declare it with nullable: false")
    if column.is_dropped:
        yield Problem("spec.idColumn", f"column {column.name!r} is sensitive and every output row carries it: use sensitive: hash, or another id column")
    if column.availability == "later":
        yield Problem("spec.idColumn", f"column {column.name!r} is known only afterwards (availability: later), and a row without an id has no label: use another id column")


def _function_problems(scope: Scope) -> list[Problem]:
    functions = scope.function_set.functions
    found = {index: list(kind_of(function).problems(function, f"spec.functions[{index}]", scope)) for index, function in enumerate(functions)}
    bound = [index for index, function in enumerate(functions) if not found[index] and not function.lookup]
    if bound and _binding_error([functions[index] for index in bound], scope):  # together is as good as one by one, and quicker
        for index in bound:
            if (why := _binding_error([functions[index]], scope)) is not None:
                found[index] = [Problem(f"spec.functions[{index}].{functions[index].kind}", f"cannot be evaluated: {why}")]
    return [problem for of_function in found.values() for problem in of_function]


def _binding_error(functions: Sequence[LabelingFunction], scope: Scope) -> str | None:
    """The compiled functions, tried on no rows: what their kinds' own checks did not foresee."""
    try:
        scope.connection.execute(select([compile_function(function, scope) for function in functions])).fetchall()
    except duckdb.Error as error:
        return first_line(error)
    return None


def _vote_problems(function_set: FunctionSet) -> Iterator[Problem]:
    enabled = function_set.enabled_functions
    if not enabled:
        yield Problem("spec.functions", "all functions are disabled: enable at least one")
    elif all(function.is_fallback for function in enabled):
        yield Problem("spec.functions", "all enabled functions are fallbacks, which vote only where others do not: add one that is not")
