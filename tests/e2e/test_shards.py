"""A run in shards on real pods."""

import json
import os
import random
import time

import pytest
from deltalake import write_deltalake

from labelplane.api.groups import OWNER_NAME_LABEL, STEP_LABEL
from tests.e2e.operator import kill_container
from tests.e2e.own_job import OwnJob
from tests.e2e.rollouts import events, exactly_once, hand_over, label_model
from tests.manifests import Manifest

pytestmark = pytest.mark.cluster

FILES, ROWS = 3, 100_000


def test_a_killed_shard_is_labelled_again(mine: OwnJob, another: OwnJob) -> None:
    """P1, C5, X16, G2, G3, G9: a shard's pod dies, Kubernetes makes another for its index, and one version has every row once, with the digest of a run in one pod.

    The model that labels was fitted in shards, too.
    """
    table = f"events-{mine.name}"
    for seed in range(FILES):
        write_deltalake(str(mine.lake / table), events(ROWS, seed=seed).drop_columns(["gold"]), mode="append")
    hand_over(mine.lake / table)
    source = {"uri": f"pvc://lake/{table}", "format": "delta", "version": "latest"}
    fitted = model_in_shards(mine, source)
    mine.apply(input=source, shards=FILES, modelRef={"name": mine.name})
    another.apply(input=source, shards=1, modelRef={"name": mine.name})
    mine.cluster.wait("a shard to kill", lambda: kill_container(mine.cluster, mine.namespace, mine.selector("shard")), every=0.01)
    parts, whole = mine.ready()["status"], another.ready()["status"]
    assert (parts["pins"]["shards"], whole["pins"]["shards"]) == (FILES, 1)
    assert parts["run"]["output"]["contentDigest"] == whole["run"]["output"]["contentDigest"]
    assert mine.labels().version() == 0
    exactly_once(mine.labels(), FILES * ROWS)
    ended = [status["state"]["terminated"]["exitCode"] for pod in mine.pods("shard") for status in pod["status"]["containerStatuses"]]
    assert sorted(ended) == [0] * FILES + [137]
    (job,) = mine.jobs("shard")
    assert job["status"]["completedIndexes"] == f"0-{FILES - 1}"
    assert parts["pins"]["resources"] == job["spec"]["template"]["spec"]["containers"][0]["resources"]  # X21: sized from the data
    assert parts["pins"]["resources"]["limits"] == {"memory": "1Gi"}
    assert parts["run"]["podSeconds"] > 0
    assert "progress" not in parts
    assert parts["run"]["model"]["digest"] == fitted["current"]["artifact"]["sha256"]


def model_in_shards(mine: OwnJob, source: Manifest) -> Manifest:
    """Status of a model of the job's name, fitted in FILES shards, of which nothing is left but the version."""
    model = label_model(mine.namespace, trainingData=source, artifacts={"uri": f"pvc://lake/models/{mine.name}"}, shards=FILES)
    model["metadata"]["name"] = mine.name
    mine.cluster.apply(model)
    mine.undo.callback(mine.cluster.kubectl, "-n", mine.namespace, "delete", "labelmodel", mine.name, "--ignore-not-found", "--wait=false")
    status: Manifest = mine.operator.ready(mine.namespace, "labelmodel", mine.name)["status"]
    (job,) = mine.cluster.get(mine.namespace, "jobs", selector=f"{OWNER_NAME_LABEL}={mine.name},{STEP_LABEL}=fit-shard")["items"]
    assert (status["pins"]["shards"], job["status"]["completedIndexes"]) == (FILES, f"0-{FILES - 1}")
    assert sorted(path.name for path in (mine.lake / "models" / mine.name).iterdir()) == ["index.json", "v1"]
    assert status["current"]["podSeconds"] > 0
    return status


ROUNDS = int(os.environ.get("LABELPLANE_FAULT_ROUNDS", "1"))  # `make faults` runs 20
PATIENCE = 1.5  # seconds, about what a shard's pod and a commit's work each take here: the instant of a fault is drawn from them


def kill(job: OwnJob, step: str) -> bool:
    """SIGKILL, as for too much memory or by a node that dies."""
    return kill_container(job.cluster, job.namespace, job.selector(step))


def evict(job: OwnJob, step: str) -> bool:
    """As a node that is drained."""
    running = [pod["metadata"]["name"] for pod in job.pods(step) if pod["status"]["phase"] == "Running"]
    for name in running[:1]:
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": job.namespace}}
        path = f"/api/v1/namespaces/{job.namespace}/pods/{name}/eviction"
        job.cluster.kubectl("create", "--raw", path, "-f", "-", text_in=json.dumps(eviction), check=False)  # it may have ended
    return bool(running)


def delete(job: OwnJob, step: str) -> bool:
    """As a person who is in a hurry."""
    running = [pod["metadata"]["name"] for pod in job.pods(step) if pod["status"]["phase"] == "Running"]
    for name in running[:1]:
        job.cluster.kubectl("-n", job.namespace, "delete", "pod", name, "--force", "--grace-period=0", "--ignore-not-found")
    return bool(running)


def test_faults_at_random_instants(mine: OwnJob, another: OwnJob) -> None:
    """C5, X16, G3: in each round a shard's pod and the commit's are killed, evicted or deleted at random instants; each ends with one version that has every row once."""
    table, drawn, hits = f"events-{mine.name}", random.Random(ROUNDS), 0
    for seed in range(FILES):
        write_deltalake(str(mine.lake / table), events(ROWS // 2, seed=seed).drop_columns(["gold"]), mode="append")
    for turn in range(ROUNDS):
        write_deltalake(str(mine.lake / table), events(1000, seed=FILES + turn).drop_columns(["gold"]), mode="append")
        hand_over(mine.lake / table)
        source = {"uri": f"pvc://lake/{table}", "format": "delta", "version": FILES + turn}
        mine.apply(input=source, shards=FILES)
        for step in ("shard", "commit"):
            fault, pause = drawn.choice([kill, evict, delete]), drawn.uniform(0, PATIENCE)
            mine.cluster.wait(f"a {step} at work", lambda step=step: any(pod["status"]["phase"] == "Running" for pod in mine.pods(step)), every=0.02)
            time.sleep(pause)  # the fault's instant, not a synchronisation
            hits += fault(mine, step)
        run = mine.ready()["status"]["run"]
        assert (run["input"]["version"], mine.labels().version()) == (FILES + turn, turn)
        exactly_once(mine.labels(), FILES * (ROWS // 2) + 1000 * (turn + 1))
    another.apply(input=source, shards=1)
    assert run["output"]["contentDigest"] == another.ready()["status"]["run"]["output"]["contentDigest"]
    assert hits >= ROUNDS
