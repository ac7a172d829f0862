"""Labels of data in a bucket, into a bucket: the pods alone hold its keys, as files that their user can read."""

import json
from pathlib import Path

import pytest
from deltalake import DeltaTable, write_deltalake

from tests.cluster_fixtures import plane_of
from tests.e2e.operator import message
from tests.e2e.own_job import OwnJob
from tests.e2e.rollouts import events, exactly_once
from tests.object_store import serve

pytestmark = pytest.mark.cluster


def test_a_run_from_bucket_to_bucket(mine: OwnJob, tmp_path: Path) -> None:
    """C1, C5, F5, O10: a Secret that is missing is named; with it the run ends once, and no key is in any object, Event or log."""
    (tmp_path / "store").mkdir()
    with serve(tmp_path / "store", plane_of(mine.cluster).address) as server:
        bucket, secret = server.bucket(), f"keys-{mine.name}"
        write_deltalake(f"s3://{bucket}/events", events(500, seed=5).drop_columns(["gold"]), storage_options=server.keys())
        opened = {"format": "delta", "secretRef": {"name": secret}}
        mine.apply(input={"uri": f"s3://{bucket}/events", "version": "latest"} | opened, output={"uri": f"s3://{bucket}/labels"} | opened)
        stalled = mine.operator.reason(mine.namespace, "SecretInvalid", name=mine.name)
        assert f"secretRef: Secret {secret} is not there" in message(stalled)
        mine.cluster.kubectl("-n", mine.namespace, "create", "secret", "generic", secret, *(f"--from-literal={name}={value}" for name, value in server.keys().items()))
        mine.undo.callback(mine.cluster.kubectl, "-n", mine.namespace, "delete", "secret", secret)
        mine.request()
        job = mine.operator.reason(mine.namespace, "Labeled", name=mine.name)
        exactly_once(DeltaTable(f"s3://{bucket}/labels", storage_options=server.keys()), 500)
        assert job["status"]["run"]["output"]["uri"] == f"s3://{bucket}/labels"
        shown = [mine.cluster.kubectl("-n", mine.namespace, "get", "labeljobs,jobs,pods,configmaps,events", "-o", "json")]
        shown += [mine.cluster.kubectl("-n", mine.namespace, "logs", "-l", f"labelplane.dev/owner-name={mine.name}", "--tail=-1")]
        assert bucket in json.dumps(shown)
        assert [text for text in shown if server.secret in text or server.key in text] == []
