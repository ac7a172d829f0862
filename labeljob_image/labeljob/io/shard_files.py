"""Where the shards of a run leave what they wrote, until one commit makes it visible (DESIGN §4.1, §4.3).

    output/
      labels-<sequence>-<attempt>-<shard>-<n>.parquet     finished data files; no version names them yet; what is left of one without shared ids is `…-once.parquet`
      _labelplane/<sequence>-<attempt>/                   a place of shards (`shard_place`): summaries, counts, and the ids of a part that breaks the contract

Readers of Delta pass over folders with an underscore.
"""

import shutil
import uuid
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from labeljob.contract.config import LabelTask
from labeljob.io.data_files import DataFile, write_data_files
from labeljob.io.delta_commits import QUARANTINE
from labeljob.io.failures import writing
from labeljob.io.left_behind import discard
from labeljob.io.partition_names import data_files
from labeljob.io.partitions import write_again, write_rows
from labeljob.io.parts import WHOLE
from labeljob.io.places import Place
from labeljob.io.quarantine_files import WORK
from labeljob.io.row_groups import batches_of, open_streaming, rows_of
from labeljob.io.shard_place import ShardPlace, Summary, put_in_place
from labeljob.resources import BATCH_ROWS

ONCE = "-once.parquet"  # ends the name of a file that is another without the rows that share their id


class ShardSummary(Summary):
    """What a shard has done.

    `ids`: in place of `files`, its data files, where the part breaks the contract. `broken`: rows with a value that does.
    `apart`: files of these rows, where they are quarantined and the others labelled.
    """

    format_version: Literal[3] = 3
    started_at: str
    broken: int = 0
    files: tuple[DataFile, ...] = ()
    apart: tuple[DataFile, ...] = ()


class ShardFiles(ShardPlace[ShardSummary]):
    """The places of one run in shards."""

    def __init__(self, folder: Place, task: LabelTask, shards: int) -> None:
        super().__init__(folder, task.output, ShardSummary, task.run_digest, task.sequence, shards)
        self._task, self._quarantine = task, folder / QUARANTINE / self.place.name

    @property
    def quarantine_uri(self) -> str:
        """The folder of the rows that the run does not label."""
        return f"{self._task.output.rstrip('/')}/{QUARANTINE}/{self.place.name}"

    def write(self, work: Path | None, shard: int, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> tuple[DataFile, ...]:
        """Rows as the shard's data files, put in their places once all of them are there."""
        files = write_rows(batches, schema, work or self.folder, lambda n: f"{self._prefix}{shard:04d}-{n:05d}.parquet", self._task.partition_by)
        put_in_place(work, self.folder, (file.name for file in files))
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

    def path(self, file: DataFile) -> Place:
        """Of a data file, or of a file of ids."""
        return (self.folder if file.name.rpartition("/")[2].startswith("labels-") else self.place) / file.name

    def rows_of(self, shard: int) -> int:
        """Rows in the data files of a shard whose summary is gone."""
        return sum(rows_of(path) for path in data_files(self.folder, f"{self._prefix}{shard:04d}-*.parquet"))

    def files_of(self, summary: ShardSummary) -> Iterator[tuple[Place, int]]:
        """See `ShardPlace`."""
        yield from ((self.path(file), file.size) for file in summary.files)
        yield from ((self._quarantine / file.name, file.size) for file in summary.apart)

    def discard(self, but: str | None = None) -> None:
        """See `ShardPlace`; what a version may name stays."""
        discard(self.folder, self.place, self._task.app_id, but)

    @property
    def _prefix(self) -> str:
        return f"labels-{self._task.sequence:08d}-{self.attempt}-"
