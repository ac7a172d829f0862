"""What the pods of a Job say about it, as the kubelet and the Job controller write it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from labeljob.contract.reasons import JobReason
from labeljob.contract.result import CheckResult, Failure, JobResult
from labeljob.contract.result_packing import pack
from labelplane.api.groups import Key
from labelplane.api.reasons import ControlReason
from labelplane.plan.job_progress import POD_SECONDS, progress
from labelplane.plan.observed import Observed
from labelplane.resources.job_state import observed_job
from tests.manifests import function_set
from tests.unit.operator.pipeline import World, once

MADE = datetime(2026, 1, 1, tzinfo=UTC)


def job(**status: Any) -> dict[str, Any]:
    metadata = {"name": "run", "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z", "labels": {}, "annotations": {}}
    return {"metadata": metadata, "spec": {"template": {"spec": {"containers": [{}]}}}, "status": status}


def pod(name: str, **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "creationTimestamp": f"2026-01-01T00:00:0{name[-1]}Z"}, "status": status}


def test_an_eviction_is_told_in_the_kubelets_words() -> None:
    """An earlier pod's too, until the Job ends: the next may fare no better."""
    evicted = pod("p-1", phase="Failed", reason="Evicted", message="The node was low on resource: memory. ")
    found = observed_job(job(), [evicted, pod("p-2", phase="Running")]).problem
    assert found is not None
    assert (found.reason, "low on resource: memory." in found.message) == (ControlReason.EVICTED, True)


def test_the_newest_trouble_counts() -> None:
    evicted = pod("p-1", phase="Failed", reason="Evicted", message="low on disk")
    stuck = pod("p-2", phase="Pending", conditions=[{"type": "PodScheduled", "status": "False", "message": "node(s) had untolerated taint(s)"}])
    found = observed_job(job(), [stuck, evicted]).problem
    assert found is not None
    assert found.reason == ControlReason.UNSCHEDULABLE


def ended(code: int, message: str = "") -> dict[str, Any]:
    """The container of a pod that has ended."""
    return {"containerStatuses": [{"state": {"terminated": {"exitCode": code, "message": message}}}]}


COMPLETE = {"conditions": [{"type": "Complete", "status": "True"}]}
GOOD = pack(JobResult(build="b", check=CheckResult(function_set_digest="f", function_count=1, tests_passed=0))).decode()
STOPPED = pack(JobResult(build="b", failure=Failure(reason=JobReason.INTERNAL_ERROR, message="stopped"))).decode()


@pytest.mark.parametrize(
    ("pods", "state", "good"),
    [
        ([ended(75, STOPPED), ended(0, GOOD)], "read", True),
        ([ended(0, GOOD), ended(75, STOPPED)], "read", True),  # made in the same second: the names decide the order
        ([ended(75, STOPPED), {"phase": "Running"}], "awaited", False),
        ([ended(75, STOPPED)], "lost", False),
        ([], "lost", False),
        ([ended(0, "no result of ours")], "read", False),
    ],
    ids=["retried", "order", "not-yet", "pod-gone", "all-gone", "foreign-image"],
)
def test_the_result_of_a_job_that_succeeded(pods: list[dict[str, Any]], state: str, good: bool) -> None:
    """Only a pod that ended well speaks for it; where there is none any more, nobody does."""
    found = observed_job(job(**COMPLETE), [pod(f"p-{number}", **status) for number, status in enumerate(pods)])
    assert (found.result_state, found.result is not None and found.result.check is not None) == (state, good)


@pytest.mark.parametrize(("status", "pods", "without"), [({}, 0, True), ({"ready": 0}, 0, True), ({"failed": 1}, 0, False), ({}, 1, False)])
def test_a_job_is_without_pod_before_its_first(status: dict[str, Any], pods: int, without: bool) -> None:
    """One whose pods have failed and are gone is between two attempts."""
    assert observed_job(job(**status), [pod(f"p-{number}") for number in range(pods)]).without_pod is without


async def test_a_job_without_pod_is_told_after_a_while() -> None:
    """Nothing happens then that could wake us: we ask to be woken."""
    world = World()
    world.apply(function_set())
    await once(world)
    intent = next(iter(world.jobs.values()))[1].intent
    bare = replace(observed_job(job(), []), name=intent.name, intact=True)
    observed = Observed(Key("LabelingFunctionSet", "default", "rollout-risk"), world.get("LabelingFunctionSet"), jobs=(bare,))
    early = progress(observed, intent, ControlReason.CHECKING, now=MADE + timedelta(seconds=POD_SECONDS - 1))
    late = progress(observed, intent, ControlReason.CHECKING, now=MADE + timedelta(seconds=POD_SECONDS))
    assert (early.outcome and early.outcome.reason, early.requeue_after) == (ControlReason.CHECKING, 1.0)
    assert (late.outcome and late.outcome.reason, late.requeue_after) == (ControlReason.POD_NOT_STARTING, None)
