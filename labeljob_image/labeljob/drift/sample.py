"""A bounded sample of rows, chosen by the hash of their id: the same rows in whatever order or parts they come.

Texts leave their hash and their length here and nothing else, so no value of the data gets into a reference.
"""

import base64
import math
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labeljob.contract.columns import ColumnType
from labeljob.contract.function_set import FunctionSet
from labeljob.label_model.statistics.hashing import Keys
from labeljob.row_ids import hashed_ids, share_for

MOST_ROWS = 16_384  # noise of a PSI of 11 bins at this size: about 0.001
HASH, LENGTH = "#hash", "#length"  # behind a text column's name; no column may be called so
ROW = "#row"
THRESHOLD = "threshold"
ALL = 1 << 64  # above every hash


def compared_columns(function_set: FunctionSet) -> dict[str, ColumnType]:
    """Columns whose distribution says something: not the id, nothing sensitive, nothing known only later, and no time, which always moves on."""
    return {
        column.name: column.type
        for column in function_set.schema_.columns
        if column.name != function_set.id_column and column.is_plain and column.availability != "later" and column.type != "timestamp"
    }


class RowSample:
    """Rows whose hashed id lies below a threshold, which is halved whenever there are too many; at most `most` of them."""

    def __init__(self, function_set: FunctionSet, most: int = MOST_ROWS) -> None:
        self.columns: Mapping[str, ColumnType] = compared_columns(function_set)
        self._most, self._threshold = most, ALL
        self._parts: list[pa.Table] = []
        self._held = 0

    def expect(self, rows: int) -> None:
        """Begin with a threshold that this part's rows would come to among so many in all."""
        self._threshold = ALL >> math.floor(-math.log2(share_for(self._most, rows)))

    def add(self, batch: pa.RecordBatch, keys: Keys) -> None:
        """Take from rows; keys: uint64 [n_rows], by which they are chosen. A column that is not there is passed over."""
        chosen = np.flatnonzero(keys <= np.uint64(self._threshold - 1))
        if len(chosen) and self.columns:
            there = [name for name in self.columns if name in batch.schema.names]
            self._keep(_kept(batch.select(there).take(pa.array(chosen)), keys[chosen]))

    def merge(self, other: "RowSample") -> None:
        """As if the other's rows had been added here."""
        self._threshold = min(self._threshold, other._threshold)
        parts, self._parts, self._held = [*self._parts, *other._parts], [], 0
        for part in parts:
            self._keep(_below(part, self._threshold))

    def table(self) -> pa.Table:
        """The rows in the order of their hash: float64 for numbers and booleans, with null; of a text its hash, uint64, and its length in bytes."""
        if not self._parts:
            return pa.table({ROW: pa.array([], pa.uint64())})
        return _below(pa.concat_tables(self._parts), self._threshold).sort_by(ROW)

    def to_text(self) -> str:
        """For another process; `from_text` reads it."""
        table = self.table().replace_schema_metadata({THRESHOLD: str(self._threshold)})
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
        return base64.b64encode(sink.getvalue()).decode()

    @classmethod
    def from_text(cls, function_set: FunctionSet, text: str, most: int = MOST_ROWS) -> "RowSample":
        """The sample that `to_text` wrote."""
        table = pa.ipc.open_stream(base64.b64decode(text)).read_all()
        sample = cls(function_set, most)
        sample._threshold = int(table.schema.metadata[THRESHOLD.encode()])
        if table.num_rows:
            sample._keep(table.replace_schema_metadata(None))
        return sample

    def _keep(self, part: pa.Table) -> None:
        self._parts.append(part)
        self._held += part.num_rows
        if self._held > self._most:
            held = pa.concat_tables(self._parts).combine_chunks()
            while held.num_rows > self._most:
                self._threshold //= 2
                held = _below(held, self._threshold)
            self._parts, self._held = [held], held.num_rows


def _below(rows: pa.Table, threshold: int) -> pa.Table:
    return rows.filter(pc.less_equal(rows.column(ROW), pa.scalar(threshold - 1, pa.uint64())))


def _kept(rows: pa.RecordBatch, hashes: np.ndarray) -> pa.Table:
    columns = {ROW: pa.array(hashes)}
    for name in rows.schema.names:
        values = rows.column(name)
        if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
            missing = values.is_null().to_numpy(zero_copy_only=False)
            columns[name + HASH] = pa.array(hashed_ids(values.fill_null("")), mask=missing)
            columns[name + LENGTH] = pc.binary_length(values).cast(pa.float64())
        else:
            columns[name] = pc.cast(values, pa.float64(), safe=False)
    return pa.table(columns)
