"""What the documentation says is there is there, and what is there is documented."""

import re
from pathlib import Path

import pytest

from labeljob.contract.reasons import JobReason
from labelplane.api.reasons import ControlReason
from labelplane.cli.main import app
from labelplane.metrics import Metrics
from tests.cluster_fixtures import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Links inside the repository; a heading's anchor must stand in its page."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in target or target.startswith("#"):
            continue
        path, _, anchor = target.partition("#")
        found = page.parent / path
        assert found.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", found.read_text(), re.MULTILINE)
            assert anchor in {heading.lower().replace(" ", "-") for heading in headings}, target


def test_every_reason_says_what_to_do() -> None:
    text = (ROOT / "docs/status.md").read_text()
    documented = {word for line in text.splitlines() if line.startswith("|") for word in re.findall(r"[A-Z]\w+", line.split("|")[1])}
    assert {str(reason.value) for reason in (*ControlReason, *JobReason)} - documented == set()


def test_every_metric_is_described() -> None:
    text = (ROOT / "docs/operations.md").read_text().replace("`…_", "`labelplane_labeljob_")
    named = set(re.findall(r"^# TYPE (labelplane_\w+) \w+$", Metrics(lambda: ()).text().decode(), re.MULTILINE))
    created = {name for name in named if name.endswith("_created")}
    assert {name for name in named - created if f"`{name}" not in text} == set()


def test_every_command_is_described() -> None:
    text = (ROOT / "docs/cli.md").read_text()
    names = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
    assert len(names) >= 7
    assert [name for name in names if f"`labelplane {name}" not in text] == []


def test_files_that_pages_name_exist() -> None:
    """`tests/…`, `labeljob/…` and the like in code marks."""
    for page in PAGES:
        for path in re.findall(r"`((?:tests|examples|charts|docs|scripts|devcluster)/[\w./-]+)`", page.read_text()):
            assert (ROOT / path).exists(), f"{page.name}: {path}"
