"""The one global loop: list everything again now and then, and look at every resource.

The net under everything else: an event that was lost on the way, a quota that has room again, rights that were granted.
"""

import asyncio
import logging
from collections.abc import Iterable

from labelplane.cluster.client import ApiError, Client
from labelplane.cluster.paths import WatchedPath
from labelplane.errors import Transient
from labelplane.handlers.feed import Feed

logger = logging.getLogger(__name__)


async def resync_forever(client: Client, feed: Feed, paths: Iterable[WatchedPath], seconds: float) -> None:
    """Resync every so many seconds, until cancelled."""
    while True:
        await asyncio.sleep(seconds)
        for watched in paths:
            await _list_again(client, feed, watched)
        feed.resync()


async def _list_again(client: Client, feed: Feed, watched: WatchedPath) -> None:
    try:
        listed = await client.list_all(watched.path, watched.collection.selector)
    except (ApiError, Transient) as error:
        logger.warning("resync of %s skipped: %s", watched, error)
        return
    feed.listed(watched, listed.get("items") or [], str(listed["metadata"].get("resourceVersion", "")))
