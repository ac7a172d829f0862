"""kopf as a source of events: which objects it watches, with what patience, and the one handler."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import kopf

from labelplane.cluster.paths import WATCHED
from labelplane.handlers.feed import Feed

_LOGIN_INTERVAL_SECONDS = 10.0
_STOP_SECONDS = 3.0


@dataclass(frozen=True)
class Patience:
    """How long, in seconds, things may take.

    kopf gives a watch up after `inactivity` without a sign of life, and each lasts `server` seconds at most. `silence` spans
    two attempts: after it, a server that answers us proves the watch dead. `outage` is for the case that nothing answers.
    """

    server: int = 300  # the API server takes whole seconds only
    client: float = 310.0
    connect: float = 30.0
    inactivity: float = 70.0
    silence: float = 180.0
    outage: float = 900.0


# kopf's own go up to 21 s, and so long an operator would still sleep after the API server is back.
BACKOFFS = (0.5, 1, 2, 3, *(5,) * 10)


class NoDiffs(kopf.DiffBaseStorage):  # type: ignore[misc]
    """kopf copies each object several times to find out what has changed, and would keep the copy in an annotation.

    Nothing here asks for differences: without the copies an event costs half as much, and there is nothing to keep.
    """

    def build(self, **_: Any) -> dict[str, Any]:
        return {}

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        """Keep nothing."""


def kopf_settings(patience: Patience) -> kopf.OperatorSettings:
    """kopf writes nothing anywhere, and sees nothing but our kinds and what carries our label.

    Scanning is off: it would need rights on namespaces and CRDs. A CRD that goes away ends the process instead.
    """
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.persistence.diffbase_storage = NoDiffs()
    settings.scanning.disabled = True
    settings.process.ultimate_exiting_timeout = 30.0
    settings.networking.connect_timeout = patience.connect
    settings.networking.error_backoffs = BACKOFFS
    settings.watching.server_timeout = patience.server
    settings.watching.client_timeout = patience.client
    settings.watching.connect_timeout = patience.connect
    settings.watching.inactivity_timeout = patience.inactivity
    for collection in WATCHED:
        if collection.selector:
            settings.watching.label_selectors[collection.group, collection.version, collection.plural] = collection.selector
    return settings


def handlers(feed: Feed, open_session: Callable[[], aiohttp.ClientSession], server: str) -> kopf.OperatorRegistry:
    """Everything that kopf calls."""
    registry = kopf.OperatorRegistry()
    logins = Logins(open_session, server)

    async def changed(event: Any, **_: Any) -> None:
        feed.event(event["type"], event["object"])

    async def login(**_: Any) -> kopf.AiohttpSession:
        return logins.next()

    for collection in WATCHED:
        kopf.on.event(collection.group, collection.version, collection.plural, registry=registry)(changed)
    kopf.on.login(registry=registry)(login)
    return registry


class Logins:
    """Gives kopf a session; refuses to do so again and again, so that bad credentials end the process and not the API server."""

    def __init__(self, open_session: Callable[[], aiohttp.ClientSession], server: str) -> None:
        self._open_session = open_session
        self._server = server
        self._last: float | None = None

    def next(self) -> kopf.AiohttpSession:
        now = time.monotonic()
        if self._last is not None and now - self._last < _LOGIN_INTERVAL_SECONDS:
            raise kopf.PermanentError("the API server refuses the operator's credentials")
        self._last = now
        return kopf.AiohttpSession(server=self._server, aiohttp_session=self._open_session())


async def watch(registry: kopf.OperatorRegistry, settings: kopf.OperatorSettings, namespaces: tuple[str, ...]) -> None:
    """Watch until cancelled, SIGTERM or SIGINT. Raises what ended a watch that cannot go on.

    kopf's tasks are spawned and awaited here and not by `kopf.operator`: that waits for all of them at the end, and one
    that is cancelled while its request is under way forgets the cancellation and goes on for ever. A dead watch would
    then leave a process that neither watches nor ends.
    """
    where: dict[str, Any] = {"namespaces": list(namespaces)} if namespaces else {"clusterwide": True}
    tasks = await kopf.spawn_tasks(registry=registry, settings=settings, standalone=True, **where)
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=_STOP_SECONDS)
    for task in done:
        task.result()
