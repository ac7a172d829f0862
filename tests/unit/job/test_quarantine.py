"""schemaPolicy: quarantine: rows that break the contract are set apart with the reason, and the others are labelled as if they were all there is (F3, X5)."""

import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from labeljob.contract.config import CommitTask, LabelTask, Mount, ShardTask
from labeljob.contract.reasons import JobReason
from labeljob.contract.result import LabelResult
from labeljob.contract.versions import VersionsRequest
from labeljob.errors import JobError
from labeljob.io.repeated_ids import OnceOnly
from labeljob.logs import Log
from labeljob.steps.commit import run_commit
from labeljob.steps.shard import run_shard
from labeljob.versions.rollback import rollback
from tests.unit.job.builders import context, fails, function_set, jsonl, locations, text
from tests.unit.job.kills import killed_everywhere
from tests.unit.job.runs import fit, label, label_task, left, parquet, same_but_time, visible
from tests.unit.job.test_shards import BY_MAP, FALLBACK, SIGNALS, gold, table

SECRET = "planted-secret"
DECLARED = function_set(
    [
        *SIGNALS,
        {"name": "p", "type": "float64", "minimum": 0, "maximum": 1},
        {"name": "note", "type": "string", "nullable": False},
        {"name": "email", "type": "string", "sensitive": "drop"},
    ],
    [*BY_MAP, FALLBACK],
    additionalColumns="allow",
)
NO_ID, NO_NOTE, HIGH = 700, (10, 500, 1050), (10, 20)


def good(rows: int = 1100) -> pa.Table:
    return table(rows, note=["ok"] * rows, email=[SECRET] * rows)


def planted() -> pa.Table:
    """1,100 rows, 5 of them broken by a value, one of these in two ways; and 5 with an id that another has, in a part and across parts."""
    rows = good()
    ids, notes, p = rows["id"].to_pylist(), rows["note"].to_pylist(), rows["p"].to_pylist()
    ids[5] = ids[1000]
    ids[6] = ids[7] = ids[800]
    ids[NO_ID] = None
    for place in NO_NOTE:
        notes[place] = None
    for place in HIGH:
        p[place] = 1.5
    for name, values in (("id", ids), ("note", notes), ("p", p)):
        rows = rows.set_column(rows.schema.get_field_index(name), name, pa.array(values))
    return rows


def without_broken(rows: pa.Table) -> pa.Table:
    """By hand: what should be left to label."""
    ids = rows["id"].to_pylist()
    kept = [i for i, one in enumerate(ids) if one is not None and i not in (*NO_NOTE, *HIGH) and ids.count(one) == 1]
    return rows.take(kept)


def apart(folder: Path, found: LabelResult) -> list[tuple[Any, ...]]:
    """(id, reason, run, p) of the rows that a run has set apart."""
    assert found.commit.quarantine is not None
    place = folder / found.commit.quarantine.uri.removeprefix("pvc://lake/")
    rows = [row for path in sorted(place.glob("*.parquet")) for row in pq.read_table(path).to_pylist()]
    assert {row["run"] for row in rows} <= {found.commit.run}
    return sorted(((row["row"]["id"], row["reason"], row["row"]["p"], row["row"]["note"]) for row in rows), key=str)


def test_one_and_three_shards_set_the_same_rows_apart(tmp_path: Path) -> None:
    """X16, F3: rows, digest, figures and what is set apart; the labels are those of a run over the good rows alone."""
    rows = planted()
    known = gold(tmp_path, good())
    version = fit(tmp_path, DECLARED, parquet(tmp_path, "good.parquet", good()))
    data = parquet(tmp_path, "data.parquet", rows)
    found = {n: label(tmp_path, label_task(tmp_path, data, version, known, output=f"labels-{n}", quarantine=0.02), n) for n in (1, 3, 8)}
    clean = parquet(tmp_path, "clean.parquet", without_broken(rows))
    alone = label(tmp_path, label_task(tmp_path, clean, version, known, output="labels-0"), 1)
    ids = rows["id"].to_pylist()
    for shards, one in found.items():
        same_but_time(one, found[1])
        assert one.commit.content_digest == alone.commit.content_digest
        assert visible(tmp_path, f"labels-{shards}") == visible(tmp_path, "labels-0")
        for name in ("rows", "coverage", "conflictRate", "meanConfidence", "precision", "recall", "brier"):
            assert one.commit.metrics[name] == alone.commit.metrics[name], name
        assert one.commit.metrics["quarantinedRows"] == 10
        assert apart(tmp_path, one) == apart(tmp_path, found[1])
        assert one.commit.quarantine is not None
        assert [(b.column, b.what, b.count) for b in one.commit.quarantine.breaches] == [
            ("id", "null ids", 1),
            ("id", "duplicate ids", 5),
            ("p", "values above maximum 1", 2),
            ("note", "nulls, declared nullable: false", 3),
        ]
        assert left(tmp_path, f"labels-{shards}") == sorted(path.name for path in (tmp_path / f"labels-{shards}/_quarantine").rglob("*.parquet"))
    told = [(one, reason) for one, reason, *_ in apart(tmp_path, found[3])]
    no_note, high = "note: null, declared nullable: false", "p: above maximum 1"
    assert sorted(reason for _, reason in told) == ["id: duplicate id"] * 5 + ["id: null id"] + [no_note] * 2 + [high, f"{high}; {no_note}"]
    assert (ids[10], f"{high}; {no_note}") in told
    assert SECRET.encode() not in b"".join(pq.read_table(path).to_pandas().to_json().encode() for path in tmp_path.glob("labels-*/_quarantine/*/*.parquet"))


def refusals(folder: Path, rows: pa.Table, version: Any, name: str, **more: Any) -> list[JobError]:
    caught = []
    data = parquet(folder, f"{name}.parquet", rows)
    for shards in (1, 3):
        with pytest.raises(JobError) as error:
            label(folder, label_task(folder, data, version, output=f"{name}-{shards}", **more), shards)
        caught.append(error.value)
        assert [path.name for path in (folder / f"{name}-{shards}").rglob("*.*")] == ([] if shards == 1 else ["refused.json"])
    return caught


def test_over_the_limit_nothing_is_written(tmp_path: Path) -> None:
    """F3, X5: by values or by ids, the same words from one pod and from shards; and a column that is not there fails whatever the limit."""
    version = fit(tmp_path, DECLARED, parquet(tmp_path, "good.parquet", good()))
    one, many = refusals(tmp_path, planted(), version, "few", quarantine=0.009)
    assert (many.reason, many.message) == (JobReason.SCHEMA_BROKEN, one.message)
    assert "spec.schema.columns[id]: 1 null ids; spec.schema.columns[id]: 3 duplicate ids; spec.schema.columns[p]: 2 values above maximum 1" in one.message
    assert one.message.endswith("10 of 1100 rows break the contract, spec.quarantine.maxShare is 0.009")
    one, many = refusals(tmp_path, planted(), version, "none", quarantine=0.0)
    assert (many.reason, many.message) == (JobReason.SCHEMA_BROKEN, one.message)
    one, many = refusals(tmp_path, planted().drop_columns("s1"), version, "gone", quarantine=1.0)
    assert (many.reason, many.message) == (JobReason.SCHEMA_BROKEN, one.message)
    assert "spec.schema.columns[s1]: the column is missing" in one.message
    one, many = refusals(tmp_path, planted(), version, "fails")
    assert (many.message, "maxShare" in one.message) == (one.message, False)


def test_values_that_cannot_be_read(tmp_path: Path) -> None:
    """F3: in text formats; the row is set apart, the value is not shown, and functions see no null in its place."""
    declared = function_set([{"name": "n", "type": "int64"}], [{"name": "f", "label": "risky", "sql": "n > 0"}, {"name": "g", "label": "normal", "sql": "n < 1 OR n IS NULL"}])
    lines = [f"r{i},{i % 3}" for i in range(200)]
    version = fit(tmp_path, declared, text(tmp_path, "good.csv", "\n".join(["id,n", *lines, ""])))
    lines[7] = "r7,secret-number"
    for data in (
        text(tmp_path, "data.csv", "\n".join(["id,n", *lines, ""])),
        jsonl(tmp_path, "data.jsonl", [{"id": key, "n": int(n) if n.isdecimal() else n} for key, n in (line.split(",") for line in lines)]),
    ):
        output = f"labels-{data.format}"
        found = label(tmp_path, label_task(tmp_path, data, version, output=output, quarantine=0.01), 1)
        assert len(visible(tmp_path, output)) == 199
        (path,) = (tmp_path / output / "_quarantine").rglob("*.parquet")
        assert pq.read_table(path).to_pylist() == [{"reason": "n: not int64", "run": found.commit.run, "row": {"id": "r7", "n": None}}]


def test_a_run_without_broken_rows_says_so(tmp_path: Path) -> None:
    """F3: nothing is left beside the output, and the count is 0; the labels are those of schemaPolicy: fail."""
    data = parquet(tmp_path, "good.parquet", good())
    version = fit(tmp_path, DECLARED, data)
    strict = label(tmp_path, label_task(tmp_path, data, version, output="strict"), 1)
    for shards in (1, 3):
        found = label(tmp_path, label_task(tmp_path, data, version, output=f"labels-{shards}", quarantine=0.01), shards)
        assert (found.commit.quarantine, found.commit.metrics["quarantinedRows"]) == (None, 0)
        assert found.commit.content_digest == strict.commit.content_digest
        assert not (tmp_path / f"labels-{shards}/_quarantine").exists()
    assert "quarantinedRows" not in strict.commit.metrics


def test_vacuum_passes_over_it_and_later_runs_tidy_up(tmp_path: Path) -> None:
    """F3: readers and VACUUM see the labels alone; what no commit names goes, and ten folders that are named stay, however often rollbacks name them."""
    version = fit(tmp_path, DECLARED, parquet(tmp_path, "good.parquet", good()))
    data = parquet(tmp_path, "data.parquet", planted().slice(0, 30))
    place = tmp_path / "labels/_quarantine"
    for sequence in range(1, 15):
        if sequence in (11, 13):  # the folder of version 8 a second time, then one that is gone
            restore(tmp_path, {11: 8, 13: 0}[sequence])
            (place / f"{sequence:08d}-gone").mkdir()
        else:
            found = label(tmp_path, label_task(tmp_path, data, version, sequence=sequence, quarantine=0.5), 1)
    assert [int(folder.name[:8]) for folder in sorted(place.iterdir())] == [*range(3, 11), 12, 14]
    before = apart(tmp_path, found)
    DeltaTable(tmp_path / "labels").vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False, full=True)
    assert apart(tmp_path, found) == before


def restore(folder: Path, version: int) -> None:
    """Version `version` of the output as a new one."""
    mounts = (Mount(prefix="pvc://lake", path=str(folder)),)
    request = VersionsRequest(action="rollback", job="job", mounts=mounts, output="pvc://lake/labels", app_id="labelplane/ns/job", artifacts="pvc://lake/model", version=version)
    rollback(request, locations(folder))


ROWS = 90
EVERY = 5  # touches: all of them are tried without rows to set apart


def lake(folder: Path) -> LabelTask:
    """Data of two parts with rows to set apart in both, a model, and a first run of one row."""
    version = fit(folder, DECLARED, parquet(folder, "good.parquet", good()))
    label(folder, label_task(folder, parquet(folder, "one.parquet", good(1)), version), 1)
    rows = planted().slice(0, ROWS)
    ids = rows["id"].to_pylist()
    ids[3], ids[88] = ids[80], None
    return label_task(folder, parquet(folder, "data.parquet", rows.set_column(0, "id", pa.array(ids)), groups=2), version, sequence=2, quarantine=0.2)


@pytest.mark.parametrize("of", ["one pod", "a shard", "the commit"])
def test_killed_anywhere_it_ends_with_each_row_once(tmp_path: Path, of: str) -> None:
    """C5, F3: before some touches of the output; every row is labelled or set apart, once, and nothing else stays but what the commit names."""
    task = lake(tmp_path)

    def between() -> None:
        assert len(visible(tmp_path)) in (1, ROWS - 7)

    outcomes = killed_everywhere(tmp_path, task, of, EVERY, between, lambda: is_right(tmp_path))
    assert len(outcomes) > 1
    assert len(set(outcomes)) == 1


def is_right(folder: Path) -> str:
    """The digest of the content and of what was set apart."""
    record = json.loads(DeltaTable(folder / "labels").history(1)[0]["labelplane"])
    place = folder / record["quarantine"]["uri"].removeprefix("pvc://lake/")
    rows = [row for path in sorted(place.rglob("*.parquet")) for row in pq.read_table(path).to_pylist()]
    assert len(rows) == record["quarantine"]["rows"] == 7
    assert len(visible(folder)) == ROWS - 7
    assert sorted(left(folder)) == sorted(path.name for path in place.glob("*.parquet"))
    return record["contentDigest"] + str(sorted(map(str, rows)))


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_rows_that_share_their_id_are_told_in_any_batches(size: int) -> None:
    """F3: also an id that goes over many batches."""
    ids = ["a", "b", "b", "c", *["d"] * 8, "e", "f", "f"]
    taken: list[str] = []
    batches = [pa.RecordBatch.from_pydict({"id": ids[start : start + size]}) for start in range(0, len(ids), size)]
    once = OnceOnly(batches, lambda rows: taken.extend(rows.column(0).to_pylist()))
    assert [one for batch in once for one in batch.column(0).to_pylist()] == ["a", "c", "e"]
    assert taken == ["b", "b", *["d"] * 8, "f", "f"]
    assert (once.rows, once.beyond) == (12, 9)


def test_a_failure_to_clean_up_is_a_warning_and_the_next_run_does_it(tmp_path: Path) -> None:
    """C5, F3: the run is committed; where no row of a data file is left, it goes too, and the folder of a run that labels no row stays."""
    version = fit(tmp_path, DECLARED, parquet(tmp_path, "good.parquet", good(100)))
    rows = good(30).set_column(0, "id", pa.array(["a"] * 15 + ["b"] * 15))
    task = label_task(tmp_path, parquet(tmp_path, "data.parquet", rows, groups=2), version, quarantine=1.0)
    for index in (0, 1):
        run_shard(ShardTask(label=task, shards=2), index, context(tmp_path))
    output, log = tmp_path / "labels", io.StringIO()
    obstacles = [output / f"labels-{attempt}-0009-00000.parquet" for attempt in (next(iter((output / "_labelplane").iterdir())).name, "00000001-another")]
    for path in obstacles:
        path.mkdir()
    found = run_commit(CommitTask(label=task, shards=2), context(tmp_path, log=Log("commit", log)))
    assert (visible(tmp_path), len(apart(tmp_path, found))) == ([], 30)
    told = [one for one in map(json.loads, log.getvalue().splitlines()) if one["level"] == "warning"]
    where = [next(frame.rpartition(" ")[2] for frame in one["frames"] if "left_behind" in frame) for one in told]
    assert [(one["event"], one["type"]) for one in told] == [("not_cleaned_up", "IsADirectoryError")] * 2
    assert where == ["discard_attempts", "discard_until"]
    for path in obstacles:
        path.rmdir()
        path.touch()
    label(tmp_path, label_task(tmp_path, parquet(tmp_path, "one.parquet", good(1)), version, sequence=2), 1)
    assert left(tmp_path) == sorted(path.name for path in output.glob("_quarantine/*/*.parquet"))
    assert (len(apart(tmp_path, found)), len(visible(tmp_path))) == (30, 1)


def test_a_shard_that_fails_alone_leaves_the_message_to_the_commit(tmp_path: Path) -> None:
    """F3: a part whose own rows are too many for the whole table labels nothing."""
    version = fit(tmp_path, DECLARED, parquet(tmp_path, "good.parquet", good()))
    rows = planted()
    data = parquet(tmp_path, "data.parquet", rows.set_column(rows.schema.get_field_index("p"), "p", pa.array([2.0] * 100 + [0.5] * 1000)))
    with fails(JobReason.SCHEMA_BROKEN, "100 values above maximum 1; .* 103 of 1100 rows break the contract, spec.quarantine.maxShare is 0.05"):
        label(tmp_path, label_task(tmp_path, data, version, quarantine=0.05), 3, context(tmp_path))
