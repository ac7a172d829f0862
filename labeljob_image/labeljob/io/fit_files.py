"""Where the shards of a fit leave what they reduced their rows to, until one version is made of it (C5, DESIGN §4.9).

    artifacts/
      _labelplane/<version>-<attempt>/        a place of shards (`shard_place`): a summary for each that is done
        <shard>-votes.safetensors             statistics of the votes
        <shard>-ids-<n>.parquet               ids, ascending: whether other parts have them, too, no shard knows
        <shard>-gold-<n>.parquet              ids and votes of the rows whose class is known

<attempt> is a digest of fit and number of shards. Ids are those that label tables have: where a set hashes them, hashed. The tally holds, as that of a run, what drift is
measured on: of at most 16,384 rows the numbers of the plain columns, and hashes without a key of their texts (`drift.sample`). No text is in any file, and nothing of a column that
is dropped or hashed.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import ValidationError

from labeljob.contract.base import Wire
from labeljob.contract.config import FitTask
from labeljob.contract.digests import digest_of
from labeljob.errors import JobError
from labeljob.io.data_files import DataFile, write_data_files
from labeljob.io.delta_commits import RUNS
from labeljob.io.durable import write_file
from labeljob.io.object_path import ObjectPath
from labeljob.io.parquet_parts import ReadFile
from labeljob.io.parts import WHOLE
from labeljob.io.places import Place, remove_folder
from labeljob.io.row_groups import batches_of, open_streaming
from labeljob.io.shard_place import REFUSED, ShardPlace, are_there, put_in_place
from labeljob.io.sorted_merge import chains_of, merged
from labeljob.resources import BATCH_ROWS

ATTEMPT_CHARACTERS = 32


class FitSummary(Wire):
    """What a shard has done; everything in it can be added up. Its counts and statistics are in files of their own, of so many bytes.

    `violations`: (column, what, number of values).
    """

    format_version: int = 1
    fit_digest: str
    shards: int
    shard: int
    split: str
    rows: int
    structure: tuple[str, ...] = ()
    violations: tuple[tuple[str, str, int], ...] = ()
    ids: tuple[DataFile, ...] = ()
    gold: tuple[DataFile, ...] = ()
    votes_size: int
    tally_size: int
    read: tuple[ReadFile, ...] = ()
    input_errors: dict[str, list[int]] = {}


def discard_fits_until(folder: Place, version: int) -> None:
    """Remove what shards have left of fits of versions up to this one, which stands: none of them can be published any more."""
    for place in list((folder / RUNS).glob("*-*")):
        if (number := place.name.partition("-")[0]).isdecimal() and int(number) <= version:
            _remove(folder, place)
    _remove_empty(folder)


class FitFiles:
    """The place of one fit in shards; `folder` is that of the artifacts."""

    def __init__(self, folder: Place, task: FitTask) -> None:
        self._folder, self._task = folder, task
        attempt = digest_of([task.fit_digest, task.version, task.parts])[:ATTEMPT_CHARACTERS]
        self._place = folder / RUNS / f"{task.version:08d}-{attempt}"
        self._at = ShardPlace(self._place, task.artifacts, folder)

    def attempt_at(self, shard: int) -> AbstractContextManager[Path | None]:
        """See `ShardPlace`."""
        return self._at.attempt_at(shard)

    def write_rows(self, work: Path | None, shard: int, what: str, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> tuple[DataFile, ...]:
        """Rows in order of id, the first column, as files `<shard>-<what>-<n>`."""
        files = write_data_files(batches, schema, lambda n: (work or self._place) / f"{shard:04d}-{what}-{n:05d}.parquet")
        put_in_place(work, self._place, (file.name for file in files))
        return tuple(files)

    def write_votes(self, work: Path | None, shard: int, content: bytes) -> int:
        """Statistics as bytes; how many."""
        place = self._votes(shard)
        if isinstance(place, ObjectPath):
            place.put(content)
        elif work is not None:
            write_file(work / place.name, content)
            put_in_place(work, self._place, [place.name])
        return len(content)

    def write_tally(self, shard: int, tally: dict[str, Any]) -> int:
        """The shard's counts; bytes."""
        return self._at.write_tally(shard, tally)

    def finish(self, summary: FitSummary) -> None:
        """From here on the shard is done."""
        self._at.finish(summary.shard, summary)

    def summary(self, shard: int) -> FitSummary | None:
        """The shard's summary when it is done; one that this build or this fit did not write does not count."""
        try:
            found = FitSummary.model_validate_json(self._at.summary(shard).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None
        ours = (found.fit_digest, found.shards, found.shard) == (self._task.fit_digest, self._task.parts, shard)
        return found if ours and self._are_there(found) else None

    def summaries(self) -> list[FitSummary]:
        """One for each shard. JobError: see `ShardPlace.all_of`."""
        return self._at.all_of([self.summary(shard) for shard in range(self._task.parts)])

    def tally(self, shard: int) -> dict[str, Any]:
        """The counts of a shard that is done. FileNotFoundError: gone meanwhile; `votes` and `gold` raise it, too."""
        return self._at.read_tally(shard)

    def votes(self, shard: int) -> bytes:
        """Its statistics."""
        return self._votes(shard).read_bytes()

    def gold(self, summary: FitSummary, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Its rows whose class is known."""
        for file in summary.gold:
            with (self._place / file.name).open("rb") as opened:
                yield from batches_of(open_streaming(opened), [WHOLE], list(columns), BATCH_ROWS)

    def ids(self, summaries: Iterable[FitSummary], column: str, batch_rows: int, memory_bytes: int) -> Iterator[pa.RecordBatch]:
        """The ids of all shards, ascending."""
        chains = [[self._place / file.name for file in chain] for chain in chains_of(file for one in summaries for file in one.ids)]
        return merged(chains, [column], batch_rows, memory_bytes)

    def discard(self) -> None:
        """Remove what the shards left."""
        _remove(self._folder, self._place)

    def refuse(self, error: JobError) -> None:
        """The same where no version can come of it; why stays, for another attempt to say."""
        self._at.refuse(error)
        remove_folder(self._place, REFUSED)

    def _votes(self, shard: int) -> Place:
        return self._place / f"{shard:04d}-votes.safetensors"

    def _are_there(self, summary: FitSummary) -> bool:
        """Whether the files that a summary names are."""
        own = [(self._votes(summary.shard), summary.votes_size), (self._at.tally(summary.shard), summary.tally_size)]
        return are_there([*own, *((self._place / file.name, file.size) for file in (*summary.ids, *summary.gold))])


def _remove(folder: Place, place: Place) -> None:
    remove_folder(place)
    _remove_empty(folder)


def _remove_empty(folder: Place) -> None:
    """The folder where fits lay, when none does any more."""
    if isinstance(folder, Path):
        with suppress(OSError):  # others may be at work
            (folder / RUNS).rmdir()
