"""Labelled rows as Parquet files, in order of id, which is the first column."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pyarrow as pa

from labeljob.contract.base import Wire
from labeljob.io.parquet_sink import ParquetSink
from labeljob.io.places import Place

FILE_ROWS = 4_000_000
MOST_CHARACTERS = 64  # of an id that stands in the log as the first or last of a file


class DataFile(Wire):
    """A finished data file that no version names yet; `first` and `last` are the least and the greatest id in it."""

    name: str
    rows: int
    size: int
    first: int | str
    last: int | str


@dataclass
class _Open:
    """The file that is being written."""

    sink: ParquetSink
    first: int | str
    last: int | str
    rows: int = 0

    def add(self, batch: pa.RecordBatch) -> None:
        self.sink.write(batch)
        self.rows += batch.num_rows
        self.last = batch.column(0)[-1].as_py()

    def finish(self) -> DataFile:
        """On the disk, or an object, when this returns."""
        return DataFile(name=self.sink.place.name, rows=self.rows, size=self.sink.finish(), first=self.first, last=self.last)


def write_data_files(batches: Iterable[pa.RecordBatch], schema: pa.Schema, path_of: Callable[[int], Place], file_rows: int = FILE_ROWS) -> list[DataFile]:
    """The rows in files of about `file_rows`, `path_of` saying where each is; equal batches give equal files. No rows, no file."""
    files: list[DataFile] = []
    current: _Open | None = None
    try:
        for batch in batches:
            if not batch.num_rows:
                continue
            if current is None:
                first = batch.column(0)[0].as_py()
                current = _Open(ParquetSink(path_of(len(files)), schema), first, first)
            current.add(batch)
            if current.rows >= file_rows:
                files.append(current.finish())
                current = None
        if current is not None:
            files.append(current.finish())
    except BaseException:
        if current is not None:
            current.sink.abandon()
        raise
    return files


def statistics_of(file: DataFile, id_column: str) -> dict[str, object]:
    """What a Delta log says of a file, so that readers who look for an id can pass over it."""
    found: dict[str, object] = {"numRecords": file.rows}
    if all(isinstance(one, int) or len(one) <= MOST_CHARACTERS for one in (file.first, file.last)):
        found |= {"minValues": {id_column: file.first}, "maxValues": {id_column: file.last}, "nullCount": {id_column: 0}}
    return found
