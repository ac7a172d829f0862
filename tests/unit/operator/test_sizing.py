"""What pods ask for: sized from the data where nobody says it, pinned, and never a reason to do anything again (X21)."""

from typing import Any

import pytest
from pydantic import ValidationError

from labelplane.api.quantities import amount
from labelplane.api.runtime import Resources, Runtime
from labelplane.plan.actions import JobIntent
from labelplane.plan.function_set import functions_of
from labelplane.plan.sizing import UNKNOWN, sized, with_resources
from labelplane.resources.job_state import observed_job
from tests.manifests import changed, function_set, label_job, label_model
from tests.unit.operator.pipeline import World, condition, settle
from tests.unit.operator.test_pods import ended, job

MIB = 1 << 20


@pytest.mark.parametrize(
    ("stored", "pods", "expected"),
    [
        (0, 1, ("50m", "128Mi", "512Mi")),
        (MIB, 1, ("50m", "128Mi", "512Mi")),
        (MIB + 1, 1, ("100m", "256Mi", "1Gi")),
        (16 * MIB, 1, ("100m", "256Mi", "1Gi")),
        (17 * MIB, 1, ("500m", "512Mi", "1Gi")),
        (256 * MIB, 1, ("500m", "512Mi", "1Gi")),
        (257 * MIB, 1, ("500m", "1Gi", "1Gi")),
        (1 << 50, 1, ("500m", "1Gi", "1Gi")),
        (1 << 38, 1024, ("500m", "512Mi", "1Gi")),
        (30 * MIB, 3, ("100m", "256Mi", "1Gi")),
    ],
)
def test_by_the_bytes_that_a_pod_reads(stored: int, pods: int, expected: tuple[str, ...]) -> None:
    """Little for little data, a bound for any, and of a run in shards what one of them needs."""
    found = sized(stored, pods, None)
    assert found is not None
    assert (*(found.requests or {}).values(), *(found.limits or {}).values()) == expected


def test_more_data_never_asks_for_less() -> None:
    """And no request is above its limit."""
    found = [one for power in range(45) if (one := sized(1 << power, 1, None)) is not None]
    for name in ("cpu", "memory"):
        asked = [amount((one.requests or {})[name]) for one in found]
        assert asked == sorted(asked)
    assert all(amount((one.requests or {})["memory"]) <= amount((one.limits or {})["memory"]) for one in found)


def test_functions_in_python_have_a_process_apart() -> None:
    """One that is switched off takes nothing."""
    python = {"name": "custom", "python": {"entrypoint": "acme:slow", "columns": ["message"]}}
    for enabled, expected in ((True, ("256Mi", "1Gi")), (False, ("128Mi", "512Mi"))):
        manifest = function_set()
        manifest["spec"]["functions"].append(python | {"enabled": enabled})
        world = World(stored=0)
        world.apply(manifest)
        found = sized(0, 1, functions_of(parsed(world)))
        assert found is not None
        assert ((found.requests or {})["memory"], (found.limits or {})["memory"]) == expected


@pytest.mark.parametrize(("count", "expected"), [(12, "128Mi"), (13, "256Mi"), (199, "512Mi")])
def test_many_functions_are_as_more_data(count: int, expected: str) -> None:
    """Votes take room as rows do; with the one that is off, 200 at the most."""
    world, manifest = World(), function_set()
    manifest["spec"]["functions"] = [{"name": f"f{k}", "label": "risky", "threshold": {"column": "restarts", "above": k}} for k in range(count + 1)]
    manifest["spec"]["functions"][0]["enabled"] = False
    manifest["spec"] |= {"tests": []}
    world.apply(manifest)
    found = sized(MIB, 1, functions_of(parsed(world)))
    assert found is not None
    assert (found.requests or {})["memory"] == expected


def parsed(world: World) -> Any:
    from labelplane.api.parse import parse_function_set

    return parse_function_set(world.get("LabelingFunctionSet"))


OURS = Resources(requests={"cpu": "500m", "memory": "512Mi"}, limits={"memory": "1Gi"})


@pytest.mark.parametrize(
    ("given", "requests", "limits"),
    [
        (None, {"cpu": "500m", "memory": "512Mi"}, {"memory": "1Gi"}),
        ({"requests": {"cpu": 2}}, {"cpu": 2, "memory": "512Mi"}, {"memory": "1Gi"}),
        ({"limits": {"memory": "4Gi"}}, {"cpu": "500m", "memory": "512Mi"}, {"memory": "4Gi"}),
        ({"limits": {"memory": "64Mi"}}, {"cpu": "500m", "memory": "64Mi"}, {"memory": "64Mi"}),
        ({"limits": {"cpu": "0.25"}}, {"cpu": "0.25", "memory": "512Mi"}, {"cpu": "0.25", "memory": "1Gi"}),
        ({"requests": {"memory": "1.5Gi"}}, {"cpu": "500m", "memory": "1.5Gi"}, {"memory": "1.5Gi"}),
        ({"requests": {"nvidia.com/gpu": 1}}, {"cpu": "500m", "memory": "512Mi", "nvidia.com/gpu": 1}, {"memory": "1Gi"}),
        ({"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}}, {"cpu": "500m", "memory": "2Gi"}, {"memory": "1Gi"}),
        ({"requests": {"nvidia.com/gpu": 2}, "limits": {"nvidia.com/gpu": 1}}, {"cpu": "500m", "memory": "512Mi", "nvidia.com/gpu": 2}, {"memory": "1Gi", "nvidia.com/gpu": 1}),
    ],
    ids=["nothing", "cpu", "more", "less", "cpu-limit", "request", "another", "both", "both-of-another"],
)
def test_what_a_user_sets_stands_field_by_field(given: dict[str, Any] | None, requests: dict[str, Any], limits: dict[str, Any]) -> None:
    """What we say gives way, so that the API server takes the pod."""
    runtime = Runtime(resources=Resources.model_validate(given) if given else None)
    found = with_resources(runtime, OURS).resources
    assert found == Resources(requests=requests, limits=limits)


@pytest.mark.parametrize(("text", "expected"), [("500m", 0.5), (2, 2), ("1.5Gi", 1.5 * 2**30), ("1e3", 1000), ("1E", 10**18), ("12E6", 12 * 10**6), (".5k", 500), ("5n", 5e-9)])
def test_quantities(text: str | int, expected: float) -> None:
    assert float(amount(text)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("text", ["", "Gi", "1 Gi", "1GiB", "much", "1e1.5", "1e.5", "1e5.", "1e9999", "1e99999999999999999999", "1Ki3", "1\n", "٣", "1" * 65, True, 0.5, None])
def test_what_is_no_quantity(text: Any) -> None:
    """It is refused where a resource is read; no decision meets it."""
    with pytest.raises(ValidationError, match="is no quantity"):
        Resources(requests={"memory": text})


@pytest.mark.parametrize("text", ["9e999", "-1", "+.5E+9", "9" * 64, 10**63, "9" * 62 + "Ei"])
def test_whatever_is_taken_can_be_weighed(text: str | int) -> None:
    """Against a figure of ours, in whatever way it is wrong or large."""
    runtime = Runtime(resources=Resources(requests={"memory": text}))
    found = with_resources(runtime, OURS).resources
    assert found is not None
    assert (found.requests or {})["memory"] == text


def intent_of(world: World, step: str) -> JobIntent:
    return next(action.intent for _, action, seen in reversed(world.jobs.values()) if seen.step == step)


def resources_of(world: World, step: str) -> dict[str, Any]:
    found = intent_of(world, step).runtime.resources
    assert found is not None
    return found.wire()


async def test_pinned_beside_the_shards_and_asked_for_by_each_job() -> None:
    """One pod reads all of it, each of three shards a third; what puts them together asks for what a shard does."""
    small, large = sized(14 * MIB, 1, None), sized(40 * MIB, 1, None)
    assert small is not None
    assert large is not None
    world = World(stored=40 * MIB)
    world.apply(function_set(), label_model())
    await settle(world)
    assert world.get("LabelModel")["status"]["pins"]["resources"] == resources_of(world, "fit") == large.wire()
    world = World(stored=40 * MIB)
    world.apply(function_set(), changed(label_model(), "spec.shards", 3), changed(label_job(), "spec.shards", 3))
    await settle(world)
    assert world.get("LabelModel")["status"]["pins"]["resources"] == resources_of(world, "fit-shard") == resources_of(world, "fit") == small.wire()
    assert world.get("LabelJob")["status"]["pins"]["resources"] == resources_of(world, "shard") == resources_of(world, "commit") == small.wire()


async def test_another_estimate_labels_nothing_again() -> None:
    """More data of equal pins, another operator's formula, or none: no new run, and a Job under way stays as it is."""
    world = World(stored=MIB)
    world.apply(function_set(), label_model(), label_job())
    await settle(world)
    made = list(world.jobs)
    for stored in (400 * MIB, None):
        world.stored = stored
        world.annotate("LabelJob", reconcile_at=str(stored))
        world.annotate("LabelModel", reconcile_at=str(stored))
        await settle(world)
    assert len(world.commits) == len(world.index) == 1
    assert {name for name in world.jobs if "resolve" not in name} <= set(made)
    assert condition(world.get("LabelJob"))["status"] == "True"


async def test_what_was_pinned_before_there_were_sizes() -> None:
    """It asks for what it would have asked for."""
    world = World(stored=None)
    world.apply(function_set(), label_model(), label_job())
    await settle(world)
    assert "resources" not in world.get("LabelJob")["status"]["pins"]
    assert resources_of(world, "label") == UNKNOWN.wire()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"requests": {"memory": "128Mi"}, "limits": {"memory": "512Mi"}}, "it asked for 128Mi and may use 512Mi: set spec.runtime.resources.limits.memory to more"),
        ({"limits": {"memory": "16Mi"}}, "it asked for 16Mi and may use 16Mi"),
        ({}, "it asked for nothing and its node has no more: set spec.runtime.resources.requests.memory"),
    ],
)
def test_out_of_memory_says_what_was_asked_and_what_to_set(given: dict[str, Any], words: str) -> None:
    killed = ended(137)
    killed["containerStatuses"][0]["state"]["terminated"]["reason"] = "OOMKilled"
    pod = {"metadata": {"name": "p-1", "creationTimestamp": "2026-01-01T00:00:01Z"}, "spec": {"containers": [{"resources": given}]}, "status": killed}
    found = observed_job(job(), [pod]).problem
    assert found is not None
    assert words in found.message
