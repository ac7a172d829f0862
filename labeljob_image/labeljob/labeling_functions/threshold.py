"""threshold: a number within bounds; above and below are strict, atLeast and atMost inclusive, two bounds mean AND."""

import math
from collections.abc import Iterator

from labeljob.contract.functions import LabelingFunction, Threshold
from labeljob.labeling_functions.bounds import NUMERIC, compare
from labeljob.labeling_functions.problem import Problem
from labeljob.labeling_functions.scope import Scope, vote_where

WIRE_NAMES = {"above": "above", "at_least": "atLeast", "below": "below", "at_most": "atMost"}


def declared(function: LabelingFunction) -> Threshold:
    assert function.threshold is not None  # noqa: S101 - the kind says so
    return function.threshold


def given_bounds(threshold: Threshold) -> dict[str, float]:
    """The bounds that are set, by relation: one or two."""
    values = {relation: getattr(threshold, relation) for relation in WIRE_NAMES}
    return {relation: bound for relation, bound in values.items() if bound is not None}


def problems(function: LabelingFunction, path: str, scope: Scope) -> Iterator[Problem]:
    threshold = declared(function)
    yield from scope.input_problems(threshold.column, f"{path}.threshold.column", NUMERIC)
    bounds = given_bounds(threshold)
    endless = [relation for relation, bound in bounds.items() if not math.isfinite(bound)]
    for relation in endless:
        yield Problem(f"{path}.threshold.{WIRE_NAMES[relation]}", "must be a finite number: leave the bound out instead")
    if not endless and _is_empty(bounds):
        yield Problem(f"{path}.threshold", "no number lies within both bounds, so it would never vote: swap or widen them")


def _is_empty(bounds: dict[str, float]) -> bool:
    lower = bounds.get("above", bounds.get("at_least", -math.inf))
    upper = bounds.get("below", bounds.get("at_most", math.inf))
    strict = "above" in bounds or "below" in bounds
    return lower > upper or (lower == upper and strict)


def columns(function: LabelingFunction, scope: Scope) -> tuple[str, ...]:
    return (declared(function).column,)


def vote_sql(function: LabelingFunction, scope: Scope) -> str:
    threshold = declared(function)
    column_type = scope.column_type(threshold.column)
    within = [compare(threshold.column, column_type, relation, bound) for relation, bound in given_bounds(threshold).items()]
    return vote_where(" AND ".join(within), scope.vote_of(function))
