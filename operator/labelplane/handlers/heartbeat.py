"""Signs of life of every watch.

kopf's own health answer stays green while its watches are dead, so life is observed where it arrives: in the HTTP session
that kopf watches through. Whatever a watch receives counts, bookmarks included, which the API server sends about every
minute even when nothing changes; so does the answer to a list or to a new watch. kopf gives a silent watch up after its
inactivity timeout and asks again: a server that answers is heard, one that does not leaves the silence growing.
"""

import asyncio
import time
from collections.abc import Callable, Iterable

from labelplane.cluster.paths import WatchedPath


class Heartbeat:
    """When each watched path was last heard of, and whether its first list has arrived."""

    def __init__(self, paths: Iterable[WatchedPath], clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._heard = {watched: clock() for watched in paths}
        self._listed: set[WatchedPath] = set()
        self._complete = asyncio.Event()

    def hear(self, watched: WatchedPath) -> None:
        self._heard[watched] = self._clock()

    def list_arrived(self, watched: WatchedPath) -> None:
        self.hear(watched)
        self._listed.add(watched)
        if self.all_listed:
            self._complete.set()

    async def wait_listed(self) -> None:
        """Return when every first list has arrived."""
        await self._complete.wait()

    @property
    def all_listed(self) -> bool:
        """Every first list has arrived: the cache may be trusted."""
        return self._listed.issuperset(self._heard)

    def silence(self) -> dict[WatchedPath, float]:
        """Seconds since each path was heard of."""
        now = self._clock()
        return {watched: now - heard for watched, heard in self._heard.items()}

    def silent(self, bound: float) -> list[WatchedPath]:
        """Paths that have been silent for longer than `bound` seconds."""
        return [watched for watched, seconds in self.silence().items() if seconds > bound]
