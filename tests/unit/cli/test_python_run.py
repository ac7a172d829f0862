"""examples/payment-typos: a labeling function in Python, on a laptop, from the check to the labels."""

import json
import runpy
import shutil
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from tests.cluster_fixtures import ROOT
from tests.unit.cli.test_run import command

EXAMPLE = ROOT / "examples/payment-typos"
MADE = runpy.run_path(str(EXAMPLE / "make_data.py"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EXAMPLE, tmp_path / "example", ignore=shutil.ignore_patterns(".labelplane", "__pycache__")))


def run(folder: Path) -> dict[str, dict[str, Any]]:
    """Resources by kind."""
    ran = command("run", str(folder), "-o", "json", "--no-report")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return {item["kind"]: item for item in json.loads(ran.stdout)["items"]}


def test_the_file_is_what_the_script_makes(tmp_path: Path) -> None:
    runpy.run_path(shutil.copy(EXAMPLE / "make_data.py", tmp_path), run_name="__main__")
    assert (tmp_path / "payments.csv").read_bytes() == (EXAMPLE / "payments.csv").read_bytes()


def test_a_function_in_python_votes_and_a_change_of_its_code_is_a_new_version(folder: Path) -> None:
    """C2, F6: labels are those that the check digits tell; an edit that no manifest shows is seen; running again is nothing."""
    table = str(folder / ".labelplane/volumes/payments/labels/payment-typos")
    first = run(folder)
    rows = DeltaTable(table).to_pandas().sort_values("payment")
    right = rows["label"].to_numpy() == ["mistyped" if wrong else "good" for wrong in MADE["payments"]()[0]]
    assert right.mean() > 0.97
    assert first["LabelModel"]["status"]["functions"][0]["estimatedAccuracy"] > 0.9

    module = folder / "acme_payments.py"
    module.write_text(module.read_text().replace('"mistyped"', "None"))
    refused = command("test", str(folder))
    assert refused.returncode == 1
    assert "spec.tests[1].expect.checksum: expected mistyped, got abstain" in refused.stdout
    module.write_text(module.read_text().replace("else None", 'else "mistyped"  # as it was'))
    second = run(folder)
    assert second["LabelingFunctionSet"]["status"]["digest"] != first["LabelingFunctionSet"]["status"]["digest"]
    assert second["LabelModel"]["status"]["current"]["version"] == 2
    assert second["LabelJob"]["status"]["run"]["output"]["contentDigest"] == first["LabelJob"]["status"]["run"]["output"]["contentDigest"]
    assert run(folder) == second
    assert not (folder / "__pycache__").exists()


def test_a_module_that_is_elsewhere_is_left_to_the_cluster(folder: Path) -> None:
    """O7: it is in the image; all else is checked."""
    (folder / "acme_payments.py").unlink()
    done = command("validate", str(folder / "functionset.yaml"))
    assert done.returncode == 0, done.stdout
    assert "the module of acme_payments:checksum of function checksum is not at hand" in " ".join(done.stderr.split())


def test_a_function_that_fails_too_often_stops_the_run_and_its_log_says_why(folder: Path) -> None:
    """X9, I5, F5: named with its rate in the condition; the exception's name and line in the log, its text and the row nowhere."""
    module = folder / "acme_payments.py"
    module.write_text(module.read_text().replace("turned = ", 'if "7" in iban[4:] and not iban.endswith(("3000", "1000")):\n        raise ValueError(iban)\n    turned = '))
    ran = command("run", str(folder), "-o", "json", "--no-report")
    assert ran.returncode == 1
    ready = [one for item in json.loads(ran.stdout)["items"] for one in item["status"]["conditions"] if one["reason"] == "FunctionsFailing"]
    assert "checksum on" in ready[0]["message"]
    logs = [path.read_text() for path in (folder / ".labelplane/jobs").glob("*/log")]
    failed = [json.loads(line) for text in logs for line in text.splitlines() if "python_function_failed" in line]
    assert {(one["function"], one["what"].partition(":")[0]) for one in failed} == {("checksum", "raised ValueError at acme_payments.py")}
    ibans = [row["iban"] for row in MADE["payments"]()[1] if row["iban"]]
    assert not any(iban in text for iban in ibans for text in (*logs, ran.stdout, ran.stderr))
