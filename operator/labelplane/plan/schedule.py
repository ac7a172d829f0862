"""When a scheduled LabelJob looks at its data again. A tick is part of what is asked; all else is as for a job that runs once.

Only the last tick counts, however many were missed, and a run under way finishes first: never two at once, and no backlog.
"""

from dataclasses import replace
from datetime import UTC, datetime

from labelplane.api.label_job import LabelJob
from labelplane.api.schedules import UTC_ZONE, tick_after, tick_before
from labelplane.plan.actions import Outcome, Plan


def due(resource: LabelJob, now: datetime) -> str | None:
    """The tick that a run is wanted for; None for a job that has no schedule.

    One that was missed for longer than spec.startingDeadlineSeconds is let go: what was pinned before stays.
    """
    spec, pins = resource.spec, resource.status.pins
    if spec.schedule is None:
        return None
    tick = tick_before(spec.schedule, spec.time_zone or UTC_ZONE, now)
    late = spec.starting_deadline_seconds is not None and (now - tick).total_seconds() > spec.starting_deadline_seconds
    if late and pins is not None and pins.scheduled_for is not None:
        return pins.scheduled_for
    return _text(tick)


def on_schedule(plan: Plan, resource: LabelJob, now: datetime) -> Plan:
    """The plan, with the next tick to look again at; what a run failed of ends with it."""
    spec = resource.spec
    if spec.schedule is None:
        return plan
    following = tick_after(spec.schedule, spec.time_zone or UTC_ZONE, now)
    wait = (following - now).total_seconds()
    soonest = wait if plan.requeue_after is None else min(plan.requeue_after, wait)
    status = plan.status.model_copy(update={"next_schedule_time": _text(following)})
    return replace(plan, outcome=_retried(plan.outcome, _text(following)), status=status, requeue_after=soonest)


def _retried(outcome: Outcome, following: str) -> Outcome:
    if outcome.situation != "stalled":
        return outcome
    return replace(outcome, situation="failed", message=f"{outcome.message}; tried again at {following}")


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
