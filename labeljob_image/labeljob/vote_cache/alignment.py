"""Kept votes beside rows that are read again: the same rows in the same order, whatever batches either comes in. Pure."""

from collections.abc import Iterable, Iterator

import pyarrow as pa

from labeljob.vote_cache.votes_file import ID, UnusableVotesError


def aligned(kept: Iterable[pa.RecordBatch], read: Iterable[pa.RecordBatch]) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
    """Slices of both with the same rows, told by their column ID. UnusableVotesError: the rows of one are not those of the other."""
    left = _Slices(kept)
    for batch in read:
        start = 0
        while start < batch.num_rows:
            part = left.take(batch.num_rows - start)
            other = batch.slice(start, part.num_rows)
            if not part.num_rows or not part.column(ID).equals(other.column(ID)):
                raise UnusableVotesError("kept votes are those of other rows")
            yield part, other
            start += part.num_rows
    if left.take(1).num_rows:
        raise UnusableVotesError("kept votes are those of more rows")


class _Slices:
    """Batches that are taken from piece by piece."""

    def __init__(self, batches: Iterable[pa.RecordBatch]) -> None:
        self._batches, self._rest = iter(batches), None

    def take(self, most: int) -> pa.RecordBatch:
        """At most so many rows of what comes next, at least one; none at the end."""
        while self._rest is None or not self._rest.num_rows:
            following = next(self._batches, None)
            if following is None:
                return pa.RecordBatch.from_pylist([])
            self._rest = following
        taken, self._rest = self._rest.slice(0, most), self._rest.slice(most)
        return taken
