"""What an Indexed Job and its pods say, as the Job controller and the kubelet write it; and the Job as we build it."""

import json
from dataclasses import replace
from typing import Any

import pytest

from labeljob.contract.reasons import JobReason
from labeljob.contract.result import Failure, JobResult, ShardResult
from labeljob.contract.result_packing import pack
from labelplane.api.groups import CONFIG_DIGEST_ANNOTATION
from labelplane.api.reasons import ControlReason
from labelplane.resources.indexed_job import numbers, rows_told
from labelplane.resources.job import job_manifest
from labelplane.resources.job_state import observed_job
from labelplane.resources.pod_times import seconds_run
from labelplane.settings import Settings
from tests.manifests import function_set
from tests.unit.operator.pipeline import World, once


def job(completions: int = 8, *, parallelism: int = 4, suspend: bool = False, **status: Any) -> dict[str, Any]:
    metadata = {"name": "run", "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z", "labels": {}, "annotations": {CONFIG_DIGEST_ANNOTATION: "d"}}
    template = {"spec": {"containers": [{"args": ["--config-sha256", "d"]}]}}
    spec = {"completionMode": "Indexed", "completions": completions, "parallelism": parallelism, "suspend": suspend, "template": template}
    return {"metadata": metadata, "spec": spec, "status": status}


def pod(index: int, attempt: int = 0, **status: Any) -> dict[str, Any]:
    """A pod of an index; a later attempt was made later."""
    labels = {"batch.kubernetes.io/job-completion-index": str(index)}
    return {"metadata": {"name": f"run-{index}-{attempt}", "creationTimestamp": f"2026-01-01T00:00:0{attempt}Z", "labels": labels}, "status": status}


def ended(code: int, result: JobResult | None = None, *, reason: str = "", start: str = "2026-01-01T00:00:00Z", finish: str = "2026-01-01T00:01:00Z") -> dict[str, Any]:
    terminated = {"exitCode": code, "message": pack(result).decode() if result else "", "reason": reason, "finishedAt": finish}
    return {"phase": "Succeeded" if code == 0 else "Failed", "startTime": start, "containerStatuses": [{"state": {"terminated": terminated}}]}


def shard(index: int, rows: int) -> JobResult:
    return JobResult(build="b", shard=ShardResult(shard=index, rows=rows))


def failure(reason: JobReason = JobReason.INTERNAL_ERROR, message: str = "the job was stopped before it finished; it is tried again") -> JobResult:
    return JobResult(build="b", failure=Failure(reason=reason, message=message))


FAILED = {"conditions": [{"type": "Failed", "status": "True", "reason": "FailedIndexes", "lastTransitionTime": "2026-01-01T00:02:00Z"}]}
COMPLETE = {"conditions": [{"type": "Complete", "status": "True"}], "completionTime": "2026-01-01T00:02:00Z"}


@pytest.mark.parametrize(("ranges", "expected"), [(None, []), ("", []), ("7", [7]), ("0,2-4,9", [0, 2, 3, 4, 9])])
def test_ranges_of_indexes(ranges: str | None, expected: list[int]) -> None:
    assert list(numbers(ranges)) == expected


def test_parts_that_are_done_and_rows_in_them() -> None:
    """One of two pods is gone: its part counts as many rows as the other's."""
    found = observed_job(job(completedIndexes="0,2", ready=1), [pod(0, **ended(0, shard(0, 100))), pod(1, phase="Running")])
    assert found.indexes is not None
    assert (found.indexes.total, found.indexes.done, found.indexes.failed, found.indexes.rows, found.problem) == (8, 2, (), 200, None)


def test_what_made_it_fail_is_told_and_not_what_it_stopped() -> None:
    """F3: pods that the failing Job ends say last that they were stopped."""
    broken = failure(JobReason.SCHEMA_BROKEN, "column restarts: 3 values below minimum 0")
    pods = [pod(0, 3, **ended(75, failure())), pod(5, **ended(65, broken)), pod(6, 4, **ended(75, failure()))]
    found = observed_job(job(**FAILED), pods)
    assert found.result == broken
    assert (found.index, found.finished) == (5, True)


def test_an_index_that_is_given_up_speaks_by_its_newest_pod() -> None:
    """Before the Job itself is Failed, and above others that were retried and did well."""
    killed = ended(137, reason="OOMKilled")
    pods = [pod(3, attempt, **killed) for attempt in range(4)] + [pod(1, **ended(75, failure())), pod(1, 1, phase="Running")]
    found = observed_job(job(failedIndexes="3", failed=5, ready=1), pods)
    assert (found.state, found.index, found.result, found.problem and found.problem.reason) == ("running", 3, None, ControlReason.OUT_OF_MEMORY)
    assert found.indexes is not None
    assert found.indexes.failed == (3,)


@pytest.mark.parametrize(("ready", "told"), [(2, None), (0, ControlReason.UNSCHEDULABLE)])
def test_parts_that_wait_for_room_are_no_trouble_while_others_run(ready: int, told: str | None) -> None:
    waiting = {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"}]}
    found = observed_job(job(ready=ready), [pod(2, **waiting), pod(4, **waiting)])
    assert (found.problem and found.problem.reason, found.index) == (told, 2 if told else None)


def test_an_image_that_cannot_be_pulled_is_told_though_others_run() -> None:
    """And no longer once the part is done."""
    stuck = {"phase": "Pending", "containerStatuses": [{"image": "i", "state": {"waiting": {"reason": "ErrImagePull"}}}]}
    pods = [pod(1, **stuck), pod(0, phase="Running")]
    assert observed_job(job(ready=1), pods).problem is not None
    assert observed_job(job(ready=1, completedIndexes="1"), pods).problem is None


@pytest.mark.parametrize(("parallelism", "suspend", "intact"), [(1, False, True), (4, False, True), (100, False, True), (0, False, False), (4, True, False)])
def test_anybody_may_change_how_many_run_at_once(parallelism: int, suspend: bool, intact: bool) -> None:
    """A queue and a person may; to stop it, there is spec.suspend."""
    assert observed_job(job(parallelism=parallelism, suspend=suspend), []).intact is intact


def test_a_result_is_read_once_however_often_the_job_is_looked_at() -> None:
    """X8: a thousand pods, and no JSON at the second look."""
    pods = [pod(index, **ended(0, shard(index, 10))) for index in range(1000)]
    many = job(1000, completedIndexes="0-999", **COMPLETE)
    rows_told.cache_clear()
    for _ in range(3):
        found = observed_job(many, pods)
    assert found.indexes is not None
    assert (found.indexes.rows, rows_told.cache_info().misses) == (10_000, 1000)


def test_what_reports_no_rows_is_no_figure() -> None:
    other = JobResult(build="b", failure=Failure(reason=JobReason.INTERNAL_ERROR, message="x"))
    assert [rows_told(text) for text in ("", "not json", "[]", '{"shard": {"rows": "9"}}', pack(other).decode())] == [None] * 5


def test_pod_seconds_of_pods_that_are_known() -> None:
    """X21: a failed attempt costs what it ran; a pod that is gone, or that never started, is not guessed at."""
    pods = [
        pod(0, **ended(137)),
        pod(0, 1, **ended(0, shard(0, 1), start="2026-01-01T00:01:00Z", finish="2026-01-01T00:01:30.5Z")),
        pod(1, phase="Failed", startTime="2026-01-01T00:00:00Z"),
    ]
    assert [seconds_run(one) for one in pods] == [60.0, 30.5, None]
    assert observed_job(job(**COMPLETE), pods).pod_seconds == 90.5
    assert observed_job(job(**COMPLETE), []).pod_seconds is None
    assert observed_job(job(ready=1), pods).pod_seconds is None


async def test_the_job_that_is_built() -> None:
    """Retries for each index, an eviction that does not count, and an end at the first index that is given up."""
    world = World()
    world.apply(function_set())
    await once(world)
    intent = next(iter(world.jobs.values()))[1].intent
    resource = world.get("LabelingFunctionSet")
    alone, many = (job_manifest(one, resource, Settings("image")) for one in (intent, replace(intent, completions=8, parallelism=3)))
    spec = many["spec"]
    assert (spec["completionMode"], spec["completions"], spec["parallelism"], spec["backoffLimitPerIndex"], spec["maxFailedIndexes"]) == ("Indexed", 8, 3, 3, 0)
    assert "backoffLimit" not in spec
    assert [rule["action"] for rule in spec["podFailurePolicy"]["rules"]] == ["Ignore", "FailJob"]
    assert spec["podReplacementPolicy"] == "Failed"
    assert alone["spec"]["backoffLimit"] == 3
    assert not set(alone["spec"]) & {"completionMode", "completions", "parallelism"}
    assert json.dumps(spec["template"]) == json.dumps(alone["spec"]["template"])
