"""A raw Job and its pods -> `ObservedJob`. Everything is derived from what is there now, never from the order of events."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from labeljob.contract.result import JobResult
from labelplane.api.groups import CONFIG_DIGEST_ANNOTATION, STEP_LABEL
from labelplane.plan.observed import JobState, ObservedJob, ResultState
from labelplane.resources.claims import observed_claims, waits_for_volumes_since
from labelplane.resources.indexed_job import culprit, index_of, indexes_of, is_indexed, trouble, volumes_awaited_since
from labelplane.resources.pod_problems import pod_problem
from labelplane.resources.pod_times import ends, instant, total_seconds

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def observed_job(job: Mapping[str, Any], pods: Sequence[Mapping[str, Any]]) -> ObservedJob:
    """What a decision needs to know of a Job."""
    metadata, status = job["metadata"], job.get("status") or {}
    failure, state = _condition(status, "Failed"), _state(status)
    common = ObservedJob(
        name=metadata["name"],
        uid=metadata["uid"],
        step=(metadata.get("labels") or {}).get(STEP_LABEL, ""),
        state=state,
        created_at=instant(metadata.get("creationTimestamp")) or EPOCH,
        finished_at=_finished_at(status, state),
        failure=failure.get("reason") if failure else None,
        attempts=int(status.get("failed") or 0),
        intact=_is_intact(job),
        deleting=bool(metadata.get("deletionTimestamp")),
        without_pod=state == "pending" and not pods and not status.get("failed") and not status.get("succeeded"),
        claims=observed_claims(job),
        pod_seconds=total_seconds(pods) if state in ("succeeded", "failed") else None,
    )
    return _with_indexes(common, job, pods) if is_indexed(job) else _with_pods(common, pods)


def _with_pods(job: ObservedJob, pods: Sequence[Mapping[str, Any]]) -> ObservedJob:
    """What its pods, one after the other, say of it."""
    ordered = sorted(pods, key=lambda pod: (pod["metadata"].get("creationTimestamp") or "", pod["metadata"]["name"]))
    succeeded = job.state == "succeeded"
    return replace(
        job,
        result=_result(ordered, of_success=succeeded),
        result_state=_result_state(ordered) if succeeded else "read",
        image_id=_image_id(ordered),
        problem=None if succeeded else pod_problem(ordered),
        volumes_awaited_since=waits_for_volumes_since(ordered),
    )


def _with_indexes(common: ObservedJob, job: Mapping[str, Any], pods: Sequence[Mapping[str, Any]]) -> ObservedJob:
    """How far its parts are; of a thousand pods only that one's result is read which made the Job fail."""
    parts = indexes_of(job, pods)
    if common.state == "failed" or parts.failed:
        pod = culprit(pods, parts.failed)
        if pod is None:
            return replace(common, indexes=parts)
        return replace(common, indexes=parts, index=index_of(pod), result=_result([pod], of_success=False), problem=pod_problem([pod]))
    found = trouble(job, pods) if common.state != "succeeded" else None
    if found is not None:
        return replace(common, indexes=parts, index=found[0], problem=found[1])
    return replace(common, indexes=parts, volumes_awaited_since=volumes_awaited_since(job, pods))


def _state(status: Mapping[str, Any]) -> JobState:
    if _condition(status, "Complete"):
        return "succeeded"
    if _condition(status, "Failed"):
        return "failed"
    return "running" if status.get("ready") else "pending"


def _condition(status: Mapping[str, Any], kind: str) -> Mapping[str, Any] | None:
    conditions = status.get("conditions") or []
    return next((one for one in conditions if one["type"] == kind and one["status"] == "True"), None)


def _finished_at(status: Mapping[str, Any], state: JobState) -> datetime | None:
    if state not in ("succeeded", "failed"):
        return None
    condition = _condition(status, "Complete") or _condition(status, "Failed") or {}
    return instant(status.get("completionTime") or condition.get("lastTransitionTime"))


def _result(pods: Sequence[Mapping[str, Any]], *, of_success: bool) -> JobResult | None:
    """What the newest finished pod (of a success: that ended well) reported; what is not a result (an OOM kill leaves none) is passed over."""
    for ended in (ended for pod in reversed(pods) for ended in ends(pod)):
        if ended.get("message") and not (of_success and ended["exitCode"] != 0):
            try:
                return JobResult.model_validate_json(ended["message"])
            except ValidationError:
                continue
    return None


def _result_state(pods: Sequence[Mapping[str, Any]]) -> ResultState:
    """Job and pod come by different watches, and a pod that has ended may be deleted by anybody, a drained node's too."""
    if any(ended["exitCode"] == 0 for pod in pods for ended in ends(pod)):
        return "read"
    return "awaited" if any(not ends(pod) for pod in pods) else "lost"


def _image_id(pods: Sequence[Mapping[str, Any]]) -> str | None:
    statuses = [status for pod in pods for status in pod.get("status", {}).get("containerStatuses", [])]
    return next((status["imageID"] for status in reversed(statuses) if status.get("imageID")), None)


def _is_intact(job: Mapping[str, Any]) -> bool:
    """Whether what it runs is still what we asked for (the API server keeps the pod template from changing).

    How many pods of an Indexed Job run at once may be changed by anybody, a queue among them; none at all is a stop.
    """
    spec = job["spec"]
    arguments = spec["template"]["spec"]["containers"][0].get("args") or []
    digest = (job["metadata"].get("annotations") or {}).get(CONFIG_DIGEST_ANNOTATION)
    at_once = spec.get("parallelism", 1)
    return digest in arguments and not spec.get("suspend") and (at_once >= 1 if is_indexed(job) else at_once == 1)
