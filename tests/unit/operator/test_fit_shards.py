"""Fits in shards, decided in a cluster in memory: the parts, then one fit that merges them, whatever happens in between."""

from dataclasses import replace
from typing import Any

import pytest

from labeljob.contract.reasons import JobReason
from labelplane.plan.observed import Indexes, ObservedJob
from tests.manifests import changed, function_set, label_model
from tests.unit.operator.pipeline import World, condition, once, settle, until


def sharded(shards: int | str = 3, **spec: Any) -> dict[str, Any]:
    manifest = label_model()
    manifest["spec"] |= {"shards": shards} | spec
    return manifest


@pytest.fixture
def world() -> World:
    """A set, and a model that is fitted in three shards."""
    made = World()
    made.apply(function_set(), sharded())
    return made


def status_of(world: World) -> dict[str, Any]:
    return world.get("LabelModel")["status"]


async def test_parts_first_then_one_fit(world: World) -> None:
    """G9: an Indexed Job of three, a fit Job of the same fit once all are done, one version; pinned before either exists."""
    shards = await until(world, "fit-shard")
    assert status_of(world)["pins"]["shards"] == 3
    intent = world.jobs[shards.name][1].intent
    assert (intent.completions, intent.parallelism, intent.config.fit_shard.shards) == (3, 3, 3)
    world.finish_shards(shards.name, 2)
    await once(world)
    assert world.job_of("fit") is None
    world.finish_shards(shards.name, 1)
    await once(world)
    fit = world.job_of("fit")
    assert fit is not None
    assert shards.name == f"{fit.name}-shards"
    assert world.jobs[fit.name][1].intent.config.fit == intent.config.fit_shard
    assert condition(world.get("LabelModel"))["reason"] == "Fitting"
    await settle(world)
    assert [one.version for one in world.index] == [1]
    assert condition(world.get("LabelModel"))["status"] == "True"


async def test_a_small_fit_is_one_pod_and_auto_is_what_is_left_out() -> None:
    """How many parts there are, the resolve step says; writing the default down is no other fit."""
    for parts, steps in ((1, ["check", "fit", "resolve"]), (5, ["check", "fit", "fit-shard", "resolve"])):
        world = World(auto_shards=parts)
        world.apply(function_set(), label_model())
        await settle(world)
        assert sorted(entry[2].step for entry in world.jobs.values()) == steps
        world.apply(sharded("auto"))
        await settle(world)
        assert (status_of(world)["pins"]["shards"], len(world.index)) == (parts, 1)


async def test_another_number_of_shards_fits_nothing_again(world: World) -> None:
    """G2: the number is no part of the fit's digest, nor is how many run at once."""
    await settle(world)
    before = status_of(world)["current"]
    for manifest in (sharded(1), sharded(8, maxParallelism=2), sharded("auto")):
        world.apply(manifest)
        await settle(world)
        assert status_of(world)["current"] == before
    assert (len(world.index), world.reduced_parts) == (1, 3)


@pytest.mark.parametrize("step", ["fit-shard", "fit"])
async def test_a_fit_under_way_keeps_its_number(world: World, step: str) -> None:
    """Its parts are not thrown away; what is asked for next to it begins anew."""
    job = await until(world, step)
    world.apply(sharded(5, maxParallelism=1))
    await once(world)
    assert (status_of(world)["pins"]["shards"], job.name in world.jobs) == (3, True)
    await settle(world)
    assert (len(world.index), world.reduced_parts, status_of(world)["pins"]["shards"]) == (1, 3, 5)
    assert condition(world.get("LabelModel"))["observedGeneration"] == 2
    job = await until_another(world, step)
    world.apply(sharded(4, parameters={"seed": 8}))
    await once(world)
    assert job.name not in world.jobs
    await settle(world)
    assert [one.version for one in world.index] == [1, 2]


async def until_another(world: World, step: str) -> ObservedJob:
    """A fit with another seed, at this step, four pods at once."""
    world.apply(sharded(8, maxParallelism=4, parameters={"seed": 7}))
    job = await until(world, step)
    shards = job.name.removesuffix("-shards") + "-shards"
    assert (world.jobs[shards][1].intent.completions, world.jobs[shards][1].intent.parallelism) == (8, 4)
    return job


@pytest.mark.parametrize("failing", ["fit-shard", "fit"])
async def test_a_failure_names_the_shard_and_stays_in_view(world: World, failing: str) -> None:
    """F3: Stalled with the reason of the part that failed, also once the Job is made for one that was deleted; no version; asked again, what still stands is not done again."""
    world.failing = {failing: JobReason.SCHEMA_BROKEN}
    await settle(world)
    found = condition(world.get("LabelModel"))
    assert (found["status"], found["reason"]) == ("False", "SchemaBroken")
    assert found["message"].startswith("shard 1 of 3: " if failing == "fit-shard" else "SchemaBroken: column restarts")
    assert condition(world.get("LabelModel"), "SchemaBroken")["status"] == "True"
    assert (world.index, "progress" in status_of(world)) == ([], False)
    world.pass_time(400 * 3600)
    await settle(world)
    assert condition(world.get("LabelModel"))["reason"] == "SchemaBroken"
    job = world.job_of(failing)
    assert job is not None
    del world.jobs[job.name]
    if failing == "fit":
        world.failing = {}
    await settle(world)
    assert condition(world.get("LabelModel"))["reason"] == "SchemaBroken"
    world.failing = {}
    world.annotate("LabelModel", reconcile_at="now")
    await settle(world)
    assert (len(world.index), world.reduced_parts) == (1, 6 if failing == "fit" else 3)  # a fit that is refused takes what its shards left with it


async def test_a_fit_that_lost_a_part_is_not_waited_for(world: World) -> None:
    """F3: it is Stalled while its other pods run; more shards are what may help, and are asked for at once."""
    job = await until(world, "fit-shard")
    owner, action, _ = world.jobs[job.name]
    world.failing = {"fit-shard": JobReason.VOLUME_FULL}
    world.jobs[job.name] = (owner, action, replace(job, indexes=Indexes(3, 1, (2,)), index=2, result=world._result(action.intent.config)))
    await once(world)
    assert condition(world.get("LabelModel"), "Stalled")["reason"] == "VolumeFull"
    world.failing = {}
    world.apply(sharded(8))
    await once(world)
    assert job.name not in world.jobs
    await settle(world)
    assert (status_of(world)["pins"]["shards"], len(world.index)) == (8, 1)


async def test_what_can_be_mended_keeps_the_parts(world: World) -> None:
    """X21: without room there is no version, and with it the shards need not work again."""
    world.failing = {"fit": JobReason.VOLUME_FULL}
    await settle(world)
    assert condition(world.get("LabelModel"))["reason"] == "VolumeFull"
    world.failing = {}
    world.annotate("LabelModel", reconcile_at="now")
    await settle(world)
    assert (len(world.index), world.reduced_parts) == (1, 3)


@pytest.mark.parametrize("step", ["fit-shard", "fit"])
async def test_a_deleted_job_is_made_again_and_skips_what_is_done(world: World, step: str) -> None:
    """G3: an Event says so, and no part is reduced twice."""
    job = await until(world, step)
    if step == "fit-shard":
        world.finish_shards(job.name, 2)
        await once(world)
    del world.jobs[job.name]
    await settle(world)
    assert "JobDeleted" in [event.reason for _, event in world.events]
    assert (len(world.index), world.reduced_parts) == (1, 3)


async def test_progress_while_it_runs_and_what_it_took(world: World) -> None:
    """C7, X21: three shards of 10 s and a fit of 4 s; both Jobs stay until status has the version, and names leave room for the index of a pod."""
    world.apply(changed(sharded(), "metadata.name", "a" * 52), function_set())
    del world.resources[next(key for key in world.resources if key.name == "rollout-risk" and key.kind == "LabelModel")]
    job = await until(world, "fit-shard")
    await once(world)
    assert status_of(world)["progress"]["completed"] == "0/3"
    world.pass_time(10)
    world.finish_shards(job.name, 3)
    await once(world)
    await once(world)
    assert status_of(world)["progress"]["completed"] == "3/3"
    world.pass_time(4)
    await settle(world)
    assert "progress" not in status_of(world)
    assert status_of(world)["current"]["podSeconds"] == 34
    names = [name for name, entry in world.jobs.items() if entry[2].step in ("fit-shard", "fit")]
    assert len(names) == 2
    assert all(len(f"{name}-999") <= 63 for name in names)
    world.annotate("LabelModel", reconcile_at="now")
    await settle(world)
    assert status_of(world)["current"]["podSeconds"] == 34
    world.pass_time(169 * 3600)
    await settle(world)
    assert [name for name in names if name in world.jobs] == []
