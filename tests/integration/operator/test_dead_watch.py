"""A watch that is dead while everything else works: noticed, and the end of the process."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from aiohttp import ClientResponse, ClientSession, web

from labelplane.cluster.client import Client
from labelplane.cluster.paths import watched_paths
from labelplane.handlers.heartbeat import Heartbeat
from labelplane.handlers.watchdog import DeadWatchError, watch_over
from tests.cluster_fixtures import RealCluster
from tests.integration.operator.process import OperatorProcess, free_ports, operator_process
from tests.integration.operator.serving import eventually

HASTY = """
import asyncio, os
from labelplane.handlers import main
from labelplane.handlers.watching import Patience
main.Patience = lambda: Patience(connect=1.0, inactivity=2.0, silence=6.0, outage={outage})
main.main()
"""


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def silent_heartbeat() -> Heartbeat:
    clock = Clock()
    heartbeat = Heartbeat(watched_paths(("ns",)), clock)
    clock.now = 1000.0
    return heartbeat


async def yes() -> bool:
    return True


async def no() -> bool:
    return False


async def test_silence_beside_a_server_that_answers_ends_the_process() -> None:
    with pytest.raises(DeadWatchError, match="labeljobs in ns"):
        await watch_over(await silent_heartbeat(), yes, 0.01)


async def test_silence_of_the_server_itself_does_not() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await watch_over(await silent_heartbeat(), no, 0.01)


class Proxy:
    """Passes everything on to the API server; told to, it swallows watches, or everything."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.swallow_watches = False
        self.swallow_all = False

    async def handle(self, request: web.Request) -> web.StreamResponse:
        watching = request.query.get("watch") == "true"
        if self.swallow_all or (watching and self.swallow_watches):
            await asyncio.Event().wait()
        headers = {"Authorization": await self.client.authorization() or ""}
        if "Content-Type" in request.headers:
            headers["Content-Type"] = request.headers["Content-Type"]
        url = f"{self.client.server}{request.path_qs}"
        async with (
            ClientSession() as session,
            session.request(request.method, url, headers=headers, data=await request.read() or None, ssl=self.client.tls) as answer,
        ):
            response = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.content_type})
            try:
                with suppress(ConnectionError):  # the operator has given the request up
                    await response.prepare(request)
                    async for piece in answer.content.iter_any():
                        if watching and (self.swallow_watches or self.swallow_all):
                            await asyncio.Event().wait()
                        await response.write(piece)
            finally:
                abort(answer)
            return response


def abort(answer: ClientResponse) -> None:
    """End the connection at once if the answer was not read to its end: a TLS goodbye might outlive the event loop."""
    if answer.connection is not None and answer.connection.transport is not None:
        answer.connection.transport.abort()


@asynccontextmanager
async def proxied(client: Client, folder: Path) -> AsyncIterator[tuple[Proxy, Path]]:
    """A proxy, and a kubeconfig that leads to it."""
    proxy, port = Proxy(client), free_ports(1)[0]
    app = web.Application(client_max_size=2**24)
    app.router.add_route("*", "/{path:.*}", proxy.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    kubeconfig = folder / "kubeconfig"
    cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}
    context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
    content = {"apiVersion": "v1", "kind": "Config", "clusters": [cluster], "contexts": [context], "current-context": "c"}
    kubeconfig.write_text(json.dumps(content | {"users": [{"name": "u", "user": {}}]}))
    try:
        yield proxy, kubeconfig
    finally:
        await runner.cleanup()


@pytest.mark.apiserver
async def test_a_dead_watch_ends_the_process(api_server: RealCluster, client: Client, api_namespace: str, tmp_path: Path) -> None:
    """kopf tries again and again, gets no sign of life, and would go on for ever."""
    async with proxied(client, tmp_path) as (proxy, kubeconfig), operator_process(kubeconfig, api_namespace, code=HASTY.format(outage=900.0)) as operator:
        proxy.swallow_watches = True
        assert await operator.ended(40) == 1
        assert "DeadWatchError" in operator.said()


@pytest.mark.apiserver
async def test_a_silent_server_fails_liveness_in_the_end(api_server: RealCluster, client: Client, api_namespace: str, tmp_path: Path) -> None:
    """Nothing answers: the process stays, until a new one might do better."""
    async with proxied(client, tmp_path) as (proxy, kubeconfig), operator_process(kubeconfig, api_namespace, code=HASTY.format(outage=8.0)) as operator:
        assert (await operator.probe("/healthz"))[0] == 200
        proxy.swallow_all = True
        await eventually(lambda: answers(operator, 503))
        assert "no sign of life" in (await operator.probe("/healthz"))[1]
        assert operator.process.poll() is None
        proxy.swallow_all = False
        await eventually(lambda: answers(operator, 200))


async def answers(operator: OperatorProcess, status: int) -> bool:
    """What /healthz says."""
    return (await operator.probe("/healthz"))[0] == status
