"""Rows of Parquet files, a row group or a file at a time, with memory that does not grow with the size of row groups."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from labeljob.io.parts import WHOLE
from labeljob.resources import BATCH_BYTES

BUFFER_BYTES = 1 << 20  # of a column that are read ahead; without it, a column's whole row group would be


def open_streaming(file: BinaryIO | Path, buffer_bytes: int = BUFFER_BYTES) -> pq.ParquetFile:
    """A file whose columns are read bit by bit; old timestamps of 96 bits are microseconds, as in the types that a contract declares."""
    return pq.ParquetFile(file, buffer_size=buffer_bytes, pre_buffer=False, coerce_int96_timestamp_unit="us")


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


def sizes_of(path: Path) -> list[int]:
    """Compressed bytes of each row group."""
    about = pq.read_metadata(path)
    return [sum(about.row_group(g).column(c).total_compressed_size for c in range(about.num_columns)) for g in range(about.num_row_groups)]
