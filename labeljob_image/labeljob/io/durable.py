"""Files that survive a power cut: flushed, and put in place by a rename."""

import os
import uuid
from pathlib import Path


def flush(path: Path) -> None:
    """The file's content is on the disk when this returns."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


flush_folder = flush  # a folder's entries are flushed in the same way


def replace_file(path: Path, content: bytes) -> None:
    """Write `content` to `path` at once: readers see the old file or the new one, never part of it."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        write_file(temporary, content)
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    flush_folder(path.parent)


def write_file(path: Path, content: bytes) -> None:
    """A new file, flushed."""
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
