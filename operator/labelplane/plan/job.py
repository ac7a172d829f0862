"""A LabelJob: pins first, then a run unless the output's last commit has them already.

    model version -> request -> resolve Job -> status.pins (with sequence and shards) -> label Job, or shards and commit -> status.run
"""

from dataclasses import replace
from datetime import datetime

from labeljob.contract.durations import seconds
from labelplane.api.label_job import JobPins, LabelJob, LabelJobStatus
from labelplane.api.reasons import ControlReason
from labelplane.plan.actions import DeleteJob, Outcome, Plan, soonest
from labelplane.plan.drift import drifted
from labelplane.plan.job_context import JobContext, job_context, without_progress
from labelplane.plan.job_intents import label_intent, resolve_intent, run_job_names, shards_intent
from labelplane.plan.job_pins import job_pins
from labelplane.plan.job_progress import Progress, progress, under_way
from labelplane.plan.lifetimes import DEFAULT_SECONDS, expired
from labelplane.plan.objectives import missed_objectives
from labelplane.plan.observed import Observed
from labelplane.plan.privacy import suspected
from labelplane.plan.quarantine import rows_quarantined
from labelplane.plan.runs import pod_seconds, with_commit
from labelplane.plan.schedule import on_schedule
from labelplane.plan.shards import sharded, with_progress
from labelplane.plan.situation import beside_what_serves
from labelplane.plan.sources import refuse_files
from labelplane.settings import Settings


def plan_label_job(resource: LabelJob, observed: Observed, *, now: datetime, settings: Settings) -> Plan:
    """Resolve and label; each only when what stands is not what was asked for."""
    _refuse(resource, settings)
    if resource.spec.suspend:
        return _suspended(resource, observed)
    context = job_context(resource, observed, settings, now)
    pins = resource.status.pins
    if pins is not None and (pins.request == context.request or _finishes_first(context, pins)):
        plan, needed = _label(context, pins), set(run_job_names(context, pins))
    else:
        plan, needed = _resolve(context), set()
    needed |= {resolve_intent(context).name}
    held = set() if plan.outcome.situation == "ready" and plan.status == resource.status else needed
    ttl = seconds(resource.spec.run_ttl) if resource.spec.run_ttl else DEFAULT_SECONDS
    deletions, due = expired(observed, needed=held, seconds=ttl, now=now)
    return on_schedule(replace(plan, actions=(*plan.actions, *deletions), requeue_after=soonest(plan.requeue_after, due)), resource, now)


def _suspended(resource: LabelJob, observed: Observed) -> Plan:
    """The running Jobs go, none is made, and what stands goes on standing."""
    running = tuple(DeleteJob(job.name, job.uid) for job in observed.jobs if not job.finished and not job.deleting)
    text = "spec.suspend: nothing runs until it is removed or false"
    status = without_progress(resource).model_copy(update={"next_schedule_time": None})
    return Plan(Outcome("reconciling", ControlReason.SUSPENDED, text, suspended=text), status, running)


def _refuse(resource: LabelJob, settings: Settings) -> None:
    spec = resource.spec
    gold = spec.gold_data.uri if spec.gold_data else None
    refuse_files((("spec.input.uri", spec.input.uri), ("spec.goldData.uri", gold), ("spec.output.uri", spec.output.uri)), settings)


def _finishes_first(context: JobContext, pins: JobPins) -> bool:
    """A run under way finishes on its pins when only the model, a tick, or what changes no label (`WITHOUT_EFFECT`) is another."""
    recorded = context.status.run is not None and context.status.run.sequence == pins.sequence
    return pins.scope == context.scope and not recorded and under_way(context.observed, run_job_names(context, pins))


def _resolve(context: JobContext) -> Plan:
    step = progress(context.observed, resolve_intent(context), ControlReason.RESOLVING, now=context.now)
    if step.result is None or step.result.resolve is None or step.job is None:
        return _pending(context, step)
    pins = job_pins(context, step.job, step.result, step.result.resolve)
    commit = step.result.resolve.commit
    if commit is not None and commit.run_digest == pins.run_digest:
        pins = pins.model_copy(update={"sequence": commit.sequence})
        status = with_commit(context.resource, pins, commit)
        return Plan(_ready(context, status), status, requeue_after=0)
    status = context.status.model_copy(update={"pins": pins})
    outcome = Outcome("reconciling", ControlReason.LABELING, f"run {pins.sequence} is pinned and will be started")
    return Plan(beside_what_serves(context.observed, outcome, serves=context.status.run is not None), status, requeue_after=0)


def _label(context: JobContext, pins: JobPins) -> Plan:
    status = context.status
    if status.run is not None and (status.run.sequence, status.run.digest) == (pins.sequence, pins.run_digest):
        return Plan(_ready(context, status), status)
    shards = shards_intent(context, pins) if pins.shards > 1 else None
    step = progress(context.observed, label_intent(context, pins), ControlReason.LABELING, now=context.now) if shards is None else sharded(context, pins, shards)
    if step.result is None or step.result.label is None:
        plan = _pending(context, step)
        return plan if shards is None else with_progress(plan, context.observed, shards, context.resource.status.progress, now=context.now)
    spent = pod_seconds(context.observed, run_job_names(context, pins))
    status = with_commit(context.resource, pins, step.result.label.commit, spent)
    return Plan(_ready(context, status), status, requeue_after=0)


def _pending(context: JobContext, step: Progress) -> Plan:
    outcome = step.outcome or Outcome("stalled", ControlReason.JOB_FAILED, "the job left no result: set the reconcile-at annotation to run it again")
    return Plan(beside_what_serves(context.observed, outcome, serves=context.status.run is not None), context.status, step.actions, step.events, step.requeue_after)


def _ready(context: JobContext, status: LabelJobStatus) -> Outcome:
    run, metrics = status.run, status.metrics
    rows = metrics.rows if metrics else None
    text = f"{rows} rows labelled in version {run.output.version} of {run.output.uri}" if run else "labelled"
    spec = context.resource.spec
    conditions = (*missed_objectives(spec, metrics), *drifted(spec, run), *suspected(run.privacy if run else ()), *rows_quarantined(run))
    return Outcome("ready", ControlReason.LABELED, text, conditions)
