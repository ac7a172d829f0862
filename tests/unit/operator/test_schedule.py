"""Scheduled jobs: data is looked at when created and at each tick, one run at a time, and a failure waits for the next (X21, DESIGN 4.5)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from labeljob.contract.drift import Shift
from labeljob.contract.reasons import JobReason
from labelplane.api.groups import Key
from labelplane.api.label_job import LabelJobStatus
from labelplane.api.reasons import ControlReason
from labelplane.cluster.protocol import Cluster
from labelplane.errors import Stalled
from labelplane.plan.actions import Outcome, Plan
from labelplane.reconcile import reconcile
from labelplane.status.conditions import stalled_plan
from tests.manifests import changed, function_set, label_job, label_model
from tests.unit.operator.pipeline import SETTINGS, START, Adapter, World, condition, once, settle


def scheduled(**fields: Any) -> dict[str, Any]:
    manifest = changed(changed(label_job(), "spec.mode", "scheduled"), "spec.schedule", "0 * * * *")
    for name, value in fields.items():
        manifest = changed(manifest, f"spec.{name}", value)
    return manifest


@pytest.fixture
def world() -> World:
    made = World(now=START + timedelta(minutes=20))
    made.apply(function_set(), label_model(), scheduled())
    return made


def status(world: World) -> dict[str, Any]:
    found: dict[str, Any] = world.get("LabelJob")["status"]
    return found


async def wait(world: World) -> float | None:
    """In how many seconds the operator looks at the job again."""
    adapter: Cluster = Adapter(world)
    return (await reconcile(adapter, Key("LabelJob", "default", world.get("LabelJob")["metadata"]["name"]), now=world.now, settings=SETTINGS)).requeue_after


async def test_a_run_at_once_and_at_each_tick_that_finds_new_data(world: World) -> None:
    """P1: nothing is labelled where nothing changed, and however many ticks were missed, one run makes up for them."""
    await settle(world)
    assert (len(world.commits), status(world)["pins"]["scheduledFor"], status(world)["nextScheduleTime"]) == (1, "2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z")
    assert await wait(world) == 40 * 60
    world.data_version = 1
    world.now += timedelta(minutes=39)
    assert not await once(world)
    world.now += timedelta(minutes=1)
    await settle(world)
    assert (len(world.commits), status(world)["pins"]["scheduledFor"]) == (2, "2026-01-01T01:00:00Z")
    world.now += timedelta(hours=1)
    await settle(world)
    assert (len(world.commits), status(world)["pins"]["scheduledFor"], status(world)["nextScheduleTime"]) == (2, "2026-01-01T02:00:00Z", "2026-01-01T03:00:00Z")
    world.data_version = 2
    world.now += timedelta(days=2, minutes=5)
    await settle(world)
    assert len(world.commits) == 3


async def test_labels_serve_while_a_run_is_under_way_and_it_is_the_only_one(world: World) -> None:
    """Ready=True beside Running=True; a tick that comes meanwhile is kept afterwards."""
    await settle(world)
    world.data_version = 1
    world.now += timedelta(hours=1)
    await until_labeling(world)
    first = status(world)["pins"]["sequence"]
    assert (condition(world.get("LabelJob"))["status"], condition(world.get("LabelJob"), "Running")["status"]) == ("True", "True")
    world.data_version = 2
    world.now += timedelta(hours=1)
    while await once(world):
        pass
    assert [entry[2].step for entry in world.jobs.values() if not entry[2].finished] == ["label"]
    assert status(world)["pins"]["sequence"] == first
    await settle(world)
    assert [commit.data.digest for commit in world.commits] == ["data-0", "data-1", "data-2"]


async def until_labeling(world: World) -> None:
    while not any(entry[2].step == "label" and not entry[2].finished for entry in world.jobs.values()):
        await once(world)
        world.finish("resolve")


async def test_a_failed_run_is_tried_again_at_the_next_tick(world: World) -> None:
    """F3: Ready=False with the reason and no Stalled; the labels of before stand."""
    await settle(world)
    world.data_version = 1
    world.failing["label"] = JobReason.SCHEMA_BROKEN
    world.now += timedelta(hours=1)
    await settle(world)
    resource = world.get("LabelJob")
    assert (condition(resource)["status"], condition(resource)["reason"]) == ("False", "SchemaBroken")
    assert condition(resource)["message"].endswith("; tried again at 2026-01-01T02:00:00Z")
    assert condition(resource, "Stalled") == {}
    assert condition(resource, "SchemaBroken")["status"] == "True"
    assert status(world)["run"]["sequence"] == 1
    assert await wait(world) == 40 * 60
    del world.failing["label"]
    world.now += timedelta(minutes=40)
    await settle(world)
    assert (condition(world.get("LabelJob"))["status"], len(world.commits)) == ("True", 2)


async def test_a_tick_that_is_too_late_is_let_go(world: World) -> None:
    world.apply(scheduled(startingDeadlineSeconds=600))
    await settle(world)
    world.data_version = 1
    world.now += timedelta(minutes=51)  # eleven past one
    await settle(world)
    assert (len(world.commits), status(world)["nextScheduleTime"]) == (1, "2026-01-01T02:00:00Z")
    world.now += timedelta(minutes=49)
    await settle(world)
    assert (len(world.commits), status(world)["pins"]["scheduledFor"]) == (2, "2026-01-01T02:00:00Z")


async def test_a_tick_that_was_begun_in_time_is_kept_however_long_it_takes(world: World) -> None:
    """The deadline is for the start: a slow pod is no reason to give up, and what failed does not heal by itself."""
    world.apply(scheduled(startingDeadlineSeconds=60))
    await settle(world)
    world.data_version = 1
    world.now += timedelta(minutes=40, seconds=5)
    while await once(world):
        pass
    world.now += timedelta(minutes=10)
    while await once(world):
        pass
    assert [entry[2].step for entry in world.jobs.values() if not entry[2].finished] == ["resolve"]
    world.failing["resolve"] = JobReason.SOURCE_UNREADABLE
    await settle(world)
    failed = condition(world.get("LabelJob"))
    assert (failed["status"], failed["reason"]) == ("False", "SourceUnreadable")
    world.now += timedelta(minutes=10)
    await settle(world)
    assert condition(world.get("LabelJob")) == failed
    del world.failing["resolve"]
    world.now += timedelta(minutes=40)
    await settle(world)
    assert (condition(world.get("LabelJob"))["status"], len(world.commits)) == ("True", 2)


@pytest.mark.parametrize(("field", "value", "reason"), [("modelRef.version", 9, "ModelVersionNotFound"), ("modelRef.name", "elsewhere", "ModelNotFound")])
async def test_what_holds_a_job_up_is_looked_at_again_at_its_tick(world: World, field: str, value: object, reason: str) -> None:
    await settle(world)
    world.apply(changed(scheduled(), f"spec.{field}", value))
    await settle(world)
    assert condition(world.get("LabelJob"))["reason"] == reason
    assert status(world)["nextScheduleTime"] == "2026-01-01T01:00:00Z"
    world.now += timedelta(minutes=38)
    assert await wait(world) == 2 * 60


async def test_a_refused_job_is_asked_for_again_at_the_tick(world: World) -> None:
    """A quota may have room by then."""
    plan = Plan(Outcome("reconciling", "Labeling", "x"), LabelJobStatus(), requeue_after=120.0)
    assert stalled_plan(plan, Stalled(ControlReason.QUOTA_EXCEEDED, "no room")).requeue_after == 120.0
    assert stalled_plan(replace(plan, requeue_after=0.0), Stalled(ControlReason.QUOTA_EXCEEDED, "no room")).requeue_after is None


async def test_what_is_said_of_the_labels_that_stand_outlives_a_failed_run(world: World) -> None:
    """F4: and is not told anew once the next run is there, which found the same."""
    world.drift = [Shift(kind="column", name="restarts", size=0.31)]
    await settle(world)
    world.data_version = 1
    world.failing["label"] = JobReason.SCHEMA_BROKEN
    world.now += timedelta(hours=1)
    await settle(world)
    assert condition(world.get("LabelJob"), "Drifted")["status"] == "True"
    told = len([event for _, event in world.events if event.reason == "Drifted"])
    del world.failing["label"]
    world.now += timedelta(hours=1)
    await settle(world)
    assert [event.reason for _, event in world.events].count("Drifted") == told == 1


@pytest.mark.parametrize("manifest", [label_job(), scheduled(timeZone="Nowhere")], ids=["once", "unreadable"])
async def test_without_a_schedule_there_is_no_next_tick(world: World, manifest: dict[str, Any]) -> None:
    """A job that runs once from now on, or whose schedule cannot be read, waits for none."""
    await settle(world)
    assert "nextScheduleTime" in status(world)
    world.apply(manifest)
    await settle(world)
    assert "nextScheduleTime" not in status(world)
    assert len(world.commits) == 1


async def test_suspended_ticks_pass(world: World) -> None:
    await settle(world)
    world.apply(scheduled(suspend=True))
    world.data_version = 1
    world.now += timedelta(hours=3)
    await settle(world)
    assert len(world.commits) == 1
    assert "nextScheduleTime" not in status(world)
    world.apply(scheduled())
    await settle(world)
    assert len(world.commits) == 2


async def test_another_schedule_labels_nothing_again(world: World) -> None:
    """X21: only the data decides."""
    await settle(world)
    world.apply(scheduled(schedule="30 2 * * *", timeZone="Europe/Berlin"))
    await settle(world)
    assert (len(world.commits), status(world)["nextScheduleTime"]) == (1, "2026-01-01T01:30:00Z")
