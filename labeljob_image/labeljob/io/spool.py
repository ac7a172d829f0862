"""Rows set aside while a job runs: found again in order of their id, with memory that does not grow with rows.

DuckDB holds them, in memory up to its limit and beyond that in a temporary folder. Nothing of it outlives the process but, after a
kill, files in the temporary folder.
"""

import tempfile
from collections.abc import Iterator
from types import TracebackType

import duckdb
import pyarrow as pa

from labeljob.io.source import rebatch
from labeljob.resources import Resources


class Spool:
    """A table of rows that can be counted and read in order; a context manager."""

    def __init__(self, resources: Resources) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="labelplane-", ignore_cleanup_errors=True)
        self._connection = scratch_connection(resources, self._folder.name)
        self._made = False

    def __enter__(self) -> "Spool":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._connection.close()
        self._folder.cleanup()

    def add(self, batch: pa.RecordBatch) -> None:
        """Set a batch aside; all batches have the same columns."""
        self._connection.register("batch", pa.Table.from_batches([batch]))
        # Both texts are fixed: no name or value of the data enters the statement.
        self._connection.execute("INSERT INTO spooled SELECT * FROM batch" if self._made else "CREATE TABLE spooled AS SELECT * FROM batch")
        self._connection.unregister("batch")
        self._made = True

    def repeated(self, column: str) -> int:
        """Rows whose value in `column` another row has already."""
        if not self._made:
            return 0
        name = _quoted(column)
        found = self._connection.execute(f"SELECT count({name}) - count(DISTINCT {name}) FROM spooled").fetchone()  # noqa: S608
        return int(found[0]) if found else 0

    def sharing(self, column: str) -> int:
        """Rows whose value in `column` another row has, too."""
        if not self._made:
            return 0
        name = _quoted(column)
        groups = f"SELECT count({name}) AS rows FROM spooled GROUP BY {name} HAVING rows > 1"  # noqa: S608
        found = self._connection.execute(f"SELECT coalesce(sum(rows), 0) FROM ({groups})").fetchone()  # noqa: S608
        return int(found[0]) if found else 0

    def ordered(self, column: str, batch_rows: int) -> Iterator[pa.RecordBatch]:
        """All rows by ascending `column` (text by its UTF-8 bytes), every batch but the last of exactly `batch_rows`."""
        if self._made:
            relation = self._connection.sql(f"SELECT * FROM spooled ORDER BY {_quoted(column)}")  # noqa: S608
            yield from rebatch(relation.to_arrow_reader(batch_rows), batch_rows)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def scratch_connection(resources: Resources, folder: str) -> duckdb.DuckDBPyConnection:
    """An empty database in memory, and beyond the limit in `folder`; it loads and finds nothing by itself."""
    return duckdb.connect(
        config={
            "threads": resources.threads,
            "memory_limit": resources.memory_limit,
            "temp_directory": folder,
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "python_enable_replacements": False,
        }
    )
