"""A key of a bucket, or the keys below a prefix, as a `Place`: as much of a path as readers and writers ask for."""

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Literal, cast

from labeljob.io.object_store import ObjectStore

READ_AHEAD = 4 << 20  # bytes asked for at least


@dataclass(frozen=True)
class ObjectPath:
    """A key, or a prefix of keys; equal when key and store are. `listed`: size and ETag, where it was found in a list a moment ago."""

    store: ObjectStore
    key: str
    listed: dict[str, Any] | None = field(default=None, compare=False, repr=False)

    @property
    def uri(self) -> str:
        return f"s3://{self.store.bucket}/{self.key}"

    @property
    def name(self) -> str:
        return self.key.rpartition("/")[2]

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.key).suffix

    def __truediv__(self, name: str) -> "ObjectPath":
        return ObjectPath(self.store, f"{self.key}/{name}")

    def __str__(self) -> str:
        return self.uri

    def exists(self) -> bool:
        return self.is_dir() or self.is_file()

    def is_file(self) -> bool:
        return self.listed is not None or self.head() is not None

    def is_dir(self) -> bool:
        return next(self._below(), None) is not None

    def head(self) -> dict[str, Any] | None:
        """`size` and `e_tag`; None when there is no such key."""
        import obstore

        with self.store.translated():
            try:
                return dict(obstore.head(self.store.client, self.key))
            except FileNotFoundError:
                return None

    def state(self) -> tuple[int, int]:
        """(size, a number made of the ETag); FileNotFoundError."""
        size, e_tag = self.identity()
        return size, int(hashlib.sha256(e_tag.encode()).hexdigest()[:15], 16)

    def identity(self) -> tuple[int, str]:
        """(size, ETag): another content has others; FileNotFoundError."""
        head = self.listed or self.head()
        if head is None:
            raise FileNotFoundError(self.uri)
        return int(head["size"]), str(head["e_tag"])

    def iterdir(self) -> Iterator["ObjectPath"]:
        import obstore

        with self.store.translated():
            found = obstore.list_with_delimiter(self.store.client, self.key)
        names = [*found["common_prefixes"], *(entry["path"] for entry in found["objects"])]
        return iter([ObjectPath(self.store, name) for name in sorted(names)])

    def glob(self, pattern: str) -> Iterator["ObjectPath"]:
        return (path for path in self.iterdir() if fnmatchcase(path.name, pattern))

    def rglob(self, pattern: str) -> Iterator["ObjectPath"]:
        return (path for path in map(self._at, self._below()) if fnmatchcase(path.name, pattern))

    def relative_to(self, other: "ObjectPath") -> PurePosixPath:
        return PurePosixPath(self.key).relative_to(other.key)

    def open(self, mode: Literal["rb"]) -> BinaryIO:
        assert mode == "rb"  # noqa: S101 the protocol has no other
        return buffered(ObjectFile(self))

    def read_bytes(self) -> bytes:
        import obstore

        with self.store.translated():
            return bytes(obstore.get(self.store.client, self.key).bytes())

    def put(self, content: bytes, *, only_new: bool = False, only_over: str | None = None) -> None:
        """Write the whole object.

        Args:
            only_new: only where nothing is. only_over: only over the content of this ETag.
        Raises:
            FileExistsError: that condition does not hold.
        """
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        mode: Any = "create" if only_new else {"e_tag": only_over} if only_over else "overwrite"
        with self.store.translated():
            try:
                obstore.put(self.store.client, self.key, content, mode=mode, use_multipart=False)
            except (AlreadyExistsError, PreconditionError):
                raise FileExistsError(self.key) from None

    def mkdir(self, *, parents: bool, exist_ok: bool) -> None:
        """Nothing: a prefix is there as soon as a key is."""

    def unlink(self, *, missing_ok: bool) -> None:
        import obstore

        with self.store.translated():
            try:
                obstore.delete(self.store.client, self.key)
            except FileNotFoundError:
                if not missing_ok:
                    raise

    def remove_below(self, but: str | None = None) -> None:
        """Delete every key below this prefix, but the one that `but` adds to it."""
        for entry in list(self._below()):
            if entry["path"] != f"{self.key}/{but}":
                self._at(entry).unlink(missing_ok=True)

    def _at(self, entry: dict[str, Any]) -> "ObjectPath":
        return ObjectPath(self.store, entry["path"], entry)

    def _below(self) -> Iterator[dict[str, Any]]:
        """Every key at any depth, by pages."""
        import obstore

        with self.store.translated():
            for page in obstore.list(self.store.client, self.key, chunk_size=1000):
                yield from page


class ObjectFile(io.RawIOBase):
    """An object that is read by ranges, and only as the one it was when it was opened: another content raises ObjectChangedError."""

    def __init__(self, path: ObjectPath) -> None:
        head = path.head()
        if head is None:
            raise FileNotFoundError(path.uri)
        self._path, self._position = path, 0
        self.size, self.e_tag = int(head["size"]), str(head["e_tag"])

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        wanted = min(len(view), self.size - self._position)
        if wanted <= 0:
            return 0
        view[:wanted] = self._range(self._position, wanted)
        self._position += wanted
        return wanted

    def _range(self, start: int, length: int) -> memoryview:
        import obstore
        from obstore.exceptions import PreconditionError

        options: Any = {"range": (start, start + length), "if_match": self.e_tag}
        with self._path.store.translated():
            try:
                answer = obstore.get(self._path.store.client, self._path.key, options=options)
                content = memoryview(answer.bytes())
            except (PreconditionError, FileNotFoundError):
                raise ObjectChangedError(self._path.uri) from None
        if answer.meta["e_tag"] != self.e_tag or len(content) != length:  # a store that does not know If-Match
            raise ObjectChangedError(self._path.uri)
        return content


def buffered(file: ObjectFile) -> BinaryIO:
    """The object with what is read ahead kept, so that lines can be read."""
    return cast(BinaryIO, io.BufferedReader(file, READ_AHEAD))


class ObjectChangedError(Exception):
    """The object is gone, or has another content than when it was opened."""
