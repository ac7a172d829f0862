"""A run in shards is the run in one pod: the same rows, figures and refusals (X8, X16; DESIGN §4.2)."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from labeljob.contract.datasets import Dataset, GoldDataset
from labeljob.contract.function_set import FunctionSet
from tests.unit.job.builders import delta, function_set, text
from tests.unit.job.runs import fit, label, label_task, left, parquet, same_but_time, visible

ROWS = 1100
SIGNALS = [{"name": f"s{j}", "type": "int64"} for j in range(4)]
BY_MAP = [{"name": f"f{j}", "votes": {"column": f"s{j}", "map": {"0": "normal", "1": "risky"}}} for j in range(4)]
FALLBACK = {"name": "else", "label": "normal", "sql": "true", "fallback": True}


def table(rows: int = ROWS, seed: int = 3, **more: Any) -> pa.Table:
    """Signals of the class, each missing on a third of the rows, and a teacher's probability; ids in no order."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, rows)
    signals = np.where(rng.random((rows, 4)) < 0.8, truth[:, None], 1 - truth[:, None])
    columns = {f"s{j}": pa.array(signals[:, j], pa.int64(), mask=rng.random(rows) < 0.33) for j in range(4)}
    p = np.clip(truth * 0.5 + rng.random(rows) * 0.5, 0.01, 0.99)
    return pa.table({"id": [f"r{i:05d}" for i in rng.permutation(rows)], **columns, "p": p, "q": 1 - p, "zero": np.zeros(rows), "truth": truth, **more})


def gold(folder: Path, data: pa.Table, each: int = 4) -> GoldDataset:
    """The class of every fourth row."""
    lines = [f"{row['id']},{('normal', 'risky')[row['truth']]}" for row in data.to_pylist()[::each]]
    return GoldDataset(label_column="gold", **text(folder, "gold.csv", "\n".join(["id,gold", *lines, ""])).model_dump())


def one_label(functions: list[dict[str, Any]] = [*BY_MAP, FALLBACK], **more: Any) -> FunctionSet:  # noqa: B006 not changed
    return function_set([*SIGNALS, {"name": "p", "type": "float64"}, {"name": "q", "type": "float64"}], functions, additionalColumns="allow", **more)


SETS: dict[str, FunctionSet] = {
    "one label": one_label(),
    "soft and partial votes": function_set(
        [*SIGNALS, *({"name": name, "type": "float64"} for name in ("p", "q", "zero"))],
        [*BY_MAP[:2], {"name": "not", "notLabel": "odd", "sql": "s2 = 1"}, {"name": "soft", "votes": {"probabilities": {"risky": "p", "normal": "q", "odd": "zero"}}}],
        additionalColumns="allow",
        classes=["normal", "risky", "odd"],
    ),
}


def all_alike(folder: Path, data: Dataset, version: Any, known: GoldDataset | None, name: str = "model") -> None:
    """Raises AssertionError unless 1, 3 and 8 shards give the same rows, figures and digest, and leave nothing behind."""
    first = label(folder, label_task(folder, data, version, known, output="labels-1", name=name), 1)
    for shards in (3, 8):
        found = label(folder, label_task(folder, data, version, known, output=f"labels-{shards}", name=name), shards)
        same_but_time(found, first)
        assert visible(folder, f"labels-{shards}") == visible(folder, "labels-1")
        assert left(folder, f"labels-{shards}") == []
        assert not (folder / f"labels-{shards}/_labelplane").exists()


@pytest.mark.parametrize("kind", SETS)
@pytest.mark.parametrize("stored", ["parquet", "folder", "delta"])
def test_one_three_and_eight_shards_say_the_same(tmp_path: Path, kind: str, stored: str) -> None:
    """X16: rows, content digest, figures of functions, metrics and scores against gold."""
    rows = table()
    known = gold(tmp_path, rows)
    data = {"parquet": in_one_file, "folder": in_a_folder, "delta": in_a_partitioned_table}[stored](tmp_path, rows)
    all_alike(tmp_path, data, fit(tmp_path, SETS[kind], data, known), known)


def in_one_file(folder: Path, rows: pa.Table) -> Dataset:
    return parquet(folder, "data.parquet", rows)


def in_a_folder(folder: Path, rows: pa.Table) -> Dataset:
    return parquet(folder, "data", rows, files=9, groups=18)


def in_a_partitioned_table(folder: Path, rows: pa.Table) -> Dataset:
    """Ten files at least, of which some are older than a column, and a file without rows for each class."""
    for start in range(0, len(rows), 220):
        part = rows.slice(start, 220)
        found = delta(folder, "data", part if start else part.drop_columns("s3"), partition_by=["truth"], mode="append", **({"schema_mode": "merge"} if start else {}))
    return found
