"""The chart: linted, rendered, installed, upgraded, uninstalled, and with only the rights it lists."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from devcluster.folders import program
from devcluster.volumes import Volume
from labelplane.settings import Settings
from tests.cluster_fixtures import ROOT, RealCluster
from tests.e2e.operator import Installed, image_values, install, ready_reason
from tests.e2e.own_job import OwnJob
from tests.e2e.rollouts import function_set, three
from tests.patience import HANG_SECONDS

pytestmark = pytest.mark.cluster
CHART = ROOT / "charts/labelplane"


def render(*values: str) -> list[dict[str, Any]]:
    """Objects that `helm template` gives."""
    flags = [flag for value in values for flag in ("--set", value)]
    command = [str(program("helm")), "template", "labelplane", str(CHART), "-n", "labelplane-system", *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def test_lint(cluster: RealCluster) -> None:
    assert "0 chart(s) failed" in cluster.helm("lint", "--strict", str(CHART))


def test_values_are_checked(cluster: RealCluster) -> None:
    """A misspelt value is refused, not ignored."""
    command = [str(program("helm")), "template", "x", str(CHART), "--set", "operater.workers=2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "operater" in done.stderr


def test_namespaced_install_renders_nothing_cluster_wide(cluster: RealCluster) -> None:
    """O10: listed namespaces get Roles; no ClusterRole is left."""
    kinds = [(one["kind"], one["metadata"].get("namespace")) for one in render("watchNamespaces={a,b}", "crds.enabled=false")]
    assert not [kind for kind, _ in kinds if kind.startswith("Cluster") or kind == "CustomResourceDefinition"]
    assert {namespace for kind, namespace in kinds if kind == "Role"} == {"a", "b"}


def test_rendered_file_is_current(cluster: RealCluster) -> None:
    """labelplane.yaml is what the chart gives."""
    text = (ROOT / "labelplane.yaml").read_text()
    assert [one for one in yaml.safe_load_all(text) if one and one["kind"] != "Namespace"] == render()


def test_one_operator_at_a_time_with_probes() -> None:
    """One replica, replaced before its successor starts; liveness and readiness on the port that the probes are served on."""
    (deployment,) = [one for one in render() if one["kind"] == "Deployment"]
    spec, (container,) = deployment["spec"], deployment["spec"]["template"]["spec"]["containers"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    asked = {name: container[name]["httpGet"] for name in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert asked == {name: {"path": path, "port": "probes"} for name, path in zip(asked, ("/readyz", "/readyz", "/healthz"), strict=True)}
    assert {"name": "probes", "containerPort": Settings("image").probe_port} in container["ports"]


def test_the_operator_obeys_the_restricted_standard(operator: Installed) -> None:
    """O10: the API server itself, asked to enforce it, finds no pod of the operator's namespace that would break it."""
    label = "pod-security.kubernetes.io/enforce=restricted"
    said = operator.cluster.kubectl("label", "--dry-run=server", "namespace", operator.namespace, label, check=False)
    assert "labeled (server dry run)" in said
    assert "violate" not in said


def test_the_operators_image_is_light(operator: Installed) -> None:
    """No numerics and nothing that opens data: neither installed nor in our own code."""
    absent = ("numpy", "pandas", "pyarrow", "duckdb", "deltalake", "labeljob.run", "labeljob.io", "labeljob.label_model")
    code = f"""
import importlib.util
print([name for name in {absent} if importlib.util.find_spec(name)])
print(importlib.util.find_spec("labeljob.contract") is not None)
"""
    said = operator.cluster.kubectl("-n", operator.namespace, "exec", "deploy/labelplane", "--", "python", "-c", code)
    assert said.split() == ["[]", "True"]


def test_operator_has_no_right_to_read_secrets(operator: Installed) -> None:
    """O10: it holds no data credentials, and cannot read any."""
    who = "--as=system:serviceaccount:labelplane-system:labelplane"
    for verb, what in (("get", "secrets"), ("list", "secrets"), ("update", "labeljobs"), ("create", "pods"), ("list", "configmaps"), ("create", "roles")):
        assert "no" in operator.cluster.kubectl("auth", "can-i", verb, what, "--all-namespaces", who, check=False).split()
    assert "yes" in operator.cluster.kubectl("auth", "can-i", "create", "jobs.batch", "--all-namespaces", who, check=False).split()


@pytest.mark.alone
def test_upgrade_keeps_resources_and_relabels_nothing(operator: Installed, mine: OwnJob) -> None:
    """G7: an operator upgrade alone never relabels."""
    mine.apply()
    before = mine.ready()
    install(operator.cluster, operator.namespace, "operator.workers=8", "operator.podAnnotations.upgraded=yes")
    value = mine.request()
    operator.cluster.wait("the new operator to answer", lambda: mine.resource()["status"].get("lastHandledReconcileAt") == value)
    assert mine.ready()["status"]["run"] == before["status"]["run"]


@pytest.mark.alone
def test_namespaced_operator_serves_its_namespace_only(operator: Installed, cluster: RealCluster, namespace: str, lake: Volume) -> None:
    """The cluster-wide operator is scaled away; one with Roles only serves the listed namespace, and no other."""
    cluster.kubectl("-n", operator.namespace, "scale", "deploy/labelplane", "--replicas=0")
    cluster.kubectl("-n", operator.namespace, "wait", "--for=delete", "pod", "-l", "app.kubernetes.io/name=labelplane", f"--timeout={HANG_SECONDS:.0f}s")
    flags = [flag for value in (*image_values(), f"watchNamespaces={{{namespace}}}", "crds.enabled=false") for flag in ("--set", value)]
    try:
        cluster.helm("install", "labelplane", str(CHART), "-n", namespace, "--wait", "--timeout", f"{HANG_SECONDS:.0f}s", *flags)
        with cluster.new_namespace() as other:
            cluster.apply(function_set(other), *three(namespace))
            operator.ready(namespace)
            assert ready_reason(operator.resource(other, "labelingfunctionset")) is None
        cluster.helm("uninstall", "labelplane", "-n", namespace, "--wait")
        assert "labeljob" in cluster.kubectl("-n", namespace, "get", "labeljobs", "-o", "name")
    finally:
        cluster.kubectl("-n", operator.namespace, "scale", "deploy/labelplane", "--replicas=1")
        cluster.kubectl("-n", operator.namespace, "rollout", "status", "deploy/labelplane", f"--timeout={HANG_SECONDS:.0f}s")


def test_crds_stay_after_uninstall() -> None:
    """crds.keep: uninstalling never deletes a resource."""
    crds = [one for one in render() if one["kind"] == "CustomResourceDefinition"]
    assert len(crds) == 3
    assert all(one["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep" for one in crds)
    assert not [one for one in render("crds.enabled=false") if one["kind"] == "CustomResourceDefinition"]
    assert Path(CHART / "values.schema.json").exists()
