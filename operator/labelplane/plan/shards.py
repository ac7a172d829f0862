"""Work in shards: one Indexed Job does them, then one Job makes something of them. How far they are goes to `status.progress`.

    shards Job (n pods, each skips what is done already) -> all done -> commit or fit Job -> its result is the run's, or the version
"""

from dataclasses import replace
from datetime import datetime, timedelta

from labelplane.api.label_job import JobPins, LabelJobStatus
from labelplane.api.label_model import LabelModelStatus
from labelplane.api.reasons import ControlReason
from labelplane.api.sharding import RunProgress
from labelplane.plan.actions import JobIntent, Plan, soonest
from labelplane.plan.job_context import JobContext
from labelplane.plan.job_intents import commit_intent
from labelplane.plan.job_progress import Progress, progress
from labelplane.plan.observed import Observed, ObservedJob

WRITE_SECONDS = 5.0  # between two writes of a run's progress: a thousand shards that end in a minute are a dozen writes


def sharded(context: JobContext, pins: JobPins, shards: JobIntent) -> Progress:
    """Where a run stands; its result is the commit's."""
    commit = commit_intent(context, pins, spent_seconds=_spent(context.observed.job(shards.name)))
    return in_shards(context.observed, shards, ControlReason.LABELING, commit, ControlReason.COMMITTING, now=context.now)


def in_shards(observed: Observed, shards: JobIntent, working: ControlReason, end: JobIntent, ending: ControlReason, *, now: datetime) -> Progress:
    """Where the work stands; its result is that of the Job that ends it. Shards whose end is under way are not looked at any more."""
    if observed.job(end.name) is None:
        worked = progress(observed, shards, working, now=now)
        if worked.outcome is not None:
            return worked
    return progress(observed, end, ending, now=now)


def with_progress(plan: Plan, observed: Observed, shards: JobIntent, old: RunProgress | None, *, now: datetime) -> Plan:
    """The plan with the progress of the shards in its status, as long as the work is under way; `old` as it was shown last."""
    if plan.outcome.situation not in ("reconciling", "running") or not isinstance(plan.status, LabelJobStatus | LabelModelStatus):
        return plan
    shown, wait = run_progress(old, observed.job(shards.name), shards=shards.completions or 1, now=now)
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
