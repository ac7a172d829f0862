"""Faults on a real cluster: every one ends with the right rows once, or with the old version and a reason."""

import json
import os
import random
import time
from pathlib import Path
from typing import Any

import pytest
from deltalake import write_deltalake

from devcluster.node import PAUSE_IMAGE
from devcluster.volumes import Volume
from labelplane.resources.pod_problems import pod_problem
from tests.cluster_fixtures import RealCluster, SharedNamespace
from tests.e2e.operator import Installed, condition, kill_container, message
from tests.e2e.own_job import FEW, MANY, OwnJob, many
from tests.e2e.rollouts import events, exactly_once, function_set, hand_over, label_job, label_model, labels, three, write_events
from tests.patience import HANG_SECONDS, SLOWER

pytestmark = pytest.mark.cluster

GOOD = 4  # function sets
POD_REASONS = ("Unschedulable", "ImagePullFailed", "OutOfMemory")


def fill(folder: Path, *, leave: int) -> None:
    """Take all but `leave` bytes of a filesystem."""
    free = os.statvfs(folder)
    (folder / "filler").write_bytes(bytes(free.f_bavail * free.f_frsize - leave))


@pytest.mark.alone
def test_operator_killed_at_five_instants_of_five_runs(operator: Installed, cluster: RealCluster, namespace: str, lake: Volume) -> None:
    """G3: five runs of one model under way, from its first check on, killed at five seeded random instants; each leaves one output version and no duplicate row."""
    names = [f"run-{number}" for number in range(5)]
    functions, model, _ = three(namespace)
    cluster.apply(functions, model, *(label_job(namespace, name, output={"uri": f"pvc://lake/{name}/labels", "format": "delta"}) for name in names))
    for seed in range(5):
        time.sleep(random.Random(seed).uniform(0.2, 8))  # the fault's instant, not a synchronisation
        cluster.wait("an operator to kill", operator.kill)
    for name in names:
        operator.ready(namespace, name=name)
        assert labels(lake.folder / name).version() == 0
        exactly_once(labels(lake.folder / name), 2000)
    assert operator.ready(namespace, "labelmodel")["status"]["current"]["version"] == 1


def test_job_pod_killed_mid_write(mine: OwnJob) -> None:
    """G3: the pod dies with half a file written; Kubernetes tries again, one version is committed, and the half file is gone."""
    mine.apply(input=many(1))
    half = mine.cluster.wait("half a file", lambda: [file for file in mine.output.glob("*.parquet") if file.stat().st_size], every=0.01)
    assert kill_container(mine.cluster, mine.namespace, mine.selector("label"))
    assert not (mine.output / "_delta_log").exists()
    job = mine.ready()
    assert job["status"]["metrics"]["rows"] == MANY
    assert mine.labels().version() == 0
    exactly_once(mine.labels(), MANY)
    assert not half[0].exists()
    ended = [code for pod in mine.pods("label") for code in exit_codes(pod)]
    assert sorted(ended) == [0, 137]  # the list is by name, which ends at random


def exit_codes(pod: dict[str, Any]) -> list[int]:
    """Of containers that have ended."""
    return [status["state"]["terminated"]["exitCode"] for status in pod["status"].get("containerStatuses", []) if "terminated" in status["state"]]


def test_an_evicted_pod_is_no_failure(mine: OwnJob) -> None:
    """G3: a node that is drained takes no attempt away from the Job, and the run ends with one version."""
    mine.apply(input=many(1))
    job = mine.job_with_pod()
    mine.cluster.wait("work under way", lambda: list(mine.output.glob("*.parquet")), every=0.01)
    (pod,) = mine.pods("label")
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod["metadata"]["name"], "namespace": mine.namespace}}
    path = f"/api/v1/namespaces/{mine.namespace}/pods/{pod['metadata']['name']}/eviction"
    mine.cluster.kubectl("create", "--raw", path, "-f", "-", text_in=json.dumps(eviction))
    mine.ready()
    assert mine.labels().version() == 0
    exactly_once(mine.labels(), MANY)
    assert not mine.cluster.get(mine.namespace, "jobs", job)["status"].get("failed")
    assert pod["metadata"]["uid"] not in [one["metadata"]["uid"] for one in mine.pods("label")]


def test_a_pod_that_takes_too_much_of_the_nodes_disk(mine: OwnJob) -> None:
    """The kubelet evicts it; the condition says so in the kubelet's words. An image that only waits: a job might end before the kubelet looks."""
    mine.apply(runtime={"image": PAUSE_IMAGE, "resources": {"limits": {"memory": "64Mi", "ephemeral-storage": "1"}}})
    mine.event("Evicted", "ephemeral")  # the condition may have moved on to the next pod


@pytest.mark.alone
def test_api_server_restarted(operator: Installed, namespace: str, lake: Volume) -> None:
    """The API server goes away during a run and comes back: the state converges."""
    operator.cluster.apply(*three(namespace))
    operator.reason(namespace, "ModelNotReady")
    operator.cluster.restart_apiserver()
    operator.ready(namespace)
    assert labels(lake.folder).version() == 0


def test_a_broken_resource_beside_good_ones(operator: Installed, namespace: str) -> None:
    """O9: what cannot be parsed stalls alone; beside twenty in `tests/integration/operator`, where no pod is started for each."""
    sets = []
    for index in range(GOOD):
        sets.append(function_set(namespace))
        sets[-1]["metadata"]["name"] = f"good-{index}"
    broken = label_model(namespace, parameters={"classBalance": "automatic"})
    operator.cluster.apply(broken, *sets)
    for index in range(GOOD):
        operator.ready(namespace, "labelingfunctionset", f"good-{index}")
    stalled = operator.settled(namespace, "labelmodel")
    assert condition(stalled, "Stalled") == "True"
    assert "spec.parameters.classBalance" in message(stalled)


def test_user_deletes_the_job(mine: OwnJob) -> None:
    """The Job is made again, an Event says so, and one version is committed."""
    mine.apply(input=many(0))
    job = mine.job_with_pod()
    mine.cluster.kubectl("-n", mine.namespace, "delete", "job", job)
    mine.ready()
    assert mine.labels().version() == 0
    exactly_once(mine.labels(), FEW)
    mine.event("JobDeleted", job)


def test_user_edits_the_job(mine: OwnJob) -> None:
    """The edited Job is replaced, an Event says so, and one version is committed."""
    mine.apply(input=many(0))
    job = mine.job_with_pod()
    mine.cluster.kubectl("-n", mine.namespace, "patch", "job", job, "--type=merge", "-p", '{"spec": {"suspend": true}}')
    mine.ready()
    assert mine.labels().version() == 0
    exactly_once(mine.labels(), FEW)
    mine.event("JobEdited", job)


def test_output_volume_full(mine: OwnJob) -> None:
    """The disk is full: Stalled with the reason, nothing half-visible."""
    tiny = mine.volume(small_mebibytes=8)
    fill(tiny.folder, leave=300_000)  # the labels take about 1 MB
    mine.apply(input=many(0), output={"uri": f"pvc://{tiny.claim}/labels", "format": "delta"})
    stalled = mine.reason("VolumeFull")
    assert condition(stalled, "Stalled") == "True"
    assert not list((tiny.folder / "labels").glob("_delta_log/*.json"))
    assert not list((tiny.folder / "labels").rglob("*.parquet"))


def test_schema_break_keeps_the_last_good_output(mine: OwnJob) -> None:
    """F3, X5: the run stops before it writes; condition and Event name the column and the count."""
    table = f"events-{mine.name}"
    write_events(mine.lake, 2000, table=table)
    mine.apply(input={"uri": f"pvc://lake/{table}", "format": "delta", "version": "latest"})
    mine.ready()
    broken = events(500, seed=6).drop_columns(["gold", "restarts"])
    write_deltalake(str(mine.lake / table), broken, mode="overwrite", schema_mode="overwrite")
    hand_over(mine.lake / table)
    mine.request()
    stalled = mine.reason("SchemaBroken")
    assert condition(stalled, "SchemaBroken") == "True"
    assert "restarts" in message(stalled)
    mine.event("SchemaBroken", "restarts")
    assert mine.labels().version() == 0
    exactly_once(mine.labels(), 2000)


@pytest.mark.parametrize(
    ("change", "reason", "words"),
    [
        ({"input": {"uri": "pvc://absent/events", "format": "delta"}}, "Unschedulable", "absent"),
        ({"input": {"uri": "configmap://absent/events.csv", "format": "csv"}}, "SourceNotFound", "absent"),
        ({"input": {"uri": "configmap://known/absent.csv", "format": "csv"}}, "SourceNotFound", "absent.csv"),
        ({"input": {"uri": "configmap://known/text.csv", "format": "parquet"}}, "SourceUnreadable", "text.csv"),
        ({"input": {"uri": "pvc://lake/no-such-table", "format": "delta"}}, "SourceNotFound", "no-such-table"),
        ({"input": {"uri": "pvc://lake/events", "format": "parquet", "version": 7}}, "SourceUnreadable", "version"),
        ({"input": {"uri": "pvc://lake/events", "format": "delta", "version": 99}}, "SourceNotFound", "99"),
        ({"runtime": {"image": "localhost/no/such:image"}}, "ImagePullFailed", "no/such:image"),
        ({"runtime": {"nodeSelector": {"disk": "none"}}}, "Unschedulable", "node"),
        ({"runtime": {"resources": {"limits": {"memory": "16Mi"}}}}, "OutOfMemory", "may use 16Mi: set spec.runtime.resources.limits.memory"),
    ],
    ids=["no-claim", "no-configmap", "no-key", "wrong-format", "no-table", "version-of-parquet", "no-version", "no-image", "no-node", "no-memory"],
)
def test_reason_a_person_can_act_on(mine: OwnJob, change: dict, reason: str, words: str) -> None:
    """Wrong input is named in a condition, in words; what keeps a pod from running within ten seconds of the kubelet's or the scheduler's word."""
    mine.apply(**change)
    if reason in POD_REASONS:
        mine.cluster.wait(f"a pod that is {reason}", lambda: pod_reason(mine) == reason)
    found = mine.reason(reason, timeout=10 * SLOWER if reason in POD_REASONS else HANG_SECONDS)
    assert words in message(found)
    mine.event(reason, words)


def pod_reason(mine: OwnJob) -> str | None:
    """What the pods of the LabelJob themselves say."""
    problem = pod_problem(mine.pods())
    return problem.reason if problem else None


def test_sensitive_values_are_nowhere(finished: SharedNamespace, cluster: RealCluster) -> None:
    """F5, X7: a dropped column is in no output, log, Event or status."""
    seen = cluster.kubectl("-n", finished.name, "get", "labelingfunctionset,labelmodel,labeljob,events,jobs,pods", "-o", "yaml")
    for pod in cluster.get(finished.name, "pods")["items"]:
        seen += cluster.kubectl("-n", finished.name, "logs", pod["metadata"]["name"])
    assert "@example.com" not in seen
    for folder in ("labels", "models"):
        for file in (finished.lake.folder / folder).rglob("*"):
            assert file.is_dir() or b"@example.com" not in file.read_bytes(), file
