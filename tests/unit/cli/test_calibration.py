"""Calibration on a laptop: gold in the manifests makes the stored probabilities honest, and no figure comes from rows that tuned it."""

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from deltalake import DeltaTable, write_deltalake

from labeljob.calibration import calibrated
from labeljob.contract.digests import digest_of
from labeljob.frozen_calibration import from_file
from labeljob.label_model import LabelModel, to_dict
from labeljob.notebook import LFSet
from tests.cluster_fixtures import ROOT
from tests.e2e import rollouts
from tests.unit.cli.test_run import command, run, write

GOLD = {"uri": "file:gold.csv", "format": "csv", "labelColumn": "gold"}
SCORES = ("precision", "recall", "brier", "ece")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, dict[str, Any]]]:
    """A run over 1,200 events, 500 of them gold for model and job alike; the crash loop rule is there five times, so that it is trusted too much."""
    folder = tmp_path_factory.mktemp("run")
    return folder, run(prepared(folder, calibration="temperature"), draw=True)


def prepared(folder: Path, *, gold: pd.DataFrame | None = None, job_gold: bool = True, **spec: Any) -> Path:
    functions = rollouts.function_set("default")["spec"]["functions"]
    copies = [dict(functions[0], name=f"crashloop_{i}") for i in range(4)]
    write(folder, rollouts.function_set("default", functions=[*functions, *copies]))
    write(folder, rollouts.label_model("default", **({"goldData": GOLD} | spec)))
    write(folder, rollouts.label_job("default", **({"goldData": GOLD} if job_gold else {})))
    frame = rollouts.events(1200).to_pandas()
    if not (folder / "lake").exists():
        write_deltalake(str(folder / "lake/events"), frame.drop(columns="gold"))
    (frame[["event_id", "gold"]].head(500) if gold is None else gold).to_csv(folder / "gold.csv", index=False)
    return folder


def artifact(folder: Path, version: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(next(folder.glob(f"**/v{version}/calibration.json")).read_text())
    return found


def test_status_says_what_was_done(done: tuple[Path, dict[str, dict[str, Any]]]) -> None:
    """M8, X11: method, how much gold, why, scores and their intervals."""
    current = done[1]["LabelModel"]["status"]["current"]
    assert current["calibration"]["method"] == "temperature"
    assert 400 < current["calibration"]["goldRows"] <= 500
    assert "asked for" in current["calibration"]["why"]
    for name in (*SCORES, "logLoss"):
        assert current["intervals"][name]["low"] <= current["metrics"][name] <= current["intervals"][name]["high"], name


def test_the_version_is_scored_cross_fitted(done: tuple[Path, dict[str, dict[str, Any]]]) -> None:
    """X11: what status says is the cross-fitted score of the artifact, which also has the uncalibrated one and every class."""
    folder, found = done
    kept, metrics = artifact(folder, 1)["scores"], found["LabelModel"]["status"]["current"]["metrics"]
    for name in (*SCORES, "logLoss"):
        assert metrics[name] == round(kept["crossFitted"][name]["value"], 4)
    assert kept["crossFitted"]["logLoss"]["value"] < kept["uncalibrated"]["logLoss"]["value"]
    assert sum(one["brier"] for one in kept["crossFitted"]["classes"]) == pytest.approx(kept["crossFitted"]["brier"]["value"], abs=1e-6)
    assert sum(point[2] for point in kept["crossFitted"]["reliability"]) == found["LabelModel"]["status"]["current"]["calibration"]["goldRows"]


def test_a_job_on_the_same_gold_is_scored_by_calibrators_that_have_not_seen_it(done: tuple[Path, dict[str, dict[str, Any]]]) -> None:
    """X11: the same rows, the same gold, the same figures as the version's; those of the stored probabilities would be in-sample."""
    folder, found = done
    job, model = found["LabelJob"]["status"]["metrics"], found["LabelModel"]["status"]["current"]["metrics"]
    assert {name: job[name] for name in SCORES} == {name: model[name] for name in SCORES}
    rows = DeltaTable(str(folder / "lake/labels")).to_pandas().merge(pd.read_csv(folder / "gold.csv"), on="event_id")
    covered = rows[rows["covered"]]
    p = np.array([[row["normal"], row["risky"]] for row in covered["probabilities"]])
    in_sample = ((p - np.eye(2)[(covered["gold"] == "risky").astype(int)]) ** 2).sum(axis=1).mean()
    assert job["brier"] != round(in_sample, 4)
    assert job["brier"] == pytest.approx(in_sample, abs=0.01)


def test_stored_probabilities_are_calibrated(done: tuple[Path, dict[str, dict[str, Any]]]) -> None:
    """C5: covered rows by the artifact's calibrator, the others untouched; explain shows the sum before and what is stored after."""
    folder, _ = done
    calibrator = from_file(artifact(folder, 1), 2).calibrator
    assert calibrator.slope != 1
    rows = DeltaTable(str(folder / "lake/labels")).to_pandas()
    for row in pd.concat([rows[rows["covered"]].head(3), rows[~rows["covered"]].head(1)]).to_dict("records"):
        said = command("explain", row["event_id"], str(folder), "-o", "json")
        assert said.returncode == 0, said.stderr
        found = json.loads(said.stdout)
        sums = {name: math.log(found["prior"][name]) + sum(one["contribution"][name] for one in found["functions"]) for name in found["prior"]}
        total = sum(math.exp(value) for value in sums.values())
        posterior = [math.exp(sums[name]) / total for name in ("normal", "risky")]
        assert [found["posterior"][name] for name in ("normal", "risky")] == pytest.approx(posterior, abs=1e-9)
        expected = calibrated(calibrator, np.array([posterior]))[0] if row["covered"] else posterior
        assert [found["calibrated"][name] for name in ("normal", "risky")] == pytest.approx(expected, abs=1e-9)
        assert [row["probabilities"][name] for name in ("normal", "risky")] == pytest.approx(expected, abs=1e-9)
        assert found["calibration"] == ("temperature" if row["covered"] else "none")
        assert found["agrees"]


def test_explain_and_report_for_people(done: tuple[Path, dict[str, dict[str, Any]]]) -> None:
    folder, found = done
    row = DeltaTable(str(folder / "lake/labels")).to_pandas().query("covered").iloc[0]["event_id"]
    assert "calibrated (temperature)" in command("explain", row, str(folder)).stdout
    page = (folder / ".labelplane/reports/rollouts.html").read_text()
    interval = found["LabelModel"]["status"]["current"]["intervals"]["brier"]
    for words in ("Each class on gold", "Calibration: temperature; a gold row that tuned it", "asked for", f"95 %: {interval['low']:.3f} to {interval['high']:.3f}"):
        assert words in page, words


def test_another_method_and_other_gold_are_other_versions(done: tuple[Path, dict[str, dict[str, Any]]], tmp_path: Path) -> None:
    """C3, X16: calibration and the content of gold are in the fit digest; the same again is the version that stands."""
    folder, first = Path(shutil.copytree(done[0], tmp_path / "again")), done[1]["LabelModel"]["status"]["current"]
    second = run(prepared(folder, calibration="none"))["LabelModel"]["status"]["current"]
    assert (second["version"], second["calibration"]["method"], second["calibration"]["why"]) == (2, "none", "none was asked for")
    assert second["metrics"]["logLoss"] > first["metrics"]["logLoss"]
    fewer = rollouts.events(1200).to_pandas()[["event_id", "gold"]].head(60)
    third = run(prepared(folder, gold=fewer, calibration="temperature", parameters={"seed": 1}))["LabelModel"]["status"]["current"]
    assert (third["version"], third["metrics"]["goldRows"]) == (3, 60)
    assert third["intervals"]["brier"]["high"] - third["intervals"]["brier"]["low"] > first["intervals"]["brier"]["high"] - first["intervals"]["brier"]["low"]


def test_without_gold_nothing_is_claimed(tmp_path: Path) -> None:
    """X18: no calibration and no score, and the reason says what is missing."""
    folder = prepared(tmp_path, calibration="isotonic", job_gold=False)
    manifest = rollouts.label_model("default", calibration="isotonic")
    manifest["spec"].pop("goldData", None)
    write(folder, manifest)
    current = run(folder)["LabelModel"]["status"]["current"]
    assert (current["calibration"]["method"], current["calibration"]["goldRows"]) == ("none", 0)
    assert current["calibration"]["why"].startswith("there is no goldData")
    assert current.get("intervals", {}) == {}
    assert "brier" not in current["metrics"]


def test_inclusion_probabilities_weigh_gold(tmp_path: Path) -> None:
    """M4, X11: gold drawn ten times as often among risky events gives, weighted, the population's recall of a class; a bad probability is refused."""
    frame = rollouts.events(1200).to_pandas()[["event_id", "gold"]]
    frame["drawn_with"] = np.where(frame["gold"] == "risky", 0.5, 0.05)
    drawn = frame[np.random.default_rng(5).random(len(frame)) < frame["drawn_with"]]
    weighted = GOLD | {"inclusionProbabilityColumn": "drawn_with"}
    folder = prepared(tmp_path, gold=drawn, goldData=weighted, calibration="none", job_gold=False)
    write(folder, rollouts.label_job("default", goldData=weighted))
    found = run(folder)
    by_weight = found["LabelModel"]["status"]["current"]["metrics"]
    assert {name: found["LabelJob"]["status"]["metrics"][name] for name in SCORES} == {name: by_weight[name] for name in SCORES}
    labels = DeltaTable(str(folder / "lake/labels")).to_pandas().merge(drawn, on="event_id")
    for equal in (False, True):
        weights = np.ones(len(labels)) if equal else 1 / labels["drawn_with"]
        right = labels["label"] == labels["gold"]
        precision = np.mean([weights[right & (labels["label"] == name)].sum() / weights[labels["label"] == name].sum() for name in ("normal", "risky")])
        recall = np.mean([weights[right & (labels["gold"] == name)].sum() / weights[labels["gold"] == name].sum() for name in ("normal", "risky")])
        assert (abs(precision - by_weight["precision"]) < 1e-4) is not equal
        assert abs(recall - by_weight["recall"]) < 1e-4  # within a class all weigh the same
    drawn.assign(drawn_with=0.0).to_csv(folder / "gold.csv", index=False)
    write(folder, rollouts.label_job("default", goldData=weighted, runTTL="1h"))
    ready = next(one for one in run(folder)["LabelJob"]["status"]["conditions"] if one["type"] == "Ready")
    assert ready["reason"] == "GoldInvalid"
    assert f"{len(drawn)} rows with a class have no drawn_with above 0 and at most 1" in ready["message"]


def test_an_example_with_gold(tmp_path: Path) -> None:
    """M8, C3: the mail example: a second run changes nothing, the digest of the labels is that of the first, and a notebook fits the model that the job fitted."""
    folder = tmp_path / "mail"
    shutil.copytree(ROOT / "examples/mail-triage", folder)
    calls = [command("run", str(folder), "--volume", f"mail={folder}", "--state", str(tmp_path / state), "-o", "json", "--no-report") for state in ("one", "one", "two")]
    found = [{item["kind"]: item["status"] for item in json.loads(call.stdout)["items"]} for call in calls]
    assert found[0] == found[1]
    current = found[0]["LabelModel"]["current"]
    assert current["calibration"]["goldRows"] > 300
    assert current["metrics"]["logLoss"] < 0.15
    assert current["intervals"]["precision"]["low"] > 0.85
    assert digest_of(current["metrics"]) == digest_of(found[2]["LabelModel"]["current"]["metrics"])
    fitted = json.loads((folder / "models/mail-triage/v1/model.json").read_text())
    functions = LFSet.from_yaml(folder / "functionset.yaml")
    L = functions.apply(pd.read_parquet(folder / "data/mails.parquet"))
    assert to_dict(LabelModel(2, abstain=functions.abstain).fit(L).model_) == fitted
    assert to_dict(LabelModel(2).fit(L).model_) != fitted  # a reading that is inferred is another
