"""How far a Job is that must exist: make it, wait for it, or read what came of it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from labeljob.contract.reasons import JobReason
from labeljob.contract.result import JobResult
from labelplane.api.reasons import ConditionType, ControlReason
from labelplane.plan.actions import Action, CreateJob, DeleteJob, DomainCondition, Event, JobIntent, Outcome
from labelplane.plan.observed import Indexes, Observed, ObservedJob
from labelplane.plan.volumes import MOUNT_SECONDS, one_after_another, waits_for_a_pod, waits_for_volumes

DOMAIN = {
    JobReason.SCHEMA_BROKEN: ConditionType.SCHEMA_BROKEN,
    JobReason.FUNCTIONS_FAILING: ConditionType.FUNCTIONS_FAILING,
    JobReason.PIN_BROKEN: ConditionType.PIN_BROKEN,
}
WORDS = {
    ControlReason.CHECKING: "the functions and their tests are being checked",
    ControlReason.RESOLVING: "the state of the data is being pinned",
    ControlReason.FITTING: "the label model is being fitted",
    ControlReason.LABELING: "the rows are being labelled",
    ControlReason.COMMITTING: "the shards are being made one version",
}


POD_SECONDS = 30.0  # in which the Job controller makes a pod, busy as it may be


@dataclass(frozen=True)
class Progress:
    """Either the Job's result, or where it stands, what to do about it, and in how many seconds to look again.

    An Indexed Job that is done has neither a result nor an outcome.
    """

    result: JobResult | None = None
    job: ObservedJob | None = None
    outcome: Outcome | None = None
    actions: tuple[Action, ...] = ()
    events: tuple[Event, ...] = ()
    requeue_after: float | None = None


def progress(observed: Observed, intent: JobIntent, reason: ControlReason, *, now: datetime) -> Progress:
    """Progress of the Job that the intent names; `reason` says what it does."""
    job = observed.job(intent.name)
    if job is None:
        events = (_deleted_event(intent),) if _was_seen(observed, intent) else ()
        return Progress(outcome=_under_way(reason, f"{WORDS[reason]} (Job {intent.name})"), actions=(CreateJob(intent),), events=events)
    if job.deleting:
        return Progress(job=job, outcome=_under_way(reason, f"somebody is deleting the Job; it will be made again (Job {job.name})"))
    if _is_edited(job, intent):
        event = Event("Warning", ControlReason.JOB_EDITED, f"Job {job.name} was edited: it is deleted and made again as it was")
        return Progress(job=job, outcome=_under_way(reason, event.message), actions=(DeleteJob(job.name, job.uid),), events=(event,))
    if job.state == "failed" or _has_lost_a_part(job):
        return Progress(job=job, outcome=_failure(job))
    if job.state == "succeeded":
        return _succeeded(job, reason) if job.indexes is None else _all_done(job, job.indexes, reason)
    return _without_pod(job, reason, now) if job.without_pod else _under_work(observed, job, reason, now)


def under_way(observed: Observed, names: Iterable[str]) -> bool:
    """Whether work of these Jobs goes on: some of them is there, and none has failed or lost a part."""
    jobs = [job for name in names if (job := observed.job(name)) is not None]
    return bool(jobs) and not any(job.state == "failed" or _has_lost_a_part(job) for job in jobs)


def _under_work(observed: Observed, job: ObservedJob, reason: ControlReason, now: datetime) -> Progress:
    """Its pods run, or something keeps them from it; who waits for a volume waits a while before anybody is told."""
    wait = None
    if job.problem is not None and job.problem.reason == ControlReason.VOLUME_NOT_SHAREABLE:
        wait = waits_for_a_pod(observed, job, job.problem.since or job.created_at, now)
        job = replace(job, problem=None)
    elif job.problem is None and job.volumes_awaited_since is not None:
        wait = waits_for_volumes(observed, job, job.volumes_awaited_since, now)
    usual = _unfinished(job, reason, one_after_another(observed, job))
    if wait is not None:
        return Progress(job=job, outcome=wait.outcome or usual, requeue_after=wait.look_again)
    unheard = job.indexes is not None and job.state == "pending"  # pods of many that get a node wake nobody
    return Progress(job=job, outcome=usual, requeue_after=MOUNT_SECONDS if unheard else None)


def _is_edited(job: ObservedJob, intent: JobIntent) -> bool:
    """One that was cut short (`completions` can be lowered) is not what was asked for even when it has succeeded."""
    total = job.indexes.total if job.indexes is not None else None
    return (not job.intact and not job.finished) or (total != intent.completions and job.state != "failed")


def _has_lost_a_part(job: ObservedJob) -> bool:
    """An index is given up, and why is known: the Job's own verdict follows once its other pods have ended."""
    return job.indexes is not None and bool(job.indexes.failed) and (job.result is not None or job.problem is not None)


def _all_done(job: ObservedJob, parts: Indexes, reason: ControlReason) -> Progress:
    """What counts is each index, not the Job's word alone; finished parts are found done when it is made again."""
    if parts.done == parts.total:
        return Progress(job=job)
    event = Event("Warning", ControlReason.JOB_EDITED, f"Job {job.name} is complete with {parts.done} of {parts.total} shards: it is made again")
    return Progress(job=job, outcome=_under_way(reason, event.message), actions=(DeleteJob(job.name, job.uid),), events=(event,))


def _without_pod(job: ObservedJob, reason: ControlReason, now: datetime) -> Progress:
    """Only the Job's own Events say what refuses its pods, and those we may not read."""
    left = POD_SECONDS - (now - job.created_at).total_seconds()
    if left > 0:
        return Progress(job=job, outcome=_unfinished(job, reason), requeue_after=left)
    text = f"the Job has no pod: a quota or a policy of this namespace may refuse it; kubectl describe job {job.name} says which, then make room or change spec.runtime"
    return Progress(job=job, outcome=_under_way(ControlReason.POD_NOT_STARTING, f"{text} (Job {job.name})"))


def _succeeded(job: ObservedJob, reason: ControlReason) -> Progress:
    """A result that is lost is asked for again: what is done already is found done, and reported once more."""
    if job.result is not None and job.result.failure is None:
        return Progress(result=job.result, job=job)
    if job.result_state == "awaited":
        return Progress(job=job, outcome=_unfinished(job, reason))
    if job.result_state == "lost":
        event = Event("Warning", ControlReason.JOB_DELETED, f"the pod of Job {job.name} was deleted before its result was read: the Job is made again, to report what stands")
        return Progress(job=job, outcome=_under_way(reason, event.message), actions=(DeleteJob(job.name, job.uid),), events=(event,))
    return Progress(job=job, outcome=Outcome("stalled", ControlReason.JOB_FAILED, f"Job {job.name} left no result: set the reconcile-at annotation to run it again"))


def _unfinished(job: ObservedJob, reason: ControlReason, how: str = "") -> Outcome:
    if job.problem:
        return _under_way(ControlReason(job.problem.reason), f"{_part(job)}{job.problem.message} (Job {job.name})")
    return _under_way(reason, f"{WORDS[reason]}{how} (Job {job.name})")


def _failure(job: ObservedJob) -> Outcome:
    """The reason that a person can act on: the job's own words first, then why its pod died, then the Job controller's."""
    if job.failure == ControlReason.DEADLINE_EXCEEDED:
        return Outcome("stalled", ControlReason.DEADLINE_EXCEEDED, f"Job {job.name} took longer than spec.activeDeadline: raise it, or give the run more resources")
    if job.result is not None and job.result.failure is not None:
        failure = job.result.failure
        condition = DOMAIN.get(failure.reason)
        domain = (DomainCondition(condition, failure.reason, f"{_part(job)}{failure.message}"),) if condition else ()
        return Outcome("stalled", failure.reason, f"{_part(job)}{failure.message}", domain)
    if job.problem:
        return Outcome("stalled", job.problem.reason, f"{_part(job)}{job.problem.message} (Job {job.name})")
    return Outcome("stalled", ControlReason.JOB_FAILED, f"{_part(job)}Job {job.name} failed {job.attempts} times: look at its pods' logs, then set the reconcile-at annotation")


def _part(job: ObservedJob) -> str:
    """Which of its parts an Indexed Job speaks of, counted from 0 as Kubernetes counts."""
    return f"shard {job.index} of {job.indexes.total}: " if job.indexes is not None and job.index is not None else ""


def _under_way(reason: ControlReason, message: str) -> Outcome:
    return Outcome("reconciling", reason, message)


def _was_seen(observed: Observed, intent: JobIntent) -> bool:
    """Whether status says that this very Job ran when we last looked."""
    conditions = (observed.resource.get("status") or {}).get("conditions") or []
    return any(f"(Job {intent.name})" in str(condition.get("message")) for condition in conditions)


def _deleted_event(intent: JobIntent) -> Event:
    return Event("Warning", ControlReason.JOB_DELETED, f"Job {intent.name} was deleted before its result was read: it is made again")
