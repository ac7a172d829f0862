"""A DuckDB connection that can compute and do nothing else, and statements that cannot run forever.

The order matters: resources and loading rules at connect, then external access off, then the configuration locked.
What the lock leaves open (recursive queries, cross joins, `query('…')`) the guard on user texts refuses.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from labeljob.contract.columns import Column, ColumnType
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.labeling_functions.limits import TimeLimits
from labeljob.labeling_functions.quoting import identifier
from labeljob.labeling_functions.scope import RESERVED_PREFIX, ROW_NUMBER

ARROW_TYPES: Mapping[ColumnType, Any] = {
    "string": pa.string(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us"),  # UTC
}
ROWS_NAME = f"{RESERVED_PREFIX}rows"
ROWS = identifier(ROWS_NAME)
MAX_EXPRESSION_DEPTH = 250
AGAIN = 0.05  # seconds between interrupts
DUCKDB_TYPES: Mapping[str, str] = {
    "string": "VARCHAR",
    "int64": "BIGINT",
    "float64": "DOUBLE",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMP",
}


class EvaluationFailed(Exception):
    """A statement did not complete. It carries no text of DuckDB's, which may quote a value of the data."""

    def __init__(self, *, timed_out: bool) -> None:
        super().__init__("timed out" if timed_out else "failed")
        self.timed_out = timed_out


def open_locked(*, threads: int, memory_limit: str) -> Any:
    """An in-memory connection without files, extensions, environment or settings to change."""
    connection = duckdb.connect(
        ":memory:",
        config={
            "threads": threads,
            "memory_limit": memory_limit,
            "temp_directory": "",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
            "python_enable_replacements": "false",
            "max_expression_depth": MAX_EXPRESSION_DEPTH,
        },
    )
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def create_empty_rows(connection: Any, columns: tuple[Column, ...]) -> None:
    """The table of rows with the declared types and no row, to bind expressions against."""
    declared = [f"{identifier(column.name)} {DUCKDB_TYPES[column.type]}" for column in columns]
    connection.execute(f"CREATE TEMP TABLE {ROWS} ({', '.join([f'{identifier(ROW_NUMBER)} BIGINT', *declared])})")


@contextmanager
def time_limit(connection: Any, limits: TimeLimits) -> Iterator[threading.Event]:
    """Interrupts the connection's statement when its time is up; the event tells whether it did."""
    fired, done = threading.Event(), threading.Event()
    watcher = threading.Thread(target=_watch, args=(connection, limits, fired, done), daemon=True)
    watcher.start()
    try:
        yield fired
    finally:
        done.set()
        watcher.join()


def _watch(connection: Any, limits: TimeLimits, fired: threading.Event, done: threading.Event) -> None:
    """Interrupts again and again once the time is up: DuckDB forgets an interrupt that comes before the statement has begun."""
    if done.wait(limits.statement):
        return
    fired.set()
    waited, told = 0.0, limits.hung is None
    while not done.is_set():
        connection.interrupt()
        done.wait(AGAIN)
        waited += AGAIN
        if limits.hung is not None and not told and waited >= limits.grace and not done.is_set():
            told = True
            limits.hung()


def fetch(connection: Any, statement: str, limits: TimeLimits) -> dict[str, npt.NDArray[Any]]:
    """The result's columns by name.

    Raises:
        EvaluationFailed: an expression failed on some row, memory ran out, or the time limit passed.
        JobError: DuckDB itself is broken (INTERNAL_ERROR).
    """
    with time_limit(connection, limits) as fired:
        try:
            columns: dict[str, npt.NDArray[Any]] = connection.execute(statement).fetchnumpy()
        except (duckdb.InternalException, duckdb.FatalException):
            raise JobError(JobReason.INTERNAL_ERROR, "the labeling function engine broke down: please report the function set") from None
        except duckdb.Error:
            raise EvaluationFailed(timed_out=fired.is_set()) from None
    return {name: np.asarray(values) for name, values in columns.items()}
