"""A raw Job and its pods -> `ObservedJob`. Everything is derived from what is there now, never from the order of events."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from labeljob.contract.result import JobResult
from labelplane.api.groups import CONFIG_DIGEST_ANNOTATION, STEP_LABEL
from labelplane.plan.observed import JobState, ObservedJob, ResultState
from labelplane.resources.pod_problems import pod_problem

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def observed_job(job: Mapping[str, Any], pods: Sequence[Mapping[str, Any]]) -> ObservedJob:
    """What a decision needs to know of a Job."""
    metadata, status = job["metadata"], job.get("status") or {}
    ordered = sorted(pods, key=lambda pod: (pod["metadata"].get("creationTimestamp") or "", pod["metadata"]["name"]))
    failure = _condition(status, "Failed")
    state = _state(status)
    return ObservedJob(
        name=metadata["name"],
        uid=metadata["uid"],
        step=(metadata.get("labels") or {}).get(STEP_LABEL, ""),
        state=state,
        created_at=_time(metadata.get("creationTimestamp")) or EPOCH,
        finished_at=_finished_at(status, state),
        result=_result(ordered, of_success=state == "succeeded"),
        result_state=_result_state(ordered) if state == "succeeded" else "read",
        image_id=_image_id(ordered),
        problem=None if state == "succeeded" else pod_problem(ordered),
        failure=failure.get("reason") if failure else None,
        attempts=int(status.get("failed") or 0),
        intact=_is_intact(job),
        deleting=bool(metadata.get("deletionTimestamp")),
        without_pod=state == "pending" and not ordered and not status.get("failed"),
    )


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
    return _time(status.get("completionTime") or condition.get("lastTransitionTime"))


def _result(pods: Sequence[Mapping[str, Any]], *, of_success: bool) -> JobResult | None:
    """What the newest finished pod (of a success: that ended well) reported; what is not a result (an OOM kill leaves none) is passed over."""
    for ended in (ended for pod in reversed(pods) for ended in _ends(pod)):
        if ended.get("message") and not (of_success and ended["exitCode"] != 0):
            try:
                return JobResult.model_validate_json(ended["message"])
            except ValidationError:
                continue
    return None


def _result_state(pods: Sequence[Mapping[str, Any]]) -> ResultState:
    """Job and pod come by different watches, and a pod that has ended may be deleted by anybody, a drained node's too."""
    ends = [ended for pod in pods for ended in _ends(pod)]
    if any(ended["exitCode"] == 0 for ended in ends):
        return "read"
    return "awaited" if any(not _ends(pod) for pod in pods) else "lost"


def _ends(pod: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """How the containers of a pod ended, those that have."""
    states = (status.get("state", {}) for status in pod.get("status", {}).get("containerStatuses", []))
    return [state["terminated"] for state in states if state.get("terminated")]


def _image_id(pods: Sequence[Mapping[str, Any]]) -> str | None:
    statuses = [status for pod in pods for status in pod.get("status", {}).get("containerStatuses", [])]
    return next((status["imageID"] for status in reversed(statuses) if status.get("imageID")), None)


def _is_intact(job: Mapping[str, Any]) -> bool:
    """Whether what it runs is still what we asked for (the API server keeps the pod template from changing)."""
    spec = job["spec"]
    arguments = spec["template"]["spec"]["containers"][0].get("args") or []
    digest = (job["metadata"].get("annotations") or {}).get(CONFIG_DIGEST_ANNOTATION)
    return digest in arguments and not spec.get("suspend") and spec.get("parallelism", 1) == 1


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
