"""F4: a version keeps what its data looked like, and a run on other data says what moved; through the steps, on real files."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa

from labeljob.artifacts import ArtifactHome
from labeljob.contract.config import FitTask, LabelTask
from labeljob.contract.datasets import Dataset
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.result import Commit
from labeljob.io.pins import pin
from labeljob.labeling_functions.identity import function_set_digest
from labeljob.steps.fit import run_fit
from labeljob.steps.fit_sets import run_fit_sets
from labeljob.steps.label import run_label
from tests.unit.job.builders import context, delta, function_set, locations

COLUMNS = [{"name": name, "type": "int64"} for name in ("a", "b", "c")] + [{"name": "place", "type": "string"}, {"name": "card", "type": "string", "sensitive": "drop"}]
FUNCTIONS = [{"name": f"high_{name}", "label": "risky", "threshold": {"column": name, "above": 6}} for name in "abc"]
FUNCTIONS += [{"name": f"low_{name}", "label": "normal", "threshold": {"column": name, "below": 3}} for name in "abc"]


def rows(folder: Path, name: str, seed: int, place: str = "berlin", add: int = 0) -> Dataset:
    rng = np.random.default_rng(seed)
    base = rng.integers(0, 8, 2000)
    numbers = {column: np.clip(base + rng.integers(-1, 3, 2000) + (add if column == "a" else 0), 0, 9) for column in "abc"}
    texts = {"id": [f"{name}-{i}" for i in range(2000)], "place": rng.choice([place, "rome", "oslo"], 2000), "card": ["4111111111111111"] * 2000}
    return delta(folder, name, pa.table(texts | numbers))


def run(folder: Path, declared: FunctionSet, data: Dataset, version: str) -> Commit:
    places = locations(folder)
    fit = FitTask(
        function_set=declared, function_set_digest=function_set_digest(declared, {}), data=pin(Dataset(uri="pvc://lake/train", format="delta"), places),
        algorithm="majority-vote", parameters={}, artifacts="pvc://lake/model", version=1, fit_digest="fit", image="i",
    )  # fmt: skip
    made = (run_fit_sets if declared.is_multi_label else run_fit)(fit, context(folder)).version
    task = LabelTask(
        data=pin(data, places), artifacts="pvc://lake/model", model_name="m", model_version=1, model_sha256=made.sha256, output=f"pvc://lake/out-{version}",
        app_id=f"app-{version}", sequence=1, run_digest="d", run="r-d-1", image="i",
    )  # fmt: skip
    return run_label(task, context(folder, batch_rows=300)).commit


def test_a_run_says_what_moved(tmp_path: Path) -> None:
    """Nothing on rows like those of the fit; elsewhere column and votes by name. No text gets into the version."""
    declared = function_set(COLUMNS, FUNCTIONS)
    rows(tmp_path, "train", 1)
    assert run(tmp_path, declared, rows(tmp_path, "same", 2), "same").drift == []
    moved = run(tmp_path, declared, rows(tmp_path, "moved", 3, place="paris", add=3), "moved")
    sizes = {(shift.kind, shift.name): shift.size for shift in moved.drift}
    assert sizes["column", "a"] > 0.2
    assert sizes["column", "place"] > 0.2
    assert sizes["function", "high_a"] > 0.1
    assert ("column", "b") not in sizes
    files = ArtifactHome(tmp_path / "model", "pvc://lake/model").load(1, moved.model_sha256)
    reference = json.loads(files["reference.json"])
    assert sorted(reference["columns"]) == ["a", "b", "c", "place"]
    assert not any(word in text for word in (b"berlin", b"4111") for text in files.values())


def test_a_multi_label_set_too(tmp_path: Path) -> None:
    declared = function_set(COLUMNS, FUNCTIONS, multiLabel=True)
    rows(tmp_path, "train", 1)
    assert run(tmp_path, declared, rows(tmp_path, "same", 2), "same").drift == []
    sizes = {(shift.kind, shift.name): shift.size for shift in run(tmp_path, declared, rows(tmp_path, "moved", 3, add=3), "moved").drift}
    assert sizes["function", "high_a"] > 0.1
    assert sizes["column", "a"] > 0.2
