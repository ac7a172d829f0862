"""Parquet: one file, or a folder of files with the same columns."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property

import pyarrow as pa
import pyarrow.parquet as pq

from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.io import typed
from labeljob.io.content import file_digest, folder_digest, pin_broken, verified
from labeljob.io.object_path import ObjectChangedError
from labeljob.io.parts import WHOLE
from labeljob.io.places import Place
from labeljob.io.row_groups import batches_of, open_streaming
from labeljob.io.source import BATCH_ROWS, ReadType, Rows


class ParquetSource:
    """One Parquet file or a folder of them (names that start with _ or . are not data)."""

    def __init__(self, path: Place, uri: str, digest: str | None = None) -> None:
        self._path, self._uri, self._digest = path, uri, digest

    def types(self) -> Mapping[str, pa.DataType | None]:
        """Columns that every file has; a column stored in different types is unreadable."""
        schemas = [self._schema(file) for file in self._files()]
        common = [name for name in schemas[0].names if all(name in schema.names for schema in schemas)]
        for name in common:
            if any(schema.field(name).type != schemas[0].field(name).type for schema in schemas):
                raise self._unreadable(f"its files store column {name!r} in different types: write them alike")
        return {name: schemas[0].field(name).type for name in common}

    def batches(self, columns: Mapping[str, ReadType], batch_rows: int = BATCH_ROWS) -> Iterator[Rows]:
        yield from typed.widened(self._stored(list(columns), batch_rows), columns, batch_rows)

    def table(self) -> pa.Table:
        """All rows, each column as it is stored."""
        types = self.types()
        return pa.Table.from_batches(self._stored(list(types), BATCH_ROWS), schema=pa.schema(list(types.items())))

    def _stored(self, columns: list[str], batch_rows: int) -> Iterator[pa.RecordBatch]:
        """Every file in order of name. A folder's digest covers all files, so each must first be what its pin says."""
        digests = self._pinned_digests
        for path in self._files():
            with verified(path, digests.get(path), self._uri) as file, self.reading():
                yield from batches_of(open_streaming(file), [WHOLE], columns, batch_rows)

    @cached_property
    def _pinned_digests(self) -> dict[Place, str]:
        """Digest of each file, after checking that together they are the pin; once, since each file is held against its own whenever it is read."""
        if self._digest is None:
            return {}
        if self._path.is_file():
            return {self._path: self._digest}
        digests = {path: file_digest(path) for path in self._files()}
        if _of_folder(self._path, digests) != self._digest:
            raise pin_broken(self._uri, "files in the folder changed after it was pinned")
        return digests

    def _files(self) -> Sequence[Place]:
        files = data_files(self._path)
        if not files:
            raise self._unreadable("the folder holds no .parquet file")
        if (self._path / "_delta_log").is_dir():
            raise self._unreadable("it is a Delta table: set format: delta")
        return files

    def _schema(self, path: Place) -> pa.Schema:
        with self.reading(), path.open("rb") as file:
            return pq.read_schema(file)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Turns what goes wrong with a file into SOURCE_UNREADABLE."""
        try:
            yield
        except ObjectChangedError:
            raise pin_broken(self._uri, "its content changed while it was read") from None
        except (pa.ArrowInvalid, OSError) as error:
            raise self._unreadable("it is not Parquet, or it is cut off: correct format, or write it again") from error

    def _unreadable(self, why: str) -> JobError:
        return JobError(JobReason.SOURCE_UNREADABLE, f"{self._uri}: {why}")


def data_files(path: Place) -> Sequence[Place]:
    """The file itself, or the Parquet files below a folder in order of name."""
    if path.is_file():
        return [path]
    below = [(file.relative_to(path).parts, file) for file in path.rglob("*.parquet") if file.is_file()]
    return [file for parts, file in sorted(below) if not any(part.startswith(("_", ".")) for part in parts)]


def parquet_digest(path: Place) -> str:
    """Identity of a file, or of a folder: names and content of its data files."""
    if path.is_file():
        return file_digest(path)
    return _of_folder(path, {file: file_digest(file) for file in data_files(path)})


def _of_folder(folder: Place, digests: Mapping[Place, str]) -> str:
    return folder_digest([(file.relative_to(folder).as_posix(), digest) for file, digest in digests.items()])
