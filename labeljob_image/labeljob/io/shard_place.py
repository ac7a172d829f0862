"""The folder in which the shards of a run or a fit leave what they did, until one job makes something of it.

    <shard>-tally.json                  what is counted and sampled of its rows: up to some MB, read once, by that job
    <shard>.json                        the shard's summary, which is small: written last, at once; with it the shard is done
    <shard>-<random>/                   files at work, of an attempt that runs or was killed

Names depend on the work and the shard alone, and equal pins give equal bytes: a pod that was thought dead and goes on can only put the same files in
their place again; only votes that are kept have a name of each attempt, and the tally has that. In an object store nothing is renamed: a file is there
when it is whole, and not before.
"""

import json
import shutil
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from labeljob.contract.base import Wire
from labeljob.contract.digests import canonical_json
from labeljob.contract.reasons import ExitCode, JobReason, exit_code
from labeljob.errors import JobError
from labeljob.io.durable import flush_folder, replace_file
from labeljob.io.failures import writing
from labeljob.io.object_path import ObjectPath
from labeljob.io.places import Place, state_of

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

    def tally(self, shard: int) -> Place:
        """Where its counts are."""
        return self.place / f"{shard:04d}-tally.json"

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

    def write_tally(self, shard: int, tally: dict[str, Any]) -> int:
        """The shard's counts, beside its summary and before it; bytes."""
        content = canonical_json(tally)
        _replace(self.tally(shard), content)
        return len(content)

    def read_tally(self, shard: int) -> dict[str, Any]:
        """FileNotFoundError: it is gone, and was there."""
        found: dict[str, Any] = json.loads(self.tally(shard).read_bytes())
        return found

    def finish(self, shard: int, summary: Wire) -> None:
        """From here on the shard is done."""
        _replace(self.summary(shard), canonical_json(summary.wire()))

    def _clear(self, shard: int) -> None:
        for path in self.place.glob(f"{shard:04d}-*"):
            if path.is_dir():
                shutil.rmtree(str(path), ignore_errors=True)


def put_in_place(work: Path | None, folder: Place, names: Iterable[str]) -> None:
    """Files of an attempt get where they are looked for."""
    if work is not None:
        root = Path(str(folder))
        changed = {root}
        for name in names:
            target = root / name
            if target.parent != root:  # a partition; `root` itself is not made again, where another attempt took it away
                target.parent.mkdir(exist_ok=True)
            (work / name).rename(target)
            changed.add(target.parent)
        for place in changed:
            flush_folder(place)


def are_there(sizes: Iterable[tuple[Place, int]]) -> bool:
    """Whether files are there, whole, with so many bytes each."""
    return all(path.is_file() and state_of(path)[0] == size for path, size in sizes)


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


def _replace(place: Place, content: bytes) -> None:
    """Write a whole file at once."""
    if isinstance(place, ObjectPath):
        place.put(content)
    else:
        replace_file(Path(str(place)), content)
