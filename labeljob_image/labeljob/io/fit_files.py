"""Where the shards of a fit leave what they reduced their rows to, until one version is made of it (C5, DESIGN §4.9).

    artifacts/
      _labelplane/<version>-<attempt>/        a place of shards (`shard_place`): a summary for each that is done, counts and ids
        <shard>-votes.safetensors             statistics of the votes
        <shard>-gold-<n>.parquet              ids and votes of the rows whose class is known

Ids are those that label tables have: where a set hashes them, hashed. Whether other parts have them, too, no shard knows. The tally holds, as that of a run, what drift is
measured on: of at most 16,384 rows the numbers of the plain columns, and hashes without a key of their texts (`drift.sample`). No text is in any file, and nothing of a column that
is dropped or hashed.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import pyarrow as pa

from labeljob.contract.config import FitTask
from labeljob.io.data_files import DataFile
from labeljob.io.durable import write_file
from labeljob.io.left_behind import discard_place, places_until
from labeljob.io.object_path import ObjectPath
from labeljob.io.parts import WHOLE
from labeljob.io.places import Place, remove_each
from labeljob.io.row_groups import batches_of, open_streaming
from labeljob.io.shard_place import ShardPlace, Summary, put_in_place
from labeljob.io.sorted_merge import chains_of, merged
from labeljob.resources import BATCH_ROWS


class FitSummary(Summary):
    """What a shard has done. Its statistics are in a file of their own, too, of `votes_size` bytes."""

    format_version: Literal[2] = 2
    gold: tuple[DataFile, ...] = ()
    votes_size: int


def discard_fits_until(folder: Place, version: int) -> None:
    """Remove what shards have left of fits of versions up to this one, which stands: none of them can be published any more."""
    remove_each(places_until(folder, version), lambda place: discard_place(folder, place))


class FitFiles(ShardPlace[FitSummary]):
    """The place of one fit in shards; `folder` is that of the artifacts."""

    def __init__(self, folder: Place, task: FitTask) -> None:
        super().__init__(folder, task.artifacts, FitSummary, task.fit_digest, task.version, task.parts)

    def write_votes(self, work: Path | None, shard: int, content: bytes) -> int:
        """Statistics as bytes; how many."""
        place = self._votes(shard)
        if isinstance(place, ObjectPath):
            place.put(content)
        elif work is not None:
            write_file(work / place.name, content)
            put_in_place(work, self.place, [place.name])
        return len(content)

    def votes(self, shard: int) -> bytes:
        """The statistics of a shard that is done. FileNotFoundError: gone meanwhile; `gold` raises it, too."""
        return self._votes(shard).read_bytes()

    def gold(self, summary: FitSummary, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Its rows whose class is known."""
        for file in summary.gold:
            with (self.place / file.name).open("rb") as opened:
                yield from batches_of(open_streaming(opened), [WHOLE], list(columns), BATCH_ROWS)

    def ids(self, summaries: Iterable[FitSummary], column: str, batch_rows: int, memory_bytes: int) -> Iterator[pa.RecordBatch]:
        """The ids of all shards, ascending."""
        chains = [[self.place / file.name for file in chain] for chain in chains_of(file for one in summaries for file in one.ids)]
        return merged(chains, [column], batch_rows, memory_bytes)

    def files_of(self, summary: FitSummary) -> Iterator[tuple[Place, int]]:
        """See `ShardPlace`."""
        yield self._votes(summary.shard), summary.votes_size
        yield from ((self.place / file.name, file.size) for file in summary.gold)

    def discard(self, but: str | None = None) -> None:
        """See `ShardPlace`."""
        discard_place(self.folder, self.place, but)

    def _votes(self, shard: int) -> Place:
        return self.place / f"{shard:04d}-votes.safetensors"
