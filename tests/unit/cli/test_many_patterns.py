"""A run whose rows have more distinct vote patterns than a budget holds: labelled, and reported on."""

import json
from pathlib import Path

import yaml

from tests.unit.cli.test_fit_notes import crowd
from tests.unit.cli.test_run import command


def test_a_report_of_many_patterns_is_of_a_sample_of_them(tmp_path: Path) -> None:
    """G9: 75,000 rows of 24 functions, nearly all different: what each function does to the labels is still told."""
    crowd(tmp_path, [0.55 + 0.005 * j for j in range(24)], rows=75_000)
    job = {"modelRef": {"name": "crowd"}, "input": {"uri": "file:rows.csv", "format": "csv"}, "output": {"uri": "file:labels", "format": "delta"}}
    manifest = {"apiVersion": "labelplane.dev/v1alpha1", "kind": "LabelJob", "metadata": {"name": "crowd"}, "spec": job}
    (tmp_path / "labeljob.yaml").write_text(yaml.safe_dump(manifest))
    ran = command("run", str(tmp_path), "--no-report")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    told = command("report", str(tmp_path), "-o", "json")
    assert told.returncode == 0, told.stderr
    page = Path(json.loads(told.stdout)[0]["page"]).read_text()
    assert page.count(" %</td></tr>") == 24
