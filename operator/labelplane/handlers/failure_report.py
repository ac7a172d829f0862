"""Tell people that the operator itself fails on a resource. Uses nothing that could be what fails: no parsing, no plan."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from labeljob.contract.reasons import JobReason
from labelplane.api.groups import Key
from labelplane.api.reasons import ConditionType
from labelplane.cluster.cache import Cache
from labelplane.cluster.kubernetes import KubernetesCluster
from labelplane.plan.actions import Event
from labelplane.plan.observed import Observed


async def report_failure(cluster: KubernetesCluster, cache: Cache, key: Key, place: str, now: datetime) -> None:
    """Write Ready=False, Stalled=True with the place of the failure, once; the rest of the status stays."""
    resource = cache.get(key)
    if resource is None:
        return
    message = f"the operator fails on this resource and tries it again every few minutes; please report: {place}"
    status = failed_status(resource, message, now)
    if status == resource.get("status"):
        return
    observed = Observed(key, resource)
    await cluster.write_status(observed, status)
    await cluster.emit(observed, Event("Warning", JobReason.INTERNAL_ERROR, message))


def failed_status(resource: Mapping[str, Any], message: str, now: datetime) -> dict[str, Any]:
    """The status with nothing changed but its conditions and observedGeneration."""
    old = resource.get("status") or {}
    known = {condition.get("type"): condition for condition in old.get("conditions") or ()}
    generation = int(resource["metadata"].get("generation") or 0)
    conditions = [_condition(type_, status, message, generation, known.get(type_), now) for type_, status in ((ConditionType.READY, "False"), (ConditionType.STALLED, "True"))]
    return {**old, "observedGeneration": generation, "conditions": conditions}


def _condition(type_: str, status: str, message: str, generation: int, old: Mapping[str, Any] | None, now: datetime) -> dict[str, Any]:
    unchanged = old is not None and old.get("status") == status
    since = old["lastTransitionTime"] if old is not None and unchanged else now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "type": str(type_),
        "status": status,
        "reason": str(JobReason.INTERNAL_ERROR),
        "message": message,
        "lastTransitionTime": since,
        "observedGeneration": generation,
    }
