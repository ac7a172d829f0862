"""Parts of a Delta table at a pinned version. Files of a plain table are plain Parquet: they are read by row groups, with what the log adds to them.

Tables whose files do not say it all by themselves (deletion vectors, mapped columns, files elsewhere) are read in one part, by the Delta engine.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from labeljob.io import typed
from labeljob.io.delta import DeltaSource, reading_failed
from labeljob.io.object_path import ObjectChangedError
from labeljob.io.parquet_parts import ReadFile
from labeljob.io.parts import Piece, StoredFile
from labeljob.io.places import Place
from labeljob.io.row_groups import batches_of, open_streaming, rows_of, sizes_of
from labeljob.io.source import BATCH_ROWS, ReadType, Rows

PLAIN_FEATURES = {"deletionVectors", "timestampNtz", "v2Checkpoint", "vacuumProtocolCheck"}
PLAIN_VERSIONS = (1, 3)  # 2 is column mapping


class DeltaParts:
    """The data files of one version."""

    def __init__(self, table: DeltaTable, folder: Place, uri: str) -> None:
        self._table, self._folder, self.uri = table, folder, uri
        self._whole = DeltaSource(table, uri, folder)

    @cached_property
    def _added(self) -> dict[str, dict[str, Any]]:
        """Each file's entry in the log, by its path there."""
        return {entry["path"]: entry for entry in pa.table(self._table.get_add_actions()).to_pylist()}

    def files(self) -> list[StoredFile]:
        """Empty where they cannot be read one by one."""
        return [StoredFile(name, entry["size_bytes"]) for name, entry in self._added.items()] if self._plain() else []

    def groups(self, name: str) -> list[int]:
        with self.reading():
            return sizes_of(self.path(name))

    def rows(self) -> int:
        """Of all files; those of which the log does not say it are asked themselves."""
        with self.reading():
            return sum(rows_of(self.path(name)) if entry["num_records"] is None else entry["num_records"] for name, entry in self._added.items())

    def types(self) -> Mapping[str, pa.DataType | None]:
        return self._whole.types()

    def path(self, name: str) -> Place:
        return self._folder / unquote(name)

    def partition(self, name: str) -> Mapping[str, Any]:
        """Values of the partition columns in a file."""
        return self._added[name].get("partition") or {}

    def part(self, pieces: Sequence[Piece]) -> "DeltaPart":
        return DeltaPart(self, pieces)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Turns what goes wrong with a data file into PIN_BROKEN or SOURCE_UNREADABLE."""
        try:
            yield
        except (pa.ArrowInvalid, OSError, ObjectChangedError) as error:
            raise reading_failed(error, self.uri) from None

    def _plain(self) -> bool:
        protocol = self._table.protocol()
        if protocol.min_reader_version not in PLAIN_VERSIONS or not set(protocol.reader_features or []) <= PLAIN_FEATURES:
            return False
        if "deletionVectors" in (protocol.reader_features or []) and any(len(batch) for batch in pa.RecordBatchReader.from_stream(self._table.deletion_vectors())):
            return False
        return not any("://" in name or name.startswith("/") for name in self._added)


class DeltaPart:
    """Some pieces of a version, as a source of rows."""

    def __init__(self, dataset: DeltaParts, pieces: Sequence[Piece]) -> None:
        self._dataset, self._pieces = dataset, pieces

    def types(self) -> Mapping[str, pa.DataType | None]:
        return self._dataset.types()

    def batches(self, columns: Mapping[str, ReadType], batch_rows: int = BATCH_ROWS) -> Iterator[Rows]:
        yield from typed.widened(self._stored(list(columns), batch_rows), columns, batch_rows)

    def read(self) -> list[ReadFile]:
        """Data files of a Delta table never change: there is nothing to verify."""
        return []

    def _stored(self, columns: list[str], batch_rows: int) -> Iterator[pa.RecordBatch]:
        """Columns in the table's own types, which a file may be older than."""
        types = self._dataset.types()
        schema = pa.schema([(name, types[name]) for name in columns])
        for piece in self._pieces:
            with self._dataset.reading(), self._dataset.path(piece.file).open("rb") as file:
                for batch in batches_of(open_streaming(file), [piece.group], columns, batch_rows):
                    yield _completed(batch, schema, self._dataset.partition(piece.file))


def _completed(batch: pa.RecordBatch, schema: pa.Schema, partition: Mapping[str, Any]) -> pa.RecordBatch:
    """The columns of the table: those of the file, those of its partition, and null where the file has none."""
    columns = []
    for field in schema:
        if field.name in partition:
            columns.append(pa.repeat(pa.scalar(partition[field.name], field.type), batch.num_rows))
        elif field.name in batch.schema.names:
            columns.append(pc.cast(batch.column(field.name), field.type))
        else:
            columns.append(pa.nulls(batch.num_rows, field.type))
    return pa.RecordBatch.from_arrays(columns, schema=schema)
