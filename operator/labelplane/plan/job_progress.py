"""How far a Job is that must exist: make it, wait for it, or read what came of it."""

from dataclasses import dataclass
from datetime import datetime

from labeljob.contract.reasons import JobReason
from labeljob.contract.result import JobResult
from labelplane.api.reasons import ConditionType, ControlReason
from labelplane.plan.actions import Action, CreateJob, DeleteJob, DomainCondition, Event, JobIntent, Outcome
from labelplane.plan.observed import Observed, ObservedJob

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
}


POD_SECONDS = 30.0  # in which the Job controller makes a pod, busy as it may be


@dataclass(frozen=True)
class Progress:
    """Either the Job's result, or where it stands, what to do about it, and in how many seconds to look again."""

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
    if not job.intact and not job.finished:
        event = Event("Warning", ControlReason.JOB_EDITED, f"Job {job.name} was edited: it is deleted and made again as it was")
        return Progress(job=job, outcome=_under_way(reason, event.message), actions=(DeleteJob(job.name, job.uid),), events=(event,))
    if job.state == "failed":
        return Progress(job=job, outcome=_failure(job))
    if job.state == "succeeded":
        return _succeeded(job, reason)
    return _without_pod(job, reason, now) if job.without_pod else Progress(job=job, outcome=_unfinished(job, reason))


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


def _unfinished(job: ObservedJob, reason: ControlReason) -> Outcome:
    if job.problem:
        return _under_way(ControlReason(job.problem.reason), f"{job.problem.message} (Job {job.name})")
    return _under_way(reason, f"{WORDS[reason]} (Job {job.name})")


def _failure(job: ObservedJob) -> Outcome:
    """The reason that a person can act on: the job's own words first, then why its pod died, then the Job controller's."""
    if job.failure == ControlReason.DEADLINE_EXCEEDED:
        return Outcome("stalled", ControlReason.DEADLINE_EXCEEDED, f"Job {job.name} took longer than spec.activeDeadline: raise it, or give the run more resources")
    if job.result is not None and job.result.failure is not None:
        failure = job.result.failure
        condition = DOMAIN.get(failure.reason)
        domain = (DomainCondition(condition, failure.reason, failure.message),) if condition else ()
        return Outcome("stalled", failure.reason, failure.message, domain)
    if job.problem:
        return Outcome("stalled", job.problem.reason, f"{job.problem.message} (Job {job.name})")
    return Outcome("stalled", ControlReason.JOB_FAILED, f"Job {job.name} failed {job.attempts} times: look at its pods' logs, then set the reconcile-at annotation")


def _under_way(reason: ControlReason, message: str) -> Outcome:
    return Outcome("reconciling", reason, message)


def _was_seen(observed: Observed, intent: JobIntent) -> bool:
    """Whether status says that this very Job ran when we last looked."""
    conditions = (observed.resource.get("status") or {}).get("conditions") or []
    return any(f"(Job {intent.name})" in str(condition.get("message")) for condition in conditions)


def _deleted_event(intent: JobIntent) -> Event:
    return Event("Warning", ControlReason.JOB_DELETED, f"Job {intent.name} was deleted before its result was read: it is made again")
