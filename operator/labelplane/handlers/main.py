"""The operator's process: `python -m labelplane.handlers.main`."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from labelplane.api.groups import API_VERSION, Key
from labelplane.cluster.cache import Cache
from labelplane.cluster.client import Client, load_configuration
from labelplane.cluster.kubernetes import KubernetesCluster
from labelplane.cluster.paths import watched_paths
from labelplane.handlers.failure_report import report_failure
from labelplane.handlers.feed import Feed
from labelplane.handlers.heartbeat import Heartbeat
from labelplane.handlers.logs import set_up_logs
from labelplane.handlers.probes import Health, serve_metrics, serve_probes
from labelplane.handlers.queue import WorkQueue
from labelplane.handlers.resync import resync_forever
from labelplane.handlers.watch_session import WatchSession
from labelplane.handlers.watchdog import watch_over
from labelplane.handlers.watching import Patience, handlers, kopf_settings, watch
from labelplane.handlers.worker import Worker, where
from labelplane.metrics import Metrics
from labelplane.reconcile import Reconciled, reconcile
from labelplane.settings import Settings

DRAIN_SECONDS = 4.0  # for reconciles under way when the process is told to stop
DISCOVERY_SECONDS = 2.0

logger = logging.getLogger(__name__)


class Operator:
    """All parts of a running operator, wired together."""

    def __init__(self, client: Client, settings: Settings, patience: Patience, cache: Cache, metrics: Metrics) -> None:
        self.settings = settings
        self.patience = patience
        self.client = client
        self.cache = cache
        self.metrics = metrics
        self.queue: WorkQueue[Key] = WorkQueue()
        self.paths = watched_paths(settings.namespaces)
        self.heartbeat = Heartbeat(self.paths)
        self.feed = Feed(cache, self.queue, metrics.job_finished, metrics.pod_ended)
        self.cluster = KubernetesCluster(client, cache, settings)
        self.health = Health(self.heartbeat, self.queue, patience.outage)
        metrics.watch(lambda: self.queue.depth, self._silence)

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` or a signal. Raises what ended it otherwise."""
        session = WatchSession(self.client, self.paths, self.heartbeat, self.feed.listed)
        registry = handlers(self.feed, session.open, self.client.server)
        watching = asyncio.create_task(watch(registry, kopf_settings(self.patience), self.settings.namespaces), name="watch")
        resync = asyncio.create_task(resync_forever(self.client, self.feed, self.paths, self.settings.resync_seconds), name="resync")
        watchdog = asyncio.create_task(watch_over(self.heartbeat, self._answers, self.patience.silence), name="watchdog")
        stopping = asyncio.create_task(stop.wait(), name="stop")
        workers = [asyncio.create_task(self._work(), name=f"worker {number}") for number in range(self.settings.workers)]
        try:
            done, _ = await asyncio.wait((watching, watchdog, resync, stopping, *workers), return_when=asyncio.FIRST_COMPLETED)
        finally:
            await self._drain(workers)
            await _cancelled(watching, watchdog, resync, stopping)
        for task in done:
            task.result()

    async def _answers(self) -> bool:
        return await self.client.serves(f"/apis/{API_VERSION}")

    async def _work(self) -> None:
        """One worker; it starts when the cache is complete, so that nothing is decided on half the truth."""
        await self.heartbeat.wait_listed()
        await Worker(self.queue, self._reconcile, self._report, self.metrics).run()

    async def _drain(self, workers: list[asyncio.Task[None]]) -> None:
        self.queue.close()
        if self.heartbeat.all_listed:
            await asyncio.wait(workers, timeout=DRAIN_SECONDS)
        await _cancelled(*workers)

    async def _reconcile(self, key: Key, now: datetime) -> Reconciled:
        return await reconcile(self.cluster, key, now=now, settings=self.settings)

    async def _report(self, key: Key, place: str) -> None:
        await report_failure(self.cluster, self.cache, key, place, datetime.now(UTC))

    def _silence(self) -> dict[tuple[str, str], float]:
        return {(watched.collection.plural, watched.namespace or ""): seconds for watched, seconds in self.heartbeat.silence().items()}


async def _cancelled(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def operator(settings: Settings, environment: Mapping[str, str], patience: Patience) -> AsyncIterator[Operator]:
    """An operator that is connected and answers its probes."""
    cache = Cache()
    metrics = Metrics(cache.resources)
    async with Client(await load_configuration(environment), metrics.requested) as client:
        made = Operator(client, settings, patience, cache, metrics)
        servers = [await serve_probes(made.health, settings.probe_port), await serve_metrics(metrics, settings.metrics_port)]
        try:
            yield made
        finally:
            for server in servers:
                await server.cleanup()


async def run(settings: Settings, environment: Mapping[str, str], stop: asyncio.Event, patience: Patience) -> None:
    """Run the operator until `stop` or a signal."""
    async with operator(settings, environment, patience) as made:
        logger.info("waiting for the custom resources to be served")
        await _served(made.client, stop)
        logger.info("watching %s", ", ".join(settings.namespaces) or "the whole cluster")
        await made.run(stop)


async def _served(client: Client, stop: asyncio.Event) -> None:
    """The CRDs may be installed after us: wait for them."""
    while not stop.is_set() and not await client.serves(f"/apis/{API_VERSION}"):
        with suppress(TimeoutError):
            async with asyncio.timeout(DISCOVERY_SECONDS):
                await stop.wait()


async def _until_signal(settings: Settings, environment: Mapping[str, str]) -> int:
    """Exit code 0 after SIGTERM or SIGINT, 1 when something broke; kopf takes the signals over once it watches."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        await run(settings, environment, stop, Patience())
    except Exception as error:  # noqa: BLE001 - the last line of defence: say why, and end
        logger.critical("the operator ends: %s", where(error))
        return 1
    logger.info("stopped")
    return 0


async def _process(environment: Mapping[str, str]) -> None:
    """Run, then end at once: nothing is left to save, and a task of kopf's may never end (see `watching.watch`)."""
    code = await _until_signal(Settings.from_environment(environment), environment)
    sys.stderr.flush()
    os._exit(code)


def main() -> None:
    """Run the operator as a process of its own."""
    set_up_logs(os.environ.get("LABELPLANE_LOG_LEVEL", "INFO"))
    asyncio.run(_process(os.environ))


if __name__ == "__main__":
    main()
