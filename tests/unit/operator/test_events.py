"""What people are told: an Event for every transition that a person would want to know, once."""

import pytest

from tests.manifests import changed, function_set, label_job, label_model
from tests.unit.operator.pipeline import World, once, settle


@pytest.fixture
def world() -> World:
    """Three good manifests, applied."""
    made = World()
    made.apply(function_set(), label_model(), label_job())
    return made


def told(world: World, kind: str = "LabelJob") -> list[tuple[str, str]]:
    """(type, reason) of the Events of a kind since the last look, in order."""
    found = [(event.type, event.reason) for of, event in world.events if of == kind]
    world.events.clear()
    return found


async def test_a_first_run_is_told_step_by_step(world: World) -> None:
    """Waiting for something that is not there is a warning; each step and the end are not."""
    world.resources = dict(reversed(world.resources.items()))  # the job is looked at first
    await settle(world)
    events = [(of, event.type, event.reason) for of, event in world.events]
    for kind, steps in (
        ("LabelingFunctionSet", ["Checking", "Checked"]),
        ("LabelModel", ["Resolving", "Fitting", "Fitted"]),
        ("LabelJob", ["Resolving", "Labeling", "Labeled"]),
    ):
        assert [reason for of, type_, reason in events if (of, type_) == (kind, "Normal")] == steps
    assert [reason for of, type_, reason in events if (of, type_) == ("LabelModel", "Warning")] == ["FunctionSetNotReady"]
    assert [reason for of, type_, reason in events if (of, type_) == ("LabelJob", "Warning")] == ["ModelNotReady"]


async def test_nothing_new_is_nothing_told(world: World) -> None:
    await settle(world)
    world.events.clear()
    world.annotate("LabelJob", reconcile="again")
    await once(world)
    assert world.events == []


async def test_a_rerun_beside_what_serves(world: World) -> None:
    """Ready stays; the steps and the new version are told all the same."""
    await settle(world)
    told(world)
    world.data_version = 1
    world.annotate("LabelJob", reconcile_at="1")
    await settle(world)
    assert told(world) == [("Normal", "Resolving"), ("Normal", "Labeling"), ("Normal", "Labeled")]


async def test_a_new_version_of_the_model(world: World) -> None:
    await settle(world)
    told(world)
    world.apply(changed(label_model(), "spec.algorithm", "majority-vote"))
    await settle(world)
    assert ("Normal", "Fitted") in [(event.type, event.reason) for of, event in world.events if of == "LabelModel"]
    assert ("Normal", "Labeled") in told(world)


async def test_suspending_and_resuming(world: World) -> None:
    await settle(world)
    told(world)
    world.apply(changed(label_job(), "spec.suspend", True))
    await settle(world)
    assert told(world) == [("Normal", "Suspended")]
    world.apply(label_job())
    await settle(world)
    assert ("Normal", "Progressing") in told(world)


async def test_a_missed_objective(world: World) -> None:
    """Once, when it begins; the labels stand."""
    world.apply(changed(label_job(), "spec.objectives", {"coverage": 0.99, "conflictRate": 0.01}))
    await settle(world)
    assert told(world)[-2:] == [("Warning", "CoverageLow"), ("Warning", "ConflictHigh")]
    world.annotate("LabelJob", reconcile_at="1")
    await settle(world)
    assert ("Warning", "CoverageLow") not in told(world)


async def test_a_model_that_goes_away(world: World) -> None:
    await settle(world)
    told(world)
    world.apply(changed(label_job(), "spec.modelRef.name", "elsewhere"))
    await settle(world)
    assert told(world) == [("Warning", "ModelNotFound")]
