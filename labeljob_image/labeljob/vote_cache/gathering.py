"""Small units put together, so that what costs the same for any number of rows is paid for many at once."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Generic, TypeVar

import numpy as np
import pyarrow as pa

from labeljob.io.source import BATCH_BYTES, BATCH_ROWS, ReadType, Rows, Source, one_batch
from labeljob.votes import VoteBatch

Parts = list[tuple[int, int]]  # (number of a unit, rows of it) in the order of a batch
Voted = tuple[pa.Array, VoteBatch, Parts]  # ids, their votes, which units they are of
Some = TypeVar("Some")


class Pile(Generic[Some]):
    """Things with rows, held until one more would be above `rows`, or above `size` in bytes."""

    def __init__(self, rows: int, size: int = BATCH_BYTES) -> None:
        self._most, self._held, self._rows, self._size = (rows, size), list[Some](), 0, 0

    def add(self, one: Some, rows: int, size: int = 0) -> list[Some]:
        """Hold this, too; what was held before where both would be too much, in the order in which it came."""
        most_rows, most_size = self._most
        before = self.rest() if self._rows + rows > most_rows or self._size + size > most_size else []
        self._held.append(one)
        self._rows, self._size = self._rows + rows, self._size + size
        return before

    def rest(self) -> list[Some]:
        """What is held, which is held no longer."""
        held, self._held, self._rows, self._size = self._held, [], 0, 0
        return held


class Gathered:
    """Units one after the other as one source; `parts` has, for each batch that was given, what it is made of."""

    def __init__(self, whole: Source, units: Iterable[tuple[int, Source]]) -> None:
        self._whole, self._units = whole, list(units)
        self.parts: deque[Parts] = deque()

    def types(self) -> Mapping[str, pa.DataType | None]:
        return self._whole.types()

    def batches(self, columns: Mapping[str, ReadType], batch_rows: int = BATCH_ROWS) -> Iterator[Rows]:
        """Values that are not of their type are null, and not marked."""
        pile = Pile[tuple[int, pa.RecordBatch]](batch_rows)
        for number, source in self._units:
            for part in source.batches(columns, batch_rows):
                yield from self._given(pile.add((number, part.batch), part.batch.num_rows, part.batch.nbytes))
        yield from self._given(pile.rest())

    def _given(self, held: list[tuple[int, pa.RecordBatch]]) -> Iterator[Rows]:
        if parts := [(number, batch.num_rows) for number, batch in held if batch.num_rows]:
            self.parts.append(parts)
            yield Rows(one_batch(pa.Table.from_batches([batch for _, batch in held])))


class Gatherer:
    """Hands batches on, several at once."""

    def __init__(self, take: Callable[[pa.RecordBatch], None], rows: int) -> None:
        self._take, self._pile = take, Pile[pa.RecordBatch](rows)

    def add(self, batch: pa.RecordBatch) -> None:
        self._hand_on(self._pile.add(batch, batch.num_rows))

    def flush(self) -> None:
        """What is held is handed on."""
        self._hand_on(self._pile.rest())

    def _hand_on(self, held: list[pa.RecordBatch]) -> None:
        if any(batch.num_rows for batch in held):
            self._take(one_batch(pa.Table.from_batches(held)))


def gathered_votes(votes: Iterable[Voted], rows: int) -> Iterator[Voted]:
    """The same votes, at most so many rows at a time unless they came so."""
    pile = Pile[Voted](rows)
    for one in votes:
        yield from _joined(pile.add(one, len(one[0])))
    yield from _joined(pile.rest())


def part_of(said: VoteBatch, start: int, rows: int) -> VoteBatch:
    """So many rows from `start` on."""
    chosen = slice(start, start + rows)
    return VoteBatch(said.votes[chosen], said.errors[chosen], None if said.levels is None else said.levels[chosen])


def _joined(held: list[Voted]) -> Iterator[Voted]:
    """All as one, none of nothing."""
    if len(held) < 2:
        yield from held
        return
    levels = [said.levels for _, said, _ in held if said.levels is not None]
    votes = VoteBatch(
        np.concatenate([said.votes for _, said, _ in held]), np.concatenate([said.errors for _, said, _ in held]), np.concatenate(levels) if levels else None
    )
    yield pa.concat_arrays([ids for ids, _, _ in held]), votes, [part for _, _, parts in held for part in parts]
