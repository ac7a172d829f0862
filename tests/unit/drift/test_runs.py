"""F4: a version keeps what its data looked like, and a run on other data says what moved; through the steps, on real files."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa

from labeljob.artifacts import ArtifactHome
from labeljob.contract.datasets import Dataset
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.result import Commit
from tests.unit.job.builders import function_set
from tests.unit.job.runs import fit, label, label_task, parquet

COLUMNS = [{"name": name, "type": "int64"} for name in ("a", "b", "c")] + [{"name": "place", "type": "string"}, {"name": "card", "type": "string", "sensitive": "drop"}]
FUNCTIONS = [{"name": f"high_{name}", "label": "risky", "threshold": {"column": name, "above": 6}} for name in "abc"]
FUNCTIONS += [{"name": f"low_{name}", "label": "normal", "threshold": {"column": name, "below": 3}} for name in "abc"]


def rows(folder: Path, name: str, seed: int, place: str = "berlin", add: int = 0) -> Dataset:
    rng = np.random.default_rng(seed)
    base = rng.integers(0, 8, 2000)
    numbers = {column: np.clip(base + rng.integers(-1, 3, 2000) + (add if column == "a" else 0), 0, 9) for column in "abc"}
    texts = {"id": [f"{name}-{i}" for i in range(2000)], "place": rng.choice([place, "rome", "oslo"], 2000), "card": ["DE89370400440532013000"] * 2000}
    return parquet(folder, f"{name}.parquet", pa.table(texts | numbers))


def run(folder: Path, declared: FunctionSet, data: Dataset, shards: int = 1) -> Commit:
    """A run of the model that was fitted on pvc://lake/train."""
    if not (folder / "model").exists():
        fit(folder, declared, rows(folder, "train", 1))
    version = ArtifactHome(folder / "model", "pvc://lake/model").versions()[0]
    return label(folder, label_task(folder, data, version, output=f"out-{data.uri.rpartition('/')[2]}-{shards}"), shards).commit


def test_a_run_says_what_moved(tmp_path: Path) -> None:
    """Nothing on rows like those of the fit; elsewhere column and votes by name. No text gets into the version."""
    declared = function_set(COLUMNS, FUNCTIONS)
    assert run(tmp_path, declared, rows(tmp_path, "same", 2)).drift == []
    moved = run(tmp_path, declared, rows(tmp_path, "moved", 3, place="paris", add=3))
    sizes = {(shift.kind, shift.name): shift.size for shift in moved.drift}
    assert sizes["column", "a"] > 0.2
    assert sizes["column", "place"] > 0.2
    assert sizes["function", "high_a"] > 0.1
    assert ("column", "b") not in sizes
    files = ArtifactHome(tmp_path / "model", "pvc://lake/model").load(1, moved.model_sha256)
    reference = json.loads(files["reference.json"])
    assert sorted(reference["columns"]) == ["a", "b", "c", "place"]
    assert not any(word in text for word in (b"berlin", b"DE89") for text in files.values())


def test_shards_find_the_same_drift(tmp_path: Path) -> None:
    """X16: the sample of each part is handed to the commit."""
    declared = function_set(COLUMNS, FUNCTIONS)
    moved = rows(tmp_path, "moved", 3, place="paris", add=3)
    found = [run(tmp_path, declared, moved, shards).drift for shards in (1, 2)]
    assert found[0] == found[1] != []


def test_a_multi_label_set_too(tmp_path: Path) -> None:
    declared = function_set(COLUMNS, FUNCTIONS, multiLabel=True)
    assert run(tmp_path, declared, rows(tmp_path, "same", 2)).drift == []
    sizes = {(shift.kind, shift.name): shift.size for shift in run(tmp_path, declared, rows(tmp_path, "moved", 3, add=3)).drift}
    assert sizes["function", "high_a"] > 0.1
    assert sizes["column", "a"] > 0.2
