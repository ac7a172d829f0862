"""python: a function of the user's own, called on batches in a process apart (`python_functions`); no SQL."""

from collections.abc import Iterator
from typing import get_args

from labeljob.contract.columns import ColumnType
from labeljob.contract.functions import LabelingFunction, PythonFunction
from labeljob.labeling_functions.problem import Problem
from labeljob.labeling_functions.scope import Scope

TYPES: tuple[ColumnType, ...] = get_args(ColumnType)


def declared(function: LabelingFunction) -> PythonFunction:
    assert function.python is not None  # noqa: S101 - the kind says so
    return function.python


def problems(function: LabelingFunction, path: str, scope: Scope) -> Iterator[Problem]:
    for index, name in enumerate(declared(function).columns):
        yield from scope.input_problems(name, f"{path}.python.columns[{index}]", TYPES)


def columns(function: LabelingFunction, scope: Scope) -> tuple[str, ...]:
    return tuple(declared(function).columns)


def vote_sql(function: LabelingFunction, scope: Scope) -> str:
    return "NULL"
