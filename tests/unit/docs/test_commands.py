"""The commands of the pages do what the pages say: each is run as it stands there, from a copy of the examples."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cluster_fixtures import ROOT
from tests.forks import python

COMMAND = re.compile(r"(?:^|[`\s])(?:\.venv/bin/)?labelplane ((?:validate|test|run|status|report|explain|crds) ?[^`#\n]*)")
DEMO_SECONDS = 120
PAGES = ("README.md", *(f"examples/{name}/README.md" for name in ("mail-triage", "incident-root-cause", "ticket-transfer", "order-cascade", "ticket-tags", "payment-typos")))


def commands(page: str) -> list[list[str]]:
    """The complete commands of a page: those in blocks, and those in the text that name an example."""
    found = [match.strip() for match in COMMAND.findall((ROOT / page).read_text())]
    return [shlex.split(one) for one in found if "examples/" in one]


def example(command: list[str]) -> str:
    """The folder that a command is about."""
    return next(word for word in command if word.startswith("examples/"))


ALL = [one for page in PAGES for one in commands(page)]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_runs_before_it_reads(page: str) -> None:
    """Every example that a page reports on or explains has been run further up on the same page."""
    found = commands(page)
    assert {"run", "report", "explain"} <= {one[0] for one in found}
    reading = [(place, one) for place, one in enumerate(found) if one[0] in ("status", "report", "explain")]
    assert [one for place, one in reading if ("run", example(one)) not in [(earlier[0], example(earlier)) for earlier in found[:place]]] == []


@pytest.mark.parametrize("folder", sorted(set(map(example, ALL))))
def test_an_examples_commands_run(folder: str, tmp_path: Path) -> None:
    """From a fresh copy, in their order, each ends with 0; what stands on several pages is run once."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns(".labelplane"))
    shutil.copytree(ROOT / "examples/mail-triage/data", tmp_path / "mail/data")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in ("operator", "labeljob_image"))}
    for one in dict.fromkeys(tuple(one) for one in ALL if example(one) == folder):
        called = [python(), "-m", "labelplane.cli.main", *(word.replace("/tmp/mail", str(tmp_path / "mail")) for word in one)]
        done = subprocess.run(called, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{one}: {done.stdout}{done.stderr}"


def test_make_demo(tmp_path: Path) -> None:
    """A table of conditions, label quality against gold, the path of a report that is there; within two minutes after set-up."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in ("operator", "labeljob_image"))}
    before = os.times()
    call = ["make", "--no-print-directory", "-o", ".venv/.ready", "demo", f"DEMO={tmp_path}/demo"]  # -o: the machine is set up already
    done = subprocess.run(call, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    after = os.times()
    busy = after.children_user + after.children_system - before.children_user - before.children_system
    assert busy < DEMO_SECONDS  # of one processor: a machine that does other things beside takes longer
    conditions, _, quality = done.stdout.partition("Label quality")
    assert conditions.startswith("Conditions")
    for kind in ("LabelingFunctionSet", "LabelModel", "LabelJob"):
        assert kind in conditions
    assert conditions.count("True") == 3
    for indicator in ("Precision on gold", "Recall on gold", "Calibration error on gold"):
        assert re.search(rf"{indicator} *│ *0\.\d{{3}}", quality)
    last = done.stdout.splitlines()[-1]
    assert Path(last.removeprefix("report: ")).read_text().startswith("<!doctype html>")
    assert "rows labelled" in done.stderr  # progress
