"""Where the shards of a run leave what they wrote, until one commit makes it visible (DESIGN §4.1, §4.3).

    output/
      labels-<sequence>-<attempt>-<shard>-<n>.parquet     finished data files; no version names them yet; what is left of one without shared ids is `…-once.parquet`
      _labelplane/<sequence>-<attempt>/                   a place of shards
        <shard>-ids-<n>.parquet                           ids alone, of a part that breaks the contract
        …                                                 summaries, counts and files at work: `shard_place`

<attempt> is a digest of run and number of shards. Readers of Delta pass over folders with an underscore.
"""

import shutil
import uuid
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ValidationError

from labeljob.contract.base import Wire
from labeljob.contract.config import LabelTask
from labeljob.contract.digests import digest_of
from labeljob.errors import JobError
from labeljob.io.data_files import DataFile, write_data_files
from labeljob.io.delta_commits import QUARANTINE, RUNS
from labeljob.io.failures import writing
from labeljob.io.left_behind import discard
from labeljob.io.parquet_parts import ReadFile
from labeljob.io.partition_names import data_files
from labeljob.io.partitions import write_again, write_rows
from labeljob.io.parts import WHOLE
from labeljob.io.places import Place
from labeljob.io.quarantine_files import WORK
from labeljob.io.row_groups import batches_of, open_streaming, rows_of
from labeljob.io.shard_place import REFUSED, ShardPlace, are_there, put_in_place
from labeljob.resources import BATCH_ROWS

ATTEMPT_CHARACTERS = 32
ONCE = "-once.parquet"  # ends the name of a file that is another without the rows that share their id


class ShardSummary(Wire):
    """What a shard has done; everything in it can be added up. Its counts and samples are in a file of their own, of `tally_size` bytes.

    `ids`: files with ids alone, in place of data files where the part breaks the contract. `violations`: (column, what, number of values).
    `broken`: rows with such a value. `apart`: files of these rows, where they are quarantined and the others labelled.
    """

    format_version: int = 2
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
    tally_size: int
    input_errors: dict[str, list[int]] = {}


class ShardFiles:
    """The places of one run in shards."""

    def __init__(self, folder: Place, task: LabelTask, shards: int) -> None:
        self.folder, self._task, self._shards = folder, task, shards
        self.attempt = digest_of([task.run_digest, task.sequence, shards])[:ATTEMPT_CHARACTERS]
        self._place = folder / RUNS / f"{task.sequence:08d}-{self.attempt}"
        self._at = ShardPlace(self._place, task.output, folder)
        self._quarantine = folder / QUARANTINE / self._place.name

    @property
    def quarantine_uri(self) -> str:
        """The folder of the rows that the run does not label."""
        return f"{self._task.output.rstrip('/')}/{QUARANTINE}/{self._place.name}"

    def attempt_at(self, shard: int) -> AbstractContextManager[Path | None]:
        """See `ShardPlace`."""
        return self._at.attempt_at(shard)

    def write(self, work: Path | None, shard: int, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> tuple[DataFile, ...]:
        """Rows as the shard's data files, put in their places once all of them are there."""
        files = write_rows(batches, schema, work or self.folder, lambda n: f"{self._prefix}{shard:04d}-{n:05d}.parquet", self._task.partition_by)
        put_in_place(work, self.folder, (file.name for file in files))
        return tuple(files)

    def write_ids(self, work: Path | None, shard: int, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> tuple[DataFile, ...]:
        """Ids alone, the first column of `schema`, beside the summary."""
        files = write_data_files(batches, pa.schema([schema.field(0)]), lambda n: (work or self._place) / f"{shard:04d}-ids-{n:05d}.parquet")
        put_in_place(work, self._place, (file.name for file in files))
        return tuple(files)

    def without(self, work: Path | None, file: DataFile, ids: Sequence[int | str], schema: pa.Schema) -> tuple[DataFile, ...]:
        """What a data file becomes without the rows of these ids, which ascend: itself where it has none of them, and nothing where it has no other."""
        gone = pa.array(ids, schema.field(0).type)
        if bisect_left(ids, file.first) == bisect_right(ids, file.last) or not any(pc.any(flags).as_py() for _, flags in self._among(file, gone, schema.names[:1])):
            return (file,)
        kept = (batch.filter(pc.invert(flags)) for batch, flags in self._among(file, gone, schema.names))
        files = write_again(kept, schema, work or self.folder, file, file.name.replace(".parquet", ONCE))
        put_in_place(work, self.folder, (file.name for file in files))
        return tuple(files)

    def _among(self, file: DataFile, ids: pa.Array, columns: list[str]) -> Iterator[tuple[pa.RecordBatch, pa.Array]]:
        """(rows, whether each has one of the ids) of a data file; the first column is the id."""
        with self.path(file).open("rb") as opened:
            for batch in batches_of(open_streaming(opened), [WHOLE], columns, BATCH_ROWS):
                yield batch, pc.is_in(batch.column(0), ids)

    def write_apart(self, work: Path | None, name: str, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> tuple[DataFile, ...]:
        """Rows that the run does not label, as files `<name>-<n>.parquet`."""
        files = write_data_files(batches, schema, lambda n: (work or self._quarantine) / f"{name}-{n:05d}.parquet")
        if files and work is not None:
            self._quarantine.mkdir(parents=True, exist_ok=True)
        put_in_place(work, self._quarantine, (file.name for file in files))
        return tuple(files)

    def write_apart_alone(self, name: str, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> None:
        """The same where the run is one pod's, which has no place at work beside the table."""
        with writing(self._task.output, self.folder):
            if not isinstance(self._quarantine, Path):
                self.write_apart(None, name, batches, schema)
                return
            work = self._quarantine / f"{WORK}{uuid.uuid4().hex}"
            work.mkdir(parents=True)
            try:
                self.write_apart(work, name, batches, schema)
            finally:
                shutil.rmtree(work, ignore_errors=True)

    def write_tally(self, shard: int, tally: dict[str, Any]) -> int:
        """The shard's counts, beside its summary and before it; bytes."""
        return self._at.write_tally(shard, tally)

    def finish(self, summary: ShardSummary) -> None:
        """From here on the shard is done."""
        self._at.finish(summary.shard, summary)

    def summary(self, shard: int) -> ShardSummary | None:
        """The shard's summary when it is done; one that this build or this run did not write does not count."""
        try:
            found = ShardSummary.model_validate_json(self._at.summary(shard).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None
        ours = (found.run_digest, found.shards, found.shard) == (self._task.run_digest, self._shards, shard)
        return found if ours and self._are_there(found) else None

    def summaries(self) -> list[ShardSummary]:
        """One for each shard. JobError: see `ShardPlace.all_of`."""
        return self._at.all_of([self.summary(shard) for shard in range(self._shards)])

    def tallies(self) -> Iterator[dict[str, Any]]:
        """The counts of each shard in turn: all of them are not held at a time. FileNotFoundError: one is gone that was there."""
        for shard in range(self._shards):
            yield self._at.read_tally(shard)

    def path(self, file: DataFile) -> Place:
        """Of a data file, or of a file of ids."""
        return (self.folder if file.name.rpartition("/")[2].startswith("labels-") else self._place) / file.name

    def rows_of(self, shard: int) -> int:
        """Rows in the data files of a shard whose summary is gone."""
        return sum(rows_of(path) for path in data_files(self.folder, f"{self._prefix}{shard:04d}-*.parquet"))

    def discard(self) -> None:
        """Remove what the shards left, but data files that a version may name."""
        discard(self.folder, self._place, self._task.app_id)

    def refuse(self, error: JobError) -> None:
        """The same where nothing of them can become visible; why stays, for another attempt to say."""
        self._at.refuse(error)
        discard(self.folder, self._place, self._task.app_id, REFUSED)

    @property
    def _prefix(self) -> str:
        return f"labels-{self._task.sequence:08d}-{self.attempt}-"

    def _are_there(self, summary: ShardSummary) -> bool:
        """Whether the files that a summary names are."""
        sizes = [
            (self._at.tally(summary.shard), summary.tally_size),
            *((self.path(file), file.size) for file in (*summary.files, *summary.ids)),
            *((self._quarantine / file.name, file.size) for file in summary.apart),
        ]
        return are_there(sizes)
