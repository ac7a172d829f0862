"""A run in shards on a laptop: a child for each, one version, and the labels of a run in one."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable, write_deltalake

from labeljob.contract.config import CheckTask, JobConfig, Owner
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.reasons import ExitCode
from labelplane.api.runtime import Runtime
from labelplane.cluster.local_jobs import JobProgress, LocalJobs
from labelplane.plan.actions import JobIntent
from labelplane.plan.observed import ObservedJob
from tests.e2e import rollouts
from tests.manifests import changed, function_set
from tests.unit.cli.test_run import command, write

ROWS = 900


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Events in three files, a model that is fitted in three shards, and two LabelJobs that differ in shards and output alone."""
    made = tmp_path_factory.mktemp("shards")
    for seed in range(3):
        write_deltalake(str(made / "lake/events"), rollouts.events(ROWS // 3, seed=seed).drop_columns(["gold"]), mode="append")
    write(made, rollouts.function_set("default"))
    write(made, rollouts.label_model("default", shards=3))
    for name, shards in (("whole", 1), ("parts", 3)):
        job = rollouts.label_job("default", name, shards=shards, output={"uri": f"pvc://lake/{name}", "format": "delta"})
        (made / f"{name}.json").write_text(json.dumps(job))
    return made


def run(folder: Path) -> tuple[dict[str, dict[str, Any]], str]:
    """Resources by name, and what was said meanwhile."""
    done = command("run", str(folder), "--volume", f"lake={folder}/lake", "-o", "json", "--no-report")
    assert done.returncode == 0, done.stderr
    return {item["kind"] + item["metadata"]["name"]: item for item in json.loads(done.stdout)["items"]}, done.stderr


def steps_of(folder: Path, name: str) -> list[str]:
    return sorted(json.loads(file.read_text())["step"] for file in (folder / ".labelplane/jobs").glob(f"{name}-*/record.json"))


def test_three_shards_are_the_labels_of_one(folder: Path) -> None:
    """P1, C5, X16, X21, G2, G9: the same content digest, each row once, in one version; progress while it ran, what it took after, and nothing more to do."""
    found, said = run(folder)
    whole, parts, model = found["LabelJobwhole"]["status"], found["LabelJobparts"]["status"], found["LabelModelrollouts"]["status"]
    assert (whole["pins"]["shards"], parts["pins"]["shards"]) == (1, 3)
    assert parts["run"]["output"]["contentDigest"] == whole["run"]["output"]["contentDigest"]
    assert parts["metrics"]["rows"] == ROWS
    assert parts["run"]["podSeconds"] >= 1
    assert "progress" not in parts
    assert "3/3 shards" in said
    assert "no report" not in said
    table = DeltaTable(str(folder / "lake/parts"))
    rollouts.exactly_once(table, ROWS)
    assert table.version() == 0
    assert steps_of(folder, "parts") == ["commit", "resolve", "shard"]
    assert (model["pins"]["shards"], model["current"]["version"], model["current"]["metrics"]["coverage"]) == (3, 1, whole["metrics"]["coverage"])
    assert model["current"]["podSeconds"] >= 1
    assert "fit-shard" in steps_of(folder, "rollouts")
    assert list(folder.rglob("_labelplane")) == []
    job = json.loads((folder / "parts.json").read_text())
    (folder / "parts.json").write_text(json.dumps(changed(job, "spec.shards", 2)))
    again, _ = run(folder)
    assert again["LabelJobparts"]["status"]["run"] == parts["run"]


def intent(completions: int, at_once: int, *, good: bool = True) -> JobIntent:
    """Children that check a set: what they do is not what is looked at."""
    spec = function_set()["spec"]
    functions = FunctionSet.model_validate({key: spec[key] for key in ("classes", "idColumn", "schema")} | {"functions": [spec["functions"][0 if good else 4]]})
    config = JobConfig(step="check", owner=Owner(kind="LabelJob", namespace="default", name="x"), check=CheckTask(function_set=functions))
    return JobIntent("run", config, (), (), Runtime(), completions=completions, parallelism=at_once)


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[LocalJobs]:
    made = LocalJobs(tmp_path, {})
    yield made
    made.stop()


def environment(pid: int) -> list[str]:
    """Of a program; the kernel writes it down a moment after the program has begun."""
    while not (text := Path(f"/proc/{pid}/environ").read_text()):
        os.sched_yield()
    return text.split("\0")


def to_the_end(jobs: LocalJobs) -> tuple[ObservedJob, int]:
    """The Job once it has ended, and how many of its children ran at once at most."""
    most = 0
    while True:
        (job,) = jobs.observed("o")
        most = max(most, len(jobs.running()))
        if job.finished:
            return job, most
        for child in list(jobs.processes.children.values()):
            child.wait()


def test_so_many_children_at_once_as_was_asked(jobs: LocalJobs, tmp_path: Path) -> None:
    """X21; a second look at what has ended starts nothing."""
    jobs.processes.preloaded = None  # as on systems other than Linux
    jobs.start("o", intent(3, 1))
    assert jobs.running() == {"run/0"}
    assert {"JOB_COMPLETION_INDEX=0", "LABELJOB_SHARERS=1"} <= set(environment(jobs.processes.children["run/0"].pid))
    assert jobs.progress() == [JobProgress("run", "0/3 shards", 0, None)]
    job, most = to_the_end(jobs)
    assert job.indexes is not None
    assert (job.state, job.indexes.total, job.indexes.done, job.indexes.failed, most) == ("succeeded", 3, 3, (), 1)
    assert jobs.observed("o") == (job,)
    jobs.delete("run")
    assert list(tmp_path.iterdir()) == []


def test_a_child_that_fails_for_good_ends_the_job(jobs: LocalJobs, tmp_path: Path) -> None:
    """Its own words are the Job's; those that run beside it are ended, and none is started any more."""
    jobs.start("o", intent(50, 1, good=False))
    job, _ = to_the_end(jobs)
    assert job.indexes is not None
    assert (job.state, job.index, job.indexes.failed, job.attempts) == ("failed", 0, (0,), 1)
    assert job.result is not None
    assert job.result.failure is not None
    assert jobs.running() == frozenset()
    assert json.loads((tmp_path / "run/record.json").read_text())["exit"] == ExitCode.BAD_DATA


def test_another_command_line_goes_on_where_the_last_one_stopped(tmp_path: Path) -> None:
    """Children that have ended stay ended; one that was stopped is tried again."""
    first = LocalJobs(tmp_path, {})
    first.start("o", intent(3, 1))
    first.processes.children["run/0"].wait()
    first.observed("o")
    first.stop()
    second = LocalJobs(tmp_path, {})
    job, _ = to_the_end(second)
    assert (job.state, sorted(second.processes.children)) == ("succeeded", ["run/1", "run/2"])
    second.stop()
