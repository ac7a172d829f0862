"""Events that people read: one object for one thing that happened to one resource, its count rising when it happens again.

The name is derived from what is said, so a restarted operator goes on counting where the last one stopped. Nothing here
may fail a reconcile: an Event that cannot be written is logged and counted.
"""

import hashlib
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from labelplane.cluster.client import ApiError, Client, Json
from labelplane.cluster.paths import EVENTS
from labelplane.errors import Transient
from labelplane.plan.actions import Event

COMPONENT = "labelplane"
_MESSAGE_LIMIT = 1024  # what the API server accepts
_REASON_LIMIT = 128

logger = logging.getLogger(__name__)


class EventRecorder:
    """Writes core/v1 Events."""

    def __init__(self, client: Client, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._client = client
        self._now = now

    async def record(self, resource: Mapping[str, Any], event: Event) -> None:
        """Write the Event, or raise its count; never raises."""
        manifest = event_manifest(resource, event, self._now())
        try:
            await self._create_or_count(manifest)
        except (ApiError, Transient) as error:
            logger.warning("Event %s not written: %s", event.reason, type(error).__name__)

    async def _create_or_count(self, manifest: Json) -> None:
        namespace = manifest["metadata"]["namespace"]
        try:
            await self._client.create(EVENTS.path(namespace), manifest)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
            path = EVENTS.path(namespace, manifest["metadata"]["name"])
            found = await self._client.get(path)
            await self._client.merge(path, {"count": int(found.get("count") or 1) + 1, "lastTimestamp": manifest["lastTimestamp"]})


def event_manifest(resource: Mapping[str, Any], event: Event, now: datetime) -> Json:
    """A core/v1 Event about the resource."""
    metadata = resource["metadata"]
    stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    said = "\n".join((metadata["uid"], event.type, event.reason, event.message))
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{metadata['name']}.{hashlib.sha256(said.encode()).hexdigest()[:16]}", "namespace": metadata["namespace"]},
        "involvedObject": {
            "apiVersion": resource["apiVersion"],
            "kind": resource["kind"],
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
            "resourceVersion": metadata.get("resourceVersion", ""),
        },
        "type": event.type,
        "reason": event.reason[:_REASON_LIMIT],
        "message": _bounded(event.message),
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "reportingInstance": COMPONENT,
        "count": 1,
        "firstTimestamp": stamp,
        "lastTimestamp": stamp,
    }


def _bounded(message: str) -> str:
    """At most 1,024 bytes of UTF-8, cut between characters."""
    cut = message.encode()[:_MESSAGE_LIMIT]
    return cut.decode(errors="ignore")
