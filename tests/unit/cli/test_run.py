"""`labelplane run` on a laptop: the whole road in child processes, and nothing twice."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from deltalake import DeltaTable, write_deltalake

from labelplane.cli.main import main
from tests.e2e import rollouts
from tests.forks import python


def command(*arguments: str, text_in: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user does."""
    called = [python(), "-m", "labelplane.cli.main", *arguments]
    return subprocess.run(called, capture_output=True, text=True, input=text_in, check=False, env=os.environ | {"COLUMNS": "200"})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three manifests and a lake with 500 events."""
    for manifest in rollouts.three("default"):
        write(tmp_path, manifest)
    events(tmp_path, 500, seed=0)
    return tmp_path


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, dict[str, Any]]]:
    """Such a folder after a run, and what it printed; running it again is all that may be done to it."""
    made = tmp_path_factory.mktemp("ran")
    for manifest in rollouts.three("default"):
        write(made, manifest)
    events(made, 500, seed=0)
    return made, run(made, draw=True)


@pytest.fixture
def again(ran: tuple[Path, dict[str, dict[str, Any]]], tmp_path: Path) -> Path:
    """A copy of it, to change."""
    return Path(shutil.copytree(ran[0], tmp_path / "again"))


def write(folder: Path, manifest: dict[str, Any]) -> None:
    (folder / f"{manifest['kind'].lower()}.yaml").write_text(yaml.safe_dump(manifest))


def events(folder: Path, rows: int, *, seed: int) -> None:
    table = rollouts.events(rows, seed=seed).drop_columns(["gold"])
    write_deltalake(str(folder / "lake/events"), table, mode="overwrite")


def run(folder: Path, *, draw: bool = False) -> dict[str, dict[str, Any]]:
    """Resources by kind after a run that ended well or badly."""
    done = command("run", str(folder), "--volume", f"lake={folder}/lake", "-o", "json", *drawn(draw))
    assert done.returncode in (0, 1), done.stderr
    return {item["kind"]: item for item in json.loads(done.stdout)["items"]}


def drawn(draw: bool) -> list[str]:
    """A report is a third of the work of a small run."""
    return [] if draw else ["--no-report"]


def test_second_run_runs_nothing(ran: tuple[Path, dict[str, dict[str, Any]]]) -> None:
    """P1: running again is a reconcile; nothing changes, and the page is not drawn again."""
    folder, first = ran
    jobs, at = sorted((folder / ".labelplane/jobs").iterdir()), page(folder).stat().st_mtime_ns
    assert run(folder, draw=True) == first
    assert DeltaTable(str(folder / "lake/labels")).version() == 0
    assert sorted((folder / ".labelplane/jobs").iterdir()) == jobs
    assert page(folder).stat().st_mtime_ns == at


def page(folder: Path) -> Path:
    return folder / ".labelplane/reports/rollouts.html"


def test_a_page_of_another_request_is_drawn_again(ran: tuple[Path, dict[str, dict[str, Any]]]) -> None:
    folder, _ = ran
    text = page(folder).read_text()
    mark = 'name="labelplane-request" content="'
    page(folder).write_text(text.replace(mark, f"{mark}another"))
    run(folder, draw=True)
    assert page(folder).read_text() == text


def test_the_report_names_rows_on_which_functions_disagree(ran: tuple[Path, dict[str, dict[str, Any]]]) -> None:
    """X2: beside each pair the number of its rows, and ids to look at."""
    folder, _ = ran
    names = [one["name"] for one in rollouts.function_set("default")["spec"]["functions"]]
    rows = DeltaTable(str(folder / "lake/labels")).to_pandas().set_index("event_id")
    pairs = re.findall(r'<tr><td>(\w+)</td><td>(\w+)</td><td class="n">([\d,]+)</td><td>([^<]+)</td></tr>', page(folder).read_text())
    assert pairs
    for one, other, count, ids in pairs:
        i, j = names.index(one), names.index(other)
        against = rows[[votes[i] >= 0 and votes[j] >= 0 and votes[i] != votes[j] for votes in rows["votes"]]]
        assert len(against) == int(count.replace(",", ""))
        assert set(ids.split(", ")) <= set(against.index)
        assert len(ids.split(", ")) == min(3, len(against))


def test_pins_a_b_a_give_three_versions(folder: Path) -> None:
    """X16: the same pins give the same content, in a version of its own."""
    events(folder, 300, seed=1)
    digests, reused = [], []
    for version in (0, 1, 0):
        write(folder, rollouts.label_job("default", input={"uri": "pvc://lake/events", "format": "delta", "version": version}))
        status = run(folder)["LabelJob"]["status"]
        digests.append(status["run"]["output"]["contentDigest"])
        reused.append(status["metrics"]["reusedVotes"])
    assert digests[0] == digests[2] != digests[1]
    assert (reused[0], reused[2]) == (0, 1)
    assert DeltaTable(str(folder / "lake/labels")).version() == 2
    assert not page(folder).exists()  # none was wanted
    _compare_and_restore(folder)


def _compare_and_restore(folder: Path) -> None:
    """O6: what the commands say of the three versions, to people and to programs."""
    found = json.loads(command("diff", "0", "1", str(folder), "-o", "json").stdout)
    assert (found["before"]["version"], found["after"]["version"], found["rows"]["removed"]) == (0, 1, found["before"]["rows"] - found["rows"]["both"])
    shown = command("diff", "0", "2", str(folder)).stdout
    assert "rollouts: version 0 -> 2" in shown
    assert "0 added, 0 removed; 0 have another label" in shown
    restored = command("rollback", "1", str(folder))
    assert restored.stdout.startswith("rollouts: version 1 is restored as version 3 (run rollouts-"), restored.stderr
    assert DeltaTable(str(folder / "lake/labels")).to_pandas().equals(DeltaTable(str(folder / "lake/labels"), version=1).to_pandas())
    refused = command("rollback", "9", str(folder))
    assert (refused.returncode, refused.stderr) == (2, "error: pvc://lake/labels: LabelJob rollouts has no version 9 there: it has 3, 2, 1, 0\n")
    run(folder)
    assert DeltaTable(str(folder / "lake/labels")).version() == 3  # nothing new was asked for



def test_a_report_without_gold_says_so(ran: tuple[Path, dict[str, dict[str, Any]]], tmp_path: Path) -> None:
    """No reliability curve is drawn of nothing; the page says what to add."""
    target = tmp_path / "out/page.html"
    said = command("report", str(ran[0]), "--file", str(target))
    assert said.stdout.strip() == str(target), said.stderr
    assert "spec.goldData" in target.read_text()
    assert target.read_text().count("<svg") == 5  # labels, confidence, coverage, conflicts, dependence


def test_changed_function_refits_and_relabels(again: Path) -> None:
    """C3: other functions are another model version, and another run."""
    write(again, rollouts.function_set("default", functions=rollouts.function_set("default")["spec"]["functions"][:5], tests=[]))
    found = run(again)
    assert found["LabelModel"]["status"]["current"]["version"] == 2
    assert found["LabelJob"]["status"]["run"]["model"]["version"] == 2
    assert found["LabelJob"]["status"]["run"]["sequence"] == 2
    assert found["LabelJob"]["status"]["metrics"]["reusedVotes"] == 1  # those that are left are what they were


def test_an_algorithm_and_its_guard_are_the_manifests(folder: Path) -> None:
    """C3: a prior accuracy no better than a guess stalls and says why; a possible one is fitted with the algorithm that was asked for."""
    write(folder, rollouts.label_model("default", algorithm="glad", parameters={"priorAccuracy": 0.4}))
    ready = next(one for one in run(folder)["LabelModel"]["status"]["conditions"] if one["type"] == "Ready")
    assert ready["status"] == "False"
    assert "priorAccuracy is 0.4: with 2 classes it lies between 0.5 (a guess) and 1" in ready["message"]
    write(folder, rollouts.label_model("default", algorithm="glad", parameters={"priorAccuracy": 0.8}))
    current = run(folder)["LabelModel"]["status"]["current"]
    assert (current["algorithm"], current["why"]) == ("glad", "glad was asked for")


def test_broken_data_stalls_and_keeps_the_output(again: Path) -> None:
    """F3, X5: the exit code is 1, the reason names the column, the last output stays."""
    table = rollouts.events(100, seed=2).drop_columns(["gold", "restarts"])
    write_deltalake(str(again / "lake/events"), table, mode="overwrite", schema_mode="overwrite")
    write(again, rollouts.label_job("default", runTTL="1h"))
    job = run(again)["LabelJob"]
    ready = next(one for one in job["status"]["conditions"] if one["type"] == "Ready")
    assert ready["reason"] == "SchemaBroken"
    assert "restarts" in ready["message"]
    assert DeltaTable(str(again / "lake/labels")).version() == 0


def test_few_broken_rows_are_set_apart_when_asked(again: Path) -> None:
    """F3, X5, F5: the others are labelled, the condition names column, what and place, and the rows lie there without what is sensitive."""
    table = rollouts.events(200, seed=2).drop_columns(["gold"])
    place = table.schema.get_field_index("restarts")
    broken = table.set_column(place, "restarts", pa.array([-7, *table["restarts"].to_pylist()[1:]], pa.int64()))
    write_deltalake(str(again / "lake/events"), broken, mode="overwrite")
    write(again, rollouts.label_job("default", schemaPolicy="quarantine"))
    job = run(again)["LabelJob"]
    assert (job["status"]["metrics"]["rows"], job["status"]["metrics"]["quarantinedRows"]) == (199, 1)
    (told,) = [one["message"] for one in job["status"]["conditions"] if one["type"] == "RowsQuarantined"]
    uri = job["status"]["run"]["quarantine"]["uri"]
    assert f"1 of 200 rows break the contract and have no label: column restarts: 1 values below minimum 0: they are in {uri}:" in told
    (row,) = pq.read_table(again / "lake" / uri.removeprefix("pvc://lake/")).to_pylist()
    assert (row["reason"], row["row"]["restarts"], row["row"]["event_id"]) == ("restarts: below minimum 0", -7, table["event_id"][0].as_py())
    assert "user_email" not in row["row"]


def test_logs_are_structured_and_hold_no_row(ran: tuple[Path, dict[str, dict[str, Any]]]) -> None:
    """I5, F5: one JSON object a line with time, level, step and event; no id, no text and no address of the data."""
    folder, _ = ran
    logs = [file.read_text() for file in folder.glob(".labelplane/jobs/*/log")]
    lines = [json.loads(line) for text in logs for line in text.splitlines()]
    assert {line["step"] for line in lines} >= {"check", "resolve", "fit", "label"}
    assert all({"ts", "level", "step", "event"} <= set(line) for line in lines)
    rows = DeltaTable(str(folder / "lake/events")).to_pyarrow_table().to_pylist()
    secrets = {value for row in rows for value in row.values() if isinstance(value, str) and len(value) > 3}
    assert len(secrets) > 500
    assert [value for value in secrets for text in logs if value in text] == []


def test_missing_reference_is_stalled_here(tmp_path: Path) -> None:
    """Nobody else will bring it: exit 1, and the reason names it."""
    write(tmp_path, rollouts.label_job("default"))
    done = command("run", str(tmp_path))
    assert done.returncode == 1
    assert "ModelNotFound" in done.stdout


def test_usage_errors_end_with_2(tmp_path: Path) -> None:
    """An error of the call is one line, without a traceback."""
    for arguments in (["run", str(tmp_path / "absent")], ["run", str(tmp_path), "--volume", "lake"], ["validate", str(tmp_path), "-o", "xml"]):
        done = command(*arguments)
        assert done.returncode == 2, arguments
        assert done.stderr.startswith("error: ")
        assert "Traceback" not in done.stderr


def test_nothing_to_do_is_no_success(tmp_path: Path) -> None:
    """A mistyped folder must not look like a run that went well."""
    for name in ("run", "validate", "test"):
        done = command(name, str(tmp_path))
        assert (done.returncode, done.stdout) == (2, "")
        assert "no resource of labelplane.dev was found" in done.stderr


def test_what_the_system_refuses_is_one_line(folder: Path) -> None:
    """No traceback where a file of the user's is in the way."""
    (folder / "taken").write_text("")
    done = command("run", str(folder), "--state", str(folder / "taken/state"))
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"error: {folder}/taken")
    assert "Traceback" not in done.stderr


def test_steps_that_cannot_be_started_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """And not an error of a file."""
    write(tmp_path, rollouts.function_set("default"))
    (tmp_path / "sitecustomize.py").write_text("import os, sys\nif 'labeljob.preloaded' in sys.orig_argv: os._exit(3)\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *filter(None, sys.path)]))
    monkeypatch.setattr(sys, "argv", ["labelplane", "run", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capfd.readouterr().err.splitlines()[-1].startswith("error: the process that a job's steps are forked from has ended")


def test_crds_for_people_and_programs() -> None:
    listed = json.loads(command("crds", "-o", "json").stdout)
    assert listed["kind"] == "List"
    assert listed["items"] == list(yaml.safe_load_all(command("crds").stdout))
    assert len(listed["items"]) == 3


def test_validate_reads_a_list_from_stdin() -> None:
    """`kubectl get … -o yaml | labelplane validate -` works."""
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(rollouts.three("default"))})
    done = command("validate", "-", text_in=listed)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("ok") == 3


def test_failing_function_test_is_named(tmp_path: Path) -> None:
    """O7: `labelplane test` names the test, what was expected and what came."""
    write(tmp_path, rollouts.function_set("default", tests=[{"row": {"message": "fine"}, "expect": {"crashloop": "risky"}}]))
    done = command("test", str(tmp_path))
    assert done.returncode == 1
    assert "spec.tests[0].expect.crashloop" in done.stdout


def test_repeated_key_is_refused(tmp_path: Path) -> None:
    """The first of two equal keys would be lost without a word."""
    (tmp_path / "set.yaml").write_text("kind: LabelJob\nkind: LabelModel\n")
    assert "stands twice" in command("validate", str(tmp_path)).stderr


def test_kustomization_with_a_suffix_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("resources: []\nconfigMapGenerator: [{name: gold, literals: [a=b]}]\n")
    assert "disableNameSuffixHash" in command("validate", str(tmp_path)).stderr


def test_a_copied_function_is_found_and_named(folder: Path) -> None:
    """F2: found from the votes alone, in the model's condition and in its status."""
    manifest = rollouts.function_set("default")
    functions = manifest["spec"]["functions"]
    original = next(function for function in functions if not function.get("fallback"))
    functions += [original | {"name": f"copy-{number}"} for number in (1, 2)]
    write(folder, manifest)
    model = run(folder)["LabelModel"]
    found = next(one for one in model["status"]["conditions"] if one["type"] == "FunctionsDependent")
    assert f"{original['name']} and copy-1 (1.00)" in found["message"]
    assert model["status"]["current"]["dependent"][0]["correlation"] == 1


def test_what_is_stalled_is_tried_again_by_the_next_run_and_what_is_ready_is_not(tmp_path: Path) -> None:
    """What stood in the way may be mended: the message says "put the data there", and whoever does so runs the same command again."""
    for manifest in rollouts.three("default"):
        write(tmp_path, manifest)
    (tmp_path / "lake").mkdir()
    for _ in range(2):
        found = run(tmp_path)
        assert conditions(found["LabelModel"])["Stalled"]["reason"] == "SourceNotFound"
    events(tmp_path, 200, seed=3)
    found = run(tmp_path)
    assert conditions(found["LabelJob"])["Ready"]["reason"] == "Labeled"
    jobs = sorted(path.name for path in (tmp_path / ".labelplane/jobs").iterdir())
    again = run(tmp_path)
    assert sorted(path.name for path in (tmp_path / ".labelplane/jobs").iterdir()) == jobs
    assert {kind: item["status"] for kind, item in again.items()} == {kind: item["status"] for kind, item in found.items()}


def conditions(item: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["type"]: one for one in item["status"]["conditions"]}
