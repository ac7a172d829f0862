"""What Kubernetes asks of the operator: is it alive, is it ready, how does it do.

/healthz   no watch has been silent for so long that a new process might do better, and no reconcile hangs
/readyz    every first list has arrived
/metrics   Prometheus text, on a port of its own
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

from labelplane.api.groups import Key
from labelplane.handlers.heartbeat import Heartbeat
from labelplane.handlers.queue import WorkQueue
from labelplane.metrics import CONTENT_TYPE, Metrics

HANGING_SECONDS = 300.0

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Health:
    """Answers the probes; an empty text means well."""

    heartbeat: Heartbeat
    queue: WorkQueue[Key]
    silence_bound: float  # seconds

    def live(self) -> str:
        silent = self.heartbeat.silent(self.silence_bound)
        if silent:
            return "no sign of life from " + ", ".join(str(watched) for watched in silent)
        if self.queue.longest_processing > HANGING_SECONDS:
            return f"a reconcile has taken more than {HANGING_SECONDS:.0f} s"
        return ""

    def ready(self) -> str:
        return "" if self.heartbeat.all_listed else "the first lists have not arrived"


async def serve_probes(health: Health, port: int) -> web.AppRunner:
    """Serve /healthz and /readyz until the runner is cleaned up."""
    return await _serve({"/healthz": _probe(health.live), "/readyz": _probe(health.ready)}, port)


async def serve_metrics(metrics: Metrics, port: int) -> web.AppRunner:
    """Serve /metrics until the runner is cleaned up."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    return await _serve({"/metrics": answer}, port)


def _probe(problem: Callable[[], str]) -> Answer:
    async def answer(_: web.Request) -> web.Response:
        found = problem()
        return web.Response(text=found or "ok", status=503 if found else 200)

    return answer


async def _serve(answers: Mapping[str, Answer], port: int) -> web.AppRunner:
    app = web.Application()
    app.add_routes([web.get(path, answer) for path, answer in answers.items()])
    runner = web.AppRunner(app, access_log=None, keepalive_timeout=0.0, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, port=port).start()
    return runner
