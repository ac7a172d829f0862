"""The rows that are set apart, and a source without them (F3).

A row that breaks the contract by a value is told by itself, in any batch and whenever it is read. So nothing is kept of the check but counts: those who
label read the columns of the contract once more and leave the row out, and those who write the rows read them again.

Columns of a row that is set apart: `reason`, `run`, and `row`, a struct of the declared columns that nothing says are sensitive, typed, with the id in the
form that the output has. A value that is not of its type is null there. Of a row whose id is repeated there is the id alone.
"""

from collections.abc import Iterable, Iterator, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from labeljob.breaches import DUPLICATE_IDS, any_of, breaches, of_one
from labeljob.contract.columns import Column
from labeljob.contract.function_set import FunctionSet
from labeljob.hashing import Hasher
from labeljob.io.source import BATCH_ROWS, ReadType, Rows, Source
from labeljob.io.typed import ARROW_TYPES
from labeljob.privacy import withheld
from labeljob.schema import checkable


class GoodRows:
    """A source without the rows that a value breaks."""

    def __init__(self, source: Source, function_set: FunctionSet) -> None:
        self._source, self._set = source, function_set

    def types(self) -> Mapping[str, pa.DataType | None]:
        return self._source.types()

    def batches(self, columns: Mapping[str, ReadType], batch_rows: int = BATCH_ROWS) -> Iterator[Rows]:
        """Declared columns only."""
        for part, flags, _ in _checked(self._source, self._set, batch_rows):
            if flags.true_count < part.batch.num_rows:
                yield Rows(part.batch.select(list(columns)).filter(pc.invert(flags)))


def schema_apart(function_set: FunctionSet) -> pa.Schema:
    """Columns of rows that are set apart."""
    fields = [(column.name, ARROW_TYPES[column.seen_as]) for column in _shown(function_set)]
    return pa.schema([("reason", pa.string()), ("run", pa.string()), ("row", pa.struct(fields))])


def broken_rows(source: Source, function_set: FunctionSet, hasher: Hasher | None, run: str, batch_rows: int) -> Iterator[pa.RecordBatch]:
    """The rows that a value breaks, in the order of the source."""
    for part, flags, found in _checked(source, function_set, batch_rows):
        if flags.true_count:
            places = pc.indices_nonzero(flags)
            reasons = ["; ".join(f"{name}: {of_one(what)}" for name, what, broken in found if broken[place].as_py()) for place in places.to_pylist()]
            yield _apart(reasons, run, withheld(part.batch.take(places), function_set, hasher), function_set)


def repeated_rows(ids: Iterable[pa.Array], function_set: FunctionSet, run: str) -> Iterator[pa.RecordBatch]:
    """Rows whose id several have, a row for each, by their ids as the output has them."""
    reason = f"{function_set.id_column}: {of_one(DUPLICATE_IDS)}"
    for some in ids:
        yield _apart([reason] * len(some), run, pa.RecordBatch.from_arrays([some], names=[function_set.id_column]), function_set)


def _shown(function_set: FunctionSet) -> list[Column]:
    return [column for column in function_set.schema_.columns if column.is_plain or column.name == function_set.id_column]


def _apart(reasons: list[str], run: str, rows: pa.RecordBatch, function_set: FunctionSet) -> pa.RecordBatch:
    schema, there = schema_apart(function_set), rows.schema.names
    fields = list(schema.field("row").type)
    columns = [rows.column(field.name) if field.name in there else pa.nulls(len(reasons), field.type) for field in fields]
    row = pa.StructArray.from_arrays(columns, fields=fields)
    return pa.RecordBatch.from_arrays([pa.array(reasons, pa.string()), pa.repeat(pa.scalar(run, pa.string()), len(reasons)), row], schema=schema)


def _checked(source: Source, function_set: FunctionSet, batch_rows: int) -> Iterator[tuple[Rows, pa.Array, list[tuple[str, str, pa.Array]]]]:
    """(rows, whether a value breaks each, what is broken), of all columns of the contract."""
    columns = checkable(source.types(), function_set)
    declared = [column for name in columns if (column := function_set.schema_.column(name))]
    for part in source.batches(columns, batch_rows):
        found = list(breaches(part, declared, function_set.id_column))
        yield part, any_of(found, part.batch.num_rows), found
