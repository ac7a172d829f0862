"""Runs in shards, decided in a cluster in memory: the parts, then one commit, whatever happens in between."""

import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from labeljob.contract.reasons import JobReason
from labelplane.api.parse import key_of
from labelplane.api.sharding import RunProgress
from labelplane.plan.observed import Indexes, ObservedJob
from labelplane.plan.shards import WRITE_SECONDS, run_progress
from labelplane.reconcile import reconcile
from tests.manifests import changed, function_set, label_job, label_model
from tests.unit.operator.pipeline import SETTINGS, START, Adapter, World, condition, once, settle, until


def sharded(shards: int | str = 3, **spec: Any) -> dict[str, Any]:
    manifest = label_job()
    manifest["spec"] |= {"shards": shards} | spec
    return manifest


@pytest.fixture
def world() -> World:
    """Three good manifests, the job in three shards, applied."""
    made = World()
    made.apply(function_set(), label_model(), sharded())
    return made


def status_of(world: World) -> dict[str, Any]:
    return world.get("LabelJob")["status"]


async def test_parts_first_then_one_commit(world: World) -> None:
    """P1: an Indexed Job of three, a commit Job once all are done, one version; pinned before either exists."""
    shards = await until(world, "shard")
    assert status_of(world)["pins"]["shards"] == 3
    intent = world.jobs[shards.name][1].intent
    assert (intent.completions, intent.parallelism, intent.config.shard.shards) == (3, 3, 3)
    world.finish_shards(shards.name, 2)
    await once(world)
    assert world.job_of("commit") is None
    assert world.commits == []
    world.finish_shards(shards.name, 1)
    await once(world)
    commit = world.job_of("commit")
    assert commit is not None
    assert commit.name == f"{shards.name}-commit"
    assert condition(world.get("LabelJob"))["reason"] == "Committing"
    await settle(world)
    assert [one.sequence for one in world.commits] == [1]
    assert condition(world.get("LabelJob"))["status"] == "True"
    assert world.job_of("label") is None


async def test_one_shard_is_one_pod(world: World) -> None:
    """The Job, its name and the rows' `run` are those of a run that nobody thought of dividing."""
    world.apply(sharded(1))
    await settle(world)
    assert (world.job_of("shard"), world.job_of("commit")) == (None, None)
    assert world.job_of("label") is not None


async def test_auto_is_what_is_left_out() -> None:
    """Writing the default down is no other run; how many parts there are, the resolve step says."""
    world = World(auto_shards=5)
    world.apply(function_set(), label_model(), label_job())
    await settle(world)
    assert status_of(world)["pins"]["shards"] == 5
    world.apply(sharded("auto"))
    await settle(world)
    assert len(world.commits) == 1


async def test_at_most_so_many_at_once(world: World) -> None:
    """X21."""
    world.apply(sharded(8, maxParallelism=2))
    job = await until(world, "shard")
    assert (world.jobs[job.name][1].intent.completions, world.jobs[job.name][1].intent.parallelism) == (8, 2)


async def test_another_number_of_shards_labels_nothing_again(world: World) -> None:
    """X16, G2: the number is no part of the run's digest, and the content does not depend on it."""
    await settle(world)
    for shards in (1, 8, "auto"):
        world.apply(sharded(shards))
        await settle(world)
    assert len(world.commits) == 1
    others = []
    for shards in (1, 3, 8):
        other = World()
        other.apply(function_set(), label_model(), sharded(shards))
        await settle(other)
        others.append((other.commits[0].run_digest, other.commits[0].content_digest))
    assert len(set(others)) == 1


async def test_votes_of_more_runs_label_nothing_again(world: World) -> None:
    """Guarantee 1: how many are kept is read when a run starts; the one under way goes on as it was asked for, and no run is made for it."""
    job = await until(world, "shard")
    world.finish_shards(job.name, 2)
    world.apply(sharded(3, historyLimit=0))
    await settle(world)
    assert [one.sequence for one in world.commits] == [1]
    assert world.labelled_parts == 3
    configs = [entry[1].intent.config for entry in world.jobs.values()]
    assert {task.label.history_limit for task in (one.shard or one.commit for one in configs) if task is not None} == {2}
    world.annotate("LabelJob", reconcile_at="now")
    await settle(world)
    assert len(world.commits) == 1


async def test_a_run_under_way_keeps_its_number(world: World) -> None:
    """Its parts are not thrown away."""
    job = await until(world, "shard")
    world.finish_shards(job.name, 2)
    world.apply(sharded(5, maxParallelism=1))
    await once(world)
    assert status_of(world)["pins"]["shards"] == 3
    await settle(world)
    assert [one.sequence for one in world.commits] == [1]
    assert world.labelled_parts == 3
    assert condition(world.get("LabelJob"))["observedGeneration"] == 2


async def test_asked_anew_it_takes_the_new_number(world: World) -> None:
    """A run that cannot go on as it is pinned need not be waited for."""
    first = await until(world, "shard")
    world.apply(sharded(1))
    world.annotate("LabelJob", reconcile_at="now")
    await settle(world)
    assert first.name not in world.jobs
    assert (status_of(world)["pins"]["shards"], world.job_of("label") is not None, [one.sequence for one in world.commits]) == (1, True, [2])


async def test_another_input_is_another_run(world: World) -> None:
    """What changes the labels stops the run under way, its parts and all."""
    first = await until(world, "shard")
    world.apply(changed(sharded(), "spec.input.version", 7))
    await settle(world)
    assert first.name not in [name for name, entry in world.jobs.items() if not entry[2].finished]
    assert [one.data.version for one in world.commits] == [7]


async def test_a_refit_meanwhile_waits_for_the_commit(world: World) -> None:
    """Between the last part and the commit, too, the run goes on with what it pinned."""
    commit = await until(world, "commit")
    world.apply(label_model() | {"spec": label_model()["spec"] | {"algorithm": "majority-vote"}})
    for _ in range(10):
        await once(world)
        for step in ("resolve", "fit"):
            world.finish(step)
    assert commit.name in world.jobs
    await settle(world)
    assert [one.model_version for one in world.commits] == [1, 2]


@pytest.mark.parametrize("failing", ["shard", "commit"])
async def test_a_failure_names_the_shard_and_stays_in_view(world: World, failing: str) -> None:
    """F3: Stalled with the reason of the part that failed; nothing is visible; asked again, a new run is made."""
    world.failing = {failing: JobReason.SCHEMA_BROKEN}
    await settle(world)
    found = condition(world.get("LabelJob"))
    assert (found["status"], found["reason"]) == ("False", "SchemaBroken")
    assert found["message"].startswith("shard 1 of 3: " if failing == "shard" else "SchemaBroken: column restarts")
    assert condition(world.get("LabelJob"), "SchemaBroken")["status"] == "True"
    assert (world.commits, "progress" in status_of(world)) == ([], False)
    world.pass_time(400 * 3600)
    await settle(world)
    assert condition(world.get("LabelJob"))["reason"] == "SchemaBroken"
    world.failing = {}
    world.annotate("LabelJob", reconcile_at="now")
    await settle(world)
    assert [one.sequence for one in world.commits] == [2]


async def test_a_part_given_up_is_told_before_the_job_gives_up(world: World) -> None:
    """Judged by the indexes: the Job's own verdict waits for its other pods, and another number of shards is not kept waiting for them."""
    job = await until(world, "shard")
    owner, action, _ = world.jobs[job.name]
    world.failing = {"shard": JobReason.VOLUME_FULL}
    failed = replace(job, indexes=Indexes(3, 1, (2,)), index=2, result=world._result(action.intent.config))
    world.jobs[job.name] = (owner, action, failed)
    await once(world)
    found = condition(world.get("LabelJob"))
    assert (found["reason"], found["message"][:15]) == ("VolumeFull", "shard 2 of 3: V")
    assert condition(world.get("LabelJob"), "Stalled")["status"] == "True"
    world.apply(sharded(8))
    await once(world)
    assert job.name not in world.jobs
    world.finish("resolve")
    await once(world)
    assert status_of(world)["pins"]["shards"] == 8


@pytest.mark.parametrize("left", [Indexes(2, 2), Indexes(3, 2)], ids=["lowered", "and-raised-again"])
async def test_a_job_cut_short_is_made_again(world: World, left: Indexes) -> None:
    """Somebody lowered `completions`: the Job is complete, and its parts are not."""
    job = await until(world, "shard")
    owner, action, _ = world.jobs[job.name]
    world.finish_shards(job.name, 2)
    world.jobs[job.name] = (owner, action, replace(job, state="succeeded", finished_at=world.now, indexes=left))
    await settle(world)
    assert "JobEdited" in [event.reason for _, event in world.events]
    assert (len(world.commits), world.labelled_parts) == (1, 3)


@pytest.mark.parametrize("step", ["shard", "commit"])
async def test_a_deleted_job_is_made_again_and_skips_what_is_done(world: World, step: str) -> None:
    """G3: an Event says so, and no part is labelled twice."""
    job = await until(world, step)
    if step == "shard":
        world.finish_shards(job.name, 2)
        await once(world)
    del world.jobs[job.name]
    await settle(world)
    assert (next(event.reason for _, event in world.events if event.reason == "JobDeleted"), len(world.commits), world.labelled_parts) == ("JobDeleted", 1, 3)


async def test_suspend_stops_either_job_and_the_run_goes_on_after(world: World) -> None:
    for step in ("shard", "commit"):
        job = await until(world, step)
        world.apply(sharded(suspend=True))
        await once(world)
        assert job.name not in world.jobs
        assert "progress" not in status_of(world)
        world.apply(sharded())
    await settle(world)
    assert (len(world.commits), world.labelled_parts) == (1, 3)


async def test_both_jobs_stay_until_status_has_the_run_and_then_their_lifetime(world: World) -> None:
    world.apply(sharded(runTTL="10m"))
    job = await until(world, "commit")
    world.pass_time(3600)
    await once(world)
    assert world.job_of("shard") is not None
    world.finish("commit")
    await settle(world)
    assert {entry[2].step for entry in world.jobs.values()} >= {"commit"}
    world.pass_time(601)
    await settle(world)
    assert [name for name in world.jobs if name in (job.name, job.name.removesuffix("-commit"))] == []


async def test_the_commit_has_what_is_left_of_the_deadline(world: World) -> None:
    world.apply(sharded(activeDeadline="1h"))
    job = await until(world, "shard")
    assert world.jobs[job.name][1].intent.deadline_seconds == 3600
    world.pass_time(1000)
    commit = await until(world, "commit")
    assert world.jobs[commit.name][1].intent.deadline_seconds == 2600


async def test_names_leave_room_for_the_index_of_a_pod() -> None:
    """`<Job>-<index>` is a pod's hostname: 63 characters."""
    world = World()
    long = changed(sharded(1000), "metadata.name", "a" * 52)
    world.apply(function_set(), label_model(), long)
    await until(world, "commit")
    names = [name for name, entry in world.jobs.items() if entry[2].step in ("shard", "commit")]
    assert all(len(f"{name}-999") <= 63 for name in names)
    assert len(set(names)) == 2


async def test_pod_seconds_are_summed_over_the_run(world: World) -> None:
    """X21: three shards of 10 s and a commit of 4 s; a status that is rebuilt from the table knows none, and invents none."""
    job = await until(world, "shard")
    world.pass_time(10)
    world.finish_shards(job.name, 3)
    await once(world)
    world.pass_time(4)
    await settle(world)
    assert status_of(world)["run"]["podSeconds"] == 34
    assert status_of(world)["runs"][0]["podSeconds"] == 34
    world.annotate("LabelJob", reconcile_at="now")
    await settle(world)
    assert status_of(world)["run"]["podSeconds"] == 34
    world.get("LabelJob")["status"] = {"observedGeneration": -1}
    world.jobs.clear()
    await settle(world)
    assert "podSeconds" not in status_of(world)["run"]


async def test_progress_is_shown_while_it_runs_and_gone_after(world: World) -> None:
    """C7: what is done, rows a second and when it ends, from what has been seen."""
    world.apply(sharded(8))
    job = await until(world, "shard")
    await once(world)
    assert status_of(world)["progress"] == {"completed": "0/8", "shards": 8, "shardsDone": 0, "updatedAt": "2026-01-01T00:00:00+00:00"}
    world.pass_time(60)
    world.finish_shards(job.name, 2)
    await once(world)
    shown = status_of(world)["progress"]
    assert (shown["completed"], shown["rowsPerSecond"], shown["estimatedFinish"]) == ("2/8", round(20 / 60, 1), "2026-01-01T00:04:00+00:00")
    world.pass_time(60)
    world.finish_shards(job.name, 6)
    await once(world)
    await once(world)
    assert status_of(world)["progress"]["completed"] == "8/8"
    assert "estimatedFinish" not in status_of(world)["progress"]
    await settle(world)
    assert "progress" not in status_of(world)


async def test_a_thousand_shards_are_a_few_writes(world: World) -> None:
    """F7: a reconcile for every shard that ends, ten a second; status is written once in WRITE_SECONDS, and what was withheld is asked for."""
    world.apply(sharded(1000))
    job = await until(world, "shard")
    await once(world)
    before, seconds = world.writes, 100
    for _ in range(1000):
        world.pass_time(seconds / 1000)
        world.finish_shards(job.name)
        await reconcile(Adapter(world), key_of(world.get("LabelJob")), now=world.now, settings=SETTINGS)
    assert 2 <= world.writes - before <= seconds / WRITE_SECONDS + 2  # the last is the commit's
    await settle(world)
    assert len(world.commits) == 1


def test_progress_that_is_withheld_is_due() -> None:
    """Nothing else might wake us."""
    job = ObservedJob("run", "u", "shard", "running", START, indexes=Indexes(4, 2))
    old = RunProgress(completed="1/4", shards=4, shards_done=1, updated_at=START.isoformat())
    later = START + timedelta(seconds=WRITE_SECONDS - 2)
    assert run_progress(old, job, shards=4, now=later) == (old, 2.0)
    shown, wait = run_progress(old, job, shards=4, now=START + timedelta(seconds=WRITE_SECONDS))
    assert (shown and shown.completed, shown and shown.rows_per_second, wait) == ("2/4", None, None)  # no pod has told its rows
    assert run_progress(shown, job, shards=4, now=later) == (shown, None)
    back = run_progress(old, job, shards=4, now=START - timedelta(days=1))  # a clock that was set back
    assert back[0] is not None
    assert (back[0].completed, back[0].estimated_finish) == ("2/4", None)
    whole = run_progress(old, replace(job, indexes=Indexes(4, 4)), shards=4, now=later)[0]
    assert whole is not None
    assert whole.completed == "4/4"  # the last part is told at once
    assert run_progress(old, None, shards=4, now=later) == (old, None)
    assert run_progress(old, None, shards=5, now=later) == (None, None)


@pytest.mark.parametrize("seed", range(15))
async def test_any_history_of_shards_converges(seed: int) -> None:
    """G1, G3: random edits, numbers of shards, lost status, deleted Jobs, suspensions, failures and time: one version a set of pins, each of all its parts."""
    choice = random.Random(seed)
    world = World(auto_shards=2)
    world.apply(function_set(), label_model(), sharded())
    for step in range(40):
        _disturb(world, choice, step)
        await once(world)
        for name, entry in list(world.jobs.items()):
            if entry[2].step in ("shard", "fit-shard") and not entry[2].finished:
                world.finish_shards(name, choice.randrange(3))
        if choice.random() < 0.4:
            world.finish(choice.choice([None, "resolve", "commit", "fit"]))
    world.failing = {}
    world.apply(changed(world.get("LabelJob") | {"metadata": label_job()["metadata"]}, "spec.suspend", False))
    for kind in ("LabelModel", "LabelJob"):
        world.annotate(kind, reconcile_at="at last")
    await settle(world)
    assert condition(world.get("LabelJob"))["status"] == "True"
    wanted = world.get("LabelJob")["spec"]["input"]["version"]
    assert status_of(world)["run"]["input"]["digest"] == f"data-{0 if wanted == 'latest' else wanted}"
    assert all(one.run_digest != two.run_digest for one, two in zip(world.commits, world.commits[1:], strict=False))
    assert [commit.sequence for commit in world.commits] == sorted({commit.sequence for commit in world.commits})
    assert len({version.fit_digest for version in world.index}) == len(world.index)


def _disturb(world: World, choice: random.Random, step: int) -> None:
    """One thing that people, nodes or time may do."""
    move, job = choice.randrange(9), world.get("LabelJob") | {"metadata": label_job()["metadata"]}
    if move == 0:
        world.apply(changed(job, "spec.input.version", choice.randrange(2)))
    elif move == 1:
        world.apply(changed(job, "spec.shards", choice.choice([1, 2, 5, "auto"])))
    elif move == 2:
        choice.choice(list(world.resources.values()))["status"] = {"observedGeneration": -1}
    elif move == 3 and world.jobs:
        del world.jobs[choice.choice(list(world.jobs))]
    elif move == 4:
        world.annotate("LabelJob", reconcile_at=str(step))
    elif move == 5:
        world.apply(changed(job, "spec.suspend", choice.random() < 0.3))
    elif move == 6:
        world.failing = {} if world.failing else {choice.choice(["shard", "commit", "fit-shard", "fit"]): JobReason.VOLUME_FULL}
    elif move == 7:
        model = world.get("LabelModel") | {"metadata": label_model()["metadata"]}
        world.apply(changed(model, *choice.choice([("spec.shards", choice.choice([1, 3])), ("spec.parameters.seed", choice.randrange(2))])))
    else:
        world.pass_time(choice.random() * 3600)
