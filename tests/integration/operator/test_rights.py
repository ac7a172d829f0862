"""The rules that the chart grants are those of docs/rbac.md, and enough."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from devcluster.folders import program
from labeljob.contract.config import CheckTask, JobConfig, Owner
from labelplane.api.groups import MANAGED_BY_LABEL, Key
from labelplane.api.parse import parse_function_set
from labelplane.api.runtime import Runtime
from labelplane.cluster.cache import Cache
from labelplane.cluster.client import Client, load_configuration
from labelplane.cluster.kubernetes import KubernetesCluster
from labelplane.cluster.paths import EVENTS, FUNCTION_SETS, JOBS, LABEL_JOBS
from labelplane.plan.actions import CreateJob, JobIntent
from labelplane.plan.function_set import functions_of
from labelplane.plan.observed import Claim, Observed
from labelplane.resources.job_state import observed_job
from labelplane.settings import Settings
from tests.cluster_fixtures import ROOT, RealCluster
from tests.integration.operator.player import World, playing
from tests.integration.operator.process import operator_process
from tests.integration.operator.serving import NAME, Namespace, eventually
from tests.manifests import function_set

pytestmark = pytest.mark.apiserver


def granted(*namespaces: str) -> list[dict[str, Any]]:
    """Rules of the one role that the chart gives the operator; for the whole cluster without namespaces."""
    values = ["--set", f"watchNamespaces={{{','.join(namespaces)}}}"] if namespaces else []
    command = [str(program("helm")), "template", "labelplane", str(ROOT / "charts/labelplane"), *values, "-s", "templates/operator-rbac.yaml"]
    rendered = yaml.safe_load_all(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    (role,) = [one for one in rendered if one and one["kind"] in ("Role", "ClusterRole")]
    rules: list[dict[str, Any]] = role["rules"]
    return rules


def test_every_right_is_documented() -> None:
    """O10: docs/rbac.md lists what the chart grants, in a namespace and in the whole cluster, and nothing else."""
    text = (ROOT / "docs" / "rbac.md").read_text()
    documented = yaml.safe_load(text.split("```yaml")[1].split("```")[0])["rules"]
    assert granted() == granted("a") == documented


def limited_kubeconfig(server: RealCluster, namespace: str, folder: Path, without: str = "") -> Path:
    """A kubeconfig of a ServiceAccount that holds the chart's rules, but those for one kind of object, in this namespace only."""
    rules = [rule for rule in granted(namespace) if without not in rule["resources"]]
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "operator", "namespace": namespace}, "rules": rules}
    server.apply(role)
    server.kubectl("-n", namespace, "create", "serviceaccount", "operator")
    server.kubectl("-n", namespace, "create", "rolebinding", "operator", "--role=operator", f"--serviceaccount={namespace}:operator")
    config = json.loads(server.kubeconfig.read_text())
    config["users"] = [{"name": "dev", "user": {"token": server.kubectl("-n", namespace, "create", "token", "operator").strip()}}]
    path = folder / "kubeconfig"
    path.write_text(json.dumps(config))
    return path


async def test_granted_rights_are_enough(api_server: RealCluster, client: Client, api_namespace: str, tmp_path: Path) -> None:
    """O10: make, edit, lose a label, repeat, delete: the API server refuses nothing."""
    ns, world = Namespace(client, api_namespace), World()
    kubeconfig = limited_kubeconfig(api_server, api_namespace, tmp_path)
    world.hold = lambda config: config.step == "check"
    async with playing(client, api_namespace, world), operator_process(kubeconfig, api_namespace, LABELPLANE_RESYNC_SECONDS="2") as operator:
        await ns.create_chain()
        await ns.reason("Checking", FUNCTION_SETS)
        for _ in range(2):
            await lose_its_label(ns)
        await eventually(lambda: told_twice(ns))
        world.hold = lambda config: False
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


@pytest.mark.parametrize(("without", "modes"), [("", ("ReadWriteOncePod",)), ("persistentvolumeclaims", ())], ids=["may", "may-not"])
async def test_claims_are_read_where_they_may_be(
    api_server: RealCluster, ns: Namespace, tmp_path: Path, caplog: pytest.LogCaptureFixture, without: str, modes: tuple[str, ...]
) -> None:
    """O10: without the right the Job is made all the same, and the log says what follows."""
    await ns.create_claim("lake", "ReadWriteOncePod")
    owner = await ns.create(function_set(namespace=ns.name))
    task = CheckTask(function_set=functions_of(parse_function_set(owner)))
    config = JobConfig(step="check", owner=Owner(kind=owner["kind"], namespace=ns.name, name=NAME), check=task)
    intent = JobIntent("run", config, reads=("pvc://lake/words.csv",), writes=(), runtime=Runtime(), completions=3, parallelism=3)
    kubeconfig = limited_kubeconfig(api_server, ns.name, tmp_path, without or "none")
    async with Client(await load_configuration({"LABELPLANE_KUBECONFIG": str(kubeconfig)})) as limited:
        cluster = KubernetesCluster(limited, Cache(), Settings("image"))
        await eventually(lambda: made(cluster, Observed(Key(owner["kind"], ns.name, NAME), owner), intent))
    (job,) = await ns.jobs()
    assert observed_job(job, []).claims == (Claim("lake", modes),)
    assert job["spec"]["parallelism"] == (1 if modes else 3)
    assert modes or "may not be read" in caplog.text


async def made(cluster: KubernetesCluster, observed: Observed, intent: JobIntent) -> bool:
    """A role that was made a moment ago may not be known yet: Transient."""
    await cluster.apply(observed, CreateJob(intent))
    return True


async def lose_its_label(ns: Namespace) -> None:
    """Somebody takes our label from the check Job, and the operator puts it back."""
    name = (await eventually(lambda: ours(ns)))[0]
    await ns.client.merge(JOBS.path(ns.name, name), {"metadata": {"labels": {MANAGED_BY_LABEL: None}}})
    await eventually(lambda: ours(ns))


async def ours(ns: Namespace) -> list[str]:
    """Names of the Jobs that carry our label."""
    return [item["metadata"]["name"] for item in (await ns.client.list_all(JOBS.path(ns.name), JOBS.selector))["items"]]


async def told_twice(ns: Namespace) -> bool:
    """The second Event of its kind is a count on the first."""
    items = (await ns.client.list_all(EVENTS.path(ns.name)))["items"]
    return [item["count"] for item in items if item["reason"] == "JobDeleted"] == [2]
