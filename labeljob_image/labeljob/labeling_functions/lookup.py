"""lookup: the class that a table gives for the row's key (distant supervision); a missing key abstains."""

from collections.abc import Iterator

from labeljob.contract.columns import ColumnType
from labeljob.contract.functions import LabelingFunction, Lookup
from labeljob.labeling_functions.problem import Problem
from labeljob.labeling_functions.quoting import identifier
from labeljob.labeling_functions.scope import RESERVED_PREFIX, Scope, column_sql

TYPES: tuple[ColumnType, ...] = ("string", "int64")
KEY, VOTE = f"{RESERVED_PREFIX}key", f"{RESERVED_PREFIX}vote"


def declared(function: LabelingFunction) -> Lookup:
    assert function.lookup is not None  # noqa: S101 - the kind says so
    return function.lookup


def problems(function: LabelingFunction, path: str, scope: Scope) -> Iterator[Problem]:
    lookup = declared(function)
    yield from scope.input_problems(lookup.column, f"{path}.lookup.column", TYPES, as_key=True)
    if lookup.key_column == lookup.label_column:
        yield Problem(f"{path}.lookup.labelColumn", "is the key column too: name the column that holds the class")


def columns(function: LabelingFunction, scope: Scope) -> tuple[str, ...]:
    return (declared(function).column,)


def table_name(function: LabelingFunction) -> str:
    """The table in the engine's connection: distinct keys and their votes."""
    return f"{RESERVED_PREFIX}lookup:{function.name}"


def vote_sql(function: LabelingFunction, scope: Scope) -> str:
    return f"{identifier(table_name(function))}.{identifier(VOTE)}"


def join_sql(function: LabelingFunction) -> str:
    """Keys are distinct, so the join never multiplies rows."""
    table = identifier(table_name(function))
    return f"LEFT JOIN {table} ON {column_sql(declared(function).column)} = {table}.{identifier(KEY)}"
