"""The plan of any resource: dispatch by kind, and one place where an error becomes an outcome."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from labeljob.contract.base import Wire
from labelplane.api.function_set import FunctionSetStatus
from labelplane.api.groups import FUNCTION_SET, LABEL_JOB, LABEL_MODEL
from labelplane.api.label_job import LabelJobStatus
from labelplane.api.label_model import LabelModelStatus
from labelplane.api.parse import parse_function_set, parse_label_job, parse_label_model
from labelplane.errors import Stalled, Waiting
from labelplane.plan.actions import Outcome, Plan
from labelplane.plan.function_set import plan_function_set
from labelplane.plan.job import plan_label_job
from labelplane.plan.model import plan_label_model
from labelplane.plan.observed import Observed
from labelplane.plan.schedule import at_next_tick
from labelplane.settings import Settings

WAITING_SECONDS = 300.0  # a net: the event of the other resource wakes us long before
STATUSES: dict[str, type[Wire]] = {FUNCTION_SET.kind: FunctionSetStatus, LABEL_MODEL.kind: LabelModelStatus, LABEL_JOB.kind: LabelJobStatus}


def plan_resource(observed: Observed, *, now: datetime, settings: Settings) -> Plan:
    """What to do about one resource now."""
    try:
        return _planner(observed, now, settings)()
    except Stalled as stalled:
        plan = Plan(Outcome("stalled", stalled.reason, stalled.message), _kept_status(observed))
    except Waiting as waiting:
        plan = Plan(Outcome("waiting", waiting.reason, waiting.message), _kept_status(observed), requeue_after=WAITING_SECONDS)
    return _on_schedule(plan, observed, now)


def _on_schedule(plan: Plan, observed: Observed, now: datetime) -> Plan:
    """What holds a scheduled job up may be gone by its next tick."""
    if observed.key.kind != LABEL_JOB.kind:
        return plan
    try:
        return at_next_tick(plan, parse_label_job(observed.resource), now)
    except Stalled:  # a spec that cannot be read has no schedule
        return replace(plan, status=plan.status.model_copy(update={"next_schedule_time": None}))


def _planner(observed: Observed, now: datetime, settings: Settings) -> Callable[[], Plan]:
    if observed.key.kind == FUNCTION_SET.kind:
        return lambda: plan_function_set(parse_function_set(observed.resource), observed, now=now, settings=settings)
    if observed.key.kind == LABEL_MODEL.kind:
        return lambda: plan_label_model(parse_label_model(observed.resource), observed, now=now, settings=settings)
    return lambda: plan_label_job(parse_label_job(observed.resource), observed, now=now, settings=settings)


def _kept_status(observed: Observed) -> Wire:
    """What was known before: an error takes nothing away from it but how far a run is, which nobody follows now."""
    model = STATUSES[observed.key.kind]
    try:
        known = model.model_validate(observed.resource.get("status") or {})
    except ValueError:
        return model()
    return known.model_copy(update={"progress": None}) if isinstance(known, LabelJobStatus | LabelModelStatus) else known
