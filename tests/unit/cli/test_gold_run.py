"""`useGold: fit` on the whole road: gold teaches the model, and the scores in status are of models and calibrators that had not seen the row's class."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from deltalake import DeltaTable

from labeljob.calibration import GoldRows, calibrate, calibrated, shuffled
from labeljob.calibration.folds import stratified_folds
from labeljob.label_model import FittedLabelModel, VoteStatistics, fit_statistics, from_votes, posterior, with_known
from labeljob.label_model.fitting.semi_supervised import fold_models
from labeljob.scores import brier
from tests.unit.cli.test_run import command
from tests.unit.label_model.test_gold_as_evidence import misled

ROWS, GOLD, MORE, ELSEWHERE = 1200, 150, 40, 25
CLASSES = np.array(["no", "yes"])
FUNCTIONS = [{"name": f"f{j}", "votes": {"column": f"v{j}", "map": {"0": "no", "1": "yes"}}} for j in range(6)]


def run(folder: Path, parameters: dict[str, object], **spec: Any) -> dict[str, Any]:
    """Status by kind after a run on votes of which most mislead; gold of the model has rows that are not in its data, that of the job has more."""
    L, Y = misled(ROWS, 3)
    frame = pd.DataFrame(L, columns=[f"v{j}" for j in range(6)]).assign(id=np.arange(ROWS)).astype("int64")
    frame.to_parquet(folder / "rows.parquet", index=False)
    elsewhere = pd.DataFrame({"id": ROWS + np.arange(ELSEWHERE), "gold": ["yes"] * ELSEWHERE})
    gold, only = pd.concat([known(Y, GOLD), elsewhere]), spec.pop("gold", None)
    gold[(gold["gold"] == only) | (only is None)].to_csv(folder / "gold.csv", index=False)
    known(Y, GOLD + MORE).to_csv(folder / "more.csv", index=False)
    columns = [{"name": "id", "type": "int64", "nullable": False}, *({"name": f"v{j}", "type": "int64"} for j in range(6))]
    data, functions = {"uri": "file:rows.parquet", "format": "parquet"}, spec.pop("functions", FUNCTIONS)
    specs = {
        "LabelingFunctionSet": {"classes": CLASSES.tolist(), "idColumn": "id", "schema": {"columns": columns}, "functions": functions},
        "LabelModel": {
            "functionSetRef": {"name": "rows"}, "trainingData": data, "goldData": {"uri": "file:gold.csv", "format": "csv", "labelColumn": "gold"},
            "artifacts": {"uri": "file:models"}, "algorithm": "dawid-skene", "parameters": parameters,
        } | spec,
        "LabelJob": {
            "modelRef": {"name": "rows"}, "input": data, "output": {"uri": "file:labels", "format": "delta"},
            "goldData": {"uri": "file:more.csv", "format": "csv", "labelColumn": "gold"},
        },
    }  # fmt: skip
    for kind, body in specs.items():
        manifest = {"apiVersion": "labelplane.dev/v1alpha1", "kind": kind, "metadata": {"name": "rows"}, "spec": body}
        (folder / f"{kind}.yaml").write_text(yaml.safe_dump(manifest))
    ran = command("run", str(folder), "-o", "json", "--no-report")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return {item["kind"]: item["status"] for item in json.loads(ran.stdout)["items"]}


def known(Y: np.ndarray, rows: int) -> pd.DataFrame:
    return pd.DataFrame({"id": np.arange(rows), "gold": CLASSES[Y[:rows]]})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gold")


@pytest.fixture(scope="module")
def taught(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Status with gold that only scores, and with gold that teaches."""
    return run(folder, {"seed": 0}), run(folder, {"seed": 0, "useGold": "fit"}, calibration="temperature")


def fitted(statistics: VoteStatistics) -> FittedLabelModel:
    return fit_statistics(statistics, 2, algorithm="dawid-skene", abstain=["missing"] * 6)


def test_gold_teaches_the_model_in_a_new_version(taught: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """C3, P5: what gold says is used only where it is asked for, and the change is a fit of its own."""
    scored, learned = (status["LabelModel"]["current"] for status in taught)
    assert scored["metrics"]["precision"] < 0.4
    assert learned["metrics"]["precision"] > 0.8
    assert learned["version"] == scored["version"] + 1


def test_scores_are_of_models_and_calibrators_that_have_not_seen_the_row(taught: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """M8, X11: five fits, each without the gold of one fold; the calibrator of a fold is tuned on what these say of the other folds."""
    L, Y = misled(ROWS, 3)
    rows, gold, others = L[:GOLD], Y[:GOLD].astype(np.int64), from_votes(L[GOLD:])
    order = shuffled([str(i).encode() for i in range(GOLD)], 0)
    folds = stratified_folds(order.outer, gold)
    P = np.empty((GOLD, 2))
    for fold, model in fold_models(others, rows, gold, folds, fitted).items():
        P[folds == fold] = posterior(model, rows[folds == fold])
    tuned = calibrate(GoldRows(P, gold, np.ones(GOLD), order, folds), "temperature")
    reported = taught[1]["LabelModel"]["current"]["metrics"]["brier"]
    assert reported == pytest.approx(brier(tuned.cross_fitted(P), gold), abs=1e-4)
    serving = posterior(fitted(with_known(others, rows, gold)), rows)
    for seen in (P, calibrated(tuned.calibrator, P), calibrated(tuned.calibrator, serving)):
        assert reported != pytest.approx(brier(seen, gold), abs=1e-4)


def test_a_job_is_not_scored_on_gold_that_its_model_learned_from(folder: Path, taught: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """M4, X11: of 190 gold rows the 40 that the model has not seen, as the serving model and its calibrator label them."""
    Y = misled(ROWS, 3)[1]
    metrics = taught[1]["LabelJob"]["metrics"]
    assert metrics["goldTaught"] == GOLD
    assert "goldTaught" not in taught[0]["LabelJob"]["metrics"]
    assert taught[0]["LabelJob"]["run"]["output"]["version"] == 0
    labels = DeltaTable(str(folder / "labels"), version=1).to_pandas().set_index("id")
    p = np.array([[one["no"], one["yes"]] for one in labels.loc[GOLD : GOLD + MORE - 1, "probabilities"]])
    assert metrics["brier"] == pytest.approx(brier(p, Y[GOLD : GOLD + MORE]), abs=1e-4)
    kept = json.loads(next(folder.glob("**/v2/taught.json")).read_text())
    assert len(kept) == GOLD  # not those that are not in the training data, which may score it
    assert not list(folder.glob("**/v1/taught.json"))


def test_the_report_leaves_that_gold_out(folder: Path, taught: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """X11: and says so."""
    ran = command("report", str(folder), "--file", str(folder / "report.html"))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    page = (folder / "report.html").read_text()
    assert f"{MORE} rows whose class is known. {GOLD} more taught the model and score nothing here." in page


def test_saying_what_is_done_anyway_fits_nothing_new(folder: Path, taught: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """`useGold: score` is the default: back to the version of before, not on to a third."""
    again = run(folder, {"seed": 0, "useGold": "score"})
    assert again["LabelModel"]["current"]["digest"] == taught[0]["LabelModel"]["current"]["digest"]


def test_gold_that_taught_nothing_goes_on_to_score(tmp_path: Path) -> None:
    """X11: where all votes and all gold name one class there is nothing to learn; then no row is left out, and the version says so."""
    functions = [{"name": f"f{j}", "label": "yes", "threshold": {"column": f"v{j}", "above": 0}} for j in range(3)]
    status = run(tmp_path, {"useGold": "fit"}, functions=functions, algorithm="auto", gold="yes")
    current = status["LabelModel"]["current"]
    assert current["algorithm"] == "majority-vote"
    assert "goldData taught nothing: majority vote has nothing to learn" in current["notes"]
    assert "goldTaught" not in status["LabelJob"]["metrics"]
    assert not list(tmp_path.glob("**/taught.json"))


def test_rules_for_one_class_learn_from_gold_of_both(tmp_path: Path) -> None:
    """C3: their silence becomes evidence, which votes alone could never make of it."""
    functions = [{"name": f"f{j}", "label": "yes", "threshold": {"column": f"v{j}", "above": 0}} for j in range(3)]
    current = run(tmp_path, {"useGold": "fit"}, functions=functions, algorithm="auto")["LabelModel"]["current"]
    assert current["algorithm"] == "dawid-skene"
    assert current["metrics"]["recall"] > 0.6
