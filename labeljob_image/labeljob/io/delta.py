"""Delta tables, read at a pinned version. Identity = table id, version, and a fingerprint of the data files (C1).

A table created anew has version 0 again under another id, and log clean-up may remove old commits: hence all three.
"""

from collections.abc import Iterator, Mapping
from urllib.parse import unquote

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from labeljob.contract.datasets import DatasetPin
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.io import typed
from labeljob.io.content import pin_broken
from labeljob.io.delta_pins import pin_of
from labeljob.io.places import Place, open_table, refusal
from labeljob.io.source import BATCH_ROWS, ReadType, Rows


class DeltaSource:
    """One version of a Delta table."""

    def __init__(self, table: DeltaTable, uri: str, place: Place) -> None:
        self._table, self._uri, self._place = table, uri, place

    def types(self) -> Mapping[str, pa.DataType | None]:
        schema = pa.schema(self._table.schema().to_arrow())
        return {field.name: field.type for field in schema}

    def batches(self, columns: Mapping[str, ReadType], batch_rows: int = BATCH_ROWS) -> Iterator[Rows]:
        yield from typed.widened(self._stored(list(columns)), columns, batch_rows)

    def _stored(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        try:
            reader = pa.RecordBatchReader.from_stream(self._table.scan(columns=columns))
            for batch in reader:
                yield batch.select(columns)
        except Exception as error:  # noqa: BLE001 the engine raises bare Exception through the C stream
            raise refusal(self._place, error) or reading_failed(error, self._uri) from None


def open_pinned(path: Place, pin: DatasetPin) -> DeltaSource:
    """The pinned version; see `pinned_table`."""
    return DeltaSource(pinned_table(path, pin), pin.uri, path)


def pinned_table(path: Place, pin: DatasetPin) -> DeltaTable:
    """The pinned version, after checking that it still is what was pinned; PIN_BROKEN otherwise, never another version."""
    try:
        table = open_table(path, pin.version)
    except DeltaError:
        raise pin_broken(pin.uri, f"version {pin.version} of the table is gone") from None
    found = pin_of(table, pin.uri)
    if found.table_id != pin.table_id:
        raise pin_broken(pin.uri, "the table was deleted and created anew")
    if found != pin:
        raise pin_broken(pin.uri, f"version {pin.version} of the table has other data files")
    return table


def lacks_files(place: Place, table: DeltaTable) -> bool:
    """Whether a data file of this version is not there any more."""
    paths = pa.table(table.get_add_actions()).column("path").to_pylist()
    return any(not (place / unquote(path)).is_file() for path in paths)


def reading_failed(error: Exception, uri: str) -> JobError:
    """What a data file that cannot be read means."""
    if "not found" in str(error).lower() or isinstance(error, FileNotFoundError):
        return pin_broken(uri, "data files of the pinned version are gone (vacuumed?)")
    return JobError(JobReason.SOURCE_UNREADABLE, f"{uri}: a data file of the table cannot be read")
