"""The whole status, and the Events that go with a change of it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from labelplane.api.groups import RECONCILE_AT
from labelplane.api.reasons import ConditionType, ControlReason
from labelplane.plan.actions import Event, Plan
from labelplane.plan.observed import Observed
from labelplane.status.conditions import conditions

QUIET = frozenset({ConditionType.READY, ConditionType.RECONCILING, ConditionType.STALLED, ConditionType.RUNNING})
OF_EACH_RUN = frozenset({ConditionType.DRIFTED, ConditionType.ROWS_QUARANTINED})
WORK = frozenset({ControlReason.CHECKING, ControlReason.RESOLVING, ControlReason.FITTING, ControlReason.LABELING, ControlReason.COMMITTING})
STEPS = WORK | {ControlReason.PROGRESSING, ControlReason.SUSPENDED}


def next_status(observed: Observed, plan: Plan, *, now: datetime) -> dict[str, Any]:
    """The status to write; equal to the present one when nothing has changed."""
    metadata = observed.resource["metadata"]
    old = observed.resource.get("status") or {}
    generation = int(metadata.get("generation", 0))
    known: dict[str, Any] = without_null(plan.status.wire())
    status = known | {
        "observedGeneration": generation,
        "conditions": conditions(_conditions(old), plan.outcome, generation=generation, now=now),
    }
    asked = (metadata.get("annotations") or {}).get(RECONCILE_AT)
    return status | ({"lastHandledReconcileAt": asked} if asked else {})


def transition_events(observed: Observed, status: Mapping[str, Any]) -> tuple[Event, ...]:
    """An Event for each change that a person would want to know; none when nothing has changed."""
    old = observed.resource.get("status") or {}
    before, after = _by_type(old), _by_type(status)
    events = [*_ready_events(before, after), *_version_events(old, status)]
    for kind, one in after.items():
        if kind not in QUIET and _is_news(before.get(kind), one) and one["reason"] != after[ConditionType.READY]["reason"]:
            events.append(Event("Normal" if kind == ConditionType.SUSPENDED else "Warning", one["reason"], one["message"]))
    if ConditionType.SUSPENDED in before and ConditionType.SUSPENDED not in after:
        events.append(Event("Normal", ControlReason.PROGRESSING, "no longer suspended"))
    return tuple(events)


def _ready_events(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Event]:
    was, now = before.get(ConditionType.READY), after.get(ConditionType.READY)
    running = after.get(ConditionType.RUNNING)
    seen = before.get(ConditionType.RUNNING)
    events: list[Event] = []
    if running is not None and (seen is None or seen["reason"] != running["reason"]):
        events.append(Event("Normal", running["reason"], running["message"]))
    if now is None or (was is not None and (was["status"], was["reason"], was["message"]) == (now["status"], now["reason"], now["message"])):
        return events
    bad = ConditionType.STALLED in after or (now["status"] != "True" and now["reason"] not in STEPS)
    if was is None or (was["status"], was["reason"]) != (now["status"], now["reason"]) or bad:
        events.append(Event("Warning" if bad else "Normal", now["reason"], now["message"]))
    return events


def _is_news(before: Mapping[str, Any] | None, now: Mapping[str, Any]) -> bool:
    """A condition that is new; of drift and of quarantined rows also what it names, since each run is looked at anew."""
    return before is None or (now["type"] in OF_EACH_RUN and before["message"] != now["message"])


def _version_events(old: Mapping[str, Any], status: Mapping[str, Any]) -> list[Event]:
    """A model version that begins to serve, a run that was committed, beside an unchanged Ready."""
    if _ready_status(old) != "True" or _ready_status(status) != "True":
        return []
    events = []
    current, previous = status.get("current") or {}, old.get("current") or {}
    if current.get("version") != previous.get("version"):
        events.append(Event("Normal", ControlReason.FITTED, f"version {current.get('version')} serves, after {previous.get('version')}"))
    run, last = status.get("run") or {}, old.get("run") or {}
    if run.get("sequence") != last.get("sequence"):
        events.append(Event("Normal", ControlReason.LABELED, f"run {run.get('sequence')} is version {run['output'].get('version')} of {run['output']['uri']}"))
    return events


def without_null(value: Any) -> Any:
    """The value without absent entries: the API server refuses nulls."""
    if isinstance(value, dict):
        return {key: without_null(child) for key, child in value.items() if child is not None}
    return [without_null(child) for child in value] if isinstance(value, list) else value


def _conditions(status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = status.get("conditions")
    return list(found) if isinstance(found, list) else []


def _by_type(status: Mapping[str, Any]) -> dict[str, Any]:
    return {one["type"]: one for one in _conditions(status)}


def _ready_status(status: Mapping[str, Any]) -> str | None:
    ready = _by_type(status).get(ConditionType.READY)
    return ready["status"] if ready else None
