"""A run in shards on real pods."""

import pytest
from deltalake import write_deltalake

from tests.e2e.operator import kill_container
from tests.e2e.own_job import OwnJob
from tests.e2e.rollouts import events, exactly_once, hand_over

pytestmark = pytest.mark.cluster

FILES, ROWS = 3, 100_000


def test_a_killed_shard_is_labelled_again(mine: OwnJob, another: OwnJob) -> None:
    """P1, C5, X16, G2, G3: a shard's pod dies, Kubernetes makes another for its index, and one version has every row once, with the digest of a run in one pod."""
    table = f"events-{mine.name}"
    for seed in range(FILES):
        write_deltalake(str(mine.lake / table), events(ROWS, seed=seed).drop_columns(["gold"]), mode="append")
    hand_over(mine.lake / table)
    source = {"uri": f"pvc://lake/{table}", "format": "delta", "version": "latest"}
    mine.apply(input=source, shards=FILES)
    another.apply(input=source, shards=1)
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
    assert parts["run"]["podSeconds"] > 0
    assert "progress" not in parts
