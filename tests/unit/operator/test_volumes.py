"""Claims that only one pod, or one node, can have: shards are made so that they get along, and who waits for ever is told of (DESIGN §1)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from labelplane.api.reasons import ControlReason
from labelplane.plan.observed import Claim, ObservedJob, PodProblem
from labelplane.plan.volumes import GRACE_SECONDS, HELD_SECONDS, MOUNT_SECONDS
from labelplane.resources.claims import claims_of
from labelplane.resources.job import job_manifest
from labelplane.resources.job_state import observed_job
from tests.manifests import function_set, label_model
from tests.unit.operator.pipeline import SETTINGS, World, condition, once, settle
from tests.unit.operator.test_indexed_jobs import ended, pod
from tests.unit.operator.test_indexed_jobs import job as indexed
from tests.unit.operator.test_pods import job
from tests.unit.operator.test_shards import sharded, until

# As kube-scheduler writes it (plugins/volumerestrictions), in two versions.
HELD = "0/1 nodes are available: 1 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode. no new claims to deallocate."
TAKEN = "0/2 nodes are available: 2 node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod."
TIME = "2026-01-01T00:00:30Z"
ONE_POD, ONE_NODE, MANY = ("ReadWriteOncePod",), ("ReadWriteOnce",), ("ReadWriteOnce", "ReadWriteMany")


async def manifest(shards: int, modes: Sequence[str]) -> dict[str, Any]:
    """The run's first Job, as it is made where its claim has these modes."""
    world = World()
    world.apply(function_set(), label_model(), sharded(shards))
    made = await until(world, "label" if shards == 1 else "shard")
    intent = world.jobs[made.name][1].intent
    return job_manifest(intent, world.get("LabelJob"), SETTINGS, [Claim(name, tuple(modes)) for name in claims_of(intent)])


@pytest.mark.parametrize(
    ("shards", "modes", "at_once", "together"),
    [(3, ONE_POD, 1, False), (3, ONE_NODE, 3, True), (3, MANY, 3, False), (3, (), 3, False), (1, ONE_NODE, None, False), (1, ONE_POD, None, False)],
)
async def test_pods_share_what_their_claims_allow(shards: int, modes: tuple[str, ...], at_once: int | None, together: bool) -> None:
    """One after another, on one node, or as they like; what is not known keeps nobody apart. The Job remembers what was known."""
    made = await manifest(shards, modes)
    assert made["spec"].get("parallelism") == at_once
    template = made["spec"]["template"]
    if together:
        (term,) = template["spec"]["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        assert term == {"labelSelector": {"matchLabels": {"batch.kubernetes.io/job-name": made["metadata"]["name"]}}, "topologyKey": "kubernetes.io/hostname"}
    assert ("affinity" in template["spec"]) is together
    seen = observed_job({**made, "metadata": made["metadata"] | {"uid": "u"}}, [])
    assert seen.claims == (Claim("lake", modes),)
    assert seen.intact


def test_what_somebody_else_wrote_on_the_job_is_no_mode() -> None:
    """An annotation may be edited by anybody."""
    for text in ("{", "[]", '{"other": ["ReadWriteOncePod"]}'):
        raw = job()
        raw["metadata"]["annotations"]["labelplane.dev/claims"] = text
        raw["spec"]["template"]["spec"]["volumes"] = [{"name": "a", "persistentVolumeClaim": {"claimName": "lake"}}, {"name": "t", "emptyDir": {}}]
        assert observed_job(raw, []).claims == (Claim("lake"),)


def unscheduled(text: str) -> dict[str, Any]:
    return {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "message": text, "lastTransitionTime": TIME}]}


def mounting(sandbox: str = "False") -> dict[str, Any]:
    """A node has the pod; `sandbox`: whether its volumes are there."""
    conditions = [{"type": "PodScheduled", "status": "True", "lastTransitionTime": TIME}, {"type": "PodReadyToStartContainers", "status": sandbox}]
    return {"phase": "Pending", "conditions": conditions, "containerStatuses": [{"state": {"waiting": {"reason": "ContainerCreating"}}}]}


@pytest.mark.parametrize("text", [HELD, TAKEN])
def test_the_schedulers_word_for_a_claim_that_is_held(text: str) -> None:
    found = observed_job(job(), [pod(0, **unscheduled(text))]).problem
    assert found is not None
    assert (found.reason, found.since) == (ControlReason.VOLUME_NOT_SHAREABLE, datetime.fromisoformat(TIME))


@pytest.mark.parametrize(("status", "waits"), [(mounting(), True), (mounting("True"), False), (unscheduled("no room"), False), ({"phase": "Running"}, False)])
def test_a_pod_without_sandbox_waits_for_its_volumes(status: dict[str, Any], waits: bool) -> None:
    """One that pulls its image has its volumes."""
    for raw in (job(), indexed()):
        assert (observed_job(raw, [pod(0, **status)]).volumes_awaited_since is not None) is waits


def test_between_two_shards_nobody_holds_the_claim() -> None:
    """The next has waited since it was made; what counts is how long no pod of the Job has had the claim. While one runs, nobody waits in vain."""
    pods = [pod(0, **ended(0, finish="2026-01-01T00:10:00Z")), pod(1, **unscheduled(HELD))]
    found = observed_job(indexed(completedIndexes="0"), pods).problem
    assert found is not None
    assert found.since == datetime.fromisoformat("2026-01-01T00:10:00Z")
    assert observed_job(indexed(completedIndexes="0", ready=1), pods).problem is None
    late = observed_job(indexed(completedIndexes="0"), [pods[0], pod(1, **mounting())])
    assert late.volumes_awaited_since == datetime.fromisoformat("2026-01-01T00:10:00Z")
    assert observed_job(indexed(ready=1), [pod(1, **mounting())]).volumes_awaited_since is None


def change(world: World, found: ObservedJob, **what: Any) -> None:
    owner, action, seen = world.jobs[found.name]
    world.jobs[found.name] = (owner, action, replace(seen, **what))


async def said(world: World) -> tuple[str, str]:
    await once(world)
    ready = condition(world.get("LabelJob"))
    stalled = condition(world.get("LabelJob"), "Stalled")
    return ("Stalled" if stalled else ready["status"]), f"{ready['reason']}: {ready['message']}"


@pytest.mark.parametrize(("modes", "whose"), [(ONE_POD, "claim lake (spec.input.uri, spec.output.uri)"), ((), "claim lake (spec.input.uri, spec.output.uri) or claim gold")])
async def test_a_claim_that_another_pod_has(modes: tuple[str, ...], whose: str) -> None:
    """Silent for a moment, then under way, then Stalled; free again, the run goes on by itself. Where modes are not known, all claims are named."""
    world = World()
    world.apply(function_set(), label_model(), sharded(1))
    running = await until(world, "label")
    held = PodProblem(ControlReason.VOLUME_NOT_SHAREABLE, "held", since=world.now)
    change(world, running, problem=held, state="pending", claims=(Claim("lake", modes), Claim("gold", ("ReadWriteMany",) if modes else ())))
    assert (await said(world))[1].startswith("Labeling")
    world.pass_time(GRACE_SECONDS)
    status, text = await said(world)
    assert status == "Unknown"
    assert text.startswith(f"VolumeNotShareable: {whose} allows one pod at a time (ReadWriteOncePod), and another pod has it")
    assert "ReadWriteMany" in text
    world.pass_time(HELD_SECONDS)
    assert (await said(world))[0] == "Stalled"
    assert [event.reason for kind, event in world.events if kind == "LabelJob"].count("VolumeNotShareable") >= 1
    change(world, running, problem=None, state="running")
    assert (await said(world))[0] == "Unknown"
    await settle(world)
    assert [one.sequence for one in world.commits] == [1]


@pytest.mark.parametrize(("modes", "reason", "end"), [(ONE_NODE, "VolumeNotShareable", "Stalled"), (MANY, "PodNotStarting", "Unknown"), ((), "PodNotStarting", "Unknown")])
async def test_a_claim_that_another_node_has(modes: tuple[str, ...], reason: str, end: str) -> None:
    """An access mode says that it is likely; without one nobody guesses, and the message says where to look."""
    world = World()
    world.apply(function_set(), label_model(), sharded(1))
    running = await until(world, "label")
    change(world, running, volumes_awaited_since=world.now, state="pending", claims=(Claim("lake", modes),))
    world.pass_time(MOUNT_SECONDS - 1)
    assert (await said(world))[1].startswith("Labeling")
    world.pass_time(1)
    status, text = await said(world)
    assert (status, text.split(":")[0], "kubectl describe pod" in text) == ("Unknown", reason, True)
    world.pass_time(HELD_SECONDS)
    assert (await said(world))[0] == end


async def test_shards_one_after_another_say_so() -> None:
    """X16: and the run ends as any other."""
    world = World()
    world.apply(function_set(), label_model(), sharded(3))
    running = await until(world, "shard")
    change(world, running, claims=(Claim("lake", ONE_POD),))
    status, text = await said(world)
    assert status == "Unknown"
    assert "one shard after another: claim lake (spec.input.uri, spec.output.uri) allows one pod at a time (ReadWriteOncePod)" in text
    await settle(world)
    assert len(world.commits) == 1


async def test_pods_of_many_that_get_a_node_are_looked_at_again() -> None:
    """Their events wake nobody; the clock does."""
    from labelplane.api.parse import key_of
    from labelplane.reconcile import reconcile
    from tests.unit.operator.pipeline import Adapter

    world = World()
    world.apply(function_set(), label_model(), sharded(3))
    running = await until(world, "shard")
    change(world, running, state="pending")
    await once(world)
    done = await reconcile(Adapter(world), key_of(world.get("LabelJob")), now=world.now + timedelta(seconds=1), settings=SETTINGS)
    assert done.requeue_after == MOUNT_SECONDS
