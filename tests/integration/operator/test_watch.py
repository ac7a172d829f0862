"""kopf as a source of events, on the real API server: what arrives, what is noticed when nothing does."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import kopf
import pytest

from labelplane.api.groups import Key
from labelplane.cluster.cache import Cache
from labelplane.cluster.client import Client
from labelplane.cluster.paths import LABEL_MODELS, watched_paths
from labelplane.handlers.feed import Feed
from labelplane.handlers.heartbeat import Heartbeat
from labelplane.handlers.queue import WorkQueue
from labelplane.handlers.watch_session import WatchSession
from labelplane.handlers.watching import Logins, Patience, handlers, kopf_settings, watch
from tests.cluster_fixtures import RealCluster
from tests.integration.operator.process import restart_control_plane
from tests.manifests import label_model
from tests.patience import HANG_SECONDS

pytestmark = pytest.mark.apiserver

HASTY = Patience(server=300, client=310.0, connect=1.0, inactivity=1.0, silence=5.0)


@dataclass(frozen=True)
class Watching:
    """A running watch and what it feeds."""

    cache: Cache
    queue: WorkQueue[Key]
    heartbeat: Heartbeat
    task: asyncio.Task[None]


@asynccontextmanager
async def watching(client: Client, namespace: str, patience: Patience = HASTY) -> AsyncIterator[Watching]:
    cache, queue = Cache(), WorkQueue[Key]()
    feed = Feed(cache, queue, lambda step, outcome: None)
    paths = watched_paths((namespace,))
    heartbeat = Heartbeat(paths)
    session = WatchSession(client, paths, heartbeat, feed.listed)
    registry = handlers(feed, session.open, client.server)
    task = asyncio.create_task(watch(registry, kopf_settings(patience), (namespace,)))
    try:
        async with asyncio.timeout(HANG_SECONDS):
            await heartbeat.wait_listed()
        yield Watching(cache, queue, heartbeat, task)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def eventually(found: Callable[[], object], seconds: float = HANG_SECONDS) -> None:
    """Wait until it is true; fails with what it last was."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not found():
        assert asyncio.get_running_loop().time() < deadline, "waited in vain"
        await asyncio.sleep(0.05)


async def test_first_list_fills_the_cache_and_wakes(client: Client, api_namespace: str) -> None:
    await client.create(LABEL_MODELS.path(api_namespace), label_model(namespace=api_namespace))
    async with watching(client, api_namespace) as now:
        key = Key("LabelModel", api_namespace, "rollout-risk")
        assert now.cache.get(key)
        assert await now.queue.take() == key


async def test_events_reach_cache_and_queue(client: Client, api_namespace: str) -> None:
    key = Key("LabelModel", api_namespace, "rollout-risk")
    async with watching(client, api_namespace) as now:
        made = await client.create(LABEL_MODELS.path(api_namespace), label_model(namespace=api_namespace))
        await eventually(lambda: now.cache.get(key))
        await client.delete(LABEL_MODELS.path(api_namespace, "rollout-risk"), uid=made["metadata"]["uid"])
        await eventually(lambda: now.cache.get(key) is None)


async def test_only_our_own_jobs_are_seen(client: Client, api_namespace: str) -> None:
    labels = {"app.kubernetes.io/managed-by": "labelplane"}
    async with watching(client, api_namespace) as now:
        for name, ours in (("theirs", {}), ("ours", labels)):
            template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "none"}]}}
            metadata = {"name": name, "namespace": api_namespace, "labels": ours}
            manifest = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"suspend": True, "template": template}}
            await client.create(f"/apis/batch/v1/namespaces/{api_namespace}/jobs", manifest)
        await eventually(lambda: now.cache.get(Key("Job", api_namespace, "ours")))
        assert now.cache.get(Key("Job", api_namespace, "theirs")) is None


@pytest.mark.alone
async def test_a_frozen_api_server_is_noticed_and_forgiven(client: Client, api_namespace: str, api_server: RealCluster) -> None:
    """The connection stays open and says nothing: kopf's own health would stay green."""
    async with watching(client, api_namespace) as now:
        pid = api_server.pid("kube-apiserver")
        os.kill(pid, signal.SIGSTOP)
        try:
            await eventually(lambda: len(now.heartbeat.silent(HASTY.silence)) == 5)
        finally:
            os.kill(pid, signal.SIGCONT)
        await eventually(lambda: not now.heartbeat.silent(HASTY.silence))
        assert not now.task.done()
        await client.create(LABEL_MODELS.path(api_namespace), label_model(namespace=api_namespace))
        await eventually(lambda: now.cache.get(Key("LabelModel", api_namespace, "rollout-risk")))


async def test_bookmarks_are_heard(client: Client, api_namespace: str) -> None:
    """Nothing changes in the namespace and the watch lasts: only what the API server says by itself is heard."""
    heard = set()

    def everything_heard() -> bool:
        heard.update(watched for watched, seconds in now.heartbeat.silence().items() if seconds < 2)
        return len(heard) == 5

    async with watching(client, api_namespace, Patience(inactivity=280.0)) as now:
        await eventually(lambda: min(now.heartbeat.silence().values()) > 5)
        await eventually(everything_heard, 200)  # a bookmark comes every minute on any machine; after 280 s the watch would begin anew, which is heard too


@pytest.mark.alone
async def test_what_was_deleted_while_the_api_server_was_away_is_found_out(client: Client, api_namespace: str, api_server: RealCluster) -> None:
    """After a restart the watch lists again; its list shows what is missing."""
    key = Key("LabelModel", api_namespace, "ghost")
    async with watching(client, api_namespace) as now:
        ghost = {
            **label_model("ghost", api_namespace),
            "metadata": {"name": "ghost", "namespace": api_namespace, "resourceVersion": "1", "uid": "u"},
        }
        now.cache.put(ghost)
        await asyncio.to_thread(restart_control_plane, api_server)
        await eventually(lambda: now.cache.get(key) is None, 60)
        assert not now.task.done()


async def test_refused_credentials_end_the_process_and_not_the_server(client: Client) -> None:
    """A login that is asked for again at once has just been refused."""
    session = WatchSession(client, (), Heartbeat(()), lambda watched, items, version: None).open()
    logins = Logins(lambda: session, client.server)
    logins.next()
    with pytest.raises(kopf.PermanentError, match="refuses"):
        logins.next()
    await session.close()
