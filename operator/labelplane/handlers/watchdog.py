"""Ends the process when a watch is dead although the API server answers.

A silent API server is no reason to end: a new process would hear nothing either, and kubelet would make it wait longer
each time. A server that answers us while a watch stays silent means that the watch is beyond repair.
"""

import asyncio
from collections.abc import Awaitable, Callable

from labelplane.handlers.heartbeat import Heartbeat


class DeadWatchError(Exception):
    """A watch has been silent for too long while the API server answers."""


async def watch_over(heartbeat: Heartbeat, answers: Callable[[], Awaitable[bool]], silence: float) -> None:
    """Look ten times in every `silence` seconds, until cancelled.

    Raises:
        DeadWatchError: the operator would miss events from now on.
    """
    while True:
        await asyncio.sleep(silence / 10)
        if heartbeat.silent(silence) and await answers():
            dead = heartbeat.silent(silence)
            if dead:
                raise DeadWatchError(", ".join(str(watched) for watched in dead))
