"""Votes of units as a Parquet file: the id as the output has it, and a column for each function; a unit is some row groups in a row.

    id | <key of a function> int8 | <key of a function>.<k> int16, the levels of its soft votes | ...

Pages have checksums.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from labeljob.io.object_path import ObjectChangedError
from labeljob.io.parquet_sink import ParquetSink
from labeljob.io.places import Place
from labeljob.io.row_groups import open_streaming
from labeljob.label_model.side.soft_votes import Levels
from labeljob.vote_cache.manifest import KeptUnit
from labeljob.votes import BoolArray, VoteBatch, Votes

ID = "id"
OPEN_FILES = 8
TAKEN = (pa.ArrowException, OSError, KeyError, ValueError, ObjectChangedError)  # what goes wrong with a file that is not what it was


class UnusableVotesError(Exception):
    """Kept votes cannot be read, or are not those of the rows that they are kept for."""


@dataclass(frozen=True)
class Columns:
    """The columns of votes that a run wants.

    Attributes:
        keys: of the enabled functions, in order. levels: columns of levels of each.
    """

    keys: tuple[str, ...]
    levels: tuple[int, ...]

    @property
    def distinct(self) -> tuple[str, ...]:
        """Keys, each once: functions that vote alike share their columns."""
        return tuple(dict.fromkeys(self.keys))

    def names(self, place: int) -> list[str]:
        """Names of a function's columns in a file, that of its votes first."""
        key = self.keys[place]
        return [key, *(f"{key}.{k}" for k in range(self.levels[place]))]

    def names_of(self, places: Iterable[int]) -> list[str]:
        """Names of the columns of several functions, each once."""
        return list(dict.fromkeys(name for place in places for name in self.names(place)))

    def lacking(self, failed: Iterable[int]) -> tuple[int, ...]:
        """Places among `distinct` of functions that have failed on a row: such votes are found anew each time."""
        return tuple(sorted({self.distinct.index(self.keys[place]) for place in failed}))

    def schema(self, id_type: pa.DataType) -> pa.Schema:
        """Of a file."""
        fields = {name: pa.int16() if number else pa.int8() for place in range(len(self.keys)) for number, name in enumerate(self.names(place))}
        return pa.schema([pa.field(ID, id_type), *fields.items()])

    def arrays(self, batch: VoteBatch, places: Sequence[int]) -> dict[str, pa.Array]:
        """Name -> column, of these functions; `batch` has theirs alone, in that order."""
        found, level = dict[str, pa.Array](), 0
        for column, place in enumerate(places):
            votes, *names = self.names(place)
            found[votes] = pa.array(np.ascontiguousarray(batch.votes[:, column], dtype=np.int8))
            for name in names:
                assert batch.levels is not None  # noqa: S101 a soft function has levels
                found[name] = pa.array(np.ascontiguousarray(batch.levels[:, level]))
                level += 1
        return found

    def batch_of(self, found: Mapping[str, pa.Array], rows: int, errors: Mapping[int, BoolArray]) -> VoteBatch:
        """Votes of all functions on so many rows; `errors` of those that have some, by their places. UnusableVotesError: a vote is missing."""
        votes: Votes = np.empty((rows, len(self.keys)), np.int8)
        levels: Levels = np.empty((rows, sum(self.levels)), np.int16)
        level = 0
        for place in range(len(self.keys)):
            first, *names = self.names(place)
            votes[:, place] = _whole(found[first])
            for name in names:
                levels[:, level] = _whole(found[name])
                level += 1
        failed = np.zeros(votes.shape, dtype=bool)
        for place, flags in errors.items():
            failed[:, place] = flags
        return VoteBatch(votes, failed, levels if sum(self.levels) else None)


def _whole(column: pa.Array) -> Votes:
    if column.null_count:
        raise UnusableVotesError("votes are missing")
    return np.asarray(column.to_numpy())


class VotesSink:
    """Writes a file, unit after unit."""

    def __init__(self, place: Place, schema: pa.Schema) -> None:
        options = {"write_page_checksum": True, "use_dictionary": schema.names[1:], "write_statistics": False}
        self._sink, self._schema, self._groups = ParquetSink(place, schema, **options), schema, 0

    def write(self, ids: pa.Array, found: Mapping[str, pa.Array]) -> int:
        """Rows of a unit, at most as many as a row group may have; the number of the row group."""
        columns = [ids, *(found[name] for name in self._schema.names[1:])]
        self._sink.write(pa.RecordBatch.from_arrays(columns, schema=self._schema))
        self._groups += 1
        return self._groups - 1

    def finish(self) -> int:
        """Size of the file in bytes."""
        return self._sink.finish()

    def abandon(self) -> None:
        self._sink.abandon()


class VotesReader:
    """Reads units of files, of which a few are open at a time."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[BinaryIO, pq.ParquetFile]] = {}

    def close(self) -> None:
        for opened, _ in self._open.values():
            opened.close()
        self._open.clear()

    def batches(self, place: Place, unit: KeptUnit, columns: Iterable[str], batch_rows: int) -> Iterator[pa.RecordBatch]:
        """The id and these columns of a unit. UnusableVotesError: they are not there, or not whole."""
        try:
            file = self._file(place)
            there, seen = [ID, *dict.fromkeys(columns)], 0
            for number in range(unit.groups[0], unit.groups[0] + unit.groups[1]):
                for batch in file.iter_batches(batch_rows, row_groups=[number], columns=there, use_threads=False):
                    seen += batch.num_rows
                    yield batch.select(there)
        except TAKEN as error:
            raise UnusableVotesError(f"{place.name}: {type(error).__name__}") from None
        if seen != unit.rows:
            raise UnusableVotesError(f"{place.name}: {seen} rows of a unit of {unit.rows}")

    def _file(self, place: Place) -> pq.ParquetFile:
        if place.name not in self._open:
            if len(self._open) == OPEN_FILES:
                self._open.pop(next(iter(self._open)))[0].close()
            opened = place.open("rb")
            self._open[place.name] = (opened, open_streaming(opened, verified=True))
        return self._open[place.name][1]
