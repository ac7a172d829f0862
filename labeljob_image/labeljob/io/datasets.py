"""Datasets by URI and format: open a state that was pinned (C1, X16); `pins` says what is there."""

from collections.abc import Callable

import pyarrow as pa

from labeljob.contract.datasets import DatasetPin, LookupTable
from labeljob.io import delta
from labeljob.io.content import one_file
from labeljob.io.csv import CsvSource
from labeljob.io.jsonl import JsonLinesSource
from labeljob.io.locations import Locations
from labeljob.io.parquet import ParquetSource
from labeljob.io.places import Place
from labeljob.io.source import Source

_FILES: dict[str, Callable[[Place, str, str | None], Source]] = {"csv": CsvSource, "jsonl": JsonLinesSource, "parquet": ParquetSource}


def open_pinned(pinned: DatasetPin, locations: Locations) -> Source:
    """The pinned state. PIN_BROKEN, now or while reading, when it is not there any more."""
    path = locations.existing(pinned.uri)
    if pinned.format == "delta":
        return delta.open_pinned(path, pinned)
    return _FILES[pinned.format](path, pinned.uri, pinned.digest)


def read_table(table: LookupTable, locations: Locations) -> pa.Table:
    """A whole lookup table: CSV values as text, others as stored."""
    path = locations.existing(table.uri)
    if table.format == "parquet":
        return ParquetSource(path, table.uri).table()
    reader = CsvSource if table.format == "csv" else JsonLinesSource
    return reader(one_file(path, table.uri), table.uri).table()
