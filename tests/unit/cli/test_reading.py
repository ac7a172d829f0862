"""`labelplane explain` and `labelplane report` about a real run: they add up, agree with status, and show nothing they should not."""

import html.parser
import json
import math
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from deltalake import DeltaTable, write_deltalake

from labeljob.reading.charts import FONT
from tests.e2e import rollouts
from tests.unit.cli.test_run import command
from tests.unit.cli.test_training_set import WANTED

HOSTILE = "<img src=x onerror=alert(1)>"
NASTY_ID = "e'; DROP --<b>"


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run over 600 events with gold, its files kept apart by label; an owner and a row id that try to be markup."""
    folder = tmp_path_factory.mktemp("run")
    sets = rollouts.function_set("default")
    sets["spec"]["functions"].append(sets["spec"]["functions"][3] | {"name": "restarting_again"})
    sets["spec"]["functions"][0]["owner"] = HOSTILE
    sets["spec"]["schema"]["columns"].append({"name": "at", "type": "timestamp"})
    gold = {"uri": "file:gold.csv", "format": "csv", "labelColumn": "gold"}
    job = rollouts.label_job("default", goldData=gold)
    job["spec"]["output"]["partitionBy"] = "label"
    for manifest in (sets, rollouts.label_model("default"), job):
        (folder / f"{manifest['kind'].lower()}.yaml").write_text(yaml.safe_dump(manifest))
    frame = rollouts.events(600).to_pandas()
    frame.loc[0, "event_id"] = NASTY_ID
    frame[["event_id", "gold"]].head(200).to_csv(folder / "gold.csv", index=False)
    frame["at"] = pd.Timestamp("2026-03-29T00:00:00Z") + pd.to_timedelta(range(600), unit="min")
    write_deltalake(str(folder / "lake/events"), frame.drop(columns="gold"))
    ran = command("run", str(folder), "--volume", f"lake={folder}/lake")
    assert ran.returncode == 0, ran.stderr
    assert f"report: {folder}/.labelplane/reports/rollouts.html" in ran.stdout
    return folder


@pytest.fixture(scope="module")
def page(done: Path) -> str:
    return (done / ".labelplane/reports/rollouts.html").read_text()


def explained(folder: Path, row: str) -> dict[str, Any]:
    said = command("explain", row, str(folder), "-o", "json")
    assert said.returncode == 0, said.stderr
    found: dict[str, Any] = json.loads(said.stdout)
    return found


def test_an_explanation_adds_up_to_the_posterior(done: Path) -> None:
    """O6: log prior + contributions, normalised, are the stored probabilities."""
    rows = DeltaTable(str(done / "lake/labels")).to_pandas()
    for _, row in rows[rows["covered"]].head(3).iterrows():
        found = explained(done, row["event_id"])
        sums = {name: math.log(found["prior"][name]) + sum(one["contribution"][name] for one in found["functions"]) for name in found["prior"]}
        total = sum(math.exp(value) for value in sums.values())
        for name, value in sums.items():
            assert math.exp(value) / total == pytest.approx(row["probabilities"][name], abs=1e-6)
        assert found["agrees"]
        votes = [found["functions"][i]["vote"] for i in range(len(row["votes"]))]
        assert votes == ["abstain" if vote < 0 else ["normal", "risky"][vote] for vote in row["votes"]]


def test_an_explanation_for_people(done: Path) -> None:
    """The row with the nasty id is found, and its votes, weights and posterior are in the table."""
    said = command("explain", NASTY_ID, str(done))
    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith(NASTY_ID)
    for word in ("prior", "posterior", "crashloop", "Weight", "normal", "risky"):
        assert word in said.stdout


def test_a_row_that_is_not_there(done: Path) -> None:
    said = command("explain", "e0-nowhere", str(done))
    assert said.returncode == 2
    assert "no row with event_id e0-nowhere" in said.stderr
    assert "Traceback" not in said.stderr


def test_nothing_labelled_yet(tmp_path: Path) -> None:
    for call in (["report", str(tmp_path)], ["explain", "x", str(tmp_path)]):
        said = command(*call)
        assert said.returncode == 2
        assert "labelplane run" in said.stderr


def test_an_unknown_job_is_named(done: Path) -> None:
    said = command("report", str(done), "--job", "other")
    assert said.returncode == 2
    assert "LabelJob other" in said.stderr


def test_the_path_of_the_page_for_programs(done: Path) -> None:
    said = command("report", str(done), "-o", "json")
    assert json.loads(said.stdout) == [{"labelJob": "rollouts", "page": f"{done}/.labelplane/reports/rollouts.html"}]


def test_a_page_that_cannot_be_written(done: Path) -> None:
    said = command("report", str(done), "--file", str(done))
    assert said.returncode == 2
    assert said.stderr == f"error: {done}: Is a directory: name another file with --file\n"


class Elements(html.parser.HTMLParser):
    """Tags, their attributes, and text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def parsed(page: str) -> Elements:
    elements = Elements()
    elements.feed(page)
    return elements


def test_the_page_is_self_contained_and_escapes_what_users_write(page: str) -> None:
    """X10: no script, nothing loaded from elsewhere, no markup of a user's."""
    elements = parsed(page)
    assert not {"script", "link", "iframe", "img", "object"} & {tag for tag, _ in elements.tags}
    for tag, attributes in elements.tags:
        assert not {name for name in attributes if name.startswith("on")}, tag
        assert not {name for name in ("src", "href", "xlink:href") if attributes.get(name)}, tag
    assert HOSTILE in "".join(elements.text)


def test_the_page_shows_what_status_says(done: Path, page: str) -> None:
    """M1, M2, M3, M4, M5, M8: the indicators are in status and in the report, gold's among them; X23: each function has its own."""
    status = {item["kind"]: item["status"] for item in json.loads(command("status", str(done), "-o", "json").stdout)["items"]}
    metrics, text = status["LabelJob"]["metrics"], "\n".join(parsed(page).text)
    for name in ("coverage", "conflictRate", "meanConfidence", "precision", "recall", "brier", "ece"):
        assert f"{metrics[name]:.3f}" in text, name
    for function in status["LabelModel"]["functions"]:
        assert function["name"] in text
        assert f"{100 * function['coverage']:.1f} %" in text
        low, high = function["accuracyInterval"]
        assert low < function["estimatedAccuracy"] < high
        assert f"({100 * low:.1f}–{100 * high:.1f})" in text
    changed = [float(share) for share in re.findall(r'<td class="n">([0-9.]+) %</td></tr>', page)]  # the last column of functions
    assert len(changed) == 7
    assert 0 < max(changed) <= 100 * metrics["coverage"] + 0.1
    assert page.count("<svg") == 6  # labels, confidence, reliability, coverage, conflicts, dependence


def test_the_plots_are_drawn_in_the_page_style(page: str) -> None:
    """The settings of all plots reach the drawing: its default is bold titles in another font, and a square round each plot."""
    assert page.count("<svg") == page.count("</svg>") == 6
    assert "bold" not in page[page.index("<svg") :]
    assert set(re.findall(r'font-family="([^"]*)"', page)) == {FONT}


def test_functions_that_repeat_one_another_are_drawn_and_named(page: str) -> None:
    """F2: the graph of dependence and its pairs."""
    section = page[page.index("<h2>Who repeats whom") :]
    graph, table = section[: section.index("</svg>")], section[section.index("</svg>") : section.index("</table>")]
    for part in (graph, table):
        assert "restarting_again" in part
    assert re.search(r"<td>restarting</td><td>restarting_again</td><td class=\"n\">1\.00</td>", table)


def test_no_conflict_is_white(page: str) -> None:
    """Two functions that never disagree look as if nothing were there."""
    plot = page[page.index("<h2>Conflicts") :]
    assert 'fill="rgb(255, 255, 255)"' in plot[: plot.index("</svg>")]


def test_the_page_holds_no_sensitive_value(page: str) -> None:
    """F5."""
    assert "@example.com" not in page


def test_reports_are_the_same_each_time(done: Path, page: str) -> None:
    assert command("report", str(done)).returncode == 0
    assert (done / ".labelplane/reports/rollouts.html").read_text() == page


def test_a_training_set_is_written(done: Path, tmp_path: Path) -> None:
    """I2, X24: labels, columns and the features that were known, from the manifests' state and a file; and what it says to people and programs."""
    (tmp_path / "load.csv").write_text("message,measured,share\nPulled image,2026-03-29T01:00:00Z,0.1\nPulled image,2026-03-29T02:00:00+00:00,0.2\n")
    (tmp_path / "wanted.yaml").write_text(WANTED)
    target = tmp_path / "sets/train.parquet"
    options = ("--with", str(tmp_path / "wanted.yaml"), "--volume", f"other={tmp_path}")
    said = command("features", str(target), str(done), *options)
    assert said.returncode == 0, said.stderr
    found = pd.read_parquet(target)
    assert list(found.columns) == ["event_id", "label", "confidence", "probabilities", "weight", "covered", "run", "restarts", "at", "load__known_at", "load__share"]
    rows = pd.merge(found, DeltaTable(str(done / "lake/events")).to_pandas()[["event_id", "message"]], on="event_id")
    since = (rows["at"] - pd.Timestamp("2026-03-29T01:01:00Z")) // pd.Timedelta("1h")
    expected = since.clip(-1, 1).map({-1: None, 0: 0.1, 1: 0.2}).where(rows["message"] == "Pulled image")
    assert set(expected.dropna()) == {0.1, 0.2}
    pd.testing.assert_series_equal(rows["load__share"], expected, check_names=False)
    assert f"rollouts: {len(found)} rows, 11 columns in {target}\n" in said.stdout
    assert "columns of pvc://lake/events version 0\n" in said.stdout
    assert f"load: {expected.notna().sum()} rows have a record of pvc://other/load.csv " in said.stdout
    assert "left out: user_email (is sensitive)\n" in said.stdout
    again = command("features", f"file:{tmp_path.name}", str(done), "--format", "delta", "--uncovered", "--version", "0", "-o", "json")
    assert json.loads(again.stdout)["provenance"]["rows"] == len(DeltaTable(str(done / tmp_path.name)).to_pandas()) == 600
