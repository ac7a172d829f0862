"""`parameters.startFrom` through the whole road: the fit starts from the named version, and says when it cannot."""

import json
from pathlib import Path
from typing import Any

import yaml

from tests.unit.cli.test_fit_notes import crowd
from tests.unit.cli.test_run import command


def run(folder: Path) -> dict[str, Any]:
    done = command("run", str(folder), "-o", "json", "--no-report")
    assert done.returncode == 0, done.stdout + done.stderr
    (model,) = (item for item in json.loads(done.stdout)["items"] if item["kind"] == "LabelModel")
    status: dict[str, Any] = model["status"]
    return status


def changed(folder: Path, kind: str, **spec: Any) -> None:
    path = folder / f"{kind.lower()}.yaml"
    manifest = yaml.safe_load(path.read_text())
    manifest["spec"] |= spec
    path.write_text(yaml.safe_dump(manifest))


def fitted(folder: Path, version: int) -> dict[str, Any]:
    (path,) = folder.glob(f".labelplane/volumes/models/crowd/v{version}/model.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_a_refit_starts_from_the_version_that_is_named(tmp_path: Path) -> None:
    """C3: fewer rounds for the same answer; another set of functions starts afresh, and status says so."""
    crowd(tmp_path, [0.9, 0.8, 0.75, 0.7, 0.65, 0.6], rows=1500)
    changed(tmp_path, "LabelModel", algorithm="one-coin", parameters={"tolerance": 1e-9})
    first = run(tmp_path)["current"]
    changed(tmp_path, "LabelModel", parameters={"tolerance": 1e-9, "startFrom": 1})
    second = run(tmp_path)["current"]
    assert second["version"] == 2
    assert second["start"] == {"version": 1, "fitDigest": first["digest"]}
    assert fitted(tmp_path, 2)["iterations"] < fitted(tmp_path, 1)["iterations"]
    assert max(abs(a - b) for a, b in zip(fitted(tmp_path, 1)["accuracies"], fitted(tmp_path, 2)["accuracies"], strict=True)) < 1e-3
    functions = yaml.safe_load((tmp_path / "labelingfunctionset.yaml").read_text())["spec"]["functions"]
    changed(tmp_path, "LabelingFunctionSet", functions=functions[:-1])
    third = run(tmp_path)
    assert any(note.startswith("StartIgnored: parameters.startFrom: version 1 was fitted with other functions") for note in third["current"]["notes"])
    (ready,) = (one for one in third["conditions"] if one["type"] == "Ready")
    assert "so this fit started afresh" in ready["message"]
