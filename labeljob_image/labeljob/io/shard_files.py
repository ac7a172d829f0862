"""Where the shards of a run leave what they wrote, until one commit makes it visible (DESIGN §4.1, §4.3).

    output/
      labels-<sequence>-<attempt>-<shard>-<n>.parquet     finished data files; no version names them yet
      _labelplane/<sequence>-<attempt>/
        <shard>.json                                      the shard's summary: written last, at once; with it the shard is done
        <shard>-<random>/                                 files at work, of an attempt that runs or was killed

<attempt> is a digest of run and number of shards. Names depend on the run and the shard alone, and equal pins give equal bytes: a pod that was
thought dead and goes on can only put the same files in their place again. Readers of Delta pass over folders with an underscore.
"""

import shutil
import uuid
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import ValidationError

from labeljob.contract.base import Wire
from labeljob.contract.config import LabelTask
from labeljob.contract.digests import canonical_json, digest_of
from labeljob.io.data_files import DataFile, write_data_files
from labeljob.io.delta_commits import QUARANTINE, RUNS, never_committed
from labeljob.io.durable import flush_folder, replace_file
from labeljob.io.failures import writing
from labeljob.io.parquet_parts import ReadFile
from labeljob.io.parts import WHOLE
from labeljob.io.quarantine_files import WORK, write_apart
from labeljob.io.row_groups import batches_of, open_streaming
from labeljob.resources import BATCH_ROWS

ATTEMPT_CHARACTERS = 32
ONCE = "-once.parquet"  # ends the name of a file that is another without the rows that share their id


class ShardSummary(Wire):
    """What a shard has done; everything in it can be added up.

    `ids`: files with ids alone, in place of data files where the part breaks the contract. `violations`: (column, what, number of values).
    `broken`: rows with such a value. `apart`: files of these rows, where they are quarantined and the others labelled.
    """

    format_version: int = 1
    run_digest: str
    shards: int
    shard: int
    split: str
    started_at: str
    rows: int
    structure: tuple[str, ...] = ()
    violations: tuple[tuple[str, str, int], ...] = ()
    broken: int = 0
    files: tuple[DataFile, ...] = ()
    ids: tuple[DataFile, ...] = ()
    apart: tuple[DataFile, ...] = ()
    read: tuple[ReadFile, ...] = ()
    tally: dict[str, Any] = {}
    input_errors: dict[str, list[int]] = {}


def discard_until(folder: Path, app_id: str, sequence: int) -> None:
    """Remove what shards have left of the runs up to `sequence`, which is committed: none of them can become visible any more.

    What became visible stays, and so does what may have: where the log has forgotten the time of a run.
    """
    for place in (folder / RUNS).glob("*-*"):
        if place.name.partition("-")[0].isdecimal() and int(place.name.partition("-")[0]) <= sequence:
            _discard(place, app_id)


def _discard(place: Path, app_id: str) -> None:
    folder, (sequence, _, attempt) = place.parents[1], place.name.partition("-")
    if never_committed(folder, app_id, int(sequence), attempt):
        for path in folder.glob(f"labels-{sequence}-{attempt}-*.parquet"):
            path.unlink(missing_ok=True)
        shutil.rmtree(folder / QUARANTINE / place.name, ignore_errors=True)
    shutil.rmtree(place, ignore_errors=True)
    with suppress(OSError):  # other runs may be at work
        place.parent.rmdir()


class ShardFiles:
    """The places of one run in shards."""

    def __init__(self, folder: Path, task: LabelTask, shards: int) -> None:
        self.folder, self._task, self._shards = folder, task, shards
        self.attempt = digest_of([task.run_digest, task.sequence, shards])[:ATTEMPT_CHARACTERS]
        self._place = folder / RUNS / f"{task.sequence:08d}-{self.attempt}"
        self._quarantine = folder / QUARANTINE / self._place.name

    @property
    def quarantine_uri(self) -> str:
        """The folder of the rows that the run does not label."""
        return f"{self._task.output.rstrip('/')}/{QUARANTINE}/{self._place.name}"

    @contextmanager
    def attempt_at(self, shard: int) -> Iterator[Path]:
        """A folder to write in; those of earlier attempts at this shard are removed, and so is this one in the end."""
        with writing(self._task.output):
            self._place.mkdir(parents=True, exist_ok=True)
            self._clear(shard)
            work = self._place / f"{shard:04d}-{uuid.uuid4().hex}"
            work.mkdir()
        try:
            with writing(self._task.output):
                yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def write(self, work: Path, shard: int, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> tuple[DataFile, ...]:
        """Rows as the shard's data files, put in their places once all of them are there."""
        files = write_data_files(batches, schema, lambda n: work / f"{self._prefix}{shard:04d}-{n:05d}.parquet")
        for file in files:
            (work / file.name).rename(self.folder / file.name)
        flush_folder(self.folder)
        return tuple(files)

    def write_ids(self, work: Path, shard: int, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> tuple[DataFile, ...]:
        """Ids alone, the first column of `schema`, beside the summary."""
        files = write_data_files(batches, pa.schema([schema.field(0)]), lambda n: work / f"{shard:04d}-ids-{n:05d}.parquet")
        for file in files:
            (work / file.name).rename(self._place / file.name)
        return tuple(files)

    def without(self, work: Path, file: DataFile, ids: Sequence[int | str], schema: pa.Schema) -> tuple[DataFile, ...]:
        """What a data file becomes without the rows of these ids, which ascend: itself where it has none of them."""
        if bisect_left(ids, file.first) == bisect_right(ids, file.last):
            return (file,)
        gone = pa.array(ids, schema.field(0).type)
        rows = batches_of(open_streaming(self.path(file)), [WHOLE], schema.names, BATCH_ROWS)
        kept = (batch.filter(pc.invert(pc.is_in(batch.column(0), gone))) for batch in rows)
        (found, *_) = [*write_data_files(kept, schema, lambda _: work / file.name.replace(".parquet", ONCE), file.rows + 1), None]
        if found is not None and found.rows == file.rows:
            return (file,)
        if found is None:
            return ()
        (work / found.name).rename(self.folder / found.name)
        flush_folder(self.folder)
        return (found,)

    def drop_replaced(self) -> None:
        """After the commit: remove the files in whose place others are."""
        for path in self.folder.glob(f"{self._prefix}*{ONCE}"):
            path.with_name(path.name.replace(ONCE, ".parquet")).unlink(missing_ok=True)

    def write_apart_alone(self, name: str, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> None:
        """The same where the run is one pod's, which has no place at work beside the table."""
        with writing(self._task.output):
            work = self._quarantine / f"{WORK}{uuid.uuid4().hex}"
            work.mkdir(parents=True)
            try:
                self.write_apart(work, name, batches, schema)
            finally:
                shutil.rmtree(work, ignore_errors=True)

    def write_apart(self, work: Path, name: str, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> tuple[DataFile, ...]:
        """Rows that the run does not label."""
        return write_apart(self._quarantine, work, name, batches, schema)

    def finish(self, summary: ShardSummary) -> None:
        """From here on the shard is done."""
        replace_file(self._summary(summary.shard), canonical_json(summary.wire()))

    def summary(self, shard: int) -> ShardSummary | None:
        """The shard's summary when it is done; one that this build or this run did not write does not count."""
        try:
            found = ShardSummary.model_validate_json(self._summary(shard).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None
        ours = (found.run_digest, found.shards, found.shard) == (self._task.run_digest, self._shards, shard)
        return found if ours and self._are_there(found) else None

    def summaries(self) -> list[ShardSummary | None]:
        """One for each shard, without its tally: a thousand of these are not held at a time."""
        found = (self.summary(shard) for shard in range(self._shards))
        return [None if one is None else one.model_copy(update={"tally": {}}) for one in found]

    def tallies(self) -> Iterator[dict[str, Any]]:
        """The counts of each shard in turn. FileNotFoundError: one is gone that was there."""
        for shard in range(self._shards):
            yield ShardSummary.model_validate_json(self._summary(shard).read_bytes()).tally

    def path(self, file: DataFile) -> Path:
        """Of a data file, or of a file of ids."""
        return (self.folder if file.name.startswith("labels-") else self._place) / file.name

    def rows_of(self, shard: int) -> int:
        """Rows in the data files of a shard whose summary is gone."""
        return sum(pq.read_metadata(path).num_rows for path in self.folder.glob(f"{self._prefix}{shard:04d}-*.parquet"))

    def discard(self) -> None:
        """Remove what the shards left; the data files, too, unless a version may name them."""
        _discard(self._place, self._task.app_id)

    @property
    def _prefix(self) -> str:
        return f"labels-{self._task.sequence:08d}-{self.attempt}-"

    def _summary(self, shard: int) -> Path:
        return self._place / f"{shard:04d}.json"

    def _are_there(self, summary: ShardSummary) -> bool:
        """Whether the files that a summary names are."""
        files: Sequence[tuple[Path, DataFile]] = [
            *((self.path(file), file) for file in (*summary.files, *summary.ids)),
            *((self._quarantine / file.name, file) for file in summary.apart),
        ]
        return all(path.is_file() and path.stat().st_size == file.size for path, file in files)

    def _clear(self, shard: int) -> None:
        for path in self._place.glob(f"{shard:04d}-*"):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
