"""Parts of a Parquet dataset. A pin is the digest of all files, and no shard reads all of them: each hashes its own, and the commit puts them together.

A file that several shards read is hashed by the one that has its beginning; the others say in which state (size, time of change) they read it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property

import pyarrow as pa

from labeljob.contract.base import Wire
from labeljob.contract.datasets import DatasetPin
from labeljob.errors import JobError
from labeljob.io import typed
from labeljob.io.content import file_digest, folder_digest, pin_broken
from labeljob.io.object_path import ObjectPath
from labeljob.io.parquet import ParquetSource, data_files
from labeljob.io.parts import WHOLE, Piece, StoredFile
from labeljob.io.places import Place, state_of
from labeljob.io.row_groups import LastFooter, batches_of, group_digest, open_streaming, rows_of, sizes_of
from labeljob.io.source import BATCH_ROWS, ReadType, Rows


class ReadFile(Wire):
    """A file as a shard read it; `digest` where that shard has its beginning."""

    name: str
    size: int
    changed: int  # time of the last change, nanoseconds; of an object, a number made of its ETag
    digest: str | None = None


class ParquetParts:
    """The files of a dataset as they lie there now."""

    def __init__(self, path: Place, uri: str) -> None:
        self._path, self.uri, self._whole = path, uri, ParquetSource(path, uri)
        self._states: dict[str, ReadFile] = {}
        self._objects: dict[str, str] = {}  # digests of objects that were asked for
        self.footers = LastFooter()

    def files(self) -> list[StoredFile]:
        return [StoredFile(self._name(path), state_of(path)[0]) for path in data_files(self._path)]

    def groups(self, name: str) -> list[int]:
        with self.reading():
            return sizes_of(self.path(name))

    def rows(self) -> int:
        """Of all files."""
        with self.reading():
            return sum(rows_of(path) for path in data_files(self._path))

    def types(self) -> Mapping[str, pa.DataType | None]:
        return self._types

    @cached_property
    def _types(self) -> Mapping[str, pa.DataType | None]:
        """Found once: every file is asked."""
        return self._whole.types()

    def path(self, name: str) -> Place:
        return self._path / name if name else self._path

    def part(self, pieces: Sequence[Piece]) -> "ParquetPart":
        return ParquetPart(self, pieces)

    def known(self, name: str) -> None:
        """Columns and rows are asked of each file, so there is nothing to save."""

    def identity(self, name: str, group: int) -> object:
        """Of a row group by its own bytes: a file may be read by many. An object's by its ETag, which costs no reading. PIN_BROKEN: the file changed meanwhile."""
        if name in self._objects:
            return [self._objects[name], group]
        self.seen(name)
        if isinstance(path := self.path(name), ObjectPath):
            found: object = [self._objects.setdefault(name, file_digest(path)), group]
        else:
            with self.reading():
                found = group_digest(path, group, self.footers.of(path))
        self.seen(name)
        return found

    def seen(self, name: str) -> ReadFile:
        """The state of a file, which must be the one of before."""
        try:
            size, changed = state_of(self.path(name))
        except FileNotFoundError:
            raise _changed(self.uri) from None
        now = ReadFile(name=name, size=size, changed=changed)
        if self._states.setdefault(name, now) != now:
            raise _changed(self.uri)
        return now

    def reading(self) -> AbstractContextManager[None]:
        """Turns what goes wrong with a file into SOURCE_UNREADABLE."""
        return self._whole.reading()

    def _name(self, path: Place) -> str:
        return path.relative_to(self._path).as_posix() if path != self._path else ""


class ParquetPart:
    """Some pieces of a dataset, as a source of rows."""

    def __init__(self, dataset: ParquetParts, pieces: Sequence[Piece]) -> None:
        self._dataset, self._pieces = dataset, pieces

    def types(self) -> Mapping[str, pa.DataType | None]:
        """Of the whole dataset."""
        return self._dataset.types()

    def batches(self, columns: Mapping[str, ReadType], batch_rows: int = BATCH_ROWS) -> Iterator[Rows]:
        yield from typed.widened(self._stored(list(columns), batch_rows), columns, batch_rows)

    def read(self) -> list[ReadFile]:
        """The files of this part, in the state in which they were read. PIN_BROKEN: one was changed meanwhile."""
        owned = {piece.file for piece in self._pieces if piece.group in (WHOLE, 0)}
        found = []
        for name in dict.fromkeys(piece.file for piece in self._pieces):
            state = self._dataset.seen(name)
            digest = file_digest(self._dataset.path(name)) if name in owned else None
            self._dataset.seen(name)
            found.append(state.model_copy(update={"digest": digest}))
        return found

    def _stored(self, columns: list[str], batch_rows: int) -> Iterator[pa.RecordBatch]:
        groups = defaultdict(list)
        for piece in self._pieces:
            groups[piece.file].append(piece.group)
        for name, chosen in groups.items():
            self._dataset.seen(name)
            with self._dataset.reading(), self._dataset.path(name).open("rb") as file:
                yield from batches_of(open_streaming(file, footer=self._dataset.footers.of(self._dataset.path(name))), chosen, columns, batch_rows)
            self._dataset.seen(name)


def check_read(pin: DatasetPin, read: Iterable[ReadFile]) -> None:
    """Hold what all shards read against the pin. PIN_BROKEN: the files are not what was pinned, or not all shards read the same."""
    states, digests = dict[str, tuple[int, int]](), dict[str, str]()
    for file in read:
        if states.setdefault(file.name, (file.size, file.changed)) != (file.size, file.changed):
            raise _changed(pin.uri)
        if file.digest is not None:
            digests[file.name] = file.digest
    found = digests.get("") if set(digests) == {""} else folder_digest(list(digests.items()))
    if found != pin.digest:
        raise _changed(pin.uri)


def _changed(uri: str) -> JobError:
    return pin_broken(uri, "its files changed after they were pinned")
