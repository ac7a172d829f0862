"""The whole road on a real cluster: three manifests become a pinned, labelled dataset."""

import pytest

from devcluster.volumes import Volume
from tests.cluster_fixtures import SharedNamespace
from tests.e2e.operator import Installed, condition
from tests.e2e.own_job import OwnJob
from tests.e2e.rollouts import events, exactly_once, function_set, label_job, label_model, labels, three, write_events

pytestmark = pytest.mark.cluster


def test_three_manifests_become_labels(operator: Installed, finished: SharedNamespace) -> None:
    """P1, C3, C5, O6: probabilities, confidence, votes and every pin, in one version."""
    namespace, table = finished.name, labels(finished.lake.folder)
    job = operator.ready(namespace)
    exactly_once(table, 2000)
    run, model = job["status"]["run"], operator.ready(namespace, "labelmodel")["status"]["current"]
    assert run["output"]["version"] == table.version() == 0
    assert run["model"] == {"name": "rollouts", "version": 1, "digest": model["artifact"]["sha256"]}
    assert run["input"]["version"] == 0
    assert run["functionSet"]["digest"] == operator.ready(namespace, "labelingfunctionset")["status"]["digest"]
    assert run["output"]["contentDigest"]
    rows = table.to_pandas().merge(events(2000).to_pandas()[["event_id", "gold"]], on="event_id")
    labelled = rows[rows["label"].notna()]
    assert (labelled["label"] == labelled["gold"]).mean() > 0.9
    assert "user_email" not in rows.columns


def test_applying_twice_runs_once(mine: OwnJob) -> None:
    """A manifest applied twice starts no second run, nor does a request when nothing has changed."""
    mine.apply()
    first = mine.ready()
    mine.cluster.apply(*three(mine.namespace)[:2], mine.manifest())
    value = mine.request()
    mine.cluster.wait("the request to be handled", lambda: mine.resource()["status"].get("lastHandledReconcileAt") == value)
    assert mine.ready()["status"]["run"] == first["status"]["run"]
    assert mine.labels().version() == 0


def test_pins_a_b_a_give_three_versions(mine: OwnJob) -> None:
    """X16: same pins, same content; each change of pins is a version of its own."""
    runs, table = [], f"events-{mine.name}"
    write_events(mine.lake, 2000, table=table)
    write_events(mine.lake, 1000, seed=1, table=table)
    for version in (0, 1, 0):
        mine.apply(input={"uri": f"pvc://lake/{table}", "format": "delta", "version": version})
        status = mine.ready()["status"]
        runs.append(status["run"])
    digests = [run["output"]["contentDigest"] for run in runs]
    assert digests[0] == digests[2] != digests[1]
    assert (status["metrics"]["reusedRows"], status["metrics"]["reusedVotes"]) == (2000, 1)  # of the first run
    assert [run["sequence"] for run in runs] == [1, 2, 3]
    assert [run["output"]["version"] for run in runs] == [0, 1, 2]
    assert mine.labels().version() == 2
    exactly_once(mine.labels(), 2000)


def test_two_jobs_with_equal_pins(mine: OwnJob, another: OwnJob) -> None:
    """Each LabelJob has its own table, transaction and Job."""
    mine.cluster.apply(mine.manifest(), another.manifest())
    one, two = mine.ready(), another.ready()
    assert one["status"]["run"]["output"]["contentDigest"] == two["status"]["run"]["output"]["contentDigest"]
    assert one["status"]["run"]["digest"] != two["status"]["run"]["digest"]


def test_refit_while_a_job_runs(operator: Installed, namespace: str, lake: Volume) -> None:
    """The running job finishes on its pins; exactly one run follows with the new model."""
    write_events(lake.folder, 400_000, seed=2)
    fitted_on = {"uri": "pvc://lake/events", "format": "delta", "version": 0}
    operator.cluster.apply(function_set(namespace), label_model(namespace, trainingData=fitted_on), label_job(namespace))
    operator.reason(namespace, "Labeling")
    operator.cluster.apply(label_model(namespace, trainingData=fitted_on, algorithm="majority-vote"))
    operator.cluster.wait(
        "a run with the second model", lambda: operator.resource(namespace, "labeljob")["status"].get("run", {}).get("model", {}).get("version") == 2
    )
    job = operator.ready(namespace)
    assert [(line["sequence"], line["modelVersion"]) for line in job["status"]["runs"]] == [(2, 2), (1, 1)]
    assert labels(lake.folder).version() == 1
    exactly_once(labels(lake.folder), 400_000)


def test_a_pipeline_from_its_first_day_to_its_last(operator: Installed, namespace: str, lake: Volume) -> None:
    """O5, C6: applied in the wrong order, robbed of its status, rolled back to an earlier model, and deleted: one chain, of which each fit is most of the work."""
    dependents_wait_and_wake(operator, namespace)
    deleted_status_is_rebuilt(operator, namespace, lake)
    pin_rolls_the_model_back(operator, namespace, lake)
    deleting_leaves_no_orphan_and_all_data(operator, namespace, lake)


def dependents_wait_and_wake(operator: Installed, namespace: str) -> None:
    """Applied in the wrong order, each says what it waits for, and goes on when that is there."""
    operator.cluster.apply(label_job(namespace))
    operator.reason(namespace, "ModelNotFound")
    operator.cluster.apply(label_model(namespace))
    operator.reason(namespace, "FunctionSetNotFound", "labelmodel")
    operator.reason(namespace, "ModelNotReady")
    operator.cluster.apply(function_set(namespace))
    assert condition(operator.ready(namespace), "Ready") == "True"


def deleted_status_is_rebuilt(operator: Installed, namespace: str, lake: Volume) -> None:
    """Status is a view: losing it costs nothing and repeats nothing."""
    before = operator.ready(namespace)
    for kind in ("labelingfunctionset", "labelmodel", "labeljob"):
        patch = '[{"op": "replace", "path": "/status", "value": {"observedGeneration": -1}}]'
        operator.cluster.kubectl("-n", namespace, "patch", kind, "rollouts", "--subresource=status", "--type=json", "-p", patch)
    operator.cluster.wait("status to come back", lambda: operator.resource(namespace, "labeljob")["status"].get("run"))
    after = operator.ready(namespace)
    assert after["status"]["run"]["output"] == before["status"]["run"]["output"]
    assert labels(lake.folder).version() == 0
    assert operator.ready(namespace, "labelmodel")["status"]["current"]["version"] == 1


def pin_rolls_the_model_back(operator: Installed, namespace: str, lake: Volume) -> None:
    """One field goes back to an earlier version."""
    operator.cluster.apply(label_model(namespace, algorithm="majority-vote"))
    operator.cluster.wait("labels of version 2", lambda: operator.ready(namespace)["status"]["run"]["model"]["version"] == 2)
    operator.cluster.apply(label_model(namespace, algorithm="majority-vote", pin=1))
    operator.cluster.wait("labels of version 1", lambda: operator.ready(namespace)["status"]["run"]["model"]["version"] == 1)
    assert operator.ready(namespace, "labelmodel")["status"]["current"]["version"] == 1
    assert labels(lake.folder).version() == 2


def deleting_leaves_no_orphan_and_all_data(operator: Installed, namespace: str, lake: Volume) -> None:
    """Deleting a resource removes its Jobs and ConfigMaps, and deletes no data."""
    operator.cluster.kubectl("-n", namespace, "delete", "labelingfunctionset,labelmodel,labeljob", "--all")
    ours = "app.kubernetes.io/managed-by=labelplane"
    operator.cluster.wait(
        "children to be collected", lambda: operator.cluster.kubectl("-n", namespace, "get", "jobs,configmaps,pods", "-l", ours, "-o", "name") == ""
    )
    exactly_once(labels(lake.folder), 2000)
    assert (lake.folder / "models/rollouts").exists()
