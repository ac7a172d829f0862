"""Soft and partial votes on the whole road: fit, label, explain, report."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from deltalake import DeltaTable

from tests.unit.cli.test_run import command

CLASSES = ["bug", "feature", "question"]


def tickets(rows: int) -> pd.DataFrame:
    """Tickets with words that tell something, and the probabilities of a teacher that is too sure of itself."""
    rng = np.random.default_rng(7)
    truth = rng.choice(3, rows, p=[0.5, 0.3, 0.2])
    words = [["crash", "wish", "how"][k if rng.random() < 0.8 else rng.integers(3)] if rng.random() < 0.6 else "hello" for k in truth]
    signal = 1.3 * (np.eye(3)[truth] * 1.3 + rng.normal(size=(rows, 3))) * 3
    P = np.exp(signal - signal.max(axis=1, keepdims=True))
    P = pd.DataFrame(P / P.sum(axis=1, keepdims=True), columns=["p_bug", "p_feature", "p_question"])
    P[rng.random(rows) < 0.2] = np.nan
    said = pd.DataFrame({"id": np.arange(rows), "text": words, "polite": rng.random(rows) < np.array([0.1, 0.7, 0.7])[truth], "gold": np.array(CLASSES)[truth]})
    return pd.concat([said, P], axis=1)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("soft")
    frame = tickets(1500)
    frame.drop(columns="gold").to_parquet(folder / "tickets.parquet", index=False)
    frame[["id", "gold"]].to_csv(folder / "gold.csv", index=False)
    word = lambda label, text: {"name": text, "label": label, "keywords": {"column": "text", "any": [text]}}  # noqa: E731
    probabilities = {"bug": "p_bug", "feature": "p_feature", "question": "p_question"}
    functions = [
        word("bug", "crash"), word("feature", "wish"), word("question", "how"),
        {"name": "polite", "notLabel": "bug", "sql": "polite"},
        {"name": "even", "labels": ["bug", "question"], "sql": "text = 'hello' AND id % 2 = 0"},
        {"name": "teacher", "owner": "ml", "votes": {"probabilities": probabilities}},
    ]  # fmt: skip
    columns = [{"name": "id", "type": "int64", "nullable": False}, {"name": "text", "type": "string"}, {"name": "polite", "type": "boolean"}]
    columns += [{"name": name, "type": "float64"} for name in probabilities.values()]
    data = {"uri": "file:tickets.parquet", "format": "parquet"}
    gold = {"uri": "file:gold.csv", "format": "csv", "labelColumn": "gold"}
    specs = {
        "LabelingFunctionSet": {
            "classes": CLASSES, "idColumn": "id", "schema": {"columns": columns}, "functions": functions,
            "tests": [{"row": {"polite": True, "p_bug": 0.9, "p_feature": 0.05, "p_question": 0.05}, "expect": {"polite": "not bug", "teacher": "bug"}}],
        },
        "LabelModel": {"functionSetRef": {"name": "tickets"}, "trainingData": data, "goldData": gold, "artifacts": {"uri": "file:models"}},
        "LabelJob": {"modelRef": {"name": "tickets"}, "input": data, "output": {"uri": "file:labels", "format": "delta"}, "goldData": gold},
    }  # fmt: skip
    for kind, spec in specs.items():
        manifest = {"apiVersion": "labelplane.dev/v1alpha1", "kind": kind, "metadata": {"name": "tickets"}, "spec": spec}
        (folder / f"{kind}.yaml").write_text(yaml.safe_dump(manifest))
    ran = command("run", str(folder), "-o", "json")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    (folder / "status.json").write_text(ran.stdout)
    return folder


def status(done: Path, kind: str) -> dict:
    return next(item for item in json.loads((done / "status.json").read_text())["items"] if item["kind"] == kind)["status"]


def test_rows_hold_the_votes_and_the_teachers_levels(done: Path) -> None:
    """C5: likeliest class and level of the teacher; -2 where a function votes for several classes."""
    rows = DeltaTable(str(done / "labels")).to_pandas().sort_values("id")
    frame = tickets(1500)
    votes, levels = np.array(rows["votes"].tolist()), np.array(rows["levels"].tolist())
    np.testing.assert_array_equal(votes[:, 3], np.where(frame["polite"], -2, -1))
    P = frame[["p_bug", "p_feature", "p_question"]].to_numpy()
    said = ~np.isnan(P[:, 0])
    np.testing.assert_array_equal(votes[said, 5], P[said].argmax(axis=1))
    assert (votes[~said, 5] == -1).all()
    np.testing.assert_array_equal(levels[:, 0] >= 0, said)
    assert rows["covered"].to_numpy()[votes[:, 3] == -2].all()


def test_the_fit_believes_the_teacher_as_far_as_it_is_right(done: Path) -> None:
    """C3, P5: an overconfident teacher makes labels better, and they are calibrated."""
    metrics = status(done, "LabelJob")["metrics"]
    assert metrics["precision"] > 0.78
    assert metrics["ece"] < 0.08
    functions = {one["name"]: one for one in status(done, "LabelModel")["functions"]}
    assert functions["polite"]["polarity"] == ["feature", "question"]
    assert functions["polite"]["estimatedAccuracy"] == pytest.approx(functions["polite"]["empiricalAccuracy"], abs=0.06)
    assert functions["teacher"]["estimatedAccuracy"] == pytest.approx(functions["teacher"]["empiricalAccuracy"], abs=0.08)
    assert functions["teacher"]["coverage"] == pytest.approx(0.8, abs=0.03)


def test_an_explanation_shows_soft_and_partial_votes_and_adds_up(done: Path) -> None:
    """O6: what each vote adds, the posterior, and what the teacher stated."""
    frame = tickets(1500)
    for row in frame[frame["polite"] & frame["p_bug"].notna()].index[:3]:
        explained = command("explain", str(row), str(done), "-o", "json")
        found = json.loads(explained.stdout)
        assert found["agrees"], explained.stdout
        sums = {name: math.log(found["prior"][name]) + sum(one["contribution"][name] for one in found["functions"]) for name in CLASSES}
        total = sum(math.exp(value) for value in sums.values())
        for name in CLASSES:
            assert math.exp(sums[name]) / total == pytest.approx(found["posterior"][name], abs=1e-6)
        votes = {one["name"]: one for one in found["functions"]}
        assert votes["polite"]["vote"] == "not bug"
        low, high = votes["teacher"]["stated"]["probability"]
        assert low <= frame.loc[row, ["p_bug", "p_feature", "p_question"]].max() <= high
        assert max(abs(value) for value in votes["teacher"]["contribution"].values()) > 0
    shown = command("explain", str(frame.index[frame["polite"] & frame["p_bug"].notna()][0]), str(done)).stdout
    assert "not bug" in shown
    assert f"({low:.3g}" in command("explain", str(row), str(done)).stdout


def test_the_report_names_partial_votes(done: Path) -> None:
    page = (done / ".labelplane/reports/tickets.html").read_text()
    assert "not bug" in page
    assert "bug|question" in page
    changed = {name: float(share) for name, share in re.findall(r"<tr><td>(\w+)</td>.*?<td class=\"n\">([0-9.]+) %</td></tr>", page)}
    assert changed.keys() >= {"crash", "polite", "even", "teacher"}  # what each does to the labels, soft and partial votes included
    assert 1 < changed["teacher"] < 100
