"""A run in shards: one Indexed Job labels them, then one Job shows them together. How far they are goes to `status.progress`.

    shards Job (n pods, each skips what is done already) -> all done -> commit Job -> its result is the run's
"""

from dataclasses import replace
from datetime import datetime, timedelta

from labelplane.api.label_job import JobPins, LabelJobStatus, RunProgress
from labelplane.api.reasons import ControlReason
from labelplane.plan.actions import Plan, soonest
from labelplane.plan.job_context import JobContext
from labelplane.plan.job_intents import commit_intent, shards_intent
from labelplane.plan.job_progress import Progress, progress
from labelplane.plan.observed import ObservedJob

WRITE_SECONDS = 5.0  # between two writes of a run's progress: a thousand shards that end in a minute are a dozen writes


def sharded(context: JobContext, pins: JobPins) -> Progress:
    """Where the run stands; its result is the commit's. Shards whose commit is under way are not looked at any more."""
    shards = shards_intent(context, pins)
    job = context.observed.job(shards.name)
    commit = commit_intent(context, pins, spent_seconds=_spent(job))
    if context.observed.job(commit.name) is None:
        labelled = progress(context.observed, shards, ControlReason.LABELING, now=context.now)
        if labelled.outcome is not None:
            return labelled
    return progress(context.observed, commit, ControlReason.COMMITTING, now=context.now)


def with_progress(plan: Plan, context: JobContext, pins: JobPins) -> Plan:
    """The plan with the run's progress in its status, as long as the run is under way."""
    job = context.observed.job(shards_intent(context, pins).name)
    if plan.outcome.situation not in ("reconciling", "running") or not isinstance(plan.status, LabelJobStatus):
        return plan
    shown, wait = run_progress(context.resource.status.progress, job, shards=pins.shards, now=context.now)
    return replace(plan, status=plan.status.model_copy(update={"progress": shown}), requeue_after=soonest(plan.requeue_after, wait))


def run_progress(old: RunProgress | None, job: ObservedJob | None, *, shards: int, now: datetime) -> tuple[RunProgress | None, float | None]:
    """The progress to show, and in how many seconds a newer one may be shown; without a Job to ask, what was shown last."""
    if old is not None and old.shards != shards:
        old = None
    if job is None or job.indexes is None:
        return old, None
    if old is not None:
        wait = (datetime.fromisoformat(old.updated_at) + timedelta(seconds=WRITE_SECONDS) - now).total_seconds()
        if old.shards_done == job.indexes.done:
            return old, None
        if 0 < wait <= WRITE_SECONDS and job.indexes.done < shards:
            return old, wait
    return _measured(job, job.indexes.done, shards, job.indexes.rows, now), None


def _measured(job: ObservedJob, done: int, shards: int, rows: int | None, now: datetime) -> RunProgress:
    elapsed = (now - job.created_at).total_seconds()
    known = done > 0 and elapsed > 0
    left = elapsed * (shards - done) / done if known else 0.0
    return RunProgress(
        completed=f"{done}/{shards}",
        shards=shards,
        shards_done=done,
        rows_per_second=round(rows / elapsed, 1) if known and rows is not None else None,
        estimated_finish=(now + timedelta(seconds=left)).isoformat(timespec="seconds") if known and done < shards else None,
        updated_at=now.isoformat(timespec="seconds"),
    )


def _spent(job: ObservedJob | None) -> float:
    """Seconds from the Job's start to its end."""
    return (job.finished_at - job.created_at).total_seconds() if job is not None and job.finished_at is not None else 0.0
