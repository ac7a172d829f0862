"""Which columns may leave the reader at all, and in which form (F5, X7; DESIGN §4.8).

Readers get the names this module gives and read nothing else, so a column declared `sensitive: drop` is in no batch, and hence in no
labeling function, log, Event, result or output. Of one declared `sensitive: hash` nothing but the hash goes on (`withheld`).
"""

from collections.abc import Iterable

import pyarrow as pa

from labeljob.contract.columns import Column, ColumnType
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.hashing import Hasher


def readable(function_set: FunctionSet) -> dict[str, ColumnType]:
    """Declared columns that may be read, with their types, in declared order."""
    return {column.name: column.type for column in function_set.schema_.columns if not column.is_dropped}


def inputs(function_set: FunctionSet, wanted: Iterable[str]) -> dict[str, ColumnType]:
    """The id column and the columns the functions read, as they are stored: hashed ones go through `withheld` before any function sees them.

    Raises:
        JobError: FUNCTIONS_INVALID when one of them is dropped, known only afterwards (X24), or not declared.
    """
    chosen: dict[str, ColumnType] = {function_set.id_column: id_type(function_set)}
    for name in wanted:
        column = function_set.schema_.column(name)
        if column is None:
            raise _refused(name, "is not declared: add it to spec.schema.columns")
        if column.is_dropped:
            raise _refused(name, "is sensitive: no labeling function may read it")
        if column.availability == "later":
            raise _refused(name, "is known only afterwards (availability: later): no labeling function may read it")
        chosen[name] = column.type
    return chosen


def withheld(batch: pa.RecordBatch, function_set: FunctionSet, hasher: Hasher | None) -> pa.RecordBatch:
    """The batch as the rest of a job may see it: hashes in the place of values that are declared so. ValueError without a hasher for them."""
    hashed = [name for name in function_set.schema_.hashed if name in batch.schema.names]
    if not hashed:
        return batch
    if hasher is None:
        raise ValueError(f"{hashed[0]} is to be hashed, and there is no key")
    columns = {name: hasher.hashed(batch.column(name)) if name in hashed else batch.column(name) for name in batch.schema.names}
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def id_type(function_set: FunctionSet) -> ColumnType:
    """The type of the id column in data and gold: string or int64; FUNCTIONS_INVALID when it cannot be the identity of a row."""
    return _id(function_set).type


def seen_id_type(function_set: FunctionSet) -> ColumnType:
    """The type of ids behind the reader and in the output: string where they are hashed."""
    return _id(function_set).seen_as


def _id(function_set: FunctionSet) -> Column:
    column = function_set.schema_.column(function_set.id_column)
    if column is None:
        raise _refused(function_set.id_column, "is spec.idColumn and not declared: add it to spec.schema.columns")
    if column.is_dropped or column.type not in ("string", "int64"):
        raise _refused(column.name, "is spec.idColumn: it must be string or int64 and not dropped")
    return column


def _refused(name: str, why: str) -> JobError:
    return JobError(JobReason.FUNCTIONS_INVALID, f"spec.schema.columns[{name}] {why}")
