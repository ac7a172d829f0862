"""Datasets by URI and format: pin the state that is there, open a state that was pinned (C1, X16)."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from labeljob.contract.datasets import Dataset, DatasetPin, LookupTable
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.io import delta
from labeljob.io.content import file_digest
from labeljob.io.csv import CsvSource
from labeljob.io.jsonl import JsonLinesSource
from labeljob.io.locations import Locations
from labeljob.io.parquet import ParquetSource, parquet_digest
from labeljob.io.source import Source

_FILES: dict[str, Callable[[Path, str, str | None], Source]] = {"csv": CsvSource, "jsonl": JsonLinesSource, "parquet": ParquetSource}


def pin(dataset: Dataset, locations: Locations) -> DatasetPin:
    """The state a dataset is in now (`latest`), or the version it names."""
    path = locations.existing(dataset.uri)
    version = None if dataset.version == "latest" else dataset.version
    if dataset.format == "delta":
        return delta.pin_of(delta.open_latest(path, dataset.uri, int(version) if version is not None else None), dataset.uri)
    if version is not None:
        why = f"version goes with format delta, not {dataset.format}: remove it"
        raise JobError(JobReason.SOURCE_UNREADABLE, f"{dataset.uri}: {why}")
    digest = parquet_digest(path) if dataset.format == "parquet" else file_digest(_file(path, dataset.uri))
    return DatasetPin(uri=dataset.uri, format=dataset.format, digest=digest)


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
    return reader(_file(path, table.uri), table.uri).table()


def _file(path: Path, uri: str) -> Path:
    if not path.is_file():
        raise JobError(JobReason.SOURCE_UNREADABLE, f"{uri}: it is a folder, and this format is one file: name the file")
    return path
