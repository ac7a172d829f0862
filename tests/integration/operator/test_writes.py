"""Jobs, ConfigMaps and Events against the real API server."""

from datetime import UTC, datetime
from typing import Any

import pytest

from labelplane.api.groups import Key
from labelplane.cluster.cache import Cache, key_of
from labelplane.cluster.client import ApiError, Client
from labelplane.cluster.events import EventRecorder
from labelplane.cluster.jobs import JobWriter
from labelplane.cluster.kubernetes import KubernetesCluster
from labelplane.cluster.paths import CONFIG_MAPS, EVENTS, JOBS, LABEL_MODELS
from labelplane.errors import Stalled, Transient
from labelplane.plan.actions import Event
from labelplane.plan.observed import Observed
from labelplane.settings import Settings
from tests.cluster_fixtures import RealCluster
from tests.integration.operator.objects import Raw, our_labels, owner_reference
from tests.integration.operator.quotas import no_room
from tests.manifests import label_model

pytestmark = pytest.mark.apiserver


@pytest.fixture
async def owner(client: Client, api_namespace: str) -> Raw:
    return await client.create(LABEL_MODELS.path(api_namespace), label_model(namespace=api_namespace))


def owned(kind: str, owner: Raw, name: str, **content: Any) -> Raw:
    """An object of ours that belongs to the resource."""
    metadata = {
        "name": name,
        "namespace": owner["metadata"]["namespace"],
        "labels": our_labels(owner),
        "ownerReferences": [owner_reference(owner)],
    }
    return {"apiVersion": "batch/v1" if kind == "Job" else "v1", "kind": kind, "metadata": metadata, **content}


def config_map(owner: Raw, name: str = "run") -> Raw:
    return owned("ConfigMap", owner, name, data={"job.json": "{}"})


def a_job(owner: Raw, name: str = "run", **pod: Any) -> Raw:
    container = {"name": "job", "image": "none"}
    template = {"metadata": {"labels": our_labels(owner)}, "spec": {"restartPolicy": "Never", "containers": [container], **pod}}
    return owned("Job", owner, name, spec={"template": template})


async def writer_and_cache(client: Client) -> tuple[JobWriter, Cache]:
    cache = Cache()
    return JobWriter(client, cache), cache


async def test_creating_twice_creates_once(client: Client, owner: Raw) -> None:
    writer, cache = await writer_and_cache(client)
    await writer.create(owner, config_map(owner), a_job(owner))
    first = cache.jobs_of(owner["metadata"]["uid"])
    await writer.create(owner, config_map(owner), a_job(owner))
    assert [raw["metadata"]["uid"] for raw in cache.jobs_of(owner["metadata"]["uid"])] == [first[0]["metadata"]["uid"]]


@pytest.mark.parametrize("kind", ["Job", "ConfigMap"])
async def test_a_foreign_object_of_the_name_stalls(client: Client, owner: Raw, kind: str) -> None:
    """Nothing is overwritten, and the person learns what to do."""
    foreign = a_job(owner) if kind == "Job" else config_map(owner)
    del foreign["metadata"]["ownerReferences"]
    collection = JOBS if kind == "Job" else CONFIG_MAPS
    made = await client.create(collection.path(owner["metadata"]["namespace"]), foreign)
    writer, _ = await writer_and_cache(client)
    with pytest.raises(Stalled, match=f"{kind} run exists and does not belong") as stalled:
        await writer.create(owner, config_map(owner), a_job(owner))
    assert stalled.value.reason == "NameConflict"
    assert (await client.get(collection.path(owner["metadata"]["namespace"], "run")))["metadata"]["uid"] == made["metadata"]["uid"]


async def test_a_leftover_of_an_earlier_resource_is_awaited(client: Client, owner: Raw) -> None:
    earlier = {**owner, "metadata": {**owner["metadata"], "uid": "0f0f0f0f-0000-0000-0000-000000000000"}}
    writer, _ = await writer_and_cache(client)
    leftover = config_map(earlier)
    leftover["metadata"]["finalizers"] = ["example.com/hold"]  # keeps the garbage collector from being faster than the test
    path = CONFIG_MAPS.path(owner["metadata"]["namespace"])
    await client.create(path, leftover)
    with pytest.raises(Transient, match=r"earlier resource|being deleted"):
        await writer.create(owner, config_map(owner), a_job(owner))
    await client.merge(f"{path}/run", {"metadata": {"finalizers": None}})


async def test_a_job_on_its_way_out_is_awaited(client: Client, owner: Raw) -> None:
    held = a_job(owner)
    held["metadata"]["finalizers"] = ["example.com/hold"]
    namespace = owner["metadata"]["namespace"]
    made = await client.create(JOBS.path(namespace), held)
    await client.delete(JOBS.path(namespace, "run"), uid=made["metadata"]["uid"])
    writer, _ = await writer_and_cache(client)
    with pytest.raises(Transient, match="being deleted"):
        await writer.create(owner, config_map(owner), a_job(owner))
    await client.merge(JOBS.path(namespace, "run"), {"metadata": {"finalizers": None}})


async def test_a_lost_label_is_put_back(client: Client, owner: Raw) -> None:
    """Without its label the Job would vanish from our watch and never finish for us."""
    writer, _ = await writer_and_cache(client)
    namespace = owner["metadata"]["namespace"]
    await writer.create(owner, config_map(owner), a_job(owner))
    await client.merge(JOBS.path(namespace, "run"), {"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}})
    await writer.create(owner, config_map(owner), a_job(owner))
    listed = await client.list_all(JOBS.path(namespace), JOBS.selector)
    assert [item["metadata"]["name"] for item in listed["items"]] == ["run"]


async def test_an_invalid_job_stalls_with_the_servers_words(client: Client, owner: Raw) -> None:
    writer, _ = await writer_and_cache(client)
    with pytest.raises(Stalled, match="nodeSelector") as stalled:
        await writer.create(owner, config_map(owner), a_job(owner, nodeSelector={"not a label!": "x"}))
    assert stalled.value.reason == "InvalidSpec"


async def test_a_full_quota_stalls(client: Client, owner: Raw, api_server: RealCluster) -> None:
    namespace = owner["metadata"]["namespace"]
    await no_room(api_server, namespace, "count/jobs.batch")
    writer, _ = await writer_and_cache(client)
    with pytest.raises(Stalled, match="exceeded quota: small") as stalled:
        await writer.create(owner, config_map(owner), a_job(owner))
    assert stalled.value.reason == "QuotaExceeded"
    assert (await client.list_all(JOBS.path(namespace)))["items"] == []


async def test_deleting_removes_both_and_may_be_repeated(client: Client, owner: Raw) -> None:
    writer, cache = await writer_and_cache(client)
    await writer.create(owner, config_map(owner), a_job(owner))
    uid = cache.jobs_of(owner["metadata"]["uid"])[0]["metadata"]["uid"]
    for _ in range(2):
        await writer.delete(owner, "run", uid)
    assert cache.get(Key("Job", owner["metadata"]["namespace"], "run")) is None
    for collection in (JOBS, CONFIG_MAPS):
        with pytest.raises(ApiError, match="404"):
            await client.get(collection.path(owner["metadata"]["namespace"], "run"))


async def test_deleting_spares_a_successor_and_foreign_config(client: Client, owner: Raw) -> None:
    writer, _ = await writer_and_cache(client)
    namespace = owner["metadata"]["namespace"]
    foreign = config_map(owner)
    del foreign["metadata"]["ownerReferences"]
    await client.create(CONFIG_MAPS.path(namespace), foreign)
    await client.create(JOBS.path(namespace), a_job(owner))
    await writer.delete(owner, "run", "0f0f0f0f-0000-0000-0000-000000000000")
    assert await client.get(JOBS.path(namespace, "run"))
    assert await client.get(CONFIG_MAPS.path(namespace, "run"))


async def test_the_same_event_is_one_object_with_a_count(client: Client, owner: Raw) -> None:
    recorder = EventRecorder(client, lambda: datetime(2026, 3, 1, tzinfo=UTC))
    for _ in range(3):
        await recorder.record(owner, Event("Normal", "Fitted", "version 1 serves"))
    await recorder.record(owner, Event("Warning", "Fitted", "é" * 4000))
    listed = (await client.list_all(EVENTS.path(owner["metadata"]["namespace"])))["items"]
    ours = {event["count"]: event for event in listed if event["involvedObject"]["name"] == owner["metadata"]["name"]}
    assert sorted(ours) == [1, 3]
    assert ours[3]["message"] == "version 1 serves"
    assert ours[1]["message"] == "é" * 512


async def test_an_event_that_cannot_be_written_is_no_failure(client: Client, owner: Raw) -> None:
    elsewhere = {**owner, "metadata": {**owner["metadata"], "namespace": "nowhere"}}
    await EventRecorder(client).record(elsewhere, Event("Normal", "Fitted", "version 1 serves"))


def cluster_of(client: Client, *known: Raw) -> tuple[KubernetesCluster, Cache]:
    cache = Cache()
    for raw in known:
        cache.put(raw)
    return KubernetesCluster(client, cache, Settings("image")), cache


def a_status(message: str) -> Raw:
    moment = "2026-03-01T00:00:00Z"
    ready = {"type": "Ready", "status": "True", "reason": "Fitted", "message": message, "lastTransitionTime": moment, "observedGeneration": 1}
    return {"observedGeneration": 1, "conditions": [ready]}


async def test_a_status_is_replaced_whole(client: Client, owner: Raw) -> None:
    """A field left out is gone, and the cache knows before the event comes."""
    cluster, cache = cluster_of(client, owner)
    key = key_of(owner)
    for status in ({**a_status("one"), "lastHandledReconcileAt": "x"}, a_status("two")):
        await cluster.write_status(Observed(key, cache.get(key) or {}), status)
    assert (cache.get(key) or {})["status"] == a_status("two")
    assert (await client.get(LABEL_MODELS.path(key.namespace, key.name)))["status"] == a_status("two")


async def test_a_status_decided_on_old_data_is_refused_and_the_fresh_is_read(client: Client, owner: Raw) -> None:
    cluster, cache = cluster_of(client, owner)
    key = key_of(owner)
    await client.merge(LABEL_MODELS.path(key.namespace, key.name), {"metadata": {"annotations": {"a": "b"}}})
    with pytest.raises(Transient) as conflict:
        await cluster.write_status(Observed(key, owner), a_status("old"))
    assert conflict.value.reason == "Conflict"
    await cluster.write_status(Observed(key, cache.get(key) or {}), a_status("fresh"))


async def test_a_status_never_reaches_a_successor_of_the_same_name(client: Client, owner: Raw) -> None:
    """The resource was deleted, and made again: another uid."""
    cluster, _ = cluster_of(client, owner)
    path = LABEL_MODELS.path(owner["metadata"]["namespace"])
    await client.delete(f"{path}/{owner['metadata']['name']}", uid=owner["metadata"]["uid"])
    successor = await client.create(path, label_model(namespace=owner["metadata"]["namespace"]))
    with pytest.raises(Transient):
        await cluster.write_status(Observed(key_of(owner), owner), a_status("for the dead"))
    assert (await client.get(f"{path}/{owner['metadata']['name']}"))["status"] == successor["status"]


async def test_a_status_of_what_is_gone_is_no_failure(client: Client, owner: Raw) -> None:
    cluster, cache = cluster_of(client, owner)
    key = key_of(owner)
    await client.delete(LABEL_MODELS.path(key.namespace, key.name), uid=owner["metadata"]["uid"])
    await cluster.write_status(Observed(key, owner), a_status("late"))
    assert await cluster.observe(key) is None
    assert cache.get(key) is None


async def test_what_is_being_deleted_is_not_observed(client: Client, owner: Raw) -> None:
    leaving = {**owner, "metadata": {**owner["metadata"], "deletionTimestamp": "2026-03-01T00:00:00Z"}}
    cluster, _ = cluster_of(client, leaving)
    assert await cluster.observe(key_of(owner)) is None
