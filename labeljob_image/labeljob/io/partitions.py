"""Data files of an output, all in its folder or, by the value of one column, in folders of their own as Hive and Delta name them (I3).

    labels-….parquet      label=risky/labels-….parquet      label=__HIVE_DEFAULT_PARTITION__/labels-….parquet   (null)

Rows come in order of id. Those of each value are set aside, and become data files one value after another: however many values there are, one Parquet file
is open at a time, row groups have their usual size, and the ids of each file ascend. The files hold the column, too, which Delta allows: whoever
merges or rewrites them needs nothing but the file.
"""

import errno
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from labeljob.contract.partitioning import PartitionColumn
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.io.data_files import FILE_ROWS, DataFile, write_data_files
from labeljob.io.durable import flush_folder
from labeljob.io.partition_names import folder_of
from labeljob.io.places import Place
from labeljob.io.source import rebatch
from labeljob.resources import BATCH_ROWS

COMPRESSED = pa.ipc.IpcWriteOptions(compression="lz4")


def write_rows(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, folder: Place, name_of: Callable[[int], str], partition_by: PartitionColumn | None
) -> list[DataFile]:
    """The rows, which come in order of id, as data files below `folder`; their names are relative to it. Equal rows give equal files."""
    if partition_by is None:
        return write_data_files(batches, schema, lambda number: folder / name_of(number))
    files: list[DataFile] = []
    with tempfile.TemporaryDirectory(prefix="labelplane-", ignore_cleanup_errors=True) as scratch:
        for value, path in sorted(_set_aside(batches, partition_by, Path(scratch)).items(), key=lambda one: (one[0] is not None, str(one[0]))):
            place = folder / folder_of(partition_by, value)
            place.mkdir(parents=True, exist_ok=True)
            files += write_in(place, _read(path), schema, partial(_behind, name_of, len(files)))
    return files


def _behind(name_of: Callable[[int], str], first: int, number: int) -> str:
    return name_of(first + number)


def write_again(batches: Iterable[pa.RecordBatch], schema: pa.Schema, folder: Place, file: DataFile, name: str) -> list[DataFile]:
    """Rows of a data file as one of another name in the same place."""
    inner, slash, last = name.rpartition("/")
    if not slash:
        return write_data_files(batches, schema, lambda _: folder / name, file.rows)
    place = folder / inner
    place.mkdir(parents=True, exist_ok=True)
    return write_in(place, batches, schema, lambda _: last, file.rows)


def write_in(place: Place, batches: Iterable[pa.RecordBatch], schema: pa.Schema, name_of: Callable[[int], str], file_rows: int = FILE_ROWS) -> list[DataFile]:
    """Data files of one value, `place` being its folder."""
    files = write_data_files(batches, schema, lambda number: place / name_of(number), file_rows)
    if isinstance(place, Path):
        flush_folder(place)
    return [file.model_copy(update={"name": f"{place.name}/{file.name}"}) for file in files]


def _set_aside(batches: Iterable[pa.RecordBatch], column: PartitionColumn, folder: Path) -> dict[str | bool | None, Path]:
    """A file of rows for each value, in the order in which they come. JobError VOLUME_FULL, which is not about the output's volume."""
    files: dict[str | bool | None, Path] = {}
    with ExitStack() as stack:
        writers: dict[str | bool | None, pa.RecordBatchStreamWriter] = {}
        for batch in batches:
            for value, rows in _by_value(batch, column):
                if value not in writers:
                    files[value] = folder / str(len(files))
                    with _temporary():
                        writers[value] = pa.ipc.new_stream(str(files[value]), batch.schema, options=COMPRESSED)
                    stack.callback(_close, writers[value])
                with _temporary():
                    writers[value].write_batch(rows)
    return files


def _close(writer: pa.RecordBatchStreamWriter) -> None:
    with _temporary():
        writer.close()


@contextmanager
def _temporary() -> Iterator[None]:
    """What goes wrong with the temporary folder."""
    try:
        yield
    except OSError as error:
        message = f"the temporary folder {tempfile.gettempdir()} takes no more ({errno.errorcode.get(error.errno or 0, 'error')}): give it more room"
        raise JobError(JobReason.VOLUME_FULL, f"{message}, or label without spec.output.partitionBy; nothing of this run is visible") from None


def _by_value(batch: pa.RecordBatch, column: PartitionColumn) -> Iterator[tuple[str | bool | None, pa.RecordBatch]]:
    """The rows of each value, in their order."""
    encoded = batch.column(batch.schema.names.index(column)).dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    sorted_rows = batch.take(pa.array(np.argsort(codes, kind="stable")))
    first = 0
    for code, count in zip(*np.unique(codes, return_counts=True), strict=True):
        yield None if code < 0 else encoded.dictionary[int(code)].as_py(), sorted_rows.slice(first, count)
        first += int(count)


def _read(path: Path) -> Iterator[pa.RecordBatch]:
    with pa.OSFile(str(path)) as file, pa.ipc.open_stream(file) as reader:
        yield from rebatch(reader, BATCH_ROWS)
