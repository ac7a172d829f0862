"""Rows of Parquet files, a row group or a file at a time, with memory that does not grow with the size of row groups."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from labeljob.io.object_path import READ_AHEAD, ObjectFile
from labeljob.io.parts import WHOLE
from labeljob.io.places import Place
from labeljob.resources import BATCH_BYTES

BUFFER_BYTES = 1 << 20  # of a column that are read ahead; without it, a column's whole row group would be


def open_streaming(file: BinaryIO, buffer_bytes: int | None = None, *, verified: bool = False, footer: pq.FileMetaData | None = None) -> pq.ParquetFile:
    """A file whose columns are read bit by bit, `buffer_bytes` at a time; old timestamps of 96 bits are microseconds, as in the types that a contract declares.

    `verified`: checksums of pages are, where it has some. `footer`: of the file, where it has been read before.

    Of an object nothing beside these columns is fetched, and by default more at a time.
    """
    raw = getattr(file, "raw", None)
    source, usual = (raw, READ_AHEAD) if isinstance(raw, ObjectFile) else (file, BUFFER_BYTES)
    options = {"pre_buffer": False, "coerce_int96_timestamp_unit": "us", "page_checksum_verification": verified, "metadata": footer}
    return pq.ParquetFile(source, buffer_size=buffer_bytes or usual, **options)


def batches_of(file: pq.ParquetFile, groups: Sequence[int], columns: list[str], batch_rows: int) -> Iterator[pa.RecordBatch]:
    """The rows of some row groups, [WHOLE] for all, in batches of at most `batch_rows`, fewer where rows are long; the file's columns among `columns`, in that order."""
    there = [name for name in columns if name in file.schema_arrow.names]
    for group in range(file.num_row_groups) if WHOLE in groups else groups:
        rows = _rows_at_a_time(file.metadata.row_group(group), batch_rows)
        for batch in file.iter_batches(rows, row_groups=[group], columns=there, use_threads=False):
            yield batch.select(there)


def _rows_at_a_time(group: pq.RowGroupMetaData, batch_rows: int) -> int:
    """As many rows as hold BATCH_BYTES on the average, all columns counted."""
    return max(1, min(batch_rows, BATCH_BYTES * int(group.num_rows) // max(int(group.total_byte_size), 1)))


class LastFooter:
    """The footer of the file that was asked for last: row groups of a file are read one after the other, and a footer of many takes long."""

    def __init__(self) -> None:
        self._last: tuple[Place, pq.FileMetaData] | None = None

    def of(self, path: Place) -> pq.FileMetaData:
        """Of a file that does not change."""
        if self._last is None or self._last[0] != path:
            self._last = path, metadata_of(path)
        return self._last[1]


def group_digest(path: Place, group: int, about: pq.FileMetaData) -> str:
    """SHA-256 of a row group's bytes, and of what `about`, the footer, says of them."""
    chunks = [about.row_group(group).column(c) for c in range(about.num_columns)]
    starts = [min(one.data_page_offset, one.dictionary_page_offset or one.data_page_offset) for one in chunks]
    ends = [start + one.total_compressed_size for start, one in zip(starts, chunks, strict=True)]
    said = hashlib.sha256(about.schema.to_arrow_schema().serialize())
    said.update(str(about.row_group(group).to_dict()).encode())
    with path.open("rb") as file:
        file.seek(min(starts, default=0))
        left = max(ends, default=0) - min(starts, default=0)
        while left and (content := file.read(min(left, BUFFER_BYTES))):
            said.update(content)
            left -= len(content)
    return said.hexdigest()


def metadata_of(path: Place) -> pq.FileMetaData:
    """The footer of a file."""
    with path.open("rb") as file:
        return pq.read_metadata(file)


def rows_of(path: Place) -> int:
    """How many rows a file has."""
    return int(metadata_of(path).num_rows)


def sizes_of(path: Place) -> list[int]:
    """Compressed bytes of each row group."""
    about = metadata_of(path)
    return [sum(about.row_group(g).column(c).total_compressed_size for c in range(about.num_columns)) for g in range(about.num_row_groups)]
