"""The folder in which the shards of a run or a fit leave what they did, until one job makes something of it.

    <shard>-tally.json                  what is counted and sampled of its rows: up to some MB, read once, by that job
    <shard>.json                        the shard's summary, which is small: written last, at once; with it the shard is done
    <shard>-<random>/                   files at work, of an attempt that runs or was killed
    refused.json                        in place of all of it: why nothing can be made of it. Another attempt at that job says so again

Names depend on the work and the shard alone, and equal pins give equal bytes: a pod that was thought dead and goes on can only put the same files in
their place again. In an object store nothing is renamed: a file is there when it is whole, and not before.
"""

import json
import shutil
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from labeljob.contract.base import Wire
from labeljob.contract.digests import canonical_json
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.io.durable import flush_folder, replace_file
from labeljob.io.failures import writing
from labeljob.io.object_path import ObjectPath
from labeljob.io.places import Place, state_of

NAMED = 10  # shards that a message names
REFUSED = "refused.json"
DECIDED = frozenset({  # by the pins: no attempt comes to another end. All else (a Secret, a right, room) can be mended, and what the shards did is of use then
    JobReason.SCHEMA_BROKEN, JobReason.EMPTY_DATASET, JobReason.FUNCTIONS_FAILING, JobReason.NO_COVERAGE, JobReason.PIN_BROKEN,
    JobReason.FUNCTIONS_INVALID, JobReason.GOLD_INVALID, JobReason.OUTPUT_CONFLICT, JobReason.SUPERSEDED,
})  # fmt: skip
Found = TypeVar("Found")


class Refusal(Wire):
    """What a job said of all that the shards did."""

    reason: JobReason
    message: str


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

    def refuse(self, error: JobError) -> None:
        """Write down why nothing comes of what is here; what removes the rest may be killed, and the job that says why, too."""
        if self.place.is_dir():
            with writing(self._uri, self._root):
                _replace(self.place / REFUSED, canonical_json(Refusal(reason=error.reason, message=error.message).wire()))

    def all_of(self, found: Sequence[Found | None]) -> list[Found]:
        """The summaries of all shards. JobError: why they were refused; INTERNAL_ERROR: some are missing, which another attempt may find otherwise."""
        missing = [str(shard) for shard, summary in enumerate(found) if summary is None]
        if missing:
            self._raise_refusal()
            more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
            message = f"shards {', '.join(missing[:NAMED])}{more} of {len(found)} have not finished, or their files are gone: run them again"
            raise JobError(JobReason.INTERNAL_ERROR, message)
        return [summary for summary in found if summary is not None]

    def _raise_refusal(self) -> None:
        with suppress(FileNotFoundError, ValidationError):
            refusal = Refusal.model_validate_json((self.place / REFUSED).read_bytes())
            raise JobError(refusal.reason, refusal.message)

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


def _replace(place: Place, content: bytes) -> None:
    """Write a whole file at once."""
    if isinstance(place, ObjectPath):
        place.put(content)
    else:
        replace_file(Path(str(place)), content)
