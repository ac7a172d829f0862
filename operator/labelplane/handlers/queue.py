"""A queue of keys in which no key is ever worked on twice at once.

         add                 take                 done
(idle) ------> ready ------------> processing ----------> (idle)
   ^                                   | add               or ready again, when it was added meanwhile
   |            later(seconds)         v
   +---- waiting <---------------- (remembered)
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

FIRST_RETRY_SECONDS = 1.0
LAST_RETRY_SECONDS = 300.0

Item = TypeVar("Item", bound=Hashable)


class QueueClosedError(Exception):
    """The queue hands out no more keys."""


class WorkQueue(Generic[Item]):
    """Keys to reconcile; all calls come from one event loop."""

    def __init__(self, jitter: Callable[[], float] = lambda: random.uniform(0.8, 1.2)) -> None:  # noqa: S311 - spreads retries, guards nothing
        self._ready: deque[Item] = deque()
        self._queued: set[Item] = set()
        self._processing: dict[Item, float] = {}
        self._dirty: set[Item] = set()
        self._timers: dict[Item, asyncio.TimerHandle] = {}
        self._failures: dict[Item, int] = {}
        self._changed = asyncio.Event()
        self._closed = False
        self._jitter = jitter

    @property
    def depth(self) -> int:
        """Keys that wait for a worker."""
        return len(self._queued)

    @property
    def longest_processing(self) -> float:
        """Seconds that the slowest reconcile under way has taken so far."""
        now = asyncio.get_running_loop().time()
        return max((now - since for since in self._processing.values()), default=0.0)

    def add(self, item: Item) -> None:
        """Ask for a reconcile now, or right after the one under way."""
        if item in self._processing:
            self._dirty.add(item)
        elif item not in self._queued:
            self._queued.add(item)
            self._ready.append(item)
            self._changed.set()

    def later(self, item: Item, seconds: float) -> None:
        """Ask for a reconcile after a while; the earlier of two requests counts."""
        if seconds <= 0:
            self.add(item)
            return
        loop = asyncio.get_running_loop()
        known = self._timers.get(item)
        if known is not None:
            if known.when() <= loop.time() + seconds:
                return
            known.cancel()
        self._timers[item] = loop.call_later(seconds, self._due, item)

    def retry(self, item: Item) -> int:
        """Ask again after a failure, each time later; returns the number of failures in a row."""
        failures = self._failures[item] = self._failures.get(item, 0) + 1
        delay = min(LAST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2.0 ** min(failures - 1, 16))
        self.later(item, min(LAST_RETRY_SECONDS, delay * self._jitter()))
        return failures

    def succeeded(self, item: Item) -> None:
        """The next failure counts as the first."""
        self._failures.pop(item, None)

    async def take(self) -> Item:
        """The next key; it is the caller's until `done`.

        Raises:
            QueueClosedError: the queue has been closed.
        """
        while not self._ready and not self._closed:
            self._changed.clear()
            await self._changed.wait()
        if self._closed:
            raise QueueClosedError
        item = self._ready.popleft()
        self._queued.discard(item)
        self._processing[item] = asyncio.get_running_loop().time()
        self._cancel_timer(item)  # this reconcile decides when to look again
        return item

    def done(self, item: Item) -> None:
        """The caller has finished with the key."""
        self._processing.pop(item, None)
        if item in self._dirty:
            self._dirty.discard(item)
            self.add(item)

    def close(self) -> None:
        """Wake everybody who waits, and hand out nothing more."""
        self._closed = True
        for item in list(self._timers):
            self._cancel_timer(item)
        self._changed.set()

    def _due(self, item: Item) -> None:
        self._timers.pop(item, None)
        self.add(item)

    def _cancel_timer(self, item: Item) -> None:
        timer = self._timers.pop(item, None)
        if timer is not None:
            timer.cancel()
