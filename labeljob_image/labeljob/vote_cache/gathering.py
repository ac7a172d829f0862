"""Small units put together, so that what costs the same for any number of rows is paid for many at once."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
import pyarrow as pa

from labeljob.io.source import BATCH_BYTES, BATCH_ROWS, ReadType, Rows, Source
from labeljob.votes import VoteBatch

Parts = list[tuple[int, int]]  # (number of a unit, rows of it) in the order of a batch


class Gathered:
    """Units one after the other as one source; `parts` has, for each batch that was given, what it is made of."""

    def __init__(self, whole: Source, units: Iterable[tuple[int, Source]]) -> None:
        self._whole, self._units = whole, list(units)
        self.parts: deque[Parts] = deque()

    def types(self) -> Mapping[str, pa.DataType | None]:
        return self._whole.types()

    def batches(self, columns: Mapping[str, ReadType], batch_rows: int = BATCH_ROWS) -> Iterator[Rows]:
        """Values that are not of their type are null, and not marked."""
        held, parts, rows, size = list[pa.RecordBatch](), Parts(), 0, 0
        for number, batch in self._read(columns, batch_rows):
            if held and (rows + batch.num_rows > batch_rows or size + batch.nbytes > BATCH_BYTES):
                self.parts.append(parts)
                yield Rows(_one(held))
                held, parts, rows, size = [], [], 0, 0
            held.append(batch)
            parts.append((number, batch.num_rows))
            rows, size = rows + batch.num_rows, size + batch.nbytes
        if held:
            self.parts.append(parts)
            yield Rows(_one(held))

    def _read(self, columns: Mapping[str, ReadType], batch_rows: int) -> Iterator[tuple[int, pa.RecordBatch]]:
        for number, source in self._units:
            for part in source.batches(columns, batch_rows):
                if part.batch.num_rows:
                    yield number, part.batch


class Together:
    """Hands batches on, several at once."""

    def __init__(self, take: Callable[[pa.RecordBatch], None], rows: int) -> None:
        self._take, self._most = take, rows
        self._held, self._rows = list[pa.RecordBatch](), 0

    def add(self, batch: pa.RecordBatch) -> None:
        self._held.append(batch)
        self._rows += batch.num_rows
        if self._rows >= self._most:
            self.flush()

    def flush(self) -> None:
        """What is held is handed on."""
        if self._rows:
            self._take(_one(self._held))
        self._held, self._rows = [], 0


def together(votes: Iterable[tuple[pa.Array, VoteBatch, Parts]], rows: int) -> Iterator[tuple[pa.Array, VoteBatch, Parts]]:
    """(ids, votes, parts) of about so many rows at a time."""
    held, count = list[tuple[pa.Array, VoteBatch, Parts]](), 0
    for one in votes:
        held.append(one)
        count += len(one[0])
        if count >= rows:
            yield _joined(held)
            held, count = [], 0
    if held:
        yield _joined(held)


def part_of(said: VoteBatch, start: int, rows: int) -> VoteBatch:
    """So many rows from `start` on."""
    chosen = slice(start, start + rows)
    return VoteBatch(said.votes[chosen], said.errors[chosen], None if said.levels is None else said.levels[chosen])


def _joined(held: list[tuple[pa.Array, VoteBatch, Parts]]) -> tuple[pa.Array, VoteBatch, Parts]:
    if len(held) == 1:
        return held[0]
    levels = [said.levels for _, said, _ in held if said.levels is not None]
    votes = VoteBatch(
        np.concatenate([said.votes for _, said, _ in held]), np.concatenate([said.errors for _, said, _ in held]), np.concatenate(levels) if levels else None
    )
    return pa.concat_arrays([ids for ids, _, _ in held]), votes, [part for _, _, parts in held for part in parts]


def _one(held: list[pa.RecordBatch]) -> pa.RecordBatch:
    return held[0] if len(held) == 1 else pa.Table.from_batches(held).combine_chunks().to_batches()[0]
