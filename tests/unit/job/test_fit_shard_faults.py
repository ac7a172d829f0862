"""C5, DESIGN §4.3: a shard of a fit, or the fit that merges, that is killed at any instant or goes on after it was thought dead, leaves one version and nothing else."""

import shutil
from pathlib import Path

import pyarrow as pa
import pytest

from labeljob.artifacts import ArtifactHome
from labeljob.contract.config import FitTask
from labeljob.contract.reasons import JobReason
from labeljob.io.pins import pin
from tests.unit.job.builders import context, fails, locations
from tests.unit.job.kills import FitPart, killed, overtaken, step
from tests.unit.job.runs import fit_in_shards, fit_task, merge, parquet
from tests.unit.job.test_shards import gold, one_label, table

TOUCHES_OF_A_SHARD = (2, 6, 9, 12)
FIRST_CHANGE_OF_A_REFUSAL, FILES_OF_TWO_SHARDS = 6, 10
FIRST_CHANGE = 11  # that a fit makes: before it, it reads


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, FitTask, str]:
    """A folder with data and gold, a fit on it in two shards, and the digest of the version that one pod makes of it."""
    folder = tmp_path_factory.mktemp("lake")
    rows = table(90)
    task = fit_task(folder, one_label(), parquet(folder, "data.parquet", rows, groups=2), gold(folder, rows))
    one = merge(task.model_copy(update={"artifacts": "pvc://lake/one"}), context(folder))
    return folder, task.model_copy(update={"shards": 2}), one.sha256


@pytest.fixture
def fresh(lake: tuple[Path, FitTask, str]) -> tuple[Path, FitTask, str]:
    """The same, without a version."""
    shutil.rmtree(lake[0] / "model", ignore_errors=True)
    return lake


def keep(folder: Path) -> None:
    """What there is now, `back` brings again."""
    shutil.rmtree(folder / "kept", ignore_errors=True)
    shutil.copytree(folder / "model", folder / "kept")


def back(folder: Path) -> None:
    shutil.rmtree(folder / "model")
    shutil.copytree(folder / "kept", folder / "model")


def is_right(folder: Path, digest: str) -> None:
    """Raises AssertionError unless the version is there, whole, and nothing else."""
    (version,) = ArtifactHome(folder / "model", "m").versions()
    assert version.sha256 == digest
    assert "model.json" in ArtifactHome(folder / "model", "m").load(1, digest)
    assert sorted(path.name for path in (folder / "model").iterdir() if not path.name.startswith(".index")) == ["index.json", "v1"]


def test_a_shard_that_is_killed_anywhere(fresh: tuple[Path, FitTask, str]) -> None:
    """C5: before each touch of the artifacts; the next attempt does it again."""
    folder, task, digest = fresh
    step(folder, FitPart(task), 0)
    keep(folder)
    number = 1  # before it there is but a look
    while killed(folder, FitPart(task), number, index=1):
        assert ArtifactHome(folder / "model", "m").versions() == []
        step(folder, FitPart(task), 1)
        step(folder, task)
        is_right(folder, digest)
        back(folder)
        number += 2  # three touches a file: opened, put in place, its folder flushed; every second one meets each of them at some file
    assert number >= 15


def test_a_fit_that_is_killed_anywhere(fresh: tuple[Path, FitTask, str]) -> None:
    """C5: before the version stands there is none, and after it one; a second attempt ends with it."""
    folder, task, digest = fresh
    for index in (0, 1):
        step(folder, FitPart(task), index)
    keep(folder)
    number, counted = FIRST_CHANGE, [0, 0]
    while killed(folder, task, number):
        counted[len(ArtifactHome(folder / "model", "m").versions())] += 1
        step(folder, task)
        is_right(folder, digest)
        back(folder)
        number += 2 if number >= FIRST_CHANGE + 15 else 5  # the files of a version are alike
    assert counted[0] >= 3
    assert counted[1] >= 4


def test_a_refused_fit_that_is_killed_anywhere(lake: tuple[Path, FitTask, str]) -> None:
    """C5, F3: whatever was removed already, another attempt gives the same reason, and so does the Job that is made for one that was deleted; of ids nothing stays."""
    folder, good, _ = lake
    rows = table(90)
    ids = rows["id"].to_pylist()
    ids[3] = ids[80]
    data = pin(parquet(folder, "shared.parquet", rows.set_column(0, "id", pa.array(ids)), groups=2), locations(folder))
    task = good.model_copy(update={"data": data})
    shutil.rmtree(folder / "model", ignore_errors=True)
    for index in (0, 1):
        step(folder, FitPart(task), index)
    keep(folder)
    number, removed = FIRST_CHANGE_OF_A_REFUSAL, 0
    while killed(folder, task, number):
        removed += len(list((folder / "model").rglob("*.*"))) < FILES_OF_TWO_SHARDS
        for _ in range(2):
            with fails(JobReason.SCHEMA_BROKEN, r"spec.schema.columns\[id\]: 1 duplicate ids"):
                step(folder, task)
            assert [path.name for path in (folder / "model").rglob("*") if path.is_file()] == ["refused.json"]
        back(folder)
        number += 3
    assert removed >= 2
    merge(good.model_copy(update={"shards": None}), context(folder))
    assert sorted(path.name for path in (folder / "model").iterdir()) == ["index.json", "v1"]


@pytest.mark.parametrize("shards_again", [False, True])
def test_a_pod_that_was_thought_dead_goes_on(fresh: tuple[Path, FitTask, str], shards_again: bool) -> None:
    """C5: wherever it stood while another attempt at its shard finished, or the whole fit."""
    folder, task, digest = fresh
    step(folder, FitPart(task), 0)
    keep(folder)
    for number in TOUCHES_OF_A_SHARD:
        overtaken(folder, FitPart(task), number, 1, [(FitPart(task), 1)] if shards_again else [(FitPart(task), 1), (task, 0)])
        step(folder, FitPart(task), 1)
        step(folder, task)
        is_right(folder, digest)
        back(folder)


def test_what_is_done_is_not_done_again(fresh: tuple[Path, FitTask, str]) -> None:
    """X21: a retry costs nothing, after the version stands neither; a summary whose files are gone does not count."""
    folder, task, digest = fresh
    step(folder, FitPart(task), 0)
    (summary,) = (folder / "model").rglob("0000.json")
    before = summary.stat().st_mtime_ns
    step(folder, FitPart(task), 0)
    assert summary.stat().st_mtime_ns == before
    (votes,) = (folder / "model").rglob("0000-votes.safetensors")
    votes.unlink()
    step(folder, FitPart(task), 0)
    step(folder, FitPart(task), 1)
    step(folder, task)
    for index in (0, 1):
        step(folder, FitPart(task), index)
    step(folder, task)
    is_right(folder, digest)


def test_a_later_version_removes_what_an_earlier_fit_left(fresh: tuple[Path, FitTask, str]) -> None:
    """C5: shards of a fit that nobody ends lie there no longer than to the next version, be that one pod's; those of a later one stay until it finds its version."""
    folder, task, _ = fresh
    third, fourth = (task.model_copy(update={"version": number, "fit_digest": digest}) for number, digest in ((3, "third"), (4, "other")))
    for one in (task, third, fourth):
        step(folder, FitPart(one), 0)
    merge(task.model_copy(update={"shards": None, "version": 2, "fit_digest": "other"}), context(folder))
    assert sorted(path.name[:8] for path in (folder / "model/_labelplane").iterdir()) == ["00000003", "00000004"]
    assert merge(fourth, context(folder)).version == 2
    assert [path.name[:8] for path in (folder / "model/_labelplane").iterdir()] == ["00000003"]
    fit_in_shards(third, 2, context(folder))
    assert sorted(path.name for path in (folder / "model").iterdir()) == ["index.json", "v2", "v3"]
