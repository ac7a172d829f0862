"""votes: the vote stands in a column already: raw values by a map, a teacher's score by bounds, or its probabilities as they are.

Null abstains (and so does NaN). A value that the map does not name is an error, not an abstain. Probabilities are no SQL: `soft_column`
reads them.
"""

import math
from collections.abc import Iterator

from labeljob.contract.columns import ColumnType
from labeljob.contract.functions import LabelingFunction, VoteColumn
from labeljob.labeling_functions import soft_column
from labeljob.labeling_functions.bounds import NUMERIC, compare
from labeljob.labeling_functions.problem import Problem
from labeljob.labeling_functions.quoting import literal, raw_value
from labeljob.labeling_functions.scope import ERROR_VOTE, Scope, column_sql

MAPPABLE: tuple[ColumnType, ...] = ("string", "int64", "float64", "boolean")


def declared(function: LabelingFunction) -> VoteColumn:
    assert function.votes is not None  # noqa: S101 - the kind says so
    return function.votes


def columns(function: LabelingFunction, scope: Scope) -> tuple[str, ...]:
    votes = declared(function)
    return tuple(dict.fromkeys(votes.probabilities.values())) if votes.probabilities else (column_of(votes),)


def column_of(votes: VoteColumn) -> str:
    assert votes.column is not None  # noqa: S101 - only probabilities have none
    return votes.column


def problems(function: LabelingFunction, path: str, scope: Scope) -> Iterator[Problem]:
    votes, path = declared(function), f"{path}.votes"
    if votes.probabilities is not None:
        yield from soft_column.problems(votes.probabilities, f"{path}.probabilities", scope)
        return
    yield from scope.input_problems(column_of(votes), f"{path}.column", NUMERIC if votes.map is None else MAPPABLE)
    yield from _map_problems(votes, f"{path}.map", scope)
    for side, bounds in (("above", votes.above), ("below", votes.below)):
        yield from _bound_problems(bounds, f"{path}.{side}", scope)
    yield from _overlap_problems(votes, path)
    if not (votes.map or votes.above or votes.below):
        yield Problem(path, "names no class, so it would never vote: fill map, above or below")


def _map_problems(votes: VoteColumn, path: str, scope: Scope) -> Iterator[Problem]:
    for raw, name in (votes.map or {}).items():
        yield from scope.class_problems(name, f"{path}[{raw}]")
    if not votes.map or not scope.has_input(column_of(votes), MAPPABLE):
        return
    column_type, seen = scope.column_type(column_of(votes)), dict[object, str]()
    for raw in votes.map:
        try:
            value = raw_value(raw, column_type)
        except ValueError:
            yield Problem(f"{path}[{raw}]", f"is not a value of column {column_of(votes)!r}, which is {column_type}: write it as such a value")
            continue
        if value in seen:
            yield Problem(f"{path}[{raw}]", f"is the same {column_type} value as {seen[value]!r}: keep one of them")
        seen[value] = raw


def _bound_problems(bounds: dict[str, float] | None, path: str, scope: Scope) -> Iterator[Problem]:
    for name, bound in (bounds or {}).items():
        yield from scope.class_problems(name, f"{path}.{name}")
        if not math.isfinite(bound):
            yield Problem(f"{path}.{name}", "must be a finite number")


def _overlap_problems(votes: VoteColumn, path: str) -> Iterator[Problem]:
    """Two classes may never claim the same number."""
    above, below = votes.above or {}, votes.below or {}
    for side, bounds in (("above", above), ("below", below)):
        if len(bounds) > 1:
            yield Problem(f"{path}.{side}", f"{' and '.join(bounds)} overlap (all are {side} some number): keep one class on each side")
    for high, low in ((high, low) for high in above for low in below if high != low):
        if above[high] < below[low]:
            yield Problem(
                path,
                f"above {high} ({above[high]:g}) and below {low} ({below[low]:g}) overlap: "
                f"the bound of above must be at least that of below",
            )


def vote_sql(function: LabelingFunction, scope: Scope) -> str:
    votes = declared(function)
    if votes.probabilities is not None:
        return "NULL"
    return _bounds_sql(votes, scope) if votes.map is None else _map_sql(column_of(votes), votes.map, scope)


def _bounds_sql(votes: VoteColumn, scope: Scope) -> str:
    column_type = scope.column_type(column_of(votes))
    sides = [("above", name, bound) for name, bound in (votes.above or {}).items()]
    sides += [("below", name, bound) for name, bound in (votes.below or {}).items()]
    cases = [f"WHEN {compare(column_of(votes), column_type, side, bound)} THEN {scope.class_index(name)}" for side, name, bound in sides]
    return f"CASE {' '.join(cases)} END"


def _map_sql(column: str, classes: dict[str, str], scope: Scope) -> str:
    name, column_type = column_sql(column), scope.column_type(column)
    abstains = f"{name} IS NULL OR isnan({name})" if column_type == "float64" else f"{name} IS NULL"
    raw_by_class: dict[str, list[str]] = {}
    for raw, label in classes.items():
        raw_by_class.setdefault(label, []).append(literal(raw_value(raw, column_type)))
    cases = [f"WHEN {name} IN ({', '.join(raws)}) THEN {scope.class_index(label)}" for label, raws in raw_by_class.items()]
    return f"CASE WHEN {abstains} THEN NULL {' '.join(cases)} ELSE {ERROR_VOTE} END"
