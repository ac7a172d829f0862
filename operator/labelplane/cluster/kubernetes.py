"""The cluster protocol on Kubernetes.

Why a stale cache does no harm. A decision is made from the cache, which may lag behind the API server:

* a Job that exists but is not seen yet is created again under the same deterministic name: 409, and it is ours;
* a Job that is gone but still seen is at worst deleted again (by uid: 404), or awaited until its event comes;
* a resource that has changed meanwhile refuses the status, which is written with the resourceVersion the decision was
  made from: the fresh resource is read, and the key is tried again;
* what we wrote ourselves is in the cache before the next decision, so we never repeat a step of our own.

What a decision reads is therefore allowed to be old; what it writes is checked by the API server.
"""

import logging
from collections.abc import Mapping
from typing import Any

from labelplane.api.groups import Key
from labelplane.api.named import references_of
from labelplane.cluster.cache import Cache
from labelplane.cluster.client import ApiError, Client
from labelplane.cluster.events import EventRecorder
from labelplane.cluster.jobs import JobWriter
from labelplane.cluster.paths import BY_KIND, CLAIMS
from labelplane.cluster.refusals import CONFLICT, REFUSED
from labelplane.errors import Transient
from labelplane.plan.actions import Action, CreateJob, Event
from labelplane.plan.observed import Claim, Observed
from labelplane.resources.claims import claims_of
from labelplane.resources.config_map import config_map_manifest
from labelplane.resources.job import job_manifest
from labelplane.resources.job_state import observed_job
from labelplane.settings import Settings

logger = logging.getLogger(__name__)


class KubernetesCluster:
    """Observes from the cache, writes through the client."""

    def __init__(self, client: Client, cache: Cache, settings: Settings) -> None:
        self._client = client
        self._cache = cache
        self._settings = settings
        self._jobs = JobWriter(client, cache)
        self._events = EventRecorder(client)

    async def observe(self, key: Key) -> Observed | None:
        """See `Cluster.observe`; reads the cache only."""
        resource = self._cache.get(key)
        if resource is None or resource["metadata"].get("deletionTimestamp"):
            return None
        jobs = self._cache.jobs_of(resource["metadata"]["uid"])
        observed = tuple(observed_job(job, self._cache.pods_of(job["metadata"]["uid"])) for job in jobs)
        return Observed(key, resource, self._related(key, resource), observed)

    async def apply(self, observed: Observed, action: Action) -> None:
        """See `Cluster.apply`."""
        if isinstance(action, CreateJob):
            config_map = config_map_manifest(action.intent, observed.resource)
            claims = [await self._claim(observed.key.namespace, name) for name in claims_of(action.intent)]
            await self._jobs.create(observed.resource, config_map, job_manifest(action.intent, observed.resource, self._settings, claims))
        else:
            await self._jobs.delete(observed.resource, action.name, action.uid)

    async def write_status(self, observed: Observed, status: Mapping[str, Any]) -> None:
        """See `Cluster.write_status`; the whole status is replaced, so a field left out is removed."""
        metadata = observed.resource["metadata"]
        identity = {field: metadata[field] for field in ("name", "namespace", "uid", "resourceVersion")}
        body = {"apiVersion": observed.resource["apiVersion"], "kind": observed.key.kind, "metadata": identity, "status": dict(status)}
        path = BY_KIND[observed.key.kind].path(observed.key.namespace, observed.key.name, "status")
        try:
            self._cache.put(await self._client.replace(path, body))
        except ApiError as error:
            await self._not_written(observed, error)

    async def emit(self, observed: Observed, event: Event) -> None:
        """See `Cluster.emit`."""
        await self._events.record(observed.resource, event)

    async def refresh(self, key: Key) -> None:
        """Read one resource afresh."""
        try:
            self._cache.put(await self._client.get(BY_KIND[key.kind].path(key.namespace, key.name)))
        except ApiError as error:
            known = self._cache.get(key)
            if error.status == 404 and known is not None:
                self._cache.forget(key, known["metadata"]["uid"])

    async def _claim(self, namespace: str, name: str) -> Claim:
        """A claim with its access modes; without them when it is not there yet, or may not be read: then the scheduler finds out who cannot share it."""
        try:
            found = await self._client.get(CLAIMS.path(namespace, name))
        except ApiError as error:
            if error.status == 403:
                logger.warning("PersistentVolumeClaim %s/%s may not be read (docs/rbac.md): shards are not kept from claims that they cannot share", namespace, name)
            return Claim(name)
        return Claim(name, tuple(found["spec"].get("accessModes") or ()))

    async def _not_written(self, observed: Observed, error: ApiError) -> None:
        if error.status == 404:
            self._cache.forget(observed.key, observed.resource["metadata"]["uid"])
            return
        if error.status == 409:
            await self.refresh(observed.key)
            raise Transient(CONFLICT, f"{observed.key} has changed") from error
        raise Transient(REFUSED, f"status of {observed.key} refused: {error.message}"[:1024]) from error

    def _related(self, key: Key, resource: Mapping[str, Any]) -> dict[Key, Mapping[str, Any]]:
        """The resources that this one refers to, those that they refer to, and so on."""
        found: dict[Key, Mapping[str, Any]] = {}
        left = list(references_of(key, resource))
        while left:
            wanted = left.pop()
            if wanted not in found and (raw := self._cache.get(wanted)) is not None:
                found[wanted] = raw
                left += references_of(wanted, raw)
        return found
