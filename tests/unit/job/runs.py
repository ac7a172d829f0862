"""Runs of a fitted model over real files: in one pod, and in shards with a commit."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from labeljob.contract.config import CommitTask, FitTask, LabelTask, ResolveTask, ShardTask
from labeljob.contract.datasets import Dataset, GoldDataset
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.inputs import InputQuery
from labeljob.contract.result import LabelResult, ModelVersion
from labeljob.io.pins import pin
from labeljob.labeling_functions.identity import function_set_digest
from labeljob.steps.commit import run_commit
from labeljob.steps.context import StepContext
from labeljob.steps.fit import run_fit
from labeljob.steps.fit_sets import run_fit_sets
from labeljob.steps.fit_shard import run_fit_shard
from labeljob.steps.label import run_label
from labeljob.steps.resolve import run_resolve
from labeljob.steps.shard import run_shard
from tests.unit.job.builders import context, locations

MEASURED = {"latencySeconds", "rowsPerSecond"}


def parquet(folder: Path, name: str, table: pa.Table, groups: int = 12, files: int = 1) -> Dataset:
    """A Parquet file, or a folder of files, at pvc://lake/<name>, of so many row groups in all."""
    if files == 1:
        pq.write_table(table, folder / name, row_group_size=max(1, -(-len(table) // groups)))
    else:
        (folder / name).mkdir()
        each = -(-len(table) // files)
        for number in range(files):
            part = table.slice(number * each, each)
            pq.write_table(part, folder / name / f"part-{number:03d}.parquet", row_group_size=max(1, -(-len(part) // max(1, groups // files))))
    return Dataset(uri=f"pvc://lake/{name}", format="parquet")


def fit_task(
    folder: Path, declared: FunctionSet, data: Dataset, gold: GoldDataset | None = None, name: str = "model", inputs: Sequence[str] = (), **parameters: Any
) -> FitTask:
    """The task of version 1 at pvc://lake/<name>, with the versions 1 of other homes as inputs."""
    queries = tuple(InputQuery(name=one, artifacts=f"pvc://lake/{one}", version=1) for one in inputs)
    found = run_resolve(ResolveTask(data=data, gold=gold, inputs=queries), context(folder))
    return FitTask(
        function_set=declared, function_set_digest=function_set_digest(declared, {}), data=found.data, gold=found.gold, gold_label_column="gold",
        gold_probability_column=gold.inclusion_probability_column if gold else None,
        inputs=found.inputs, algorithm="auto", parameters={"seed": 0} | parameters, artifacts=f"pvc://lake/{name}", version=1, fit_digest=f"fit-{name}", image="i",
    )  # fmt: skip


def fit(folder: Path, declared: FunctionSet, data: Dataset, gold: GoldDataset | None = None, name: str = "model", inputs: Sequence[str] = (), **parameters: Any) -> ModelVersion:
    """That version."""
    return merge(fit_task(folder, declared, data, gold, name, inputs, **parameters), context(folder))


def merge(task: FitTask, surroundings: StepContext) -> ModelVersion:
    """The fit step: all of a fit in one pod, the end of one in shards."""
    return (run_fit_sets if task.function_set.is_multi_label else run_fit)(task, surroundings).version


def fit_in_shards(task: FitTask, shards: int, surroundings: StepContext) -> ModelVersion:
    """The same task in so many shards; the last first."""
    parts = task.model_copy(update={"shards": shards})
    for index in reversed(range(shards)):
        run_fit_shard(parts, index, surroundings)
    return merge(parts, surroundings)


def label_task(
    folder: Path, data: Dataset, version: ModelVersion, gold: GoldDataset | None = None, *, output: str = "labels", sequence: int = 1, name: str = "model", **more: Any
) -> LabelTask:
    places = locations(folder)
    return LabelTask(
        data=pin(data, places), gold=pin(gold, places) if gold else None, gold_label_column="gold", artifacts=f"pvc://lake/{name}", model_name=name,
        model_version=1, model_sha256=version.sha256, output=f"pvc://lake/{output}", app_id="labelplane/ns/job", sequence=sequence, image="i",
        **({"run_digest": "d" * 64, "run": f"job-dddddddddd-{sequence}"} | more),
    )  # fmt: skip


def label(folder: Path, task: LabelTask, shards: int, surroundings: StepContext | None = None) -> LabelResult:
    """The run in one pod, or in shards and a commit."""
    used = surroundings or context(folder, batch_rows=300)
    if shards == 1:
        return run_label(task, used)
    for index in reversed(range(shards)):
        run_shard(ShardTask(label=task, shards=shards), index, used)
    return run_commit(CommitTask(label=task, shards=shards), used)


def visible(folder: Path, output: str = "labels") -> list[dict[str, Any]]:
    """The rows of the output by id."""
    return sorted(DeltaTable(folder / output).to_pyarrow_table().to_pylist(), key=lambda row: next(iter(row.values())))


def left(folder: Path, output: str = "labels") -> list[str]:
    """Files below the output that no version names, the log left out."""
    table = DeltaTable(folder / output)
    named = {Path(uri).name for version in range(table.version() + 1) for uri in DeltaTable(folder / output, version=version).file_uris()}
    return sorted(path.name for path in (folder / output).rglob("*") if path.is_file() and "_delta_log" not in path.parts and path.name not in named)


def same_but_time(one: LabelResult, other: LabelResult) -> None:
    """Raises AssertionError unless two runs found the same: whole numbers exactly, others to 1e-9."""
    assert one.functions == other.functions
    assert one.commit.content_digest == other.commit.content_digest
    assert one.commit.drift == other.commit.drift
    assert (one.commit.drift, one.commit.privacy) == (other.commit.drift, other.commit.privacy)
    assert one.commit.metrics.keys() == other.commit.metrics.keys()
    for name in one.commit.metrics.keys() - MEASURED:
        a, b = one.commit.metrics[name], other.commit.metrics[name]
        assert a == b or (a is not None and b is not None and not float(a).is_integer() and abs(a - b) <= 1e-9), name
    np.testing.assert_allclose(list(one.commit.label_distribution.values()), list(other.commit.label_distribution.values()), atol=1e-9)
    assert one.commit.label_distribution.keys() == other.commit.label_distribution.keys()
