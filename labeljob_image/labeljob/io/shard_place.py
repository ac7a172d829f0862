"""The folder in which the shards of a run or a fit leave what they did, until one job makes something of it.

    <shard>.json                        the shard's summary: written last, at once; with it the shard is done
    <shard>-<random>/                   files at work, of an attempt that runs or was killed

Names depend on the work and the shard alone, and equal pins give equal bytes: a pod that was thought dead and goes on can only put the same files in
their place again. In an object store nothing is renamed: a file is there when it is whole, and not before.
"""

import shutil
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from labeljob.contract.reasons import ExitCode, JobReason, exit_code
from labeljob.errors import JobError
from labeljob.io.durable import flush_folder, replace_file
from labeljob.io.failures import writing
from labeljob.io.object_path import ObjectPath
from labeljob.io.places import Place

NAMED = 10  # shards that a message names
KEPT = (ExitCode.TRANSIENT, ExitCode.NO_ROOM)
Found = TypeVar("Found")


class ShardPlace:
    """The folder at `place`; `uri` and `root` name what it lies in, for messages."""

    def __init__(self, place: Place, uri: str, root: Place) -> None:
        self.place, self._uri, self._root = place, uri, root

    def summary(self, shard: int) -> Place:
        """Where the shard's summary is."""
        return self.place / f"{shard:04d}.json"

    @contextmanager
    def attempt_at(self, shard: int) -> Iterator[Path | None]:
        """A folder to write in; those of earlier attempts at this shard are removed, and so is this one in the end. None in an object store."""
        if not isinstance(self.place, Path):
            with writing(self._uri, self._root):
                yield None
            return
        with writing(self._uri):
            self.place.mkdir(parents=True, exist_ok=True)
            self._clear(shard)
            work = self.place / f"{shard:04d}-{uuid.uuid4().hex}"
            work.mkdir()
        try:
            with writing(self._uri):
                yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def finish(self, shard: int, content: bytes) -> None:
        """From here on the shard is done."""
        place = self.summary(shard)
        if isinstance(place, ObjectPath):
            place.put(content)
        else:
            replace_file(Path(str(place)), content)

    def _clear(self, shard: int) -> None:
        for path in self.place.glob(f"{shard:04d}-*"):
            if path.is_dir():
                shutil.rmtree(str(path), ignore_errors=True)


def put_in_place(work: Path | None, folder: Place, names: Iterable[str]) -> None:
    """Files of an attempt get where they are looked for."""
    if work is not None:
        for name in names:
            (work / name).rename(Path(str(folder)) / name)
        flush_folder(Path(str(folder)))


def remove(place: Place) -> None:
    """The folder of one run or fit, and the one that it lies in when nothing else is there."""
    if isinstance(place, ObjectPath):
        place.remove_below()
        return
    shutil.rmtree(str(place), ignore_errors=True)
    remove_empty(Path(str(place)).parent)


def remove_empty(folder: Place) -> None:
    """The folder where runs or fits lay, when none does any more."""
    if isinstance(folder, Path):
        with suppress(OSError):  # others may be at work
            folder.rmdir()


def all_of(found: Sequence[Found | None]) -> list[Found]:
    """The summaries of all shards. JobError INTERNAL_ERROR: some are missing, which another attempt may find otherwise."""
    missing = [str(shard) for shard, summary in enumerate(found) if summary is None]
    if missing:
        more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
        message = f"shards {', '.join(missing[:NAMED])}{more} of {len(found)} have not finished, or their files are gone: run them again"
        raise JobError(JobReason.INTERNAL_ERROR, message)
    return [summary for summary in found if summary is not None]


def may_go_on(error: JobError) -> bool:
    """Whether what the shards did may still be of use: another attempt, or more room, can mend this."""
    return exit_code(error.reason) in KEPT
