"""The HTTP session that kopf lists and watches through: our credentials, and an ear on what arrives.

Built from documented parts: `kopf.AiohttpSession` and aiohttp's client middleware. A list that kopf takes is read here as
well, because kopf passes on what exists and not what has vanished: after a broken watch that is the only trace of a
deletion.
"""

import json
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from labelplane.cluster.client import Client
from labelplane.cluster.paths import WatchedPath
from labelplane.handlers.heartbeat import Heartbeat

OnList = Callable[[WatchedPath, list[dict[str, Any]], str], None]


class WatchSession:
    """Makes sessions whose traffic feeds the heartbeat and `on_list`."""

    def __init__(self, client: Client, paths: Iterable[WatchedPath], heartbeat: Heartbeat, on_list: OnList) -> None:
        self._client = client
        self._heartbeat = heartbeat
        self._on_list = on_list
        prefix = urlsplit(client.server).path.rstrip("/")
        self._paths = {prefix + watched.path: watched for watched in paths}

    def open(self) -> aiohttp.ClientSession:
        """A session for kopf, which closes it."""
        connector = aiohttp.TCPConnector(limit=0, ssl=self._client.tls)
        return aiohttp.ClientSession(connector=connector, trust_env=True, middlewares=(self._middleware,), headers={"User-Agent": "labelplane"})

    async def _middleware(self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        authorization = await self._client.authorization()
        if authorization:
            request.headers["Authorization"] = authorization
        response = await handler(request)
        watched = self._paths.get(request.url.path)
        if watched is not None and request.method == "GET" and response.ok:
            await self._listen(watched, request.url.query.get("watch") == "true", response)
        return response

    async def _listen(self, watched: WatchedPath, watching: bool, response: aiohttp.ClientResponse) -> None:
        if watching:
            self._heartbeat.hear(watched)
            response.content = HeardStream(response.content, lambda: self._heartbeat.hear(watched))  # type: ignore[assignment]
            return
        parsed = json.loads(await response.read())
        self._on_list(watched, parsed.get("items") or [], str(parsed["metadata"].get("resourceVersion", "")))
        self._heartbeat.list_arrived(watched)


class HeardStream:
    """A response's stream that tells of every piece it hands out; everything else is the stream's own."""

    def __init__(self, stream: aiohttp.StreamReader, hear: Callable[[], None]) -> None:
        self._stream = stream
        self._hear = hear

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        async for piece in self._stream.iter_chunked(size):
            self._hear()
            yield piece
