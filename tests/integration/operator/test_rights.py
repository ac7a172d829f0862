"""The rules of docs/rbac.md are enough."""

import json
from pathlib import Path

import pytest
import yaml

from labelplane.cluster.client import Client
from labelplane.cluster.paths import FUNCTION_SETS, JOBS, LABEL_JOBS
from tests.cluster_fixtures import ROOT, RealCluster
from tests.integration.operator.player import World, playing
from tests.integration.operator.process import operator_process
from tests.integration.operator.serving import NAME, Namespace, eventually

pytestmark = pytest.mark.apiserver


def limited_kubeconfig(server: RealCluster, namespace: str, folder: Path) -> Path:
    """A kubeconfig of a ServiceAccount that holds the documented rules, in this namespace only."""
    text = (ROOT / "docs" / "rbac.md").read_text()
    rules = yaml.safe_load(text.split("```yaml")[1].split("```")[0])["rules"]
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "operator", "namespace": namespace}, "rules": rules}
    server.apply(role)
    server.kubectl("-n", namespace, "create", "serviceaccount", "operator")
    server.kubectl("-n", namespace, "create", "rolebinding", "operator", "--role=operator", f"--serviceaccount={namespace}:operator")
    config = json.loads(server.kubeconfig.read_text())
    config["users"] = [{"name": "dev", "user": {"token": server.kubectl("-n", namespace, "create", "token", "operator").strip()}}]
    path = folder / "kubeconfig"
    path.write_text(json.dumps(config))
    return path


async def test_documented_rights_are_enough(api_server: RealCluster, client: Client, api_namespace: str, tmp_path: Path) -> None:
    """Make, edit, repeat, delete: the API server refuses nothing."""
    ns = Namespace(client, api_namespace)
    kubeconfig = limited_kubeconfig(api_server, api_namespace, tmp_path)
    async with playing(client, api_namespace, World()), operator_process(kubeconfig, api_namespace, LABELPLANE_RESYNC_SECONDS="2") as operator:
        await ns.create_chain()
        await ns.ready()
        await ns.patch(LABEL_JOBS, {"spec": {"suspend": True}})
        await ns.reason("Labeled")
        await ns.patch(LABEL_JOBS, {"spec": {"suspend": False, "runTTL": "1s"}})
        await ns.ready()
        await ns.annotate(FUNCTION_SETS, reconcile_at="again")
        await ns.until(lambda found: found["status"].get("lastHandledReconcileAt") == "again", FUNCTION_SETS)
        found = await ns.get(LABEL_JOBS)
        await client.delete(LABEL_JOBS.path(api_namespace, NAME), uid=found["metadata"]["uid"])

        async def none_left() -> bool:
            listed = await client.list_all(JOBS.path(api_namespace), "labelplane.dev/owner-kind=LabelJob")
            return not listed["items"]

        await eventually(none_left)
        _, metrics = await operator.probe("/metrics")
        assert 'code="403"' not in metrics
        assert "Forbidden" not in operator.said()
