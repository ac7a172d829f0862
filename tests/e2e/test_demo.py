"""`make demo-cluster` and `make cluster-down` on a cluster that somebody named and uses: only what the demo made goes again."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from devcluster.project_images import JOB, OPERATOR
from devcluster.volumes import JOB_USER
from tests.cluster_fixtures import ROOT, RealCluster
from tests.e2e.operator import Installed, install
from tests.patience import SLOWER

pytestmark = [pytest.mark.cluster, pytest.mark.alone]


def demo(cluster: RealCluster, state: Path, *arguments: str) -> str:
    """Run the demo as make does, with the cluster named."""
    named = {"LABELPLANE_KUBECONFIG": str(cluster.kubeconfig), "LABELPLANE_OPERATOR_IMAGE": OPERATOR.tag, "LABELPLANE_JOB_IMAGE": JOB.tag}
    command = [sys.executable, "-m", "devcluster.demo", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=os.environ | named | {"XDG_STATE_HOME": str(state)})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def volume(cluster: RealCluster, folder: Path) -> dict[str, object]:
    """What a provisioner would make for the demo's claim."""
    folder.mkdir(parents=True)
    os.chown(folder, JOB_USER, JOB_USER)
    spec = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "persistentVolumeReclaimPolicy": "Delete",
        "claimRef": {"namespace": "mail-triage", "name": "mail"},
        "hostPath": {"path": str(folder)},
    }
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "demo-mail"}, "spec": spec}


def test_on_a_named_cluster(operator: Installed, cluster: RealCluster, tmp_path: Path) -> None:
    """It labels, shows what it did, takes less than a minute and no run the second time, and leaves the operator that was there before."""
    cluster.apply(volume(cluster, cluster.folders.root / "volumes/demo-mail"))
    try:
        shown = demo(cluster, tmp_path)
        for words in ("Labeled", "2800 rows labelled", "mail_id", "Fitted"):
            assert words in shown
        again = demo(cluster, tmp_path)
        assert int(re.search(r"done in (\d+) s", again)[1]) < 60 * SLOWER
        assert cluster.get("mail-triage", "labeljobs", "mail-triage")["status"]["run"]["sequence"] == 1
        (made,) = json.loads((tmp_path / "labelplane/demo/made.json").read_text())
        assert (made["namespaces"], made["release"], made["crds"]) == (["mail-triage"], None, [])
        demo(cluster, tmp_path, "--down")
        assert cluster.kubectl("get", "namespace", "mail-triage", "--ignore-not-found", "-o", "name") == ""
        assert "labelplane" in cluster.helm("list", "-n", operator.namespace, "-q")
        assert "labeljobs" in cluster.kubectl("get", "crd", "-o", "name")
        assert not (tmp_path / "labelplane/demo").exists()
    finally:
        cluster.kubectl("delete", "pv", "demo-mail", "--ignore-not-found", "--wait=false")
        install(cluster, operator.namespace)
