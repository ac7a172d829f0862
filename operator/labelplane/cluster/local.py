"""The cluster protocol on a laptop: the state folder in place of the API server, child processes in place of pods."""

from collections.abc import Mapping
from typing import Any

from labelplane.api.groups import Key
from labelplane.api.parse import key_of
from labelplane.cluster.local_jobs import LocalJobs
from labelplane.cluster.local_store import LocalStore
from labelplane.plan.actions import Action, CreateJob, Event
from labelplane.plan.observed import Observed


class LocalCluster:
    """See `protocol.Cluster`. `events` collects what people would be told."""

    def __init__(self, store: LocalStore, jobs: LocalJobs) -> None:
        self.store = store
        self.jobs = jobs
        self.events: list[tuple[Key, Event]] = []

    async def observe(self, key: Key) -> Observed | None:
        """See `Cluster.observe`."""
        resource = self.store.get(key)
        if resource is None:
            return None
        related = {key_of(other): other for other in self.store.all()}
        return Observed(key, resource, related, self.jobs.observed(resource["metadata"]["uid"]))

    async def apply(self, observed: Observed, action: Action) -> None:
        """See `Cluster.apply`."""
        if isinstance(action, CreateJob):
            self.jobs.start(observed.resource["metadata"]["uid"], action.intent)
        else:
            self.jobs.delete(action.name)

    async def write_status(self, observed: Observed, status: Mapping[str, Any]) -> None:
        """See `Cluster.write_status`."""
        self.store.put_status(observed.key, status)

    async def emit(self, observed: Observed, event: Event) -> None:
        """See `Cluster.emit`."""
        self.events.append((observed.key, event))
