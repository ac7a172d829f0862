"""The kinds of labeling function by the name of their field. A kind is a module with these three functions."""

from collections.abc import Iterator, Mapping
from typing import Protocol

from labeljob.contract.functions import LabelingFunction
from labeljob.labeling_functions import keywords, lookup, python_kind, regex, sql, threshold, votes_column
from labeljob.labeling_functions.problem import Problem
from labeljob.labeling_functions.scope import Scope


class Kind(Protocol):
    """What each kind's module provides."""

    def problems(self, function: LabelingFunction, path: str, scope: Scope) -> Iterator[Problem]:
        """Why the function cannot work; `path` is that of the function."""

    def columns(self, function: LabelingFunction, scope: Scope) -> tuple[str, ...]:
        """The declared columns it reads."""

    def vote_sql(self, function: LabelingFunction, scope: Scope) -> str:
        """Its vote as a SQL expression over one row: a class index, null to abstain, ERROR_VOTE for an error."""


KINDS: Mapping[str, Kind] = {
    "keywords": keywords,
    "regex": regex,
    "threshold": threshold,
    "sql": sql,
    "lookup": lookup,
    "votes": votes_column,
    "python": python_kind,
}


def kind_of(function: LabelingFunction) -> Kind:
    return KINDS[function.kind]
