"""`useGold: fit` on the whole road: gold teaches the model, and the scores in status are of models that had not seen the row's class."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import yaml

from labeljob.label_model.model import posterior
from labeljob.label_model.semi_supervised import fit_of, fold_models, split, with_codes
from labeljob.scores import brier
from labeljob.steps.fit import fold_of
from tests.unit.cli.test_run import command
from tests.unit.label_model.test_gold_as_evidence import misled, some

ROWS, GOLD = 1200, 150


def run(folder: Path, **parameters: object) -> dict:
    """Status of the model after a run on votes of which most mislead."""
    L, Y = misled(ROWS, 3)
    frame = pd.DataFrame(L, columns=[f"v{j}" for j in range(6)]).assign(id=np.arange(ROWS)).astype("int64")
    frame.to_parquet(folder / "rows.parquet", index=False)
    pd.DataFrame({"id": np.arange(GOLD), "gold": np.array(["no", "yes"])[Y[:GOLD]]}).to_csv(folder / "gold.csv", index=False)
    functions = [{"name": f"f{j}", "votes": {"column": f"v{j}", "map": {"0": "no", "1": "yes"}}} for j in range(6)]
    columns = [{"name": "id", "type": "int64", "nullable": False}, *({"name": f"v{j}", "type": "int64"} for j in range(6))]
    specs = {
        "LabelingFunctionSet": {"classes": ["no", "yes"], "idColumn": "id", "schema": {"columns": columns}, "functions": functions},
        "LabelModel": {
            "functionSetRef": {"name": "rows"}, "trainingData": {"uri": "file:rows.parquet", "format": "parquet"},
            "goldData": {"uri": "file:gold.csv", "format": "csv", "labelColumn": "gold"}, "artifacts": {"uri": "file:models"},
            "algorithm": "dawid-skene", "parameters": parameters,
        },
    }  # fmt: skip
    if "useGold" in parameters:
        more = pd.DataFrame({"id": np.arange(GOLD + 40), "gold": np.array(["no", "yes"])[Y[: GOLD + 40]]})
        more.to_csv(folder / "more.csv", index=False)
        specs["LabelJob"] = {
            "modelRef": {"name": "rows"}, "input": {"uri": "file:rows.parquet", "format": "parquet"}, "output": {"uri": "file:labels", "format": "delta"},
            "goldData": {"uri": "file:more.csv", "format": "csv", "labelColumn": "gold"},
        }  # fmt: skip
    for kind, spec in specs.items():
        manifest = {"apiVersion": "labelplane.dev/v1alpha1", "kind": kind, "metadata": {"name": "rows"}, "spec": spec}
        (folder / f"{kind}.yaml").write_text(yaml.safe_dump(manifest))
    ran = command("run", str(folder), "-o", "json")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    statuses = {item["kind"]: item["status"] for item in json.loads(ran.stdout)["items"]}
    return statuses["LabelModel"] | {"job": statuses.get("LabelJob")}


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, dict]:
    folder = tmp_path_factory.mktemp("gold")
    return run(folder, seed=0), run(folder, seed=0, useGold="fit")


def test_gold_teaches_the_model_in_a_new_version(taught: tuple[dict, dict]) -> None:
    """C3, P5: what gold says is used only where it is asked for, and the change is a fit of its own."""
    scored, fitted = (status["current"] for status in taught)
    assert scored["metrics"]["precision"] < 0.4
    assert fitted["metrics"]["precision"] > 0.8
    assert fitted["version"] == scored["version"] + 1


def test_scores_are_of_models_that_have_not_seen_the_row(taught: tuple[dict, dict]) -> None:
    """X11: the Brier score in status is that of five fits, each on the gold of the other folds."""
    L, Y = misled(ROWS, 3)
    gold = some(Y, GOLD)
    folds = fold_of(pa.array(np.arange(ROWS)), gold)
    fit = fit_of(6, (), 2, algorithm="dawid-skene", abstain=["missing"] * 6)
    statistics = with_codes(L, gold, folds)
    P = np.empty((GOLD, 2))
    for fold, model in fold_models(statistics, fit):
        P[folds[:GOLD] == fold] = posterior(model, L[:GOLD][folds[:GOLD] == fold])
    reported = taught[1]["current"]["metrics"]["brier"]
    assert reported == pytest.approx(brier(P, Y[:GOLD]), abs=1e-4)
    rows, known, _ = split(statistics)
    assert reported != pytest.approx(brier(posterior(fit(rows, known), L[:GOLD]), Y[:GOLD]), abs=1e-4)


def test_a_job_is_not_scored_on_gold_that_its_model_learned_from(taught: tuple[dict, dict]) -> None:
    """X11: of 190 gold rows, the 40 that the model has not seen."""
    L, Y = misled(ROWS, 3)
    job = taught[1]["job"]
    fit = fit_of(6, (), 2, algorithm="dawid-skene", abstain=["missing"] * 6)
    rows, known, _ = split(with_codes(L, some(Y, GOLD), fold_of(pa.array(np.arange(ROWS)), some(Y, GOLD))))
    P = posterior(fit(rows, known), L[GOLD : GOLD + 40])
    assert job["metrics"]["brier"] == pytest.approx(brier(P, Y[GOLD : GOLD + 40]), abs=1e-4)
