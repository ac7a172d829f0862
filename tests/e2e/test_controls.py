"""What a person can do to a running pipeline: suspend, ask again, take hands off, set deadlines and lifetimes."""

from typing import Any

import pytest

from devcluster.volumes import Volume
from tests.cluster_fixtures import RealCluster, SharedNamespace
from tests.e2e.operator import Installed, condition, message
from tests.e2e.own_job import OwnJob, many
from tests.e2e.rollouts import function_set, label_model, write_events

pytestmark = pytest.mark.cluster


def test_suspended_job_runs_nothing_until_resumed(mine: OwnJob) -> None:
    """O5: suspended from the start, it creates nothing; resumed, it labels."""
    mine.apply(suspend=True)
    mine.cluster.wait("Suspended", lambda: condition(mine.resource(), "Suspended") == "True")
    assert mine.jobs() == []
    mine.apply()
    assert condition(mine.ready(), "Suspended") is None


def test_suspending_stops_the_run(mine: OwnJob) -> None:
    """O5: the running Job goes; the output stays as it was."""
    mine.apply(input=many(1))
    mine.reason("Labeling")
    mine.apply(input=many(1), suspend=True)
    mine.cluster.wait("no Job", lambda: not mine.jobs("label"))
    mine.cluster.wait("Suspended", lambda: condition(mine.resource(), "Suspended") == "True")  # written after the Job has gone


def test_break_glass(mine: OwnJob, another: OwnJob) -> None:
    """A disabled resource is left alone, and served again once the annotation is gone; one that came after it shows that there was time."""
    job = mine.manifest()
    job["metadata"]["annotations"] = {"labelplane.dev/reconcile": "disabled"}
    mine.cluster.apply(job)
    another.apply()
    another.ready()
    assert mine.resource()["status"] == {"observedGeneration": -1}
    mine.cluster.kubectl("-n", mine.namespace, "annotate", "labeljob", mine.name, "labelplane.dev/reconcile-")
    mine.ready()


def test_reconcile_at_takes_new_data(mine: OwnJob) -> None:
    """`latest` is resolved again when asked, and never by polling."""
    table = f"events-{mine.name}"
    write_events(mine.lake, 2000, table=table)
    mine.apply(input={"uri": f"pvc://lake/{table}", "format": "delta", "version": "latest"})
    mine.ready()
    write_events(mine.lake, 3000, seed=8, table=table)
    value = mine.request()
    job = mine.cluster.wait("the new rows", lambda: (found := mine.ready())["status"].get("metrics", {}).get("rows") == 3000 and found)
    assert job["status"]["lastHandledReconcileAt"] == value
    assert job["status"]["run"]["input"]["version"] == 1
    assert mine.labels().version() == 1


def test_deadline(mine: OwnJob) -> None:
    """A run that takes too long is ended, with a reason."""
    mine.apply(input=many(1), activeDeadline="2s")
    stalled = mine.reason("DeadlineExceeded")
    assert condition(stalled, "Stalled") == "True"
    assert "activeDeadline" in message(stalled)


def test_finished_jobs_go_after_their_lifetime(mine: OwnJob) -> None:
    """A Job is cleaned up only after its result stands in status; nothing runs again."""
    mine.apply(runTTL="5s")
    job = mine.ready()
    mine.cluster.wait("the label Job to go", lambda: not mine.jobs("label"))
    assert mine.ready()["status"]["run"] == job["status"]["run"]
    assert mine.labels().version() == 0


def test_failing_function_tests_stall_the_set_and_hold_back_the_model(operator: Installed, namespace: str, lake: Volume) -> None:
    """O7: a set whose tests fail is not accepted, and says which test."""
    tests = [{"row": {"message": "all is well"}, "expect": {"crashloop": "risky"}}]
    operator.cluster.apply(function_set(namespace, tests=tests), label_model(namespace))
    stalled = operator.settled(namespace, "labelingfunctionset")
    assert condition(stalled, "Stalled") == "True"
    assert "spec.tests[0].expect.crashloop" in message(stalled)
    operator.reason(namespace, "FunctionSetNotReady", "labelmodel")


def test_users_objects_are_not_touched(finished: SharedNamespace, cluster: RealCluster) -> None:
    """I6: no finalizer, annotation or field of ours on what users apply, so GitOps tools see no diff."""
    for kind in ("labelingfunctionset", "labelmodel", "labeljob"):
        found = cluster.get(finished.name, f"{kind}s", "rollouts")
        assert "finalizers" not in found["metadata"]
        assert set(found["metadata"]["annotations"]) == {"kubectl.kubernetes.io/last-applied-configuration"}
        others = [entry for entry in found["metadata"]["managedFields"] if entry.get("subresource") != "status"]
        assert {entry["manager"] for entry in others} == {"kubectl-client-side-apply"}


def test_job_pods_hold_no_credentials(finished: SharedNamespace, cluster: RealCluster) -> None:
    """O10: no API token, no privilege, a read-only root; the API server enforced the restricted standard meanwhile."""
    pods = cluster.get(finished.name, "pods")["items"]
    assert len(pods) >= 5
    for pod in pods:
        spec, container = pod["spec"], pod["spec"]["containers"][0]
        assert spec["automountServiceAccountToken"] is False
        assert not any("serviceaccount" in mount["mountPath"] for mount in container["volumeMounts"])
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["capabilities"]["drop"] == ["ALL"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert written(pod) == {"fit": {"lake"}, "label": {"lake"}}.get(pod["metadata"]["labels"]["labelplane.dev/step"], set())


def written(pod: dict[str, Any]) -> set[str]:
    """Claims that a pod may write."""
    claims = {volume["name"]: volume["persistentVolumeClaim"]["claimName"] for volume in pod["spec"]["volumes"] if "persistentVolumeClaim" in volume}
    return {claims[mount["name"]] for mount in pod["spec"]["containers"][0]["volumeMounts"] if mount["name"] in claims and not mount.get("readOnly")}
