"""Where the shards of a run leave what they wrote, until one commit makes it visible (DESIGN §4.1, §4.3).

    output/
      labels-<sequence>-<attempt>-<shard>-<n>.parquet     finished data files; no version names them yet; what is left of one without shared ids is `…-once.parquet`
      _labelplane/<sequence>-<attempt>/
        <shard>-ids-<n>.parquet                           ids alone, of a part that breaks the contract
        <shard>-tally.json                                what is counted and sampled of its rows: up to some MB, read once, by the commit
        <shard>.json                                      the shard's summary, which is small: written last, at once; with it the shard is done
        <shard>-<random>/                                 files at work, of an attempt that runs or was killed

<attempt> is a digest of run and number of shards. Names depend on the run and the shard alone, and equal pins give equal bytes: a pod that was
thought dead and goes on can only put the same files in their place again. Readers of Delta pass over folders with an underscore.
"""

import json
import shutil
import uuid
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ValidationError

from labeljob.contract.base import Wire
from labeljob.contract.config import LabelTask
from labeljob.contract.digests import canonical_json, digest_of
from labeljob.io.data_files import DataFile, write_data_files
from labeljob.io.delta_commits import QUARANTINE, RUNS
from labeljob.io.durable import flush_folder, replace_file
from labeljob.io.failures import writing
from labeljob.io.left_behind import discard
from labeljob.io.object_path import ObjectPath
from labeljob.io.parquet_parts import ReadFile
from labeljob.io.partition_names import data_files
from labeljob.io.partitions import write_again, write_rows
from labeljob.io.parts import WHOLE
from labeljob.io.places import Place, state_of
from labeljob.io.quarantine_files import WORK
from labeljob.io.row_groups import batches_of, open_streaming, rows_of
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
        self._quarantine = folder / QUARANTINE / self._place.name

    @property
    def quarantine_uri(self) -> str:
        """The folder of the rows that the run does not label."""
        return f"{self._task.output.rstrip('/')}/{QUARANTINE}/{self._place.name}"

    @contextmanager
    def attempt_at(self, shard: int) -> Iterator[Path | None]:
        """A folder to write in; those of earlier attempts at this shard are removed, and so is this one in the end.

        None in an object store, where a file is written in its place: it is there when it is whole, and not before.
        """
        if not isinstance(self._place, Path):
            with writing(self._task.output, self.folder):
                yield None
            return
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

    def write(self, work: Path | None, shard: int, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> tuple[DataFile, ...]:
        """Rows as the shard's data files, put in their places once all of them are there."""
        files = write_rows(batches, schema, work or self.folder, lambda n: f"{self._prefix}{shard:04d}-{n:05d}.parquet", self._task.partition_by)
        self._put_in_place(work, self.folder, files)
        return tuple(files)

    def write_ids(self, work: Path | None, shard: int, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> tuple[DataFile, ...]:
        """Ids alone, the first column of `schema`, beside the summary."""
        files = write_data_files(batches, pa.schema([schema.field(0)]), lambda n: (work or self._place) / f"{shard:04d}-ids-{n:05d}.parquet")
        self._put_in_place(work, self._place, files)
        return tuple(files)

    def without(self, work: Path | None, file: DataFile, ids: Sequence[int | str], schema: pa.Schema) -> tuple[DataFile, ...]:
        """What a data file becomes without the rows of these ids, which ascend: itself where it has none of them, and nothing where it has no other."""
        gone = pa.array(ids, schema.field(0).type)
        if bisect_left(ids, file.first) == bisect_right(ids, file.last) or not any(pc.any(flags).as_py() for _, flags in self._among(file, gone, schema.names[:1])):
            return (file,)
        kept = (batch.filter(pc.invert(flags)) for batch, flags in self._among(file, gone, schema.names))
        files = write_again(kept, schema, work or self.folder, file, file.name.replace(".parquet", ONCE))
        self._put_in_place(work, self.folder, files)
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
        self._put_in_place(work, self._quarantine, files)
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
        content = canonical_json(tally)
        _replace(self._tally(shard), content)
        return len(content)

    def finish(self, summary: ShardSummary) -> None:
        """From here on the shard is done."""
        _replace(self._summary(summary.shard), canonical_json(summary.wire()))

    def summary(self, shard: int) -> ShardSummary | None:
        """The shard's summary when it is done; one that this build or this run did not write does not count."""
        try:
            found = ShardSummary.model_validate_json(self._summary(shard).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None
        ours = (found.run_digest, found.shards, found.shard) == (self._task.run_digest, self._shards, shard)
        return found if ours and self._are_there(found) else None

    def summaries(self) -> list[ShardSummary | None]:
        """One for each shard."""
        return [self.summary(shard) for shard in range(self._shards)]

    def tallies(self) -> Iterator[dict[str, Any]]:
        """The counts of each shard in turn: all of them are not held at a time. FileNotFoundError: one is gone that was there."""
        for shard in range(self._shards):
            yield json.loads(self._tally(shard).read_bytes())

    def path(self, file: DataFile) -> Place:
        """Of a data file, or of a file of ids."""
        return (self.folder if file.name.rpartition("/")[2].startswith("labels-") else self._place) / file.name

    def rows_of(self, shard: int) -> int:
        """Rows in the data files of a shard whose summary is gone."""
        return sum(rows_of(path) for path in data_files(self.folder, f"{self._prefix}{shard:04d}-*.parquet"))

    def discard(self) -> None:
        """Remove what the shards left, but data files that a version may name."""
        discard(self.folder, self._place, self._task.app_id)

    @property
    def _prefix(self) -> str:
        return f"labels-{self._task.sequence:08d}-{self.attempt}-"

    def _summary(self, shard: int) -> Place:
        return self._place / f"{shard:04d}.json"

    def _tally(self, shard: int) -> Place:
        return self._place / f"{shard:04d}-tally.json"

    def _are_there(self, summary: ShardSummary) -> bool:
        """Whether the files that a summary names are."""
        sizes = [
            (self._tally(summary.shard), summary.tally_size),
            *((self.path(file), file.size) for file in (*summary.files, *summary.ids)),
            *((self._quarantine / file.name, file.size) for file in summary.apart),
        ]
        return all(path.is_file() and state_of(path)[0] == size for path, size in sizes)

    def _put_in_place(self, work: Path | None, folder: Place, files: Sequence[DataFile]) -> None:
        if work is not None:
            targets = [Path(str(folder)) / file.name for file in files]
            for file, target in zip(files, targets, strict=True):
                target.parent.mkdir(exist_ok=True)
                (work / file.name).rename(target)
            for changed in {Path(str(folder)), *(target.parent for target in targets)}:
                flush_folder(changed)

    def _clear(self, shard: int) -> None:
        for path in self._place.glob(f"{shard:04d}-*"):
            if path.is_dir():
                shutil.rmtree(str(path), ignore_errors=True)


def _replace(place: Place, content: bytes) -> None:
    """Write a whole file at once."""
    if isinstance(place, ObjectPath):
        place.put(content)
    else:
        replace_file(Path(str(place)), content)
