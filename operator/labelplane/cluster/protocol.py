"""The seam between decisions and the world."""

from collections.abc import Mapping
from typing import Any, Protocol

from labelplane.api.groups import Key
from labelplane.plan.actions import Action, Event
from labelplane.plan.observed import Observed


class Cluster(Protocol):
    """Where resources live and Jobs run. Errors are `labelplane.errors` only."""

    async def observe(self, key: Key) -> Observed | None:
        """Snapshot of the resource, what it references, and the Jobs it owns; None when it is gone or being deleted."""
        ...

    async def apply(self, observed: Observed, action: Action) -> None:
        """Carry out one action; doing it twice is the same as once.

        Raises:
            Stalled: the API server refuses for good (forbidden, invalid, a name that belongs to somebody else).
            Transient: try again.
        """
        ...

    async def write_status(self, observed: Observed, status: Mapping[str, Any]) -> None:
        """Replace the status. Raises Transient when the resource has changed since (the next reconcile sees it)."""
        ...

    async def emit(self, observed: Observed, event: Event) -> None:
        """Tell people; never fails the reconcile."""
        ...
