"""A label model as a soft voter in another: fitted, pinned, loaded and labelled on real files (P4)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from deltalake import DeltaTable

from labeljob.contract.config import FitTask, LabelTask, ResolveTask
from labeljob.contract.datasets import Dataset, GoldDataset
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.inputs import MOST_CHAIN, InputQuery, ModelInput
from labeljob.contract.reasons import JobReason
from labeljob.contract.result import MESSAGE_BYTES, FunctionColumns, JobResult, ModelVersion, ResolveResult, VersionLine
from labeljob.contract.result_packing import pack
from labeljob.contract.versions import VersionsRequest
from labeljob.frozen_models import load_model
from labeljob.io.pins import pin
from labeljob.label_model.side.soft_votes import Grid, levels_of
from labeljob.labeling_functions.identity import function_set_digest
from labeljob.steps.fit import run_fit
from labeljob.steps.label import run_label
from labeljob.steps.resolve import run_resolve
from labeljob.versions.diff import diff
from tests.unit.job.builders import RESOURCES, context, delta, fails, function_set, locations, text

ROWS = 600
SIGNALS = [{"name": f"s{j}", "type": "int64"} for j in range(5)]
FIRST = [{"name": f"first_{j}", "votes": {"column": f"s{j}", "map": {"0": "normal", "1": "risky"}}} for j in range(3)]
SECOND = [{"name": f"second_{j}", "votes": {"column": f"s{j}", "map": {"0": "normal", "1": "risky"}}} for j in (3, 4)]


def truth() -> np.ndarray:
    return np.random.default_rng(5).integers(0, 2, ROWS)


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    """Rows of five signals, each there on three quarters of the rows and right on four in five of these."""
    rng, Y = np.random.default_rng(6), truth()
    signals = np.where(rng.random((ROWS, 5)) < 0.8, Y[:, None], 1 - Y[:, None])
    missing = rng.random((ROWS, 5)) < 0.25
    columns = {f"s{j}": pa.array(signals[:, j], pa.int64(), mask=missing[:, j]) for j in range(5)}
    return delta(tmp_path, "data", pa.table({"id": [f"r{i:04d}" for i in range(ROWS)], **columns}))


def gold_of(folder: Path, rows: slice, name: str = "gold.csv") -> GoldDataset:
    lines = [f"r{i:04d},{('normal', 'risky')[k]}" for i, k in list(enumerate(truth()))[rows]]
    return GoldDataset(label_column="gold", **text(folder, name, "\n".join(["id,gold", *lines, ""])).model_dump())


def fit(folder: Path, name: str, declared: FunctionSet, data: Dataset, *inputs: ModelVersion | str, gold: GoldDataset | None = None, **more: Any) -> ModelVersion:
    """One version at pvc://lake/<name>, with these models (by name, version 1) as inputs."""
    queries = tuple(InputQuery(name=one, artifacts=f"pvc://lake/{one}", version=1) for one in inputs if isinstance(one, str))
    surroundings = context(folder, batch_rows=more.pop("batch_rows", 1000))
    found = run_resolve(ResolveTask(data=data, gold=gold, inputs=queries), surroundings)
    task = FitTask(
        function_set=declared, function_set_digest=function_set_digest(declared, {}), data=found.data, gold=found.gold, gold_label_column="gold",
        inputs=found.inputs, algorithm="auto", parameters={"seed": 0} | more, artifacts=f"pvc://lake/{name}", version=1, fit_digest=f"fit-{name}", image="i",
    )  # fmt: skip
    return run_fit(task, surroundings).version


def label(folder: Path, name: str, version: ModelVersion, data: Dataset, gold: GoldDataset | None = None) -> tuple[pd.DataFrame, dict[str, float | None]]:
    """(rows by id, metrics)."""
    places = locations(folder)
    task = LabelTask(
        data=pin(data, places), gold=pin(gold, places) if gold else None, gold_label_column="gold", artifacts=f"pvc://lake/{name}", model_name=name,
        model_version=1, model_sha256=version.sha256, output=f"pvc://lake/labels-{name}", app_id=f"app-{name}", sequence=1, run_digest="d", run="r-d-1", image="i",
    )  # fmt: skip
    commit = run_label(task, context(folder, batch_rows=100)).commit
    return DeltaTable(folder / f"labels-{name}").to_pandas().set_index("id").sort_index(), commit.metrics


def first(**changes: Any) -> FunctionSet:
    return function_set(SIGNALS[:3], FIRST, additionalColumns="allow", **changes)


def second(columns: Sequence[dict[str, Any]] = SIGNALS, functions: Sequence[dict[str, Any]] = SECOND, **changes: Any) -> FunctionSet:
    return function_set(columns, functions, additionalColumns="allow", **changes)


def probabilities(rows: pd.DataFrame, classes: Sequence[str]) -> np.ndarray:
    return np.array([[one.get(name, 0.0) for name in classes] for one in rows["probabilities"]])


def test_the_posterior_of_an_input_is_a_soft_vote(tmp_path: Path, data: Dataset) -> None:
    """P4: class by class by name, where one of its functions votes; behind the functions of the set."""
    classes = ["odd", "risky", "normal"]
    before = fit(tmp_path, "first", first(), data)
    after = fit(tmp_path, "second", second(classes=classes), data, "first")
    below, _ = label(tmp_path, "first", before, data)
    above, _ = label(tmp_path, "second", after, data)
    said = probabilities(below, classes)
    said[~below["covered"].to_numpy()] = np.nan
    expected = levels_of(said, Grid(3))
    np.testing.assert_array_equal(np.stack(above["levels"].to_list())[:, 0], expected)
    assert (expected >= 0).mean() > 0.9
    votes = np.stack(above["votes"].to_list())
    assert votes.shape[1] == 3
    np.testing.assert_array_equal(votes[expected >= 0, 2], said[expected >= 0].argmax(axis=1))
    artifact = load_model(locations(tmp_path), "pvc://lake/second", 1, after.sha256)
    assert [(one.name, one.kind) for one in artifact.function_set.enabled_functions][-1] == ("model:first", "model")
    assert len(artifact.functions.coverage) == 3
    assert [(one.name, one.sha256) for one in after.inputs] == [("first", before.sha256)]


def test_two_tiers_know_more_than_either(tmp_path: Path, data: Dataset) -> None:
    """P4: five signals in two tiers are nearly as good as one model of all five."""
    at_once = fit(tmp_path, "all", second(functions=[*FIRST, *SECOND]), data)
    alone = fit(tmp_path, "first", first(), data)
    together = fit(tmp_path, "second", second(), data, "first")
    right = {}
    for name, version in (("all", at_once), ("first", alone), ("second", together)):
        labels = label(tmp_path, name, version, data)[0]["label"].to_numpy()
        right[name] = (labels == np.array(["normal", "risky"])[truth()]).mean()
    assert right["second"] > right["first"] + 0.02
    assert right["second"] > right["all"] - 0.02


def test_an_input_that_decides_most_labels_is_named(tmp_path: Path, data: Dataset) -> None:
    """X19: beside two rules for one row in five, a model that votes on all is the labels, and the version says so."""
    rules = [{"name": f"rule_{j}", "label": "risky", "sql": f"s{j} = 1 AND contains(id, '7')"} for j in (3, 4)]
    assert "Dominant" not in " ".join(fit(tmp_path, "first", first(), data).notes)
    notes = fit(tmp_path, "second", second(functions=rules), data, "first").notes
    assert len([note for note in notes if note.startswith("FunctionDominant: model:first alone decides 9")]) == 1


def test_batches_change_no_byte_and_another_input_does(tmp_path: Path, data: Dataset) -> None:
    """X16: the digest of a version covers the pins of its inputs."""
    fit(tmp_path, "first", first(), data)
    one = fit(tmp_path, "one", second(), data, "first", batch_rows=37)
    other = fit(tmp_path, "other", second(), data, "first")
    assert one.sha256 == other.sha256
    fit(tmp_path, "weaker", function_set(SIGNALS[:3], FIRST[:2], additionalColumns="allow"), data)
    assert fit(tmp_path, "another", second(), data, "weaker").sha256 != one.sha256


def test_three_tiers_are_loaded_from_their_homes_and_verified(tmp_path: Path, data: Dataset) -> None:
    """P4, F6: a chain is read from the record alone; when the lowest is not what was pinned, the highest does not label."""
    fit(tmp_path, "first", first(), data)
    fit(tmp_path, "second", second(), data, "first")
    top = fit(tmp_path, "top", second(functions=SECOND[:1]), data, "second", "first")
    assert [(one.name, one.direct) for one in top.inputs] == [("first", True), ("second", True)]
    over = fit(tmp_path, "over", second(functions=SECOND[:1]), data, "second")
    assert [(one.name, one.direct) for one in over.inputs] == [("first", False), ("second", True)]
    rows, _ = label(tmp_path, "over", over, data)
    assert np.stack(rows["levels"].to_list()).shape == (ROWS, 1)
    (tmp_path / "first/v1/model.json").write_text("{}")
    with fails(JobReason.MODEL_MISMATCH, "pvc://lake/first: version 1 has a changed model.json"):
        label(tmp_path, "top", top, data)
    request = VersionsRequest(
        action="diff", job="over", mounts=(), output="pvc://lake/labels-over", app_id="app-over", artifacts="pvc://lake/over", before=0, version=0
    )  # fmt: skip
    compared = diff(request, locations(tmp_path), RESOURCES)  # opens no home of an input: it may be gone, or need a Secret that nothing names any more
    assert [one["name"] for one in compared["functions"]] == ["second_3", "model:second"]


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ([*SIGNALS[:1], *SIGNALS[2:]], "LabelModel first reads the column s1, which is not declared here"),
        ([*SIGNALS[:1], {**SIGNALS[1], "sensitive": "drop"}, *SIGNALS[2:]], "s1, which is sensitive here"),
        ([*SIGNALS[:1], {**SIGNALS[1], "availability": "later"}, *SIGNALS[2:]], "s1, which is known only afterwards here"),
        ([*SIGNALS[:1], {"name": "s1", "type": "float64"}, *SIGNALS[2:]], "s1, which is float64 here and int64 there"),
    ],
)
def test_columns_that_an_input_cannot_read_are_named(tmp_path: Path, data: Dataset, columns: list[dict[str, Any]], why: str) -> None:
    """P4, F5, X7: what is sensitive here is withheld from an input's functions, too."""
    fit(tmp_path, "first", first(), data)
    with fails(JobReason.INPUT_MISMATCH, why):
        fit(tmp_path, "second", second(columns), data, "first")
    assert not (tmp_path / "second").exists()


def test_the_path_to_a_column_goes_through_the_tiers(tmp_path: Path, data: Dataset) -> None:
    fit(tmp_path, "first", first(), data)
    fit(tmp_path, "second", second(), data, "first")
    with fails(JobReason.INPUT_MISMATCH, "LabelModel second reads the column s0, which is not declared here"):
        fit(tmp_path, "top", second(SIGNALS[1:], SECOND), data, "second")


def test_a_class_that_is_none_here_is_refused(tmp_path: Path, data: Dataset) -> None:
    fit(tmp_path, "first", first(classes=["normal", "risky", "odd"]), data)
    with fails(JobReason.INPUT_MISMATCH, "LabelModel first has the class odd, which is none of normal, risky here"):
        fit(tmp_path, "second", second(), data, "first")


def test_functions_of_an_input_that_fail_stop_the_run(tmp_path: Path, data: Dataset) -> None:
    """X9: an error is never an abstain of the input; the limit is that of the input's own set."""
    strict = [{"name": "strict", "votes": {"column": "s0", "map": {"0": "normal", "1": "risky"}}}, *FIRST[1:]]
    fit(tmp_path, "first", function_set(SIGNALS[:3], strict, additionalColumns="allow"), data)
    table = DeltaTable(tmp_path / "data").to_pyarrow_table()
    odd = table.set_column(table.schema.get_field_index("s0"), "s0", pa.array([7] * ROWS, pa.int64()))
    with fails(JobReason.FUNCTIONS_FAILING, "input model first: labeling functions fail too often: strict"):
        fit(tmp_path, "second", second(), delta(tmp_path, "odd", odd), "first")


def test_a_fallback_is_silent_where_an_input_votes(tmp_path: Path, data: Dataset) -> None:
    """F1: an input is no fallback, and its vote covers a row."""
    fit(tmp_path, "first", first(), data)
    functions = [{"name": "else", "label": "normal", "sql": "true", "fallback": True}, *SECOND]
    rows, _ = label(tmp_path, "second", fit(tmp_path, "second", second(functions=functions), data, "first"), data)
    votes = np.stack(rows["votes"].to_list())
    others = (votes[:, 1:] >= 0).any(axis=1)
    np.testing.assert_array_equal(votes[:, 0] >= 0, ~others)
    np.testing.assert_array_equal(rows["covered"], others)
    by_input_alone = (votes[:, 3] >= 0) & (votes[:, 1:3] < 0).all(axis=1)
    assert by_input_alone.any()


def test_gold_that_taught_an_input_scores_nothing_above_it(tmp_path: Path, data: Dataset) -> None:
    """X11: not the second fit, not its calibration, not its labels; other gold does."""
    taught, both = gold_of(tmp_path, slice(0, 200)), gold_of(tmp_path, slice(100, 300), "both.csv")
    fit(tmp_path, "first", first(), data, gold=taught, useGold="fit")
    version = fit(tmp_path, "second", second(), data, "first", gold=both)
    assert version.metrics["goldRows"] == 100
    assert any(note.startswith("100 gold rows taught an input model") for note in version.notes)
    _, metrics = label(tmp_path, "second", version, data, gold_of(tmp_path, slice(0, 300), "every.csv"))
    assert (metrics["goldRows"], metrics["goldTaught"]) == (100, 200)


def test_a_version_that_is_not_there_is_named(tmp_path: Path, data: Dataset) -> None:
    version = fit(tmp_path, "first", first(), data)
    assert version.version == 1
    query = InputQuery(name="first", artifacts="pvc://lake/first", version=4)
    with fails(JobReason.INPUT_MISMATCH, r"LabelModel first has no version 4 \(there are: 1\)"):
        run_resolve(ResolveTask(data=data, inputs=(query,)), context(tmp_path))


def pins(count: int) -> list[ModelInput]:
    return [ModelInput(name=f"model-{i}", version=i + 1, digest="d" * 64, artifacts=f"pvc://lake/models/model-{i}", sha256=f"{i}" * 64) for i in range(count)]


def test_a_chain_has_an_end(tmp_path: Path, data: Dataset) -> None:
    """It must fit a termination message: above MOST_CHAIN versions nothing is resolved."""
    fit(tmp_path, "first", first(), data)
    below = "first"
    for place in range(MOST_CHAIN - 1):
        fit(tmp_path, f"tier-{place}", second(functions=SECOND[:1]), data, below)
        below = f"tier-{place}"
    top = fit(tmp_path, "top", second(functions=SECOND[:1]), data, below)
    assert len(top.inputs) == MOST_CHAIN
    with fails(JobReason.INPUT_MISMATCH, "7 model versions stand behind this one, inputs of inputs included, and at most 6 may"):
        fit(tmp_path, "over", second(functions=SECOND[:1]), data, "top")


def test_the_longest_chain_fits_a_termination_message(tmp_path: Path, data: Dataset) -> None:
    """G6: pins of both chains stay whole; functions and history give way."""
    version = fit(tmp_path, "first", first(), data).model_copy(update={"inputs": pins(MOST_CHAIN), "why": "w" * 300})
    columns = FunctionColumns(coverage=[500] * 60, overlaps=[400] * 60, conflicts=[100] * 60, error_rate=[0] * 60, estimated_accuracy=[800] * 60)
    lines = [VersionLine(version=i, fit_digest="f" * 64, fitted_at="2026-01-01T00:00:00Z") for i in range(10)]
    found = ResolveResult(data=version.data, function_set_digest="s" * 64, versions=lines, current=version, current_functions=columns)
    packed = pack(JobResult(build="sha256:" + "b" * 64, resolve=found))
    assert len(packed) <= MESSAGE_BYTES
    read = JobResult.model_validate_json(packed).resolve
    assert read is not None
    assert read.current is not None
    assert read.current.inputs == pins(MOST_CHAIN)
    assert len(read.versions) >= 1


def test_one_chain_is_told_and_not_two(tmp_path: Path, data: Dataset) -> None:
    """G6: a resolve that was asked for inputs leaves out the chain of the version that stands: where it counts they are equal."""
    fit(tmp_path, "first", first(), data)
    fit(tmp_path, "second", second(), data, "first")
    query = InputQuery(name="first", artifacts="pvc://lake/first", version=1)
    asked, plain = (run_resolve(ResolveTask(data=data, artifacts="pvc://lake/second", inputs=one), context(tmp_path)) for one in ((query,), ()))
    assert asked.current is not None
    assert plain.current is not None
    assert (asked.current.inputs, plain.inputs) == ([], [])
    assert asked.inputs == plain.current.inputs != []
