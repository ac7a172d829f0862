"""examples/ticket-transfer: a teacher from elsewhere, denoised by the model and a human sample (P5)."""

import json
import runpy
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from deltalake import DeltaTable

from tests.cluster_fixtures import ROOT
from tests.unit.cli.test_run import command

EXAMPLE = ROOT / "examples/ticket-transfer"
MADE = runpy.run_path(str(EXAMPLE / "make_data.py"))


def run(folder: Path) -> tuple[dict, np.ndarray]:
    """(status of the model, labels by ticket)."""
    ran = command("run", str(folder), "-o", "json", "--no-report")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    rows = DeltaTable(str(folder / ".labelplane/volumes/tickets/labels/ticket-transfer")).to_pandas().sort_values("ticket")
    return next(item for item in json.loads(ran.stdout)["items"] if item["kind"] == "LabelModel")["status"], rows["label"].to_numpy()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = shutil.copytree(EXAMPLE, tmp_path_factory.mktemp("transfer") / "example", ignore=shutil.ignore_patterns(".labelplane"))
    return made


def test_the_files_are_those_that_the_script_makes(tmp_path: Path) -> None:
    script = shutil.copy(EXAMPLE / "make_data.py", tmp_path)
    runpy.run_path(str(script), run_name="__main__")
    for name in ("tickets.csv", "gold.csv"):
        assert (tmp_path / name).read_bytes() == (EXAMPLE / name).read_bytes()


def test_a_teacher_from_another_domain_is_trusted_slice_by_slice(folder: Path) -> None:
    """P5: better than the teacher alone, and than the teacher cut at a threshold; on fresh rows the score in status is right."""
    truth, rows = MADE["tickets"]()
    classes, kinds = np.array(MADE["CLASSES"]), np.array(MADE["CLASSES"])[truth]
    web = np.array([row["platform"] == "web" for row in rows])
    said = np.array([[float(row[f"{row['platform']}_{name}"]) for name in classes] for row in rows])
    status, labels = run(folder)
    gold = {line.split(",")[0] for line in (EXAMPLE / "gold.csv").read_text().splitlines()[1:]}
    fresh = np.array([row["ticket"] not in gold for row in rows])
    alone = classes[said.argmax(axis=1)] == kinds
    right = labels == kinds
    assert right[fresh & web].mean() > alone[fresh & web].mean() + 0.2
    assert right[fresh & ~web].mean() > alone[fresh & ~web].mean() - 0.02
    functions = {one["name"]: one for one in status["functions"]}
    assert functions["classifier_on_web"]["estimatedAccuracy"] < functions["classifier_on_mobile"]["estimatedAccuracy"] - 0.2
    for name, slice_ in (("classifier_on_web", web), ("classifier_on_mobile", ~web)):
        assert functions[name]["estimatedAccuracy"] == pytest.approx(alone[slice_].mean(), abs=0.08)
    recalls = [right[fresh & (kinds == name)].mean() for name in classes]
    assert status["current"]["metrics"]["recall"] == pytest.approx(np.mean(recalls), abs=0.1)

    specs = yaml.safe_load((folder / "functionset.yaml").read_text())
    for function in specs["spec"]["functions"][:2]:
        platform = function["name"].split("_")[-1]
        function["votes"] = {"column": f"{platform}_bug", "above": {"bug": 0.8}, "below": {"feature": 0.1}}
    specs["spec"]["tests"] = [{"row": {"text": "error"}, "expect": {"tells_of_bug": "bug"}}]
    (folder / "functionset.yaml").write_text(yaml.safe_dump(specs))
    assert right[fresh].mean() > (run(folder)[1] == kinds)[fresh].mean() + 0.05
