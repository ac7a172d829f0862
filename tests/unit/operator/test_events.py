"""What people are told: an Event for every transition that a person would want to know, once."""

import pytest

from labeljob.contract.drift import Shift
from tests.manifests import changed, function_set, label_job, label_model
from tests.unit.operator.pipeline import World, condition, once, settle


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


async def test_drift_is_told_with_names_sizes_and_the_version(world: World) -> None:
    """F4: a condition and an Event that stop nothing; again when another run drifts elsewhere, and gone when nothing does or more is allowed."""
    world.drift = [Shift(kind="column", name="restarts", size=0.31), Shift(kind="function", name="quiet", size=0.029), Shift(kind="label", name="risky", size=0.12)]
    await settle(world)
    resource = world.get("LabelJob")
    assert condition(resource)["status"] == "True"
    drifted = condition(resource, "Drifted")["message"]
    assert drifted.startswith("beside the data of version 1 of LabelModel rollout-risk: column restarts has a population stability index of 0.31 (spec.drift allows 0.2)")
    assert "labels of class risky moved by 0.12" in drifted
    assert "quiet" not in drifted
    assert told(world).count(("Warning", "Drifted")) == 1
    world.apply(changed(label_job(), "spec.drift", {"maxPopulationStability": 0.5, "maxLabelShift": 0.5, "maxVoteShift": 0.02}))
    await settle(world)
    assert "votes of function quiet moved by 0.029 of the rows (spec.drift allows 0.02)" in condition(world.get("LabelJob"), "Drifted")["message"]
    assert told(world).count(("Warning", "Drifted")) == 1
    world.apply(changed(label_job(), "spec.drift", {"maxPopulationStability": 0.5, "maxLabelShift": 0.5, "maxVoteShift": 0.1}))
    await settle(world)
    assert all(one["type"] != "Drifted" for one in world.get("LabelJob")["status"]["conditions"])


async def test_a_model_that_goes_away(world: World) -> None:
    await settle(world)
    told(world)
    world.apply(changed(label_job(), "spec.modelRef.name", "elsewhere"))
    await settle(world)
    assert told(world) == [("Warning", "ModelNotFound")]
