"""Small real files and values for the tests of the job."""

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from labeljob.contract.config import Mount
from labeljob.contract.datasets import Dataset, DatasetPin
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.io.datasets import open_pinned
from labeljob.io.locations import Locations
from labeljob.io.pins import pin
from labeljob.io.source import Source
from labeljob.logs import Log
from labeljob.resources import Resources
from labeljob.steps.context import StepContext

RESOURCES = Resources(threads=1, memory_bytes=256 << 20)


def locations(folder: Path) -> Locations:
    """`pvc://lake/...` is `folder`."""
    return Locations([Mount(prefix="pvc://lake", path=str(folder))])


def context(folder: Path, **changes: Any) -> StepContext:
    """A step's surroundings with the lake at `folder`."""
    given: dict[str, Any] = {"locations": locations(folder), "resources": RESOURCES, "log": Log("test", io.StringIO()), "build": "sha256:test"}
    return StepContext(**(given | changes))


def function_set(columns: Sequence[Mapping[str, Any]], functions: Sequence[Mapping[str, Any]] = (), **changes: Any) -> FunctionSet:
    """A set of two classes with the id column `id` (string, unless `columns` declares it)."""
    declared = list(columns)
    if all(column["name"] != "id" for column in declared):
        declared.insert(0, {"name": "id", "type": "string", "nullable": False})
    additional = changes.pop("additionalColumns", None)
    schema = {"columns": declared} | ({"additionalColumns": additional} if additional else {})
    some = list(functions) or [{"name": "any", "label": "risky", "sql": "true"}]
    spec = {"classes": ["normal", "risky"], "idColumn": "id", "schema": schema, "functions": some}
    return FunctionSet.model_validate(spec | changes)


def delta(folder: Path, name: str, table: pa.Table, **options: Any) -> Dataset:
    """A Delta table at pvc://lake/<name>."""
    write_deltalake(folder / name, table, **options)
    return Dataset(uri=f"pvc://lake/{name}", format="delta")


def text(folder: Path, name: str, content: str | bytes) -> Dataset:
    """A file at pvc://lake/<name>; the suffix is the format."""
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return Dataset(uri=f"pvc://lake/{name}", format=name.rpartition(".")[2])


def jsonl(folder: Path, name: str, rows: Sequence[Mapping[str, Any]]) -> Dataset:
    """A JSON Lines file."""
    return text(folder, name, "".join(json.dumps(row) + "\n" for row in rows))


def pinned(dataset: Dataset, folder: Path) -> tuple[DatasetPin, Source]:
    """The dataset's pin, and the source it opens."""
    found = pin(dataset, locations(folder))
    return found, open_pinned(found, locations(folder))


def read(source: Source, columns: Mapping[str, Any], batch_rows: int = 1000) -> list[dict[str, Any]]:
    """All rows of the columns."""
    return [row for part in source.batches(columns, batch_rows) for row in part.batch.to_pylist()]


def fails(reason: JobReason, match: str) -> "pytest.RaisesExc[JobError]":
    """`with fails(reason, match):` expects a JobError with both."""
    return pytest.raises(JobError, match=match or None, check=lambda error: error.reason is reason)
