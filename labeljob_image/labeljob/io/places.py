"""A file, or a folder of files, wherever it is: on a volume a `pathlib.Path`, in an object store an `ObjectPath`.

Readers and writers know this protocol alone, which a `Path` fulfils as it is. What an object store does not have (folders, a flush, a
rename) costs it nothing, or is not asked of it here.
"""

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Protocol, Self, TypeVar

if TYPE_CHECKING:
    from deltalake import DeltaTable


P = TypeVar("P")


class Place(Protocol):
    """What a reader or writer asks of a path. An object store that refuses raises JobError, never OSError."""

    @property
    def name(self) -> str:
        """The last part."""

    @property
    def suffix(self) -> str:
        """The name from its last dot on."""

    def exists(self) -> bool:
        """Whether it is a file or a folder."""

    def is_file(self) -> bool: ...

    def is_dir(self) -> bool: ...

    def iterdir(self) -> Iterable[Self]:
        """Files and folders right below."""

    def glob(self, pattern: str) -> Iterable[Self]:
        """Files and folders right below whose name fits."""

    def rglob(self, pattern: str) -> Iterable[Self]:
        """Files at any depth whose name fits."""

    def relative_to(self, other: Self) -> PurePath: ...

    def open(self, mode: Literal["rb"]) -> BinaryIO:
        """The content, to be read at any position; FileNotFoundError."""

    def read_bytes(self) -> bytes:
        """The content; FileNotFoundError."""

    def mkdir(self, *, parents: bool, exist_ok: bool) -> None:
        """Make the folder; nothing where folders are but prefixes of keys."""

    def unlink(self, *, missing_ok: bool) -> None: ...

    def __truediv__(self, name: str) -> Self: ...


def open_table(place: Place, version: int | None = None) -> "DeltaTable":
    """The Delta table at `place`, in its newest version or in `version`.

    Raises:
        DeltaError: there is no such table or version, or its log cannot be read.
        JobError: the object store refuses, or does not answer.
    """
    from deltalake import DeltaTable

    from labeljob.io.object_path import ObjectPath

    if isinstance(place, ObjectPath):
        with place.store.translated():
            return DeltaTable(place.uri, version=version, storage_options=place.store.table_options)
    return DeltaTable(str(place), version=version)


def table_address(place: Place) -> tuple[str, dict[str, Any]]:
    """(address, keyword arguments) of a table for functions of deltalake that take no open one."""
    from labeljob.io.object_path import ObjectPath

    if isinstance(place, ObjectPath):
        return place.uri, {"storage_options": place.store.table_options}
    return str(place), {}


def state_of(place: Place) -> tuple[int, int]:
    """(size in bytes, a number that another content does not have: the time of the last change, or one made of the ETag); FileNotFoundError."""
    from labeljob.io.object_path import ObjectPath

    if isinstance(place, ObjectPath):
        return place.state()
    about = Path(str(place)).stat()
    return about.st_size, about.st_mtime_ns


def remove_folder(place: Place, but: str | None = None) -> None:
    """Remove all that is below, but the file of that name; nothing where nothing is. OSError, JobError: some of it cannot be removed."""
    from labeljob.io.object_path import ObjectPath

    if isinstance(place, ObjectPath):
        place.remove_below(but)
    elif but is None and place.is_dir():
        shutil.rmtree(str(place))
    elif place.is_dir():
        for path in [one for one in place.iterdir() if one.name != but]:
            remove_folder(path) if path.is_dir() else path.unlink(missing_ok=True)


def remove_each(found: Iterable[P], remove: Callable[[P], None]) -> None:
    """Remove one after the other; one that cannot be removed keeps no other. OSError: of the first. JobError: of an object store, which would refuse all, and ends it."""
    first: OSError | None = None
    for one in list(found):
        try:
            remove(one)
        except OSError as error:
            first = first or error
    if first is not None:
        raise first


def refusal(place: Place, error: BaseException) -> BaseException | None:
    """What an engine's error says of the object store that `place` is in, as a JobError; None where it says nothing of one."""
    from labeljob.io.object_path import ObjectPath

    return place.store.problem(error) if isinstance(place, ObjectPath) else None
