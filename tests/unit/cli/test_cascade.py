"""examples/order-cascade: a label model that votes in another, on a laptop (P4)."""

import json
import runpy
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from deltalake import DeltaTable

from tests.cluster_fixtures import ROOT
from tests.unit.cli.test_run import command, drawn

EXAMPLE = ROOT / "examples/order-cascade"
MADE = runpy.run_path(str(EXAMPLE / "make_data.py"))
VOTER = "model:payment-risk"


def copied(folder: Path) -> Path:
    made: Path = shutil.copytree(EXAMPLE, folder / "example", ignore=shutil.ignore_patterns(".labelplane"))
    return made


def run(folder: Path, code: int = 0, *, draw: bool = False) -> dict[str, dict[str, Any]]:
    """Status by kind and name."""
    ran = command("run", str(folder), "-o", "json", *drawn(draw))
    assert ran.returncode == code, ran.stdout + ran.stderr
    return {f"{item['kind']}/{item['metadata']['name']}": item["status"] for item in json.loads(ran.stdout)["items"]}


def edit(folder: Path, file: str, kind: str, change: Any) -> None:
    """Change the spec of the resource of a kind in a file."""
    documents = list(yaml.safe_load_all((folder / file).read_text()))
    for document in documents:
        if document["kind"] == kind:
            change(document["spec"])
    (folder / file).write_text(yaml.safe_dump_all(documents))


def labels(folder: Path) -> np.ndarray:
    rows = DeltaTable(str(folder / ".labelplane/volumes/orders/labels/order-review")).to_pandas().sort_values("order")
    return rows["label"].to_numpy()


def ready(status: dict[str, Any]) -> tuple[str, str, str]:
    found = next(one for one in status["conditions"] if one["type"] == "Ready")
    return found["status"], found["reason"], found["message"]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, dict[str, Any]]]:
    folder = copied(tmp_path_factory.mktemp("cascade"))
    return folder, run(folder, draw=True)


def test_the_files_are_those_that_the_script_makes(tmp_path: Path) -> None:
    script = shutil.copy(EXAMPLE / "make_data.py", tmp_path)
    runpy.run_path(str(script), run_name="__main__")
    for name in ("orders.csv", "gold.csv"):
        assert (tmp_path / name).read_bytes() == (EXAMPLE / name).read_bytes()


def test_the_second_tier_knows_what_the_first_says(done: tuple[Path, dict[str, dict[str, Any]]], tmp_path: Path) -> None:
    """P4: frauds are found that the shop's own functions cannot tell, and mistakes, which the payments team's model does not know."""
    truth = np.array(MADE["CLASSES"])[MADE["orders"]()[0]]
    together = labels(done[0])
    alone = copied(tmp_path)
    edit(alone, "shop.yaml", "LabelModel", lambda spec: spec.pop("inputs"))
    run(alone)
    without = labels(alone)
    fraud, mistake = truth == "fraud", truth == "mistake"
    assert (together[fraud] == "fraud").mean() > 0.5
    assert (without[fraud] == "fraud").mean() < 0.05
    assert (together[mistake] == "mistake").mean() > 0.4
    assert (together == truth).mean() > (without == truth).mean() + 0.05


def test_status_names_the_voter_and_pins_its_version(done: tuple[Path, dict[str, dict[str, Any]]]) -> None:
    first, second, job = (done[1][name] for name in ("LabelModel/payment-risk", "LabelModel/order-review", "LabelJob/order-review"))
    current = first["current"]
    pin = {"name": "payment-risk", "version": 1, "digest": current["digest"], "sha256": current["artifact"]["sha256"], "direct": True}
    pin["artifacts"] = "pvc://orders/models/payment-risk"
    assert second["current"]["inputs"] == job["run"]["inputs"] == [pin]
    voter = second["functions"][-1]
    assert voter["name"] == VOTER
    assert voter["polarity"] == ["legit", "fraud"]
    assert voter["coverage"] > 0.7
    assert 0.5 < voter["estimatedAccuracy"] < 0.95


def test_explain_and_the_report_show_the_voter(done: tuple[Path, dict[str, dict[str, Any]]]) -> None:
    """O6: what it stated for a row, and what that adds; the sum is the posterior."""
    folder = done[0]
    rows = DeltaTable(str(folder / ".labelplane/volumes/orders/labels/order-review")).to_pandas()
    row = rows[[one[0] >= 0 for one in rows["levels"]]].iloc[0]["order"]
    found = json.loads(command("explain", row, str(folder), "-o", "json").stdout)
    voter = found["functions"][-1]
    assert (voter["name"], voter["kind"]) == (VOTER, "model")
    assert voter["vote"] in ("legit", "fraud")
    assert 0.3 < voter["stated"]["probability"][0] < 1
    assert any(abs(value) > 0.1 for value in voter["contribution"].values())
    assert found["agrees"]
    assert f"{VOTER}</td><td>model</td>" in (folder / ".labelplane/reports/order-review.html").read_text()


def test_a_new_version_of_the_first_tier_is_one_of_the_second(done: tuple[Path, dict[str, dict[str, Any]]], tmp_path: Path) -> None:
    """P4, C6: unless the input's version is held; running again runs nothing."""
    folder, before = shutil.copytree(done[0], tmp_path / "again"), done[1]
    edit(folder, "payments.yaml", "LabelingFunctionSet", lambda spec: spec["functions"][2].update(enabled=False))
    after = run(folder)
    assert [after[f"LabelModel/{name}"]["current"]["version"] for name in ("payment-risk", "order-review")] == [2, 2]
    assert after["LabelJob/order-review"]["run"]["inputs"][0]["version"] == 2
    assert after["LabelJob/order-review"]["run"]["output"]["version"] == 1
    assert run(folder) == after
    edit(folder, "shop.yaml", "LabelModel", lambda spec: spec.update(inputs=[{"name": "payment-risk", "version": 1}]))
    held = run(folder)["LabelModel/order-review"]["current"]
    assert held["inputs"] == before["LabelModel/order-review"]["current"]["inputs"]
    assert (held["version"], held["artifact"]["sha256"]) == (1, before["LabelModel/order-review"]["current"]["artifact"]["sha256"])


def test_a_cycle_is_refused_before_and_when_it_runs(tmp_path: Path) -> None:
    """P4: written out, offline and on the way."""
    folder = copied(tmp_path)
    edit(folder, "payments.yaml", "LabelModel", lambda spec: spec.update(inputs=[{"name": "order-review"}]))
    said = command("validate", str(folder))
    assert said.returncode == 1
    for way in ("payment-risk -> order-review -> payment-risk", "order-review -> payment-risk -> order-review"):
        assert way in " ".join(said.stdout.split())
    status = run(folder, code=1)["LabelModel/payment-risk"]
    assert ready(status)[:2] == ("False", "InputCycle")
    assert "payment-risk -> order-review -> payment-risk is a cycle" in ready(status)[2]
    edit(folder, "payments.yaml", "LabelModel", lambda spec: spec.update(inputs=[{"name": "payment-risk"}]))
    assert "payment-risk -> payment-risk is a cycle" in " ".join(command("validate", str(folder / "payments.yaml")).stdout.split())


def test_a_model_elsewhere_is_no_cycle_and_a_missing_one_stalls_here(tmp_path: Path) -> None:
    """Where nobody else will bring it; offline, what is not at hand is not judged."""
    folder = copied(tmp_path)
    edit(folder, "shop.yaml", "LabelModel", lambda spec: spec.update(inputs=[{"name": "elsewhere"}]))
    assert command("validate", str(folder)).returncode == 0
    status = run(folder, code=1)["LabelModel/order-review"]
    assert ready(status)[:2] == ("False", "ModelNotFound")
    assert "spec.inputs[0].name: there is no LabelModel elsewhere" in ready(status)[2]


def test_a_column_that_is_not_declared_is_named(tmp_path: Path) -> None:
    """P4, X7: the input's functions read what this set declares, and nothing that it withholds."""
    folder = copied(tmp_path)
    edit(folder, "shop.yaml", "LabelingFunctionSet", lambda spec: spec["schema"]["columns"][2].update(sensitive="drop"))
    status = run(folder, code=1)["LabelModel/order-review"]
    assert ready(status)[:2] == ("False", "InputMismatch")
    assert "LabelModel payment-risk reads the column card_known, which is sensitive here" in ready(status)[2]
