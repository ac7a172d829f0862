"""A multi-label set on the whole road, as the example has it: fit, label, score, explain, report; and an output that turns from one label to several."""

import json
import math
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from deltalake import DeltaTable

from tests.cluster_fixtures import ROOT
from tests.unit.cli.test_run import command, drawn

TAGS = ["billing", "bug", "account", "performance", "urgent"]
TABLE = ".labelplane/volumes/tickets/labels/ticket-tags"


def run(folder: Path, *, draw: bool = False) -> dict:
    """Resources by kind after a run that ended well."""
    ran = command("run", str(folder), "-o", "json", *drawn(draw))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return {item["kind"]: item for item in json.loads(ran.stdout)["items"]}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    folder = tmp_path_factory.mktemp("tags") / "ticket-tags"
    shutil.copytree(ROOT / "examples/ticket-tags", folder, ignore=shutil.ignore_patterns(".labelplane"))
    return folder, run(folder, draw=True)


@pytest.fixture(scope="module")
def rows(done: tuple[Path, dict]) -> pd.DataFrame:
    return DeltaTable(str(done[0] / TABLE)).to_pandas().sort_values("ticket_id").reset_index(drop=True)


@pytest.fixture(scope="module")
def gold(done: tuple[Path, dict]) -> pd.DataFrame:
    """The tags of tickets that people tagged, bool."""
    read = pd.read_csv(done[0] / "gold.csv", index_col="ticket_id")["tags"]
    return pd.DataFrame({tag: [tag in of.split("|") for of in read] for tag in TAGS}, index=read.index)


def test_rows_hold_a_list_of_labels_and_a_probability_for_each_class(rows: pd.DataFrame) -> None:
    """C5: labels are the classes above 1/2 in class order; none is an empty list, not covered is null; confidence and weight follow."""
    assert list(rows.columns) == ["ticket_id", "labels", "confidence", "probabilities", "weight", "covered", "votes", "levels", "run"]
    P = np.array([[of[tag] for tag in TAGS] for of in rows["probabilities"]])
    covered = rows["covered"].to_numpy()
    assert 0 < (~covered).sum() < 40
    for p, labels, known in zip(P, rows["labels"], covered, strict=True):
        assert (labels is None) if not known else list(labels) == [tag for tag, q in zip(TAGS, p, strict=True) if q > 0.5]
    assert {0, 1, 2, 3} <= {len(labels) for labels in rows["labels"][covered]}
    np.testing.assert_allclose(rows["confidence"], np.maximum(P, 1 - P).mean(axis=1), atol=1e-12)
    np.testing.assert_allclose(rows["weight"], np.where(covered, 2 * rows["confidence"] - 1, 0), atol=1e-12)
    assert (rows["weight"][~covered] == 0).all()
    assert (np.array(rows["votes"].tolist())[~covered] == -1).all()


def test_labels_come_near_the_truth_and_nearer_than_majority_vote(done: tuple[Path, dict], rows: pd.DataFrame, gold: pd.DataFrame, tmp_path: Path) -> None:
    """C3, M4, M5, M8: macro scores are what anybody counts from the table; a majority vote on the same tickets does worse."""
    folder, found = done
    labelled = rows.set_index("ticket_id").loc[gold.index]
    said = pd.DataFrame({tag: [labels is not None and tag in labels for labels in labelled["labels"]] for tag in TAGS}, index=gold.index)
    metrics = found["LabelJob"]["status"]["metrics"]
    assert metrics["recall"] == pytest.approx(((said & gold).sum() / gold.sum()).mean(), abs=0.03)  # gold rows are scored by calibrators that have not seen them
    assert metrics["precision"] == pytest.approx(((said & gold).sum() / said.sum()).mean(), abs=0.03)
    distribution = {tag: float(np.mean([tag in labels for labels in rows["labels"].dropna()])) for tag in TAGS}
    assert metrics["labelDistribution"] == pytest.approx(distribution, abs=1e-4)
    assert metrics["brier"] < 0.09
    assert metrics["ece"] < 0.06
    plain = tmp_path / "plain"
    shutil.copytree(folder, plain, ignore=shutil.ignore_patterns(".labelplane"))
    model = yaml.safe_load((plain / "labelmodel.yaml").read_text())
    model["spec"] |= {"algorithm": "majority-vote", "calibration": "none"}
    (plain / "labelmodel.yaml").write_text(yaml.safe_dump(model))
    majority = run(plain)["LabelJob"]["status"]["metrics"]
    assert majority["brier"] > metrics["brier"] + 0.02


def test_status_says_what_each_function_is_worth(done: tuple[Path, dict]) -> None:
    """X23: answers, class by class; a vote against has its own words; naming different classes is no conflict."""
    status = done[1]["LabelModel"]["status"]
    assert status["current"]["algorithm"] == "discounted-dawid-skene"
    assert status["current"]["calibration"]["method"] == "by-class"
    assert {"precision", "recall", "brier", "logLoss"} <= set(status["current"]["intervals"])
    functions = {one["name"]: one for one in status["functions"]}
    assert functions["no_hurry"]["polarity"] == ["not urgent"]
    assert functions["old_classifier"]["polarity"] == ["bug", "performance"]
    assert functions["invoice"]["conflicts"] == 0
    assert functions["crash"]["estimatedAccuracy"] == pytest.approx(functions["crash"]["empiricalAccuracy"], abs=0.1)
    assert functions["no_hurry"]["empiricalAccuracy"] == 1
    assert 0.4 < functions["product"]["empiricalAccuracy"] < 0.7


def test_running_again_changes_nothing(done: tuple[Path, dict]) -> None:
    """P1, X16: a version and its digest stand."""
    assert run(done[0]) == done[1]


def test_an_explanation_adds_up_class_by_class(done: tuple[Path, dict], rows: pd.DataFrame) -> None:
    """O6: log-odds of the prior and of each function's answer make those of the posterior."""
    folder = str(done[0])
    several = rows["ticket_id"][[labels is not None and len(labels) > 1 for labels in rows["labels"]]].tolist()
    for row in [*several[:2], rows["ticket_id"][~rows["covered"]].iloc[0]]:
        found = json.loads(command("explain", row, folder, "-o", "json").stdout)
        assert found["agrees"]
        for tag in TAGS:
            odds = math.log(found["prior"][tag] / (1 - found["prior"][tag])) + sum((one["contribution"] or {}).get(tag, 0) for one in found["functions"])
            assert 1 / (1 + math.exp(-odds)) == pytest.approx(found["posterior"][tag], abs=1e-6)
    rule = next(one for one in found["functions"] if one["name"] == "invoice")
    assert set(rule["contribution"]) == {"billing"}  # it says nothing of the other classes
    shown = command("explain", several[0], folder).stdout
    assert "log-odds" in shown
    assert all(tag in shown.splitlines()[0] for tag in rows.set_index("ticket_id").loc[several[0], "labels"])
    assert "no labels: nobody votes" in command("explain", row, folder).stdout


def test_the_report_shows_each_class(done: tuple[Path, dict]) -> None:
    page = (done[0] / ".labelplane/reports/ticket-tags.html").read_text()
    for words in ("not urgent", "left out, rightly", "by class", "several, or none", "Reliability", *TAGS):
        assert words in page
    changed = re.findall(r'([\d.]+) %</td></tr>', page.partition("Labels changed</th>")[2].partition("</table>")[0])
    assert len(changed) > 5
    assert max(map(float, changed)) > 1
    assert re.search(r'<td class="n">[\d,]+</td><td>\w+(-\w+)*, ', page.partition("Who disagrees most")[2].partition("</table>")[0])  # ids of rows


def test_an_output_turns_from_one_label_to_several(done: tuple[Path, dict], tmp_path: Path) -> None:
    """C5, F6: the same table gets `labels` in the place of `label`, in one version; the earlier version is still there."""
    folder = tmp_path / "turn"
    shutil.copytree(done[0], folder, ignore=shutil.ignore_patterns(".labelplane"))
    declared = yaml.safe_load((folder / "functionset.yaml").read_text())
    spec = declared["spec"]
    single = spec | {"multiLabel": False, "functions": [one for one in spec["functions"] if one["name"] != "old_classifier"]}
    (folder / "functionset.yaml").write_text(yaml.safe_dump(declared | {"spec": single}))
    for name in ("labelmodel", "labeljob"):
        manifest = yaml.safe_load((folder / f"{name}.yaml").read_text())
        del manifest["spec"]["goldData"]
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(manifest))
    run(folder)
    (folder / "functionset.yaml").write_text(yaml.safe_dump(declared))
    found = run(folder)
    table, before = DeltaTable(str(folder / TABLE)), DeltaTable(str(folder / TABLE), version=0)
    assert table.version() == 1
    assert "label" in before.to_pandas().columns
    assert {"labels", "levels"} <= set(table.to_pandas().columns)
    assert "label" not in table.to_pandas().columns
    assert found["LabelModel"]["status"]["current"]["version"] == 2
    assert found["LabelModel"]["status"]["current"]["calibration"]["goldRows"] == 0


def test_what_does_not_go_together_stalls_before_anything_runs(done: tuple[Path, dict], tmp_path: Path) -> None:
    """O9: the message names the field and what to use."""
    folder = tmp_path / "stalled"
    shutil.copytree(done[0], folder, ignore=shutil.ignore_patterns(".labelplane"))
    model = yaml.safe_load((folder / "labelmodel.yaml").read_text())
    (folder / "labelmodel.yaml").write_text(yaml.safe_dump(model | {"spec": model["spec"] | {"algorithm": "glad"}}))
    ran = command("run", str(folder), "-o", "json", "--no-report")
    assert ran.returncode == 1
    ready = next(one for item in json.loads(ran.stdout)["items"] if item["kind"] == "LabelModel" for one in item["status"]["conditions"] if one["type"] == "Ready")
    assert ready["reason"] == "InvalidSpec"
    assert ready["message"].startswith("spec.algorithm: glad")
    assert "auto, majority-vote, dawid-skene" in ready["message"]
