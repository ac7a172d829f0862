"""Cascades in the planner: tiers in order, the chain pinned, a promoted input refits, a cycle is refused (P4)."""

from typing import Any

import pytest

from labeljob.contract.reasons import JobReason
from labelplane.api.groups import Key
from labelplane.resources.mounts import mounted_volumes
from tests.manifests import Manifest, function_set, label_job, label_model
from tests.unit.operator.pipeline import World, condition, once, settle


def model(name: str, *inputs: Any, **spec: Any) -> Manifest:
    """A LabelModel with a home of its own on a claim of its own."""
    named = [{"name": one} if isinstance(one, str) else one for one in inputs]
    body = label_model()["spec"] | {"artifacts": {"uri": f"pvc://{name}-home/models"}} | ({"inputs": named} if named else {}) | spec
    return label_model() | {"metadata": {"name": name}, "spec": body}


def job(name: str, model_name: str) -> Manifest:
    return label_job() | {"metadata": {"name": name}, "spec": label_job()["spec"] | {"modelRef": {"name": model_name}}}


@pytest.fixture
def world() -> World:
    """Two tiers and a job; the second sorts before the first."""
    made = World()
    made.apply(function_set(), model("second", "third"), model("third"), job("labels", "second"))
    return made


def status(world: World, name: str) -> dict[str, Any]:
    found: dict[str, Any] = world.get("LabelModel", name)["status"]
    return found


def ready(world: World, name: str) -> dict[str, Any]:
    return condition(world.get("LabelModel", name))


async def test_tiers_are_fitted_in_order_and_the_chain_is_pinned(world: World) -> None:
    """P4: the second waits with the first's name in its reason; then its version, its status and the run name the version that votes."""
    await once(world)
    world.finish("check")
    await once(world)
    await once(world)
    waiting = ready(world, "second")
    assert (waiting["status"], waiting["reason"]) == ("False", "ModelNotReady")
    assert "LabelModel third, which spec.inputs names, is not Ready" in waiting["message"]
    await settle(world)
    first = world.homes["pvc://third-home/models"][0]
    pin = {"name": "third", "version": 1, "digest": first.fit_digest, "artifacts": "pvc://third-home/models", "sha256": first.sha256, "direct": True}
    assert status(world, "second")["current"]["inputs"] == [pin]
    assert world.get("LabelJob")["status"]["run"]["inputs"] == [pin]
    assert world.get("LabelJob")["status"]["pins"]["inputs"] == [pin]


async def test_a_promoted_input_is_a_new_fit_of_what_it_votes_in(world: World) -> None:
    """P4, C6: a new version of the first tier makes one of the second, and the labels follow; at rest nothing is fitted again."""
    await settle(world)
    world.apply(model("third", parameters={"seed": 9}))
    await settle(world)
    second = status(world, "second")["current"]
    assert (second["version"], second["inputs"][0]["version"]) == (2, 2)
    assert [one["version"] for one in world.get("LabelJob")["status"]["run"]["inputs"]] == [2]
    assert len(world.commits) == 2
    writes = world.writes
    assert not await once(world)
    assert (world.writes, len(world.index)) == (writes, 4)


async def test_three_tiers_are_one_chain(world: World) -> None:
    """P4: the inputs of inputs are pinned, too, first tiers first; each version is mounted for the fit and for the run, read-only."""
    world.apply(model("top", "second", "third"), job("labels", "top"))
    world.apply(model("over", "second"))
    await settle(world)
    chain = [(one["name"], one["direct"]) for one in status(world, "over")["current"]["inputs"]]
    assert chain == [("third", False), ("second", True)]
    assert [(one["name"], one["direct"]) for one in status(world, "top")["current"]["inputs"]] == [("third", True), ("second", True)]
    for step in ("fit", "label"):
        intent = [entry[1].intent for entry in world.jobs.values() if entry[2].step == step and "top" in str(entry[1].intent.config)][-1]
        mounted = {volume.prefix: volume.writable for volume in mounted_volumes(intent)}
        assert mounted["pvc://third-home"] is mounted["pvc://second-home"] is False
        assert mounted["pvc://top-home"] is (step == "fit")


async def test_a_held_input_stays(world: World) -> None:
    """A version in spec.inputs is held whatever its model serves, and needs no Ready model."""
    await settle(world)
    world.apply(model("second", {"name": "third", "version": 1}), model("third", parameters={"seed": 9}))
    await settle(world)
    assert status(world, "third")["current"]["version"] == 2
    assert status(world, "second")["current"]["inputs"][0]["version"] == 1
    assert status(world, "second")["current"]["version"] == 1  # the same pins as before: nothing was fitted
    world.failing["resolve"] = JobReason.SOURCE_NOT_FOUND
    world.apply(model("third", parameters={"seed": 10}))
    await settle(world)
    assert ready(world, "third")["status"] == "False"
    assert ready(world, "second")["status"] == "True"


async def test_a_pinned_model_needs_no_input(world: World) -> None:
    """With spec.pin nothing is fitted: the version that stands serves, with the chain that it was fitted with."""
    await settle(world)
    del world.resources[Key("LabelModel", "default", "third")]
    world.apply(model("second", "third", pin=1))
    await settle(world)
    assert ready(world, "second")["status"] == "True"
    assert status(world, "second")["current"]["inputs"][0]["name"] == "third"


async def test_a_lost_status_is_rebuilt_with_its_chain(world: World) -> None:
    """Status is only a view: nothing is fitted again, and the chain is that of the index."""
    await settle(world)
    before = status(world, "second")["current"]
    del before["podSeconds"]  # what nobody remembers
    for resource in world.resources.values():
        resource["status"] = {"observedGeneration": -1}
    world.jobs.clear()
    await settle(world)
    assert status(world, "second")["current"] == before
    assert world.get("LabelJob")["status"]["run"]["inputs"] == before["inputs"]
    assert (len(world.index), len(world.commits)) == (2, 1)


async def test_a_missing_input_is_waited_for() -> None:
    world = World()
    world.apply(function_set(), model("second", "third"))
    await settle(world)
    assert (ready(world, "second")["status"], ready(world, "second")["reason"]) == ("False", "ModelNotFound")
    assert "spec.inputs[0].name: there is no LabelModel third" in ready(world, "second")["message"]
    assert condition(world.get("LabelModel", "second"), "Reconciling")["status"] == "True"
    world.apply(model("third"))
    await settle(world)
    assert ready(world, "second")["status"] == "True"


@pytest.mark.parametrize(
    ("inputs", "written"),
    [
        ({"a": ["a"]}, {"a": "a -> a"}),
        ({"a": ["b"], "b": ["a"]}, {"a": "a -> b -> a", "b": "b -> a -> b"}),
        ({"a": ["b"], "b": ["c"], "c": ["a"]}, {"a": "a -> b -> c -> a", "c": "c -> a -> b -> c"}),
    ],
)
async def test_a_cycle_is_refused_with_the_way_round(inputs: dict[str, list[str]], written: dict[str, str]) -> None:
    """P4: Stalled, at each model in it, before anything runs; one that is not in it waits."""
    world = World()
    world.apply(function_set(), *(model(name, *names) for name, names in inputs.items()), model("outside", "a"))
    await settle(world)
    for name, text in written.items():
        assert condition(world.get("LabelModel", name), "Stalled")["status"] == "True"
        assert ready(world, name)["reason"] == "InputCycle"
        assert f"spec.inputs: {text} is a cycle" in ready(world, name)["message"]
    assert ready(world, "outside")["reason"] == "ModelNotReady"
    assert not world.index
