"""What was seen of the rows of units (`looks`), as a Parquet file: a row group of one row for each unit.

Numbers of a bounded sample of rows, hashes and lengths of texts, and which patterns of personal data values match: what a shard leaves for its commit, too.
"""

from collections.abc import Iterator, Sequence

import pyarrow as pa

from labeljob.contract.function_set import FunctionSet
from labeljob.io.parquet_sink import ParquetSink
from labeljob.io.places import Place
from labeljob.io.row_groups import open_streaming
from labeljob.looks import Looks
from labeljob.vote_cache.votes_file import TAKEN, UnusableVotesError

SCHEMA = pa.schema([("sample", pa.binary()), ("scan", pa.binary())])


class LooksSink:
    """Writes a file, unit after unit."""

    def __init__(self, place: Place) -> None:
        self._sink, self._groups = ParquetSink(place, SCHEMA, write_page_checksum=True, use_dictionary=False, write_statistics=False), 0

    def write(self, looks: Looks) -> int:
        """Its row, which is a row group."""
        sample, scan = looks.to_bytes()
        self._sink.write(pa.RecordBatch.from_arrays([pa.array([sample], pa.binary()), pa.array([scan], pa.binary())], schema=SCHEMA))
        self._groups += 1
        return self._groups - 1

    def finish(self) -> int:
        """Size of the file in bytes."""
        return self._sink.finish()

    def abandon(self) -> None:
        self._sink.abandon()


def read_looks(place: Place, rows: Sequence[int], function_set: FunctionSet) -> Iterator[Looks]:
    """Those in these rows. UnusableVotesError: they are not there, or not whole."""
    try:
        with place.open("rb") as opened:
            file = open_streaming(opened, verified=True)
            for row in rows:
                (found,) = file.read_row_group(row, use_threads=False).to_pylist()
                yield Looks.from_bytes(function_set, found["sample"], found["scan"])
    except (*TAKEN, IndexError, TypeError) as error:
        raise UnusableVotesError(f"{place.name}: {type(error).__name__}") from None
