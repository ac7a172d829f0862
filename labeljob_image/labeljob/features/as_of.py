"""Rows joined with records as they were known at the row's time, in DuckDB, with memory that does not grow with rows.

    labels, rows  ->  joined by id  ->  each table: the latest record of the row's keys whose time is at or before the row's  ->  by id

A row without a time or with a null among its keys finds no record, nor is one found that has none. The latest record counts, be it too old: then there
is none, and not the one before it. Records that share keys and time must be alike. Columns have numbers here, so no name enters a statement.
"""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType

import pyarrow as pa

from labeljob.io.source import rebatch
from labeljob.io.spool import scratch_connection
from labeljob.resources import BATCH_ROWS, Resources

ALWAYS_SORTED = "SET asof_loop_join_threshold = 0"  # one way to join, whatever the number of rows


class UnlikeRecordsError(Exception):
    """Nothing tells which record counts: `times` keys have different ones of the same time."""

    def __init__(self, times: int) -> None:
        super().__init__(f"{times} times")
        self.times = times


@dataclass(frozen=True)
class AsOf:
    """How the records of one table are found: batches of them hold the keys, the time since when each was known, and features.

    Attributes:
        keys: places of the rows' columns that the keys are compared with, in order.
        time: place of the row's time.
        max_age: microseconds after its time that a record counts, to the end; None: for ever.
    """

    keys: tuple[int, ...]
    time: int
    max_age: int | None = None


class PointInTime:
    """Rows that get more columns; a context manager. Times are UTC, and come back without a zone."""

    def __init__(self, resources: Resources) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="labelplane-", ignore_cleanup_errors=True)
        self._connection = scratch_connection(resources, self._folder.name)
        self._connection.execute(ALWAYS_SORTED)
        self._columns = 0

    def __enter__(self) -> "PointInTime":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._connection.close()
        self._folder.cleanup()

    def start(self, labels: Iterable[pa.RecordBatch], label_schema: pa.Schema, rows: Iterable[pa.RecordBatch], row_schema: pa.Schema) -> tuple[int, int]:
        """Join labels and rows by their first columns, which become columns 0 …: those of the labels, then those of the rows.

        Returns:
            (labels, rows found for them): equal where each label has its row.
        """
        self._fill("labels", labels, label_schema)
        self._fill("input", rows, row_schema)
        left, right = (", ".join(f"{name}.c{place}" for place in range(len(schema))) for name, schema in (("labels", label_schema), ("input", row_schema)))
        wanted = self._count("SELECT count(*) FROM labels")
        self._become(f"SELECT {left}, {right} FROM labels JOIN input ON labels.c0 = input.c0", len(label_schema) + len(row_schema))  # noqa: S608 numbers alone
        self._connection.execute("DROP TABLE labels; DROP TABLE input")
        return wanted, self._count("SELECT count(*) FROM joined")

    def add(self, records: Iterable[pa.RecordBatch], schema: pa.Schema, how: AsOf) -> int:
        """Add the columns of `schema` behind the keys: the time since when the record was known, and its features.

        Returns:
            The rows that a record was found for.
        Raises:
            UnlikeRecordsError: records share keys and time and differ.
        """
        self._fill("records", records, schema)
        keys, shown = len(how.keys), range(len(how.keys), len(schema))
        if unlike := self._unlike(keys, shown[1:]):
            raise UnlikeRecordsError(unlike)
        match = " AND ".join(f"joined.c{place} = records.c{key}" for key, place in enumerate(how.keys))
        values = [f"records.c{place}" for place in shown]
        if how.max_age is not None:
            young = f"epoch_us(joined.c{how.time}) - epoch_us(records.c{keys}) <= {how.max_age}"
            values = [f"CASE WHEN {young} THEN {value} END" for value in values]
        statement = f"SELECT joined.*, {', '.join(values)} FROM joined ASOF LEFT JOIN records ON {match} AND joined.c{how.time} >= records.c{keys}"  # noqa: S608
        self._become(statement, self._columns + len(shown))
        self._connection.execute("DROP TABLE records")
        return self._count(f"SELECT count(c{self._columns - len(shown)}) FROM joined")  # noqa: S608

    def ordered(self, places: Sequence[int], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """All rows by ascending first column (text by its UTF-8 bytes), with the columns at `places`, as `schema` has them."""
        columns = ", ".join(f"c{place}" for place in places)
        with self._connection.cursor() as reading:  # another reader may be at work
            reader = reading.sql(f"SELECT {columns} FROM joined ORDER BY c0").to_arrow_reader(BATCH_ROWS)  # noqa: S608
            yield from _as_declared(rebatch(reader, BATCH_ROWS), schema)

    def _fill(self, table: str, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> None:
        numbered = pa.schema([(f"c{place}", _zoneless(field.type)) for place, field in enumerate(schema)])
        self._connection.register("batch", pa.Table.from_batches([], schema=numbered))
        self._connection.execute(f"CREATE TABLE {table} AS SELECT * FROM batch")  # noqa: S608 one of three words
        for batch in batches:
            columns = [column.cast(field.type) for column, field in zip(batch.columns, numbered, strict=True)]
            self._connection.register("batch", pa.Table.from_arrays(columns, schema=numbered))
            self._connection.execute(f"INSERT INTO {table} SELECT * FROM batch")  # noqa: S608
        self._connection.unregister("batch")

    def _unlike(self, keys: int, features: Iterable[int]) -> int:
        """How many times the records of one key and time have different values, a null being one."""
        group = ", ".join(f"c{place}" for place in range(keys + 1))
        there = " AND ".join(f"c{place} IS NOT NULL" for place in range(keys + 1))
        unlike = " OR ".join(f"min(c{place}) <> max(c{place}) OR count(c{place}) NOT IN (0, count(*))" for place in features)
        statement = f"SELECT count(*) FROM (SELECT 1 FROM records WHERE {there} GROUP BY {group} HAVING count(*) > 1 AND ({unlike}))"  # noqa: S608
        return self._count(statement)

    def _become(self, statement: str, columns: int) -> None:
        names = ", ".join(f"c{place}" for place in range(columns))
        self._connection.execute(f"CREATE TABLE next({names}) AS {statement}; DROP TABLE IF EXISTS joined; ALTER TABLE next RENAME TO joined")
        self._columns = columns

    def _count(self, statement: str) -> int:
        ((found,),) = self._connection.execute(statement).fetchall()
        return int(found)


def _as_declared(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield pa.RecordBatch.from_arrays([column.cast(field.type) for column, field in zip(batch.columns, schema, strict=True)], schema=schema)


def _zoneless(kind: pa.DataType) -> pa.DataType:
    return pa.timestamp("us") if pa.types.is_timestamp(kind) else kind
