"""regex: an RE2 search, case-sensitive unless the pattern says `(?i)`; linear in the length of the text."""

from collections.abc import Iterator

import duckdb

from labeljob.contract.columns import ColumnType
from labeljob.contract.functions import LabelingFunction, Regex
from labeljob.labeling_functions.literal_scan import Sought
from labeljob.labeling_functions.pattern_literals import literals_of
from labeljob.labeling_functions.problem import Problem
from labeljob.labeling_functions.quoting import text
from labeljob.labeling_functions.scope import Scope, column_sql, vote_where

TYPES: tuple[ColumnType, ...] = ("string",)


def declared(function: LabelingFunction) -> Regex:
    assert function.regex is not None  # noqa: S101 - the kind says so
    return function.regex


def problems(function: LabelingFunction, path: str, scope: Scope) -> Iterator[Problem]:
    regex = declared(function)
    yield from scope.input_problems(regex.column, f"{path}.regex.column", TYPES)
    yield from _pattern_problems(regex.pattern, f"{path}.regex.pattern", scope)


def _pattern_problems(pattern: str, path: str, scope: Scope) -> Iterator[Problem]:
    try:
        matches_empty = scope.connection.execute(f"SELECT regexp_matches('', {text(pattern)})").fetchall()[0][0]
    except duckdb.Error as error:
        why = str(error).split("\n")[0].removeprefix("Invalid Input Error: ")
        yield Problem(path, f"is not an RE2 pattern ({why}): RE2 has no lookaround and no backreferences")
        return
    if matches_empty:
        yield Problem(path, "matches the empty string, so it would vote on every text: ask for at least one character (+ instead of *)")


def columns(function: LabelingFunction, scope: Scope) -> tuple[str, ...]:
    return (declared(function).column,)


def vote_sql(function: LabelingFunction, scope: Scope) -> str:
    regex = declared(function)
    found = f"regexp_matches({column_sql(regex.column)}, {text(regex.pattern)})"
    return vote_where(found, scope.vote_of(function))


def sought(function: LabelingFunction) -> Sought | None:
    """Literals of which one stands, up to ASCII case, in every text that it votes on; None when none is known."""
    found = literals_of(declared(function).pattern)
    return None if found is None else Sought(found)
