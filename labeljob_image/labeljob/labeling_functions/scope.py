"""What a labeling function may see while it is checked and compiled: classes and readable columns."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from labeljob.contract.columns import Column, ColumnType
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.functions import LabelingFunction
from labeljob.labeling_functions.problem import Problem
from labeljob.labeling_functions.quoting import identifier
from labeljob.votes import PARTIAL

RESERVED_PREFIX = "labelplane:"  # names of our own in a statement; a declared column never starts so
ROW_NUMBER = f"{RESERVED_PREFIX}row"
ERROR_VOTE = -128  # inside a statement only: the function failed on the row


@dataclass(frozen=True)
class Scope:
    """The set, and a locked connection on which texts can be parsed and bound."""

    function_set: FunctionSet
    connection: Any  # duckdb.DuckDBPyConnection

    def class_index(self, name: str) -> int:
        """The vote that means this class."""
        return self.function_set.classes.index(name)

    def vote_of(self, function: LabelingFunction) -> int:
        """The vote of a function that names its classes itself: a class index, or PARTIAL for several.

        In a multi-label set "not A" of two classes does not name the other one: a row may have neither.
        """
        named = function.named(self.function_set.classes)
        one = len(named) == 1 and not (self.function_set.is_multi_label and function.votes_partially)
        return self.class_index(named[0]) if one else PARTIAL

    def readable(self) -> tuple[Column, ...]:
        """The declared columns that a labeling function may read, each name once as SQL sees it."""
        by_name = {column.name.lower(): column for column in reversed(self.function_set.schema_.columns) if "\0" not in column.name}
        return tuple(column for name, column in by_name.items() if refusal(column) is None and not name.startswith(RESERVED_PREFIX))

    def column_type(self, name: str) -> ColumnType:
        """The type of the values that a function sees."""
        column = self.function_set.schema_.column(name)
        if column is None:
            raise KeyError(name)
        return column.seen_as

    def input_problems(self, name: str, path: str, types: tuple[ColumnType, ...], *, as_key: bool = False) -> Iterator[Problem]:
        """Why the column cannot be the input: not declared, sensitive, known only later, or of another type. `as_key`: it is only looked up."""
        column = self.function_set.schema_.column(name)
        if column is None:
            yield Problem(path, undeclared(name))
            return
        refused = refusal(column, as_key=as_key)
        if refused:
            yield Problem(path, refused)
        if column.type not in types:
            yield Problem(path, f"column {name!r} is {column.type}, this kind needs {' or '.join(types)}: use another column or kind")

    def has_input(self, name: str, types: tuple[ColumnType, ...]) -> bool:
        """Whether the column can be the input."""
        return not list(self.input_problems(name, "", types))

    def class_problems(self, name: str, path: str) -> Iterator[Problem]:
        if name not in self.function_set.classes:
            yield Problem(path, f"class {name!r} is not in spec.classes: use one of {', '.join(self.function_set.classes)}")


def undeclared(name: str) -> str:
    return f"column {name!r} is not declared: add it to spec.schema.columns"


def refusal(column: Column, *, as_key: bool = False) -> str | None:
    """Why no labeling function may read this column, or None. `as_key`: it is only looked up in a table, whose keys are hashed alike."""
    if column.is_hashed and not as_key:
        return f"column {column.name!r} is hashed while reading, so only a lookup can use it: use a lookup, or another column"
    if column.is_dropped:
        return f"column {column.name!r} is sensitive and dropped while reading: use another column, or remove sensitive: drop"
    if column.availability == "later":
        return f"column {column.name!r} is known only afterwards (availability: later) and would leak the answer: use another column"
    return None


def vote_where(condition: str, vote: int) -> str:
    """SQL of a vote where the condition is true; null (an abstain) where it is false or null."""
    return f"CASE WHEN ({condition}) THEN {vote} END"


def column_sql(name: str) -> str:
    return identifier(name)
