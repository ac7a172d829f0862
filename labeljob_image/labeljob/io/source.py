"""The one protocol by which data is read: named columns, typed as declared, in batches, of a pinned state (C1)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol, TypeAlias

import pyarrow as pa

from labeljob.contract.columns import ColumnType
from labeljob.resources import BATCH_BYTES, BATCH_ROWS

__all__ = ["BATCH_BYTES", "BATCH_ROWS", "NAMES", "ROUNDED_UP", "ReadType", "Rows", "Source", "one_batch", "rebatch"]

NAMES: Final = "names"  # a list of text, or texts in one
ROUNDED_UP: Final = "rounded-up"  # a timestamp, the next microsecond where it has digits below one
ReadType: TypeAlias = ColumnType | Literal["names", "rounded-up"]


@dataclass(frozen=True)
class Rows:
    """A batch of rows in the declared types.

    Attributes:
        batch: the columns asked for; a value that is not of its type is null here.
        not_of_type: column -> bool [n_rows], where its values are not of its type; only columns with some.
    """

    batch: pa.RecordBatch
    not_of_type: Mapping[str, pa.Array] = field(default_factory=dict)

    @property
    def unreadable(self) -> dict[str, int]:
        """Column -> number of values that are not of its type; only columns with some."""
        return {name: flags.true_count for name, flags in self.not_of_type.items()}


class Source(Protocol):
    """A dataset at one state. Reading raises PIN_BROKEN when that state is gone or changes meanwhile."""

    def types(self) -> Mapping[str, pa.DataType | None]:
        """Every column of the data with its stored type; None where values are text to be parsed."""

    def batches(self, columns: Mapping[str, ReadType], batch_rows: int = BATCH_ROWS) -> Iterator[Rows]:
        """Only `columns`, in that order; nothing else leaves the reader (F5). Row order is not promised."""


def rebatch(batches: Iterable[pa.RecordBatch], rows: int, most_bytes: int | None = None) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of `rows` (the last may be shorter, and so is one that holds `most_bytes`), holding at most one batch more than that."""
    held: list[pa.RecordBatch] = []
    count = 0
    for batch in batches if most_bytes is None else _cut(batches, most_bytes):
        held.append(batch)
        count += batch.num_rows
        while count >= rows:
            table = pa.Table.from_batches(held)
            yield one_batch(table.slice(0, rows))
            held, count = table.slice(rows).to_batches(), count - rows
        if count and most_bytes is not None and sum(one.nbytes for one in held) >= most_bytes:
            yield one_batch(pa.Table.from_batches(held))
            held, count = [], 0
    if count:
        yield one_batch(pa.Table.from_batches(held))


def _cut(batches: Iterable[pa.RecordBatch], most_bytes: int) -> Iterator[pa.RecordBatch]:
    """Batches of more bytes in slices of about as many."""
    for batch in batches:
        rows = max(1, batch.num_rows * most_bytes // max(batch.nbytes, 1))
        yield from (batch.slice(start, rows) for start in range(0, batch.num_rows, rows))


def one_batch(table: pa.Table) -> pa.RecordBatch:
    """All rows of a table that has some; they are copied only where they lie in several pieces."""
    return table.combine_chunks().to_batches()[0]
