"""One checker of the rules that every status obeys, whoever looks and whenever (DESIGN 4.5, kstatus). Used by every test."""

import json
import re
from collections.abc import Mapping
from typing import Any

from labelplane.api.reasons import REASONS, ConditionType
from labelplane.plan.actions import TRIED_AGAIN

STATUS_BYTES = 64 * 1024
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")


def violations(resource: Mapping[str, Any]) -> list[str]:
    """What is wrong with the resource's status; empty when it has not been looked at yet."""
    status = resource.get("status") or {}
    if status.get("observedGeneration", -1) == -1 and "conditions" not in status:
        return []
    found = [problem for one in status.get("conditions", []) for problem in _condition_problems(one, status)]
    found += _table_problems(status)
    if status.get("observedGeneration", -1) > resource["metadata"].get("generation", 0):
        found.append("observedGeneration is ahead of metadata.generation")
    if len(json.dumps(status)) > STATUS_BYTES:
        found.append(f"status is larger than {STATUS_BYTES} bytes")
    return found


def _condition_problems(condition: Mapping[str, Any], status: Mapping[str, Any]) -> list[str]:
    kind = condition["type"]
    found = []
    if kind not in set(ConditionType):
        found.append(f"{kind} is no condition of ours")
    if condition["reason"] not in REASONS:
        found.append(f"{kind}: {condition['reason']} is no reason of ours")
    if not condition["message"]:
        found.append(f"{kind}: the message is empty")
    if not TIME.match(condition["lastTransitionTime"]):
        found.append(f"{kind}: lastTransitionTime is {condition['lastTransitionTime']}")
    if condition.get("observedGeneration") != status.get("observedGeneration"):
        found.append(f"{kind}: its observedGeneration is not the status's")
    if kind != ConditionType.READY and condition["status"] != "True":
        found.append(f"{kind} is abnormal-true and must be absent when it does not hold")
    return found


def _table_problems(status: Mapping[str, Any]) -> list[str]:
    """Ready agrees with Reconciling, Stalled, Running and Suspended; only what is scheduled may have failed and stall not."""
    conditions = status.get("conditions", [])
    kinds = [one["type"] for one in conditions]
    ready = next((one["status"] for one in conditions if one["type"] == ConditionType.READY), None)
    found = [f"{kind} is there more than once" for kind in set(kinds) if kinds.count(kind) > 1]
    if len(kinds) > 16:
        found.append("more than 16 conditions")
    if ready is None:
        found.append("Ready is missing")
    if {ConditionType.RECONCILING, ConditionType.STALLED} <= set(kinds):
        found.append("both Reconciling and Stalled")
    if ready == "True" and {ConditionType.RECONCILING, ConditionType.STALLED} & set(kinds):
        found.append("Ready beside Reconciling or Stalled")
    if ready == "Unknown" and not {ConditionType.RECONCILING, ConditionType.SUSPENDED} & set(kinds):
        found.append("Ready is Unknown, and nothing says why")
    tries_again = "nextScheduleTime" in status and any(one["type"] == ConditionType.READY and TRIED_AGAIN in one["message"] for one in conditions)
    if ready == "False" and not tries_again and not {ConditionType.RECONCILING, ConditionType.STALLED, ConditionType.SUSPENDED} & set(kinds):
        found.append("Ready is False, and it neither stalls nor waits")
    if ConditionType.RUNNING in kinds and ready != "True":
        found.append("Running without a good version that serves")
    return found
