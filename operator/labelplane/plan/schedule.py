"""When a scheduled LabelJob looks at its data again. A tick is part of what is asked; all else is as for a job that runs once.

Only the last tick counts, however many were missed, and a run under way finishes first: never two at once, and no backlog.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from labelplane.api.label_job import LabelJob
from labelplane.api.schedules import UTC_ZONE, tick_after, tick_before
from labelplane.plan.actions import TRIED_AGAIN, Plan, soonest


def due(resource: LabelJob, now: datetime, begun: Callable[[str], bool]) -> str | None:
    """The tick that a run is wanted for; None for a job that has no schedule.

    One that was missed for longer than spec.startingDeadlineSeconds is let go: what was pinned before stays. What was `begun` is not missed, however
    long it takes.
    """
    spec, pins = resource.spec, resource.status.pins
    if spec.schedule is None:
        return None
    tick = tick_before(spec.schedule, spec.time_zone or UTC_ZONE, now)
    late = spec.starting_deadline_seconds is not None and (now - tick).total_seconds() > spec.starting_deadline_seconds
    if late and pins is not None and pins.scheduled_for is not None and not begun(_text(tick)):
        return pins.scheduled_for
    return _text(tick)


def on_schedule(plan: Plan, resource: LabelJob, now: datetime) -> Plan:
    """The plan, with the next tick to look again at; what a run failed of ends with it."""
    following = _following(resource, now)
    if following is None or plan.outcome.situation != "stalled":
        return at_next_tick(plan, resource, now)
    outcome = replace(plan.outcome, situation="failed", message=f"{plan.outcome.message}{TRIED_AGAIN}{_text(following)}")
    return at_next_tick(replace(plan, outcome=outcome), resource, now)


def at_next_tick(plan: Plan, resource: LabelJob, now: datetime) -> Plan:
    """The plan, with the next tick to look again at, whatever holds the job up until then; without one where no tick follows."""
    following = _following(resource, now)
    status = plan.status.model_copy(update={"next_schedule_time": None if following is None else _text(following)})
    due = None if following is None else (following - now).total_seconds()
    return replace(plan, status=status, requeue_after=soonest(plan.requeue_after, due))


def _following(resource: LabelJob, now: datetime) -> datetime | None:
    spec = resource.spec
    return None if spec.schedule is None or spec.suspend else tick_after(spec.schedule, spec.time_zone or UTC_ZONE, now)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
