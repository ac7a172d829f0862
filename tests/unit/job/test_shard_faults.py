"""C5, DESIGN §4.3: a shard or a commit that is killed at any instant, or that goes on after it was thought dead, leaves exactly the right rows once."""

import json
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from labeljob.contract.config import CommitTask, LabelTask, ShardTask
from labeljob.contract.reasons import JobReason
from labeljob.io.pins import pin
from tests.unit.job.builders import fails, locations
from tests.unit.job.kills import killed, overtaken, step
from tests.unit.job.runs import fit, label, label_task, left, parquet, visible
from tests.unit.job.test_shards import one_label, table

ROWS = 90
FIRST_CHANGE_OF_A_REFUSAL, FILES_OF_TWO_SHARDS = 8, 6
TOUCHES_OF_A_SHARD = (1, 4, 7, 10, 11)  # before it begins, before its file is in place, before its tally is, before and after its summary is


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, LabelTask]:
    """A folder with data, a model and a first run of one row, in a table of its own; and the task of the next run."""
    folder = tmp_path_factory.mktemp("lake")
    data = parquet(folder, "data.parquet", table(ROWS), groups=2)
    version = fit(folder, one_label(), parquet(folder, "more.parquet", table()))
    label(folder, label_task(folder, parquet(folder, "one.parquet", table(1)), version), 1)
    return folder, label_task(folder, data, version, sequence=2)


@pytest.fixture
def fresh(lake: tuple[Path, LabelTask]) -> Iterator[tuple[Path, LabelTask]]:
    """The same, undone afterwards."""
    folder, task = lake
    for name in ("kept", "first"):
        shutil.copytree(folder / "labels", folder / name)
    yield folder, task
    for name in ("kept", "labels"):
        shutil.rmtree(folder / name)
    (folder / "first").rename(folder / "labels")


def back(folder: Path) -> None:
    """The output as it was."""
    shutil.rmtree(folder / "labels")
    shutil.copytree(folder / "kept", folder / "labels")


def keep_done(folder: Path, shard: ShardTask, *indices: int) -> None:
    """These shards are done from here on, also after `back`."""
    for index in indices:
        step(folder, shard, index)
    shutil.rmtree(folder / "kept")
    shutil.copytree(folder / "labels", folder / "kept")


def steps_of(task: LabelTask) -> tuple[ShardTask, CommitTask]:
    return ShardTask(label=task, shards=2), CommitTask(label=task, shards=2)


def is_right(folder: Path, digest: list[str]) -> None:
    """Raises AssertionError unless the run is there once, whole, and nothing else."""
    found = DeltaTable(folder / "labels")
    assert found.version() == 1
    assert [row["id"] for row in visible(folder)] == sorted(table(ROWS)["id"].to_pylist())
    assert left(folder) == []
    digest.append(json.loads(found.history(1)[0]["labelplane"])["contentDigest"])
    assert len(set(digest)) == 1


def test_a_shard_that_is_killed_anywhere(fresh: tuple[Path, LabelTask]) -> None:
    """C5: before each touch of the output; the next attempt does it again, and nothing of it is seen before."""
    folder, task = fresh
    shard, commit = steps_of(task)
    digests: list[str] = []
    keep_done(folder, shard, 0)
    number = 0
    while killed(folder, shard, number, index=1):
        assert len(visible(folder)) == 1
        step(folder, shard, 1)
        step(folder, commit)
        is_right(folder, digests)
        back(folder)
        number += 1
    assert number >= 10


def test_a_commit_that_is_killed_anywhere(fresh: tuple[Path, LabelTask]) -> None:
    """C5: before the transaction the old version stands, after it the new one; a second attempt ends with it, and with its record."""
    folder, task = fresh
    shard, commit = steps_of(task)
    keep_done(folder, shard, 0, 1)
    digests: list[str] = []
    number, before, after = 0, 0, 0
    while killed(folder, commit, number):
        rows = len(visible(folder))
        assert rows in (1, ROWS)
        before, after = before + (rows == 1), after + (rows == ROWS)
        step(folder, commit)
        is_right(folder, digests)
        back(folder)
        number += 1
    assert before >= 2
    assert after >= 2


def test_a_refused_commit_that_is_killed_anywhere(fresh: tuple[Path, LabelTask]) -> None:
    """C5, F3: whatever was removed already, another attempt gives the same reason, and so does the Job that is made for one that was deleted; no row stays."""
    folder, good = fresh
    rows = table(ROWS)
    ids = rows["id"].to_pylist()
    ids[3] = ids[80]
    data = pin(parquet(folder, "shared.parquet", rows.set_column(0, "id", pa.array(ids)), groups=2), locations(folder))
    shard, commit = steps_of(good.model_copy(update={"data": data}))
    keep_done(folder, shard, 0, 1)
    number, removed = FIRST_CHANGE_OF_A_REFUSAL, 0
    while killed(folder, commit, number):
        removed += len(left(folder)) < FILES_OF_TWO_SHARDS
        for _ in range(2):
            with fails(JobReason.SCHEMA_BROKEN, r"spec.schema.columns\[id\]: 1 duplicate ids"):
                step(folder, commit)
            assert left(folder) == ["refused.json"]
        back(folder)
        number += 2
    assert removed >= 2
    with fails(JobReason.SCHEMA_BROKEN, "1 duplicate ids"):
        step(folder, commit)
    label(folder, good.model_copy(update={"sequence": 3}), 1)
    assert (left(folder), len(visible(folder))) == ([], ROWS)


@pytest.mark.parametrize("shards_again", [False, True])
def test_a_pod_that_was_thought_dead_goes_on(fresh: tuple[Path, LabelTask], shards_again: bool) -> None:
    """C5: wherever it stood while another attempt at its shard finished, or the whole run: the table is right, and it stays so."""
    folder, task = fresh
    shard, commit = steps_of(task)
    digests: list[str] = []
    keep_done(folder, shard, 0)
    for number in TOUCHES_OF_A_SHARD:
        overtaken(folder, shard, number, 1, [(shard, 1)] if shards_again else [(shard, 1), (commit, 0)])
        step(folder, shard, 1)
        step(folder, commit)
        is_right(folder, digests)
        back(folder)


def test_a_late_commit_takes_nothing_away(fresh: tuple[Path, LabelTask]) -> None:
    """C5: the run has been committed, and one after it; a commit that comes late is refused, and both versions are whole."""
    folder, task = fresh
    shard, commit = steps_of(task)
    for index in (0, 1):
        step(folder, shard, index)
    shutil.copytree(folder / "labels", folder / "before")
    step(folder, commit)
    label(folder, task.model_copy(update={"sequence": 3}), 1)
    shutil.copytree(folder / "before/_labelplane", folder / "labels/_labelplane")
    shutil.rmtree(folder / "before")
    with fails(JobReason.SUPERSEDED, "run 3 of this LabelJob has been committed"):
        step(folder, commit)
    for version in (1, 2):
        assert len(DeltaTable(folder / "labels", version=version).to_pyarrow_table()) == ROWS
    assert left(folder) == []


def test_a_summary_whose_files_are_gone_does_not_count(fresh: tuple[Path, LabelTask]) -> None:
    """C5: a shard that says it is done is done again where what it wrote is not there, or is another, or in another build's format; its counts are beside its
    summary, which is small."""
    folder, task = fresh
    shard, commit = steps_of(task)
    for index in (0, 1):
        step(folder, shard, index)
    (written,) = (folder / "labels").glob("labels-00000002-*-0001-*.parquet")
    (tally,) = (folder / "labels/_labelplane").glob("00000002-*/0001-tally.json")
    assert tally.with_name("0001.json").stat().st_size < 1500 < tally.stat().st_size
    summary = tally.with_name("0001.json")
    other = json.dumps(json.loads(summary.read_bytes()) | {"formatVersion": 9})
    for damage in (written.unlink, partial(tally.write_bytes, b"{}"), partial(summary.write_text, other)):
        damage()
        with fails(JobReason.INTERNAL_ERROR, "shards 1 of 2 have not finished, or their files are gone"):
            step(folder, commit)
        step(folder, shard, 1)
    step(folder, commit)
    is_right(folder, [])


def test_a_shard_that_is_done_is_not_done_again(fresh: tuple[Path, LabelTask]) -> None:
    """X21: a retry costs nothing; after the commit neither."""
    folder, task = fresh
    shard, commit = steps_of(task)
    step(folder, shard, 0)
    (written,) = (folder / "labels").glob("labels-00000002-*-0000-*.parquet")
    before = written.stat()
    step(folder, shard, 0)
    step(folder, shard, 1)
    step(folder, commit)
    step(folder, shard, 0)
    step(folder, commit)
    assert written.stat().st_mtime_ns == before.st_mtime_ns
    is_right(folder, [])
