"""Why a pod does not run, in words that tell a person what to do."""

from collections.abc import Mapping, Sequence
from typing import Any

from labelplane.api.reasons import ControlReason
from labelplane.plan.observed import PodProblem
from labelplane.resources.pod_times import instant

_PULL = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"}
_START = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}


def pod_problem(pods: Sequence[Mapping[str, Any]]) -> PodProblem | None:
    """The problem of the newest pod (`pods` are oldest first), or that an earlier one ran out of memory or was evicted."""
    for pod in reversed(pods):
        found = _unschedulable(pod) or _waiting(pod) or _out_of_memory(pod) or _evicted(pod)
        if found:
            return found
    return None


def _unschedulable(pod: Mapping[str, Any]) -> PodProblem | None:
    for condition in pod.get("status", {}).get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            text = condition.get("message", "no node fits")
            if "ReadWriteOncePod" in text:  # the scheduler's plugin VolumeRestrictions
                message = "another pod has a claim that allows one pod at a time"
                return PodProblem(ControlReason.VOLUME_NOT_SHAREABLE, message, since=instant(condition.get("lastTransitionTime")))
            return PodProblem(ControlReason.UNSCHEDULABLE, f"no node takes the pod: {text}; create the claim, or change spec.runtime"[:1024])
    return None


def _waiting(pod: Mapping[str, Any]) -> PodProblem | None:
    for status in pod.get("status", {}).get("containerStatuses", []):
        waiting = status.get("state", {}).get("waiting") or {}
        reason, text = waiting.get("reason", ""), waiting.get("message", "")
        if reason in _PULL:
            message = f"image {status.get('image')} cannot be pulled ({reason}): correct spec.runtime.image or imagePullSecrets"
            return PodProblem(ControlReason.IMAGE_PULL_FAILED, message[:1024])
        if reason == "CrashLoopBackOff":
            return PodProblem(ControlReason.CRASH_LOOP, "the container keeps ending: look at the pod's log")
        if reason in _START:
            return PodProblem(ControlReason.POD_NOT_STARTING, f"the container cannot start: {text or reason}"[:1024])
    return None


def _out_of_memory(pod: Mapping[str, Any]) -> PodProblem | None:
    for status in pod.get("status", {}).get("containerStatuses", []):
        if (status.get("state", {}).get("terminated") or {}).get("reason") == "OOMKilled":
            return PodProblem(ControlReason.OUT_OF_MEMORY, f"the pod ran out of memory: {_memory_given(pod)}")
    return None


def _memory_given(pod: Mapping[str, Any]) -> str:
    """What it asked for, and what to set instead."""
    containers = pod.get("spec", {}).get("containers") or [{}]
    given = containers[0].get("resources") or {}
    asked, limit = ((given.get(name) or {}).get("memory") for name in ("requests", "limits"))
    if limit is None:
        return f"it asked for {asked or 'nothing'} and its node has no more: set spec.runtime.resources.requests.memory and limits.memory to what it needs"
    return f"it asked for {asked or limit} and may use {limit}: set spec.runtime.resources.limits.memory to more, and requests.memory with it"


def _evicted(pod: Mapping[str, Any]) -> PodProblem | None:
    """The kubelet's own words name what was short; an eviction for the node's sake is not counted against the Job."""
    status = pod.get("status", {})
    if status.get("reason") != "Evicted":
        return None
    text = str(status.get("message", "")).strip() or "the node was under pressure"
    return PodProblem(ControlReason.EVICTED, f"the node evicted the pod: {text}; raise spec.runtime.resources, or choose another node"[:1024])
