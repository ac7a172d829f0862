"""Conditions, computed whole from (old, outcome) by one table (DESIGN 4.5).

    situation     Ready            Reconciling  Stalled  Running
    ready         True             -            -        -
    reconciling   Unknown          True         -        -
    running       True, as it was  -            -        True
    waiting       False            True         -        -
    failed        False            -            -        -
    stalled       False            -            True     -

A suspended resource keeps its Ready and Stalled as they were and gets Suspended=True. Domain conditions are abnormal-true.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from labelplane.api.reasons import ConditionType, ControlReason
from labelplane.errors import Stalled
from labelplane.plan.actions import Outcome, Plan

Condition = dict[str, Any]
MESSAGE_CHARACTERS = 4000


def conditions(old: Sequence[Mapping[str, Any]], outcome: Outcome, *, generation: int, now: datetime) -> list[Condition]:
    """All conditions that hold now; `lastTransitionTime` moves only when a status changes."""
    before = {one["type"]: one for one in old}
    wanted = _wanted(before, outcome)
    wanted += [(one.type, "True", one.reason, one.message) for one in outcome.domain]
    if outcome.suspended is not None:
        wanted.append((ConditionType.SUSPENDED, "True", ControlReason.SUSPENDED, outcome.suspended))
    return [_condition(before.get(kind), kind, status, reason, message, generation, now) for kind, status, reason, message in wanted]


def _wanted(before: Mapping[str, Mapping[str, Any]], outcome: Outcome) -> list[tuple[str, str, str, str]]:
    ready, reason, message = ConditionType.READY, outcome.reason, outcome.message
    if outcome.suspended is not None and outcome.situation != "ready":
        return _unchanged(before, outcome)
    if outcome.situation == "ready":
        return [(ready, "True", reason, message)]
    if outcome.situation in ("reconciling", "running", "failed"):  # what stands goes on standing, and so does what is said of it
        kept = [(kind, "True", one["reason"], one["message"]) for kind, one in before.items() if kind in _LASTING]
        if outcome.situation == "reconciling":
            return [(ready, "Unknown", reason, message), (ConditionType.RECONCILING, "True", reason, message), *kept]
        if outcome.situation == "failed":
            return [(ready, "False", reason, message), *kept]
        was = before.get(ready, {"reason": reason, "message": message})
        return [(ready, "True", was["reason"], was["message"]), (ConditionType.RUNNING, "True", reason, message), *kept]
    return [(ready, "False", reason, message), *((kind, "True", reason, message) for kind in _BESIDE[outcome.situation])]


_BESIDE: Mapping[str, tuple[ConditionType, ...]] = {"waiting": (ConditionType.RECONCILING,), "stalled": (ConditionType.STALLED,)}
_LASTING = frozenset(
    {
        ConditionType.COVERAGE_LOW,
        ConditionType.CONFLICT_HIGH,
        ConditionType.FUNCTIONS_DEPENDENT,
        ConditionType.VOTES_ADVERSARIAL,
        ConditionType.FUNCTION_DOMINANT,
        ConditionType.DRIFTED,
        ConditionType.PRIVACY_SUSPECTED,
        ConditionType.ROWS_QUARANTINED,
    }
)


def _unchanged(before: Mapping[str, Mapping[str, Any]], outcome: Outcome) -> list[tuple[str, str, str, str]]:
    """Ready, Stalled and what goes with them stay; work under way has been stopped."""
    kept = _LASTING | {ConditionType.READY, ConditionType.STALLED}
    unchanged = [(kind, str(one["status"]), str(one["reason"]), str(one["message"])) for kind, one in before.items() if kind in kept]
    if not any(kind == ConditionType.READY for kind, *_ in unchanged):
        unchanged.insert(0, (ConditionType.READY, "Unknown", outcome.reason, outcome.message))
    return unchanged


def _condition(old: Mapping[str, Any] | None, kind: str, status: str, reason: str, message: str, generation: int, now: datetime) -> Condition:
    same = old is not None and old.get("status") == status
    moment = str(old["lastTransitionTime"]) if same and old else now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "type": str(kind),
        "status": status,
        "reason": str(reason),
        "message": message[:MESSAGE_CHARACTERS],
        "lastTransitionTime": moment,
        "observedGeneration": generation,
    }


def stalled_plan(plan: Plan, stalled: Stalled) -> Plan:
    """The plan when one of its actions was refused for good; what it would have looked at later it looks at then."""
    return replace(plan, outcome=Outcome("stalled", stalled.reason, stalled.message), actions=(), requeue_after=plan.requeue_after or None)
