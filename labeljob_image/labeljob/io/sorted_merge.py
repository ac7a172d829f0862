"""Rows of many files, each in order of one column, as one stream in that order; memory does not grow with rows.

    files, by first and last id -> chains of files that do not overlap -> at most `fan_in` at a time are merged, the result set aside -> one stream

A round of the merge takes from every stream the rows up to the least of the last ids that the streams hold, and sorts them at once. Where the shards
of a run read data that lies in order of id there is one chain, and nothing to merge.
"""

import heapq
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from labeljob.io.parts import WHOLE
from labeljob.io.places import Place
from labeljob.io.row_groups import batches_of, metadata_of, open_streaming

LEAST_ROWS = 256  # of a stream that are held at a time
BUFFER_BYTES = 1 << 15  # of each column of each file
COLUMN_BYTES = 600 << 10  # what reading one column of one file takes, measured: buffer, page, and state of the decompressor

Batches = Iterator[pa.RecordBatch]


class Ordered(Protocol):
    """A file with its least and its greatest value."""

    @property
    def first(self) -> Any: ...

    @property
    def last(self) -> Any: ...


def chains_of(files: Iterable[Ordered]) -> list[list[Any]]:
    """Files put behind one another where the next begins after the last has ended; as few chains as can be."""
    chains: list[list[Any]] = []
    free: list[tuple[Any, int]] = []  # (last value, chain), least first
    for file in sorted(files, key=lambda one: one.first):
        if free and free[0][0] < file.first:
            _, number = heapq.heappop(free)
            chains[number].append(file)
        else:
            number = len(chains)
            chains.append([file])
        heapq.heappush(free, (file.last, number))
    return chains


def _leaves(path: Place, columns: list[str]) -> int:
    """How many columns a Parquet file keeps for these."""
    about = metadata_of(path).schema
    return sum(about.column(n).path.split(".")[0] in columns for n in range(len(about)))


def fan_in_of(columns: int, memory_bytes: int) -> int:
    """How many files with so many leaf columns can be read at a time."""
    return max(2, memory_bytes // (columns * COLUMN_BYTES))


def merged(chains: Sequence[Sequence[Place]], columns: list[str], batch_rows: int, memory_bytes: int) -> Iterator[pa.RecordBatch]:
    """The rows of all files by ascending value of the first column (text by its UTF-8 bytes), in batches that are not empty; about `memory_bytes` are used."""
    if not chains:
        return
    fan_in = fan_in_of(_leaves(chains[0][0], columns), memory_bytes)
    with ExitStack() as stack:
        sources: list[Callable[[int], Batches]] = [_reader(files, columns) for files in chains]
        while len(sources) > fan_in:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="labelplane-", ignore_cleanup_errors=True)))
            groups = [sources[start : start + fan_in] for start in range(0, len(sources), fan_in)]
            sources = [_set_aside(_merged(group, batch_rows), folder / str(number), batch_rows // fan_in) for number, group in enumerate(groups)]
        yield from _merged(sources, batch_rows)


def _reader(files: Sequence[Place], columns: list[str]) -> Callable[[int], Batches]:
    def read(rows: int) -> Batches:
        for path in files:
            with path.open("rb") as opened, open_streaming(opened, BUFFER_BYTES) as file:
                yield from batches_of(file, [WHOLE], columns, rows)

    return read


def _set_aside(batches: Iterable[pa.RecordBatch], path: Path, rows: int) -> Callable[[int], Batches]:
    """A file of Arrow batches of at most `rows`, to be read again."""
    with ExitStack() as stack:
        writer: pa.RecordBatchStreamWriter | None = None
        for batch in batches:
            writer = writer or stack.enter_context(pa.ipc.new_stream(str(path), batch.schema))
            for start in range(0, batch.num_rows, max(rows, LEAST_ROWS)):
                writer.write_batch(batch.slice(start, max(rows, LEAST_ROWS)))

    def read(_rows: int) -> Batches:
        if path.exists():
            with pa.OSFile(str(path)) as file, pa.ipc.open_stream(file) as stream:
                yield from stream

    return read


class _Stream:
    """The next rows of one source."""

    def __init__(self, batches: Batches, least: int) -> None:
        self._batches, self._least = batches, least
        self.held: pa.Table | None = None
        self.ended = False

    def fill(self) -> None:
        """Hold at least so many rows, or all that are left."""
        parts, rows = [] if self.held is None else [self.held], 0 if self.held is None else self.held.num_rows
        while rows < self._least and not self.ended:
            batch = next(self._batches, None)
            self.ended = batch is None
            if batch is not None and batch.num_rows:
                parts.append(pa.Table.from_batches([batch]))
                rows += batch.num_rows
        self.held = pa.concat_tables(parts) if parts else None

    @property
    def last(self) -> Any:
        return self.held.column(0)[-1].as_py() if self.held is not None and self.held.num_rows else None

    def take(self, until: Any) -> pa.Table | None:
        """The rows up to a value, None for all."""
        if self.held is None:
            return None
        held, count = self.held, self.held.num_rows if until is None else _count_up_to(self.held.column(0), until)
        self.held = held.slice(count) if count < held.num_rows else None
        return held.slice(0, count) if count else None


def _merged(sources: Sequence[Callable[[int], Batches]], batch_rows: int) -> Iterator[pa.RecordBatch]:
    least = max(LEAST_ROWS, batch_rows // max(len(sources), 1))
    streams = [_Stream(source(least), least) for source in sources]
    while streams:
        for stream in streams:
            stream.fill()
        until = min((stream.last for stream in streams if not stream.ended), default=None)
        taken = [part for stream in streams if (part := stream.take(until)) is not None]
        yield from _sorted(taken)
        streams = [stream for stream in streams if not (stream.ended and stream.held is None)]


def _sorted(parts: Sequence[pa.Table]) -> Batches:
    if len(parts) == 1:
        yield from parts[0].to_batches()
    elif parts:
        table = pa.concat_tables(parts).combine_chunks()
        batch = table.to_batches()[0]
        yield batch.take(pc.sort_indices(batch.column(0)))


def _count_up_to(values: pa.ChunkedArray, until: Any) -> int:
    """How many of ascending values are at most `until`."""
    low, high = 0, len(values)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if values[middle].as_py() <= until else (low, middle)
    return low
