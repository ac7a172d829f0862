"""The folder in which the shards of a run or a fit leave what they did, until one job makes something of it.

    _labelplane/<number>-<attempt>/         <number>: the sequence of the run, or the version of the fit; <attempt>: a digest of run or fit, and of the number of shards
      <shard>-ids-<n>.parquet               ids, ascending
      <shard>-tally.json                    what is counted and sampled of its rows: up to some MB, read once, by that job
      <shard>.json                          the shard's summary, which is small: written last, at once; with it the shard is done
      <shard>-<random>/                     files at work, of an attempt that runs or was killed
      refused.json                          in place of all of it: why nothing can be made of it. Another attempt at that job says so again

Names depend on the work and the shard alone, and equal pins give equal bytes: a pod that was thought dead and goes on can only put the same files in
their place again; only votes that are kept have a name of each attempt, and the tally has that. In an object store nothing is renamed: a file is there
when it is whole, and not before.
"""

import json
import shutil
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Generic, TypeVar

import pyarrow as pa
from pydantic import ValidationError

from labeljob.contract.base import Wire
from labeljob.contract.digests import canonical_json, digest_of
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.io.data_files import DataFile, write_data_files
from labeljob.io.delta_commits import RUNS
from labeljob.io.durable import flush_folder, replace_file
from labeljob.io.failures import writing
from labeljob.io.object_path import ObjectPath
from labeljob.io.parquet_parts import ReadFile
from labeljob.io.places import Place, state_of

NAMED = 10  # shards that a message names
ATTEMPT_CHARACTERS = 32
REFUSED = "refused.json"
DECIDED = frozenset({  # by the pins: no attempt comes to another end. All else (a Secret, a right, room) can be mended, and what the shards did is of use then
    JobReason.SCHEMA_BROKEN, JobReason.EMPTY_DATASET, JobReason.FUNCTIONS_FAILING, JobReason.NO_COVERAGE, JobReason.PIN_BROKEN,
    JobReason.FUNCTIONS_INVALID, JobReason.GOLD_INVALID, JobReason.OUTPUT_CONFLICT, JobReason.SUPERSEDED,
})  # fmt: skip


class Summary(Wire):
    """What a shard has done; everything in it can be added up. Its counts and samples are in a file of their own, of `tally_size` bytes.

    `digest`: of the run or the fit. `violations`: (column, what, number of values).
    """

    digest: str
    shards: int
    shard: int
    split: str
    rows: int
    structure: tuple[str, ...] = ()
    violations: tuple[tuple[str, str, int], ...] = ()
    ids: tuple[DataFile, ...] = ()
    read: tuple[ReadFile, ...] = ()
    tally_size: int
    input_errors: dict[str, list[int]] = {}


class Refusal(Wire):
    """What a job said of all that the shards did."""

    reason: JobReason
    message: str


S = TypeVar("S", bound=Summary)


class ShardPlace(ABC, Generic[S]):
    """The place of one run or fit, below `folder`; `uri` names that for messages, `kind` is what its shards leave as summaries."""

    def __init__(self, folder: Place, uri: str, kind: type[S], digest: str, number: int, shards: int) -> None:
        self.folder, self._uri, self._kind, self._digest, self._shards = folder, uri, kind, digest, shards
        self.attempt = digest_of([digest, number, shards])[:ATTEMPT_CHARACTERS]
        self.place = folder / RUNS / f"{number:08d}-{self.attempt}"

    @abstractmethod
    def files_of(self, summary: S) -> Iterable[tuple[Place, int]]:
        """The files that a summary names, and how many bytes each has, beside counts and ids."""

    @abstractmethod
    def discard(self, but: str | None = None) -> None:
        """Remove what the shards left, but what has become visible, and the file `but` of this place."""

    @contextmanager
    def attempt_at(self, shard: int) -> Iterator[Path | None]:
        """A folder to write in; those of earlier attempts at this shard are removed, and so is this one in the end. None in an object store."""
        if not isinstance(self.place, Path):
            with writing(self._uri, self.folder):
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

    def write_rows(self, work: Path | None, shard: int, what: str, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> tuple[DataFile, ...]:
        """Rows in order of id, the first column, as files `<shard>-<what>-<n>` beside the summary."""
        files = write_data_files(batches, schema, lambda n: (work or self.place) / f"{shard:04d}-{what}-{n:05d}.parquet")
        put_in_place(work, self.place, (file.name for file in files))
        return tuple(files)

    def write_tally(self, shard: int, tally: dict[str, Any]) -> int:
        """The shard's counts, beside its summary and before it; bytes."""
        content = canonical_json(tally)
        _replace(self._tally(shard), content)
        return len(content)

    def tally(self, shard: int) -> dict[str, Any]:
        """The counts of a shard that is done. FileNotFoundError: gone meanwhile."""
        found: dict[str, Any] = json.loads(self._tally(shard).read_bytes())
        return found

    def tallies(self) -> Iterator[dict[str, Any]]:
        """The counts of each shard in turn: all of them are not held at a time. FileNotFoundError: one is gone that was there."""
        return (self.tally(shard) for shard in range(self._shards))

    def finish(self, summary: S) -> None:
        """From here on the shard is done."""
        _replace(self._summary(summary.shard), canonical_json(summary.wire()))

    def summary(self, shard: int) -> S | None:
        """The shard's summary when it is done; one that this build, this run or this fit did not write does not count, nor one whose files are not there."""
        try:
            found = self._kind.model_validate_json(self._summary(shard).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None
        ours = (found.digest, found.shards, found.shard) == (self._digest, self._shards, shard)
        return found if ours and self._are_there(found) else None

    def summaries(self) -> list[S]:
        """One for each shard. JobError: why they were refused; INTERNAL_ERROR: some are missing, which another attempt may find otherwise."""
        found = [self.summary(shard) for shard in range(self._shards)]
        missing = [str(shard) for shard, summary in enumerate(found) if summary is None]
        if missing:
            self._raise_refusal()
            more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
            message = f"shards {', '.join(missing[:NAMED])}{more} of {len(found)} have not finished, or their files are gone: run them again"
            raise JobError(JobReason.INTERNAL_ERROR, message)
        return [summary for summary in found if summary is not None]

    def refuse(self, error: JobError) -> None:
        """Nothing can come of what is here: write down why, then remove the rest. What removes may be killed, and so may be the job that says why."""
        if self.place.is_dir():
            with writing(self._uri, self.folder):
                _replace(self.place / REFUSED, canonical_json(Refusal(reason=error.reason, message=error.message).wire()))
        self.discard(REFUSED)

    def _raise_refusal(self) -> None:
        with suppress(FileNotFoundError, ValidationError):
            refusal = Refusal.model_validate_json((self.place / REFUSED).read_bytes())
            raise JobError(refusal.reason, refusal.message)

    def _are_there(self, summary: S) -> bool:
        own = [(self._tally(summary.shard), summary.tally_size), *((self.place / file.name, file.size) for file in summary.ids)]
        return all(path.is_file() and state_of(path)[0] == size for path, size in (*own, *self.files_of(summary)))

    def _summary(self, shard: int) -> Place:
        return self.place / f"{shard:04d}.json"

    def _tally(self, shard: int) -> Place:
        return self.place / f"{shard:04d}-tally.json"

    def _clear(self, shard: int) -> None:
        for path in Path(str(self.place)).glob(f"{shard:04d}-*"):
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


def _replace(place: Place, content: bytes) -> None:
    """Write a whole file at once."""
    if isinstance(place, ObjectPath):
        place.put(content)
    else:
        replace_file(Path(str(place)), content)
