"""O6, I1: what changed between two versions of labels, and an earlier one restored as a new one; through the steps, on real files."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from deltalake import DeltaTable

from labeljob.contract.config import FitTask, LabelTask, Mount
from labeljob.contract.datasets import Dataset
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.privacy import HashKeyPin
from labeljob.contract.reading import ReadingRequest
from labeljob.contract.reasons import JobReason
from labeljob.contract.result import Commit
from labeljob.contract.versions import VersionsRequest
from labeljob.hashing import Hasher
from labeljob.io.delta_commits import last_record
from labeljob.io.locations import Locations
from labeljob.io.pins import pin
from labeljob.labeling_functions.identity import function_set_digest
from labeljob.reading.__main__ import main as explain
from labeljob.steps.fit import run_fit
from labeljob.steps.fit_sets import run_fit_sets
from labeljob.steps.label import run_label
from labeljob.versions.__main__ import main
from labeljob.versions.diff import diff
from labeljob.versions.history import opened, record_of
from labeljob.versions.rollback import restore, rollback
from labeljob.versions.vote_codes import codes_of
from labeljob.votes import ABSTAIN, PARTIAL
from tests.unit.job.builders import RESOURCES, context, delta, fails, function_set, locations

APP = "labelplane/ns/job"
COLUMNS = [{"name": name, "type": "int64"} for name in "ab"]
HIGH = [{"name": f"high_{name}", "label": "risky", "threshold": {"column": name, "above": 6}} for name in "ab"]
LOW = [{"name": f"low_{name}", "label": "normal", "threshold": {"column": name, "below": 3}} for name in "ab"]


def data(folder: Path, name: str, first: int, count: int = 300) -> Dataset:
    """Rows first, first + 1, …; what a row holds depends on its number alone."""
    numbers = np.arange(first, first + count)
    return delta(folder, name, pa.table({"id": [f"r{number:04d}" for number in numbers], "a": numbers % 10, "b": (numbers // 3) % 10}))


def run(folder: Path, number: int, declared: FunctionSet, rows: Dataset, key: bytes | None = None) -> Commit:
    """Model version `number` fitted, and rows labelled with it as run `number`, of one output; `key` hashes."""
    (folder / "secret").mkdir(exist_ok=True)
    (folder / "secret/k").write_bytes(key or b"")
    places = Locations([Mount(prefix="pvc://lake", path=str(folder)), Mount(prefix="secret://s", path=str(folder / "secret"))])
    hash_key = HashKeyPin(name="s", key="k", id=Hasher(key).key_id) if key else None
    fit = FitTask(
        function_set=declared, function_set_digest=function_set_digest(declared, {}, {}, hash_key and hash_key.id), hash_key=hash_key, data=pin(rows, places),
        algorithm="majority-vote", parameters={}, artifacts="pvc://lake/model", version=number, fit_digest=f"fit-{number}", image="i",
    )  # fmt: skip
    made = (run_fit_sets if declared.is_multi_label else run_fit)(fit, context(folder, locations=places)).version
    task = LabelTask(
        data=pin(rows, places), artifacts="pvc://lake/model", model_name="m", model_version=number, model_sha256=made.sha256, output="pvc://lake/out",
        app_id=APP, sequence=number, run_digest=f"d{number}", run=f"job-d-{number}", image="i",
    )  # fmt: skip
    return run_label(task, context(folder, locations=places)).commit


def asked(folder: Path, version: int, before: int | None = None) -> VersionsRequest:
    mounts = (Mount(prefix="pvc://lake", path=str(folder)),)
    action = "rollback" if before is None else "diff"
    return VersionsRequest(action=action, job="job", mounts=mounts, output="pvc://lake/out", app_id=APP, artifacts="pvc://lake/model", before=before, version=version)


def changes(folder: Path, before: int, after: int) -> dict[str, Any]:
    return diff(asked(folder, after, before), locations(folder), RESOURCES)


def rows_at(folder: Path, version: int) -> pd.DataFrame:
    return DeltaTable(folder / "out", version=version).to_pandas().set_index("id").sort_index()


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """Version 1 has other rows, a class more and in another order, one function more, one less, and one that asks for more."""
    run(tmp_path, 1, function_set(COLUMNS, [*HIGH, *LOW]), data(tmp_path, "first", 0))
    more = [HIGH[0] | {"threshold": {"column": "a", "above": 7}}, *LOW, {"name": "odd", "label": "odd", "sql": "a % 2 = 1 AND b = 5"}]
    run(tmp_path, 2, function_set(COLUMNS, more, classes=["odd", "risky", "normal"]), data(tmp_path, "second", 100))
    return tmp_path


def test_a_difference_counts_what_two_tables_joined_by_id_show(two: Path) -> None:
    found = changes(two, 0, 1)
    joined = rows_at(two, 0).join(rows_at(two, 1), how="inner", suffixes=("_old", "_new"))
    old, new = (joined[f"label_{which}"].fillna("no label") for which in ("old", "new"))
    assert found["rows"] == {"both": 200, "added": 100, "removed": 100}
    assert found["flipped"] == int((old != new).sum()) > 0
    counted = pd.DataFrame({"from": old, "to": new})[old != new].value_counts()
    assert {(one["from"], one["to"]): one["rows"] for one in found["flips"]} == counted.to_dict()
    assert {one["name"]: (one["gained"], one["lost"]) for one in found["classes"]} == {
        name: (int(((new == name) & (old != name)).sum()), int(((old == name) & (new != name)).sum())) for name in ("normal", "risky", "odd")
    }
    assert (found["functionsAdded"], found["functionsRemoved"]) == (["odd"], ["high_b"])
    functions = {one["name"]: one for one in found["functions"]}
    assert list(functions) == ["high_a", "low_a", "low_b"]
    sevens = joined.index.str[-1] == "7"
    assert functions["high_a"] == {"name": "high_a", "gained": 0, "lost": int(sevens.sum()), "otherClass": 0, "onFlippedRows": int((sevens & (old != new)).sum())}
    assert functions["low_a"] == {"name": "low_a", "gained": 0, "lost": 0, "otherClass": 0, "onFlippedRows": 0}  # classes moved, votes did not
    assert (found["before"]["modelVersion"], found["after"]["run"], found["after"]["idColumn"]) == (1, "job-d-2", "id")


@pytest.mark.parametrize(("change", "number"), [({"labels": ["risky", "odd"]}, 0), ({"labels": ["odd", "normal"]}, 1), ({"notLabel": "normal"}, 1), ({"label": "odd"}, 1)])
def test_a_partial_vote_for_other_classes_is_another_vote(change: dict[str, Any], number: int) -> None:
    """Whatever the order of the classes; not so for the same classes."""
    sql = {"name": "one", "sql": "true"}
    old = function_set(COLUMNS, [sql | {"labels": ["odd", "risky"]}], classes=["normal", "risky", "odd"])
    new = function_set(COLUMNS, [{"name": "other", "label": "odd", "sql": "true"}, sql | change], classes=["odd", "normal", "risky"])
    before, after = codes_of([old, new], ["normal", "risky", "odd"], ["one"])
    said = 0 if "label" in change else PARTIAL
    stored = [pa.array([[PARTIAL], [ABSTAIN]], pa.list_(pa.int8())), pa.array([[0, said], [0, ABSTAIN]], pa.list_(pa.int8()))]
    differs = before.votes(stored[0], "uri") != after.votes(stored[1], "uri")
    assert differs.tolist() == [[bool(number)], [False]]
    with fails(JobReason.PIN_BROKEN, "with other functions"):
        before.votes(stored[1], "uri")


def test_a_version_beside_itself_differs_in_nothing(two: Path) -> None:
    found = changes(two, 1, 1)
    assert (found["flipped"], found["rows"]) == (0, {"both": 300, "added": 0, "removed": 0})
    assert all(sum(one[key] for key in ("gained", "lost", "otherClass")) == 0 for one in found["functions"])


def test_sets_of_labels_gain_and_lose_classes(tmp_path: Path) -> None:
    run(tmp_path, 1, function_set(COLUMNS, [*HIGH, *LOW], multiLabel=True), data(tmp_path, "rows", 0))
    neither = {"name": "neither", "notLabel": "risky", "sql": "a BETWEEN 3 AND 4 AND b BETWEEN 3 AND 6"}
    wide = [HIGH[0] | {"threshold": {"column": "a", "above": 4}}, HIGH[1], *LOW, neither]
    run(tmp_path, 2, function_set(COLUMNS, wide, multiLabel=True, classes=["risky", "normal"]), data(tmp_path, "again", 0))
    found = changes(tmp_path, 0, 1)
    joined = rows_at(tmp_path, 0).join(rows_at(tmp_path, 1), suffixes=("_old", "_new"))
    old, new = ([set(one) if one is not None else set() for one in joined[f"labels_{which}"]] for which in ("old", "new"))
    gained = sum("risky" in now and "risky" not in was for was, now in zip(old, new, strict=True))
    assert next(one["gained"] for one in found["classes"] if one["name"] == "risky") == gained > 0
    assert {one["name"]: one["gained"] for one in found["functions"]}["high_a"] == 60
    said = [["no label" if one is None else "|".join(sorted(one)) or "none of the classes" for one in joined[f"labels_{which}"]] for which in ("old", "new")]
    counted = Counter(pair for pair in zip(*said, strict=True) if pair[0] != pair[1])
    assert {(one["from"], one["to"]): one["rows"] for one in found["flips"]} == counted
    assert ("no label", "none of the classes") in counted
    assert found["flipped"] == counted.total()
    assert ("normal|risky", "normal|risky") in zip(*said, strict=True)  # classes in another order: not counted above


def test_rows_whose_ids_cannot_match_are_not_compared(tmp_path: Path) -> None:
    """Ids of another type, or hashed with another key: all rows would be shown as removed and added, or DuckDB would quote one that is no number."""
    hashed = {"columns": [{"name": "id", "type": "string", "nullable": False, "sensitive": "hash"}, *COLUMNS], "hashKeyRef": {"name": "s", "key": "k"}}
    rows, keyed = data(tmp_path, "rows", 0, 20), function_set(COLUMNS, HIGH, schema=hashed)
    numbers = delta(tmp_path, "numbers", pa.table({"id": np.arange(20), "a": np.arange(20) % 10, "b": np.arange(20) % 10}))
    run(tmp_path, 1, function_set([{"name": "id", "type": "int64", "nullable": False}, *COLUMNS], HIGH), numbers)
    for number, key in ((2, b"k" * 32), (3, b"o" * 32)):
        run(tmp_path, number, keyed, rows, key)
    ids = [Hasher(key * 32).key_id for key in (b"k", b"o")]
    with fails(JobReason.SCHEMA_BROKEN, r"spec.schema.columns\[id\] .* ids of version 0 are int64, those of version 1 hashes of string, .*: compare versions"):
        changes(tmp_path, 0, 1)
    with fails(JobReason.HASH_KEY_CHANGED, f"spec.schema.hashKeyRef .* of version 1 are hashed with key {ids[0]}, those of version 2 with key {ids[1]}, .*: compare"):
        changes(tmp_path, 1, 2)
    assert changes(tmp_path, 2, 2)["rows"]["both"] == 20


def test_what_cannot_be_read_is_told_without_its_content(two: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """F5: the words of DuckDB and Arrow may quote a row."""
    for file in (two / "out").glob("labels-*.parquet"):
        file.write_bytes(b"planted " * 4)
    request = two / "request.json"
    request.write_text(json.dumps(asked(two, 1, 0).wire()))
    assert main(["--request", str(request)]) == 1
    said = capfd.readouterr()
    assert re.match(r"\w+ while comparing or restoring versions, at .*versions/diff.py:\d+ ", json.loads(said.out)["error"])
    assert "planted" not in said.out + said.err
    assert "Traceback" not in said.err


def test_what_is_compared_with_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    request = tmp_path / "request.json"
    for change, why in (({"action": "diff"}, "before is required with diff"), ({"before": 0}, "before does not go with rollback"), ({"before": -1}, "at before: ")):
        request.write_text(json.dumps(asked(tmp_path, 1).wire() | change))
        assert main(["--request", str(request)]) == 1
        assert why in json.loads(capsys.readouterr().out)["error"]


def test_a_restored_version_is_the_old_one_and_the_next_run_goes_on(two: Path) -> None:
    """Rows, schema and pins are those of the version restored; both others can still be read; a run under way is superseded."""
    before = rows_at(two, 0)
    made = rollback(asked(two, 0), locations(two))
    assert (made["restored"], made["version"], made["run"], made["rows"]) == (0, 2, "job-d-1", 300)
    restored = rows_at(two, 2)
    pd.testing.assert_frame_equal(restored, before)
    assert list(restored["probabilities"].iloc[0]) == ["normal", "risky"]
    assert list(rows_at(two, 1)["probabilities"].iloc[0]) == ["odd", "risky", "normal"]
    record = last_record(DeltaTable(two / "out"), APP)
    assert record is not None
    assert (record.commit.run_digest, record.commit.model_version, record.commit.sequence, record.commit.version) == ("d1", 1, 3, 2)
    assert changes(two, 0, 2)["flipped"] == 0
    assert rollback(asked(two, 0), locations(two)) == made  # asked again, it is found
    stale = opened(asked(two, 1), locations(two))
    assert stale.version() == 2
    with fails(JobReason.SUPERSEDED, "sequence 3 is taken"):
        run(two, 3, function_set(COLUMNS, HIGH), data(two, "third", 0))
    assert run(two, 4, function_set(COLUMNS, HIGH), data(two, "fourth", 0, 50)).version == 3
    assert len(rows_at(two, 3)) == 50
    with fails(JobReason.SUPERSEDED, "a run was committed meanwhile, and nothing was restored"):
        restore(stale, asked(two, 1), record, two / "out")
    assert DeltaTable(two / "out").version() == 3


def test_what_cannot_be_restored_or_read_says_why(two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = record_of(opened(asked(two, 0), locations(two)), asked(two, 0), 0)
    with fails(JobReason.SOURCE_NOT_FOUND, r"has no version 7 there: it has 1, 0"):
        rollback(asked(two, 7), locations(two))
    with fails(JobReason.SOURCE_NOT_FOUND, "version 1 is what stands there"):
        rollback(asked(two, 1), locations(two))
    with fails(JobReason.SOURCE_NOT_FOUND, "run the LabelJob first"):
        rollback(asked(two, 0).model_copy(update={"output": "pvc://lake/nothing"}), locations(two))
    with fails(JobReason.OUTPUT_CONFLICT, "labelplane/ns/job"):
        rollback(asked(two, 0).model_copy(update={"app_id": "labelplane/ns/other"}), locations(two))
    for uri in DeltaTable(two / "out", version=0).file_uris():
        Path(uri.removeprefix("file://")).unlink()
    with fails(JobReason.PIN_BROKEN, "files of version 0 are gone"):
        rollback(asked(two, 0), locations(two))
    assert DeltaTable(two / "out").version() == 1
    with fails(JobReason.PIN_BROKEN, r"files of version 0 are gone \(vacuumed\): name a later version"):
        changes(two, 0, 1)
    question = ReadingRequest(
        question="explain", job="job", mounts=asked(two, 0).mounts, output="pvc://lake/out", output_version=0, run="job-d-1", artifacts="pvc://lake/model", model_name="m",
        model_version=1, model_sha256=first.commit.model_sha256, data=first.commit.data, row_id="r0001",
    )  # fmt: skip
    (two / "request.json").write_text(json.dumps(question.wire()))
    assert explain(["--request", str(two / "request.json")]) == 1
    assert json.loads(capsys.readouterr().out)["error"].startswith("pvc://lake/out: version 0 of the table, which the run made, was cleaned up: ")
    assert changes(two, 1, 1)["rows"]["both"] == 300


def test_a_version_whose_log_was_cleaned_up(two: Path) -> None:
    rollback(asked(two, 0), locations(two))
    DeltaTable(two / "out").create_checkpoint()
    (two / "out/_delta_log/00000000000000000000.json").unlink()
    for call in (lambda: changes(two, 1, 2), lambda: rollback(asked(two, 1), locations(two))):
        with fails(JobReason.PIN_BROKEN, "the log of version 1 is gone"):
            call()
    assert DeltaTable(two / "out").version() == 2


def test_a_version_that_another_model_labelled_is_read_from_its_home(two: Path) -> None:
    """The LabelJob named that model then, which has versions of the same numbers."""
    request = asked(two, 1, 0)
    (two / "model/v1").rename(two / "v1")
    (two / "other").mkdir()
    (two / "v1").rename(two / "other/v1")
    (two / "third").mkdir()
    (two / "model/v2").rename(two / "third/v2")
    request = request.model_copy(update={"other_artifacts": ("pvc://gone/models", "pvc://lake/other", "pvc://lake/third")})
    assert diff(request, locations(two), RESOURCES)["rows"]["both"] == 200


def test_a_difference_needs_the_model_versions(two: Path) -> None:
    for file in (two / "model/v1").iterdir():
        if file.is_file():
            file.unlink()
    with fails(JobReason.MODEL_MISMATCH, "pvc://lake/model"):
        changes(two, 0, 1)
