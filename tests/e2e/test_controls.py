"""What a person can do to a running pipeline: suspend, ask again, take hands off, set deadlines and lifetimes."""

from typing import Any

import pytest

from devcluster.volumes import Volume
from tests.e2e.operator import Installed, condition, message
from tests.e2e.rollouts import function_set, label_job, label_model, labels, three, write_events

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
JOBS = "labelplane.dev/owner-kind=LabelJob"


def test_suspended_job_runs_nothing_until_resumed(operator: Installed, namespace: str, lake: Volume) -> None:
    """O5: suspended from the start, it creates nothing; resumed, it labels."""
    operator.cluster.apply(*three(namespace)[:2], label_job(namespace, suspend=True))
    operator.ready(namespace, "labelmodel")
    operator.cluster.wait("Suspended", lambda: condition(operator.resource(namespace, "labeljob"), "Suspended") == "True")
    assert operator.cluster.get(namespace, "jobs", selector=JOBS)["items"] == []
    operator.cluster.apply(label_job(namespace))
    assert condition(operator.ready(namespace), "Suspended") is None


def test_suspending_stops_the_run(operator: Installed, namespace: str, lake: Volume) -> None:
    """O5: the running Job goes; the output stays as it was."""
    write_events(lake.folder, 400_000, seed=7)
    operator.cluster.apply(*three(namespace))
    operator.reason(namespace, "Labeling", timeout=180)
    operator.cluster.apply(label_job(namespace, suspend=True))
    operator.cluster.wait("no Job", lambda: not operator.cluster.get(namespace, "jobs", selector=f"{JOBS},labelplane.dev/step=label")["items"])
    operator.cluster.wait("Suspended", lambda: condition(operator.resource(namespace, "labeljob"), "Suspended") == "True")  # written after the Job has gone


def test_break_glass(operator: Installed, namespace: str, lake: Volume) -> None:
    """A disabled resource is left alone, and served again once the annotation is gone."""
    job = label_job(namespace)
    job["metadata"]["annotations"] = {"labelplane.dev/reconcile": "disabled"}
    operator.cluster.apply(*three(namespace)[:2], job)
    operator.ready(namespace, "labelmodel")
    assert operator.resource(namespace, "labeljob")["status"] == {"observedGeneration": -1}
    operator.cluster.kubectl("-n", namespace, "annotate", "labeljob", "rollouts", "labelplane.dev/reconcile-")
    operator.ready(namespace)


def test_reconcile_at_takes_new_data(operator: Installed, namespace: str, lake: Volume) -> None:
    """`latest` is resolved again when asked, and never by polling."""
    operator.cluster.apply(*three(namespace))
    operator.ready(namespace)
    write_events(lake.folder, 3000, seed=8)
    value = operator.request(namespace)
    job = operator.cluster.wait(
        "the new rows", lambda: (found := operator.ready(namespace))["status"].get("metrics", {}).get("rows") == 3000 and found, timeout=120
    )
    assert job["status"]["lastHandledReconcileAt"] == value
    assert job["status"]["run"]["input"]["version"] == 1
    assert labels(lake.folder).version() == 1


def test_deadline(operator: Installed, namespace: str, lake: Volume) -> None:
    """A run that takes too long is ended, with a reason."""
    write_events(lake.folder, 400_000, seed=9)
    operator.cluster.apply(*three(namespace)[:2], label_job(namespace, activeDeadline="2s"))
    stalled = operator.reason(namespace, "DeadlineExceeded", timeout=240)
    assert condition(stalled, "Stalled") == "True"
    assert "activeDeadline" in message(stalled)


def test_finished_jobs_go_after_their_lifetime(operator: Installed, namespace: str, lake: Volume) -> None:
    """A Job is cleaned up only after its result stands in status; nothing runs again."""
    operator.cluster.apply(*three(namespace)[:2], label_job(namespace, runTTL="5s"))
    job = operator.ready(namespace)
    operator.cluster.wait("the label Job to go", lambda: not operator.cluster.get(namespace, "jobs", selector=f"{JOBS},labelplane.dev/step=label")["items"])
    assert operator.ready(namespace)["status"]["run"] == job["status"]["run"]
    assert labels(lake.folder).version() == 0


def test_failing_function_tests_stall_the_set_and_hold_back_the_model(operator: Installed, namespace: str, lake: Volume) -> None:
    """O7: a set whose tests fail is not accepted, and says which test."""
    tests = [{"row": {"message": "all is well"}, "expect": {"crashloop": "risky"}}]
    operator.cluster.apply(function_set(namespace, tests=tests), label_model(namespace))
    stalled = operator.settled(namespace, "labelingfunctionset")
    assert condition(stalled, "Stalled") == "True"
    assert "spec.tests[0].expect.crashloop" in message(stalled)
    operator.reason(namespace, "FunctionSetNotReady", "labelmodel")


def test_users_objects_are_not_touched(operator: Installed, namespace: str, lake: Volume) -> None:
    """I6: no finalizer, annotation or field of ours on what users apply, so GitOps tools see no diff."""
    operator.cluster.apply(*three(namespace))
    operator.ready(namespace)
    for kind in ("labelingfunctionset", "labelmodel", "labeljob"):
        found = operator.cluster.get(namespace, f"{kind}s", "rollouts")
        assert "finalizers" not in found["metadata"]
        assert set(found["metadata"]["annotations"]) == {"kubectl.kubernetes.io/last-applied-configuration"}
        others = [entry for entry in found["metadata"]["managedFields"] if entry.get("subresource") != "status"]
        assert {entry["manager"] for entry in others} == {"kubectl-client-side-apply"}


def test_job_pods_hold_no_credentials(operator: Installed, namespace: str, lake: Volume) -> None:
    """O10: no API token, no privilege, a read-only root; the API server enforces the restricted standard meanwhile."""
    operator.cluster.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    operator.cluster.apply(*three(namespace))
    operator.ready(namespace)
    pods = operator.cluster.get(namespace, "pods")["items"]
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
