"""Which columns may leave the reader at all (F5, X7; DESIGN §4.8).

Readers get the names this module gives and read nothing else, so a column declared `sensitive: drop` is in no batch, and hence in no
labeling function, log, Event, result or output.
"""

from collections.abc import Iterable

from labeljob.contract.columns import ColumnType
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError


def readable(function_set: FunctionSet) -> dict[str, ColumnType]:
    """Declared columns that may be read, with their types, in declared order."""
    return {column.name: column.type for column in function_set.schema_.columns if column.sensitive != "drop"}


def inputs(function_set: FunctionSet, wanted: Iterable[str]) -> dict[str, ColumnType]:
    """The id column and the columns the functions read.

    Raises:
        JobError: FUNCTIONS_INVALID when one of them is sensitive, known only afterwards (X24), or not declared.
    """
    chosen: dict[str, ColumnType] = {function_set.id_column: id_type(function_set)}
    for name in wanted:
        column = function_set.schema_.column(name)
        if column is None:
            raise _refused(name, "is not declared: add it to spec.schema.columns")
        if column.sensitive is not None:
            raise _refused(name, "is sensitive: no labeling function may read it")
        if column.availability == "later":
            raise _refused(name, "is known only afterwards (availability: later): no labeling function may read it")
        chosen[name] = column.type
    return chosen


def id_type(function_set: FunctionSet) -> ColumnType:
    """The type of the id column: string or int64; FUNCTIONS_INVALID when it cannot be the identity of a row."""
    column = function_set.schema_.column(function_set.id_column)
    if column is None:
        raise _refused(function_set.id_column, "is spec.idColumn and not declared: add it to spec.schema.columns")
    if column.sensitive is not None or column.type not in ("string", "int64"):
        raise _refused(column.name, "is spec.idColumn: it must be string or int64 and not sensitive")
    return column.type


def _refused(name: str, why: str) -> JobError:
    return JobError(JobReason.FUNCTIONS_INVALID, f"spec.schema.columns[{name}] {why}")
