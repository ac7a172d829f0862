"""Kept votes beside what else a run may meet: functions that fail, rows that are set apart, data of one part, several labels, input models, and kills."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from labeljob.contract.config import CommitTask, LabelTask, ShardTask
from labeljob.contract.datasets import Dataset
from labeljob.vote_cache.units import too_small
from tests.unit.job.builders import delta, jsonl
from tests.unit.job.kills import killed_everywhere, overtaken, put_back, step
from tests.unit.job.lake import FILE, OTHER, PLAIN, ROWS, SAME, Lake, alike, declared, rows_of, without_run
from tests.unit.job.runs import fit, label, label_task, left, parquet, visible
from tests.unit.job.test_shards import SETS, table
from tests.unit.multi_label import tags

KILL_FILE, EVERY = 30, 9  # rows of a file; touches from one kill to the next
OVERTAKEN = (2, 7, 12, 20)  # touches of a shard: before it looks for votes, while it reads and writes them, while it writes its rows
CHANGED = [*PLAIN[:3], PLAIN[3] | {"keywords": {"column": "note", "any": ["12"]}}]


def with_column(rows: pa.Table, name: str, values: list[Any]) -> pa.Table:
    place = rows.schema.get_field_index(name)
    return rows.set_column(place, name, pa.array(values, rows.schema.field(place).type))


def test_a_function_that_fails_is_asked_again(tmp_path: Path) -> None:
    """X9: votes of a function are not kept of a file in which it has failed; its failures count in every run."""
    rows = rows_of()
    rows = with_column(rows, "s0", [7 if place in (3, 200) else value for place, value in enumerate(rows["s0"].to_pylist())])
    for start in range(0, ROWS, FILE):
        delta(tmp_path, "delta", rows.slice(start, FILE), mode="append")
    lake = Lake(tmp_path)
    lake.versions["first"] = fit(tmp_path, declared(PLAIN), Dataset(uri="pvc://lake/delta", format="delta"), name="first")
    lake.run("first", "delta", "out")
    found = lake.run("first", "delta", "out", 3, 2)
    alike(lake, found, "out", lake.full_run("first"))
    assert found.functions.error_rate[0] == round(2 / ROWS * 1000)
    assert found.commit.metrics["reusedRows"] == ROWS - 2 * FILE
    assert found.commit.metrics["reusedVotes"] == round(1 - 2 * FILE / ROWS / 4, 4)
    assert {row["run"] for row in visible(tmp_path, "out")} == {SAME, OTHER}


def test_rows_that_are_set_apart(tmp_path: Path) -> None:
    """F3: files with a row that breaks the contract are read and checked in every run, the others are not; rows that share their id are told over all, and
    where one is labelled because the other is gone, it says which run did so."""
    rows, functions = rows_of(), declared(PLAIN, bounds={"maximum": 1.0})
    ids, p = rows["id"].to_pylist(), rows["p"].to_pylist()
    ids[5], p[70] = ids[400], 1.5
    parquet(tmp_path, "data", with_column(with_column(rows, "id", ids), "p", p), files=8, groups=8)
    lake = Lake(tmp_path)
    lake.versions["first"] = fit(tmp_path, functions, parquet(tmp_path, "good.parquet", rows), name="first")
    full = lake.full_run("first", "data", kind="parquet", quarantine=0.1)
    for sequence, shards in ((1, 1), (2, 1), (3, 3)):
        found = lake.run("first", "data", "out", shards, sequence, kind="parquet", quarantine=0.1)
        alike(lake, found, "out", full)
        assert found.commit.quarantine is not None
        assert full[0].commit.quarantine is not None
        assert (found.commit.quarantine.rows, found.commit.quarantine.breaches) == (3, full[0].commit.quarantine.breaches)
        assert found.commit.metrics["reusedRows"] == (0 if sequence == 1 else ROWS - FILE - 2)
        assert found.commit.metrics["reusedVotes"] == (0 if sequence == 1 else round((ROWS - FILE - 2) / (ROWS - 3), 4))
    (tmp_path / f"data/part-{400 // FILE:03d}.parquet").unlink()
    full, file_of = lake.full_run("first", "data", kind="parquet", quarantine=0.1), dict(zip(ids, range(ROWS), strict=True)) | {ids[5]: 5}
    found = lake.run("first", "data", "out", 1, 4, kind="parquet", quarantine=0.1)
    alike(lake, found, "out", full)
    assert found.commit.metrics["reusedRows"] == ROWS - 2 * FILE
    assert {(row["run"], file_of[row["id"]] // FILE < 2) for row in visible(tmp_path, "out")} == {(SAME, False), ("job-dddddddddd-4", True)}
    for number in range(2, 6):  # what was seen of rows is no longer enough
        (tmp_path / f"data/part-{number:03d}.parquet").unlink()
    assert lake.run("first", "data", "out", 1, 5, kind="parquet", quarantine=0.1).commit.metrics["reusedRows"] == 0


@pytest.mark.parametrize("stored", ["data.csv", "data.jsonl", "data.delta"])
def test_data_that_is_one_part(tmp_path: Path, stored: str) -> None:
    """Item 3: it is kept as a whole, for another model version and for another function; not for that where the rows of a table come in no known order."""
    rows, lake = rows_of(200).select(["id", "s0", "s1", "s2", "s3", "note", "p"]), Lake(tmp_path)
    for name, functions in (("first", PLAIN), ("changed", CHANGED)):
        lake.versions[name] = fit(tmp_path, declared(functions), parquet(tmp_path, "fit.parquet", rows), name=name)
    if stored == "data.jsonl":
        jsonl(tmp_path, stored, rows.to_pylist())
    elif stored == "data.delta":
        for start in (0, 100):
            delta(tmp_path, stored, rows.slice(start, 100), mode="append")
        log = tmp_path / stored / "_delta_log/00000000000000000000.json"
        log.write_text(log.read_text().replace('"minReaderVersion":1', '"minReaderVersion":2'))  # its columns may be mapped: the engine alone reads it
    else:
        arrow_csv.write_csv(rows, tmp_path / stored)
    kind, shares = Path(stored).suffix[1:], []
    for sequence, name in enumerate(("first", "first", "changed"), start=1):
        found = lake.run(name, stored, "out", 1, sequence, kind=kind)
        shares.append(found.commit.metrics["reusedVotes"])
        alike(lake, found, "out", lake.full_run(name, stored, kind=kind))
    assert shares == [0, 1, 0 if stored == "data.delta" else 0.75]


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, LabelTask]:
    """Data of which a first run has labelled half, and the task of the next run, over all of it."""
    folder = tmp_path_factory.mktemp("lake")
    rows = rows_of(4 * KILL_FILE)
    version = fit(folder, declared(PLAIN), parquet(folder, "training.parquet", rows_of(300)))
    data = parquet(folder, "data", rows.slice(0, 2 * KILL_FILE), files=2)
    label(folder, label_task(folder, data, version, history_limit=1), 1)
    for number in (2, 3):
        pq.write_table(rows.slice(number * KILL_FILE, KILL_FILE), folder / f"data/part-{number:03d}.parquet")
    return folder, label_task(folder, data, version, sequence=2, history_limit=1)


@pytest.mark.parametrize("of", ["one pod", "a shard", "the commit"])
def test_killed_anywhere_it_ends_with_each_row_once(begun: tuple[Path, LabelTask], of: str) -> None:
    """C5, guarantee 3: before some touches of the output; votes of the old rows are taken or not, rows and who labelled them are the same, and nothing is left."""
    folder, task = begun

    def between() -> None:
        assert len(visible(folder)) in (2 * KILL_FILE, 4 * KILL_FILE)

    outcomes = killed_everywhere(folder, task, of, EVERY, between, lambda: is_right(folder))
    assert len(outcomes) > 1
    assert len(set(outcomes)) == 1


def test_a_pod_that_was_thought_dead_goes_on(begun: tuple[Path, LabelTask]) -> None:
    """C5, guarantee 3: while the run was committed and old votes were removed: what it finds then is of no consequence, and bytes of finished files stay."""
    folder, task = begun
    shard, commit = ShardTask(label=task, shards=2), CommitTask(label=task, shards=2)
    for number in OVERTAKEN:
        with put_back(folder):
            step(folder, shard, 0)
            overtaken(folder, shard, number, 1, [(shard, 1), (commit, 0)])
            step(folder, shard, 1)
            step(folder, commit)
            is_right(folder)


def test_another_attempt_writes_other_files(begun: tuple[Path, LabelTask]) -> None:
    """Guarantee 3: a function may fail in one attempt and not in the other, and what one says of its file must not be said of the other's."""
    folder, task = begun
    shard, votes = ShardTask(label=task, shards=2), folder / "labels/_labelplane/votes"
    with put_back(folder):
        step(folder, shard, 1)
        written = {path: path.stat() for path in votes.glob("00000002-*-0001-*.parquet")}
        (summary,) = (folder / "labels/_labelplane").glob("00000002-*/0001.json")
        summary.unlink()
        step(folder, shard, 1)
        assert len(written) == 2
        assert {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in written} == {path: (one.st_ino, one.st_mtime_ns) for path, one in written.items()}
        step(folder, shard, 0)
        step(folder, CommitTask(label=task, shards=2))
        is_right(folder)


def is_right(folder: Path) -> tuple[str, float]:
    """The digest of the content, and how many rows' votes were taken; raises AssertionError unless all is there once and nothing else."""
    table_ = DeltaTable(folder / "labels")
    assert table_.version() == 1
    record = json.loads(table_.history(1)[0]["labelplane"])
    old = set(rows_of(4 * KILL_FILE)["id"].to_pylist()[: 2 * KILL_FILE])
    assert {(row["run"], row["id"] in old) for row in visible(folder)} == {(SAME, True), (OTHER, False)}
    votes = folder / "labels/_labelplane/votes"
    manifest = json.loads((votes / record["votes"]).read_bytes())
    named = [f"{one['name']}{end}.parquet" for one in manifest["files"] for end in ("", "-looks")]
    assert left(folder) == sorted([record["votes"], *named])
    return record["contentDigest"], record["metrics"]["reusedRows"]


def test_soft_votes_and_several_labels(tmp_path: Path) -> None:
    """Guarantee 2: levels are kept as votes are, for sets of one label and of several."""
    lake, rows = Lake(tmp_path), table(200)
    data = parquet(tmp_path, "soft", rows, files=4)
    functions, kinds = tags.rules(1)
    truth = tags.truth_of(200, 1)
    soft = {"votes": {"probabilities": {"bug": "p"}}}
    sets = tags.tag_set([*functions, soft, {"label": "question", "sql": "true", "fallback": True}], kinds | {"p": "float64"})
    columns = {**tags.fired(truth, 1, 1), "p": np.clip(truth[:, 0] * 0.6 + 0.2, 0, 1)}
    tagged = parquet(tmp_path, "tagged", pa.table({"id": np.random.default_rng(1).permutation(200), **columns}), files=4)
    for name, declared_set, over in (("soft", SETS["soft and partial votes"], data), ("tagged", sets, tagged)):
        version = fit(tmp_path, declared_set, over, name=f"{name}-model")
        tasks = [label_task(tmp_path, over, version, name=f"{name}-model", output=f"{name}-out", sequence=sequence, history_limit=1) for sequence in (1, 2)]
        label(tmp_path, tasks[0], 3)
        found = label(tmp_path, tasks[1], 1)
        full = label(tmp_path, tasks[0].model_copy(update={"output": f"pvc://lake/{name}-full", "history_limit": 0}), 1)
        alike(lake, found, f"{name}-out", (full, without_run(tmp_path, f"{name}-full")))
        assert found.commit.metrics["reusedRows"] == 200


def test_very_small_pieces_keep_nothing(tmp_path: Path) -> None:
    """Item 3: what would cost more to keep than to find again, and runs that keep nothing count among those of which votes are kept; of no rows there is nothing to keep."""
    rows = rows_of(130)
    data = parquet(tmp_path, "data.parquet", rows, groups=65)
    version = fit(tmp_path, declared(PLAIN), data)
    found = label(tmp_path, label_task(tmp_path, data, version, history_limit=2), 1)
    assert (found.commit.votes, left(tmp_path), "reusedRows" in found.commit.metrics) == (None, [], False)
    assert label(tmp_path, label_task(tmp_path, data, version, history_limit=2, sequence=2), 2).commit.votes is not None
    for sequence, files in ((3, 5), (4, 0)):  # a manifest, and two files of each shard
        label(tmp_path, label_task(tmp_path, data, version, history_limit=2, sequence=sequence), 1)
        assert len(left(tmp_path)) == files
    empty = label_task(tmp_path, parquet(tmp_path, "empty", rows.slice(0, 0), files=2), version, output="none", history_limit=2)
    for sequence, shards in ((1, 1), (2, 2)):
        nothing = label(tmp_path, empty.model_copy(update={"sequence": sequence}), shards)
        assert (nothing.commit.metrics["rows"], nothing.commit.metrics["reusedRows"], nothing.commit.metrics["reusedVotes"]) == (0, 0, None)
    assert (too_small(64, 0), too_small(65, 65 * 4096 - 1), too_small(65, 65 * 4096)) == (False, True, False)


def test_input_models_keep_nothing(tmp_path: Path) -> None:
    """P4: of functions below no votes are kept, so that all are evaluated."""
    data = parquet(tmp_path, "data.parquet", rows_of())
    fit(tmp_path, declared(PLAIN[:2]), data, name="below")
    version = fit(tmp_path, declared(PLAIN[2:]), data, inputs=["below"])
    found = label(tmp_path, label_task(tmp_path, data, version, history_limit=2), 1)
    assert found.commit.votes is None
    assert left(tmp_path) == []
