"""One road for every resource, in a cluster and on a laptop: observe -> plan -> apply -> one status write -> Events."""

from dataclasses import dataclass
from datetime import datetime

from labelplane.api.groups import Key
from labelplane.cluster.protocol import Cluster
from labelplane.errors import Stalled
from labelplane.plan.actions import Plan
from labelplane.plan.observed import Observed
from labelplane.plan.resource import plan_resource
from labelplane.settings import Settings
from labelplane.status.conditions import stalled_plan
from labelplane.status.status import next_status, transition_events


@dataclass(frozen=True)
class Reconciled:
    """What came of it: when to look again (seconds), and whether status changed."""

    requeue_after: float | None
    changed: bool


async def reconcile(cluster: Cluster, key: Key, *, now: datetime, settings: Settings) -> Reconciled:
    """Bring one resource one step closer to what its spec asks for.

    Raises:
        Transient: the caller queues the key again, with backoff.
    """
    observed = await cluster.observe(key)
    if observed is None or observed.disabled:
        return Reconciled(None, changed=False)
    plan = await _applied(cluster, observed, plan_resource(observed, now=now, settings=settings))
    status = next_status(observed, plan, now=now)
    changed = status != observed.resource.get("status")
    if changed:
        await cluster.write_status(observed, status)
    for event in (*plan.events, *transition_events(observed, status)):
        await cluster.emit(observed, event)
    return Reconciled(plan.requeue_after, changed)


async def _applied(cluster: Cluster, observed: Observed, plan: Plan) -> Plan:
    """The plan once its actions are done; a refusal for good becomes the outcome."""
    for action in plan.actions:
        try:
            await cluster.apply(observed, action)
        except Stalled as stalled:
            return stalled_plan(plan, stalled)
    return plan
