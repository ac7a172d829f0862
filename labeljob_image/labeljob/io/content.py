"""Files whose identity is the SHA-256 of their content, checked on the very file that was read (C1, X16).

Of an object in a store it is the SHA-256 of its ETag and size: each range is asked for by that ETag, so nothing is read twice to be sure.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.io.object_path import ObjectChangedError, ObjectFile, ObjectPath, buffered
from labeljob.io.places import Place

_CHUNK = 1 << 20


def file_digest(path: Place) -> str:
    """SHA-256 of one file's content, or of an object's ETag and size, as 64 hex digits."""
    if isinstance(path, ObjectPath):
        return _object_digest(*path.identity())
    with path.open("rb") as file:
        return _digest(file)


def folder_digest(files: Sequence[tuple[str, str]]) -> str:
    """SHA-256 over (relative path, SHA-256 of content), sorted."""
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(files))
    return hashlib.sha256(lines.encode()).hexdigest()


def one_file(path: Place, uri: str) -> Place:
    """The path, when it is a file; SOURCE_UNREADABLE otherwise."""
    if not path.is_file():
        raise JobError(JobReason.SOURCE_UNREADABLE, f"{uri}: it is a folder, and this format is one file: name the file")
    return path


@contextmanager
def verified(path: Place, digest: str | None, uri: str) -> Iterator[BinaryIO]:
    """The open file; once it has been read its content must be what `digest` says (None: not checked).

    Raises:
        JobError: PIN_BROKEN when the content differs, also where it could not even be read for that reason.
    """
    if isinstance(path, ObjectPath):
        with _verified_object(path, digest, uri) as file:
            yield file
        return
    with path.open("rb") as kept:
        try:
            with os.fdopen(os.dup(kept.fileno()), "rb") as file:
                yield file
        except Exception:
            _require(kept, digest, uri)
            raise
        _require(kept, digest, uri)


@contextmanager
def _verified_object(path: ObjectPath, digest: str | None, uri: str) -> Iterator[BinaryIO]:
    try:
        found = ObjectFile(path)
        if digest is not None and _object_digest(found.size, found.e_tag) != digest:
            raise pin_broken(uri, "its content changed after it was pinned")
        with buffered(found) as file:
            yield file
    except (ObjectChangedError, FileNotFoundError):
        raise pin_broken(uri, "its content changed while it was read") from None


def _object_digest(size: int, e_tag: str) -> str:
    return hashlib.sha256(f"{e_tag} {size}".encode()).hexdigest()


def _require(file: BinaryIO, digest: str | None, uri: str) -> None:
    if digest is None:
        return
    file.seek(0)
    if _digest(file) != digest:
        raise pin_broken(uri, "its content changed after it was pinned")


def pin_broken(uri: str, why: str) -> JobError:
    """The pinned state is gone; a new pin is a decision, never made silently."""
    return JobError(JobReason.PIN_BROKEN, f"{uri}: {why}: restore it, or set the annotation labelplane.dev/reconcile-at to pin it again")


def _digest(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()
