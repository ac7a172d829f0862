"""sql: one DuckDB BOOLEAN expression over declared columns; true votes, false and null abstain."""

from collections.abc import Iterator

from labeljob.contract.functions import LabelingFunction
from labeljob.labeling_functions import sql_guard
from labeljob.labeling_functions.problem import Problem
from labeljob.labeling_functions.scope import Scope, vote_where


def problems(function: LabelingFunction, path: str, scope: Scope) -> Iterator[Problem]:
    for message in sql_guard.problems(function.sql or "", scope):
        yield Problem(f"{path}.sql", message)


def columns(function: LabelingFunction, scope: Scope) -> tuple[str, ...]:
    return sql_guard.columns(function.sql or "", scope)


def vote_sql(function: LabelingFunction, scope: Scope) -> str:
    """The text on lines of its own, so that a comment at its end stays its own."""
    return vote_where(f"\n{function.sql}\n", scope.vote_of(function))
