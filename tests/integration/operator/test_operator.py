"""The operator's process on the real API server; the tests play the node."""

import asyncio
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from random import Random
from typing import Any

import pytest

from labelplane.cluster.client import Client
from labelplane.cluster.paths import FUNCTION_SETS, JOBS, LABEL_JOBS, LABEL_MODELS
from tests.cluster_fixtures import RealCluster
from tests.integration.operator.player import World, playing
from tests.integration.operator.process import OperatorProcess, operator_process, restart_control_plane
from tests.integration.operator.serving import NAME, Namespace, chain, condition, eventually
from tests.manifests import changed
from tests.patience import HANG_SECONDS, SLOWER

pytestmark = pytest.mark.apiserver


def started(api_server: RealCluster, namespace: str, **settings: str) -> AbstractAsyncContextManager[OperatorProcess]:
    return operator_process(api_server.kubeconfig, namespace, **settings)


async def test_the_whole_chain_becomes_ready(operator: OperatorProcess, ns: Namespace, world: World) -> None:
    """O1: set, model and job, applied together, end in a pinned, labelled table."""
    await ns.create_chain()
    done = await ns.ready()
    assert done["status"]["run"]["sequence"] == 1
    assert done["status"]["metrics"]["rows"] == 1000
    assert sorted(world.ran) == ["check", "fit", "label", "resolve", "resolve"]
    for reason in ("Checked", "Fitted", "Labeled"):
        await ns.told(reason)


async def test_the_order_of_creation_does_not_matter(operator: OperatorProcess, ns: Namespace, world: World) -> None:
    """What is missing is waited for, and its arrival wakes the waiting."""
    functions, model, job = chain(ns.name)
    await ns.create(job)
    await ns.reason("ModelNotFound")
    await ns.create(model)
    await ns.reason("FunctionSetNotFound", LABEL_MODELS)
    await ns.create(functions)
    await ns.ready()


async def test_applying_again_and_restarting_create_nothing(api_server: RealCluster, ns: Namespace, world: World) -> None:
    """O2: the second look at the same state writes nothing at all."""
    async with started(api_server, ns.name):
        await ns.create_chain()
        before = await ns.ready()
    names = await ns.children()
    async with started(api_server, ns.name, LABELPLANE_RESYNC_SECONDS="1") as again:
        await ns.annotate(LABEL_JOBS, reconcile_at=None)  # an apply that changes nothing
        await eventually(lambda: resynced(again, 3))
        _, text = await again.probe("/metrics")
        assert not [line for line in text.splitlines() if line.startswith("labelplane_api_requests_total") and 'verb="GET"' not in line]
    assert (await ns.get(LABEL_JOBS))["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    assert await ns.children() == names


async def resynced(process: OperatorProcess, times: int) -> bool:
    """Every kind has been reconciled this often."""
    _, text = await process.probe("/metrics")
    counts = [float(line.split()[-1]) for line in text.splitlines() if line.startswith("labelplane_reconcile_duration_seconds_count")]
    return bool(counts) and min(counts) >= times


async def test_nothing_of_the_users_is_touched(operator: OperatorProcess, ns: Namespace, world: World) -> None:
    """GitOps tools see no foreign difference: the operator owns the status and nothing else."""
    await ns.create_chain()
    await ns.ready()
    for collection in (FUNCTION_SETS, LABEL_MODELS, LABEL_JOBS):
        found = await ns.get(collection)
        ours = [entry for entry in found["metadata"]["managedFields"] if entry.get("subresource") == "status"]
        others = [entry for entry in found["metadata"]["managedFields"] if entry.get("subresource") != "status"]
        assert all(list(entry["fieldsV1"]) == ["f:status"] for entry in ours)
        assert len(ours) == len(others) == 1
        assert "finalizers" not in found["metadata"]
        assert found["metadata"]["generation"] == 1


async def test_killed_at_any_time_it_converges(api_server: RealCluster, client: Client) -> None:
    """A process that is killed again and again, in five runs at another place each time, leaves one run of each and no duplicate."""
    random = Random(0)
    async with AsyncExitStack() as made:
        spaces = [Namespace(client, made.enter_context(api_server.new_namespace())) for _ in range(5)]
        worlds = [await made.enter_async_context(playing(client, ns.name, World())) for ns in spaces]
        names = [ns.name for ns in spaces]
        for ns in spaces:  # one more begins before each kill: the first has met five of them by the end, the last one
            await ns.create_chain()
            async with operator_process(api_server.kubeconfig, *names):
                await asyncio.sleep(random.uniform(0, 1.4))  # the instant of the kill is what is tested
        async with operator_process(api_server.kubeconfig, *names):
            for ns, world in zip(spaces, worlds, strict=True):
                done = await ns.ready()
                assert done["status"]["run"]["sequence"] == 1
                assert len(world.commits[done["spec"]["output"]["uri"]]) == 1
                assert len(await ns.jobs()) == 5


async def test_two_operators_at_once_do_no_harm(api_server: RealCluster, ns: Namespace, world: World) -> None:
    async with started(api_server, ns.name), started(api_server, ns.name):
        await ns.create_chain()
        done = await ns.ready()
    assert len(world.commits[done["spec"]["output"]["uri"]]) == 1
    assert len(await ns.jobs()) == 5


@pytest.mark.alone
async def test_an_api_server_that_restarts_is_survived(operator: OperatorProcess, ns: Namespace, world: World, api_server: RealCluster) -> None:
    world.hold = lambda config: config.step == "fit"
    await ns.create_chain()
    await ns.reason("Fitting", LABEL_MODELS)
    await asyncio.to_thread(restart_control_plane, api_server)
    world.hold = lambda config: False
    done = await ns.ready()
    assert done["status"]["run"]["sequence"] == 1
    assert operator.process.poll() is None


async def test_broken_resources_stall_alone(operator: OperatorProcess, ns: Namespace, world: World) -> None:
    """O9: one that cannot be parsed, one whose check fails, beside 20 good ones."""
    functions, model, _ = chain(ns.name)
    world.fail = lambda config: config.owner.name == "broken"
    await ns.create(changed(model, "spec.parameters.classBalance", [{"no": "sense"}]))
    await ns.create(changed(functions, "metadata.name", "broken"))
    for number in range(20):
        await ns.create(changed(functions, "metadata.name", f"good-{number}"))
    for number in range(20):
        await ns.ready(FUNCTION_SETS, f"good-{number}")
    unreadable = await ns.reason("InvalidSpec", LABEL_MODELS)
    assert condition(unreadable, "Stalled") == "True"
    assert "spec.parameters.classBalance" in str(unreadable["status"]["conditions"])
    await ns.reason("SchemaBroken", FUNCTION_SETS, "broken")


async def test_a_status_that_somebody_else_writes_is_put_right(operator: OperatorProcess, ns: Namespace, world: World) -> None:
    await ns.create_chain()
    good = await ns.ready()
    garbage = {"status": {"run": None, "metrics": {"rows": 5}}}
    await ns.client.merge(LABEL_JOBS.path(ns.name, NAME, "status"), garbage)
    again = await ns.until(lambda found: found["status"].get("metrics", {}).get("rows") == 1000)
    assert again["status"]["run"] == good["status"]["run"]


async def test_a_status_that_somebody_deletes_is_found_again(operator: OperatorProcess, ns: Namespace, world: World) -> None:
    """The table's last commit says what has been done: no second run."""
    await ns.create_chain()
    await ns.ready()
    found = await ns.get(LABEL_JOBS)
    await ns.client.replace(LABEL_JOBS.path(ns.name, NAME, "status"), {**found, "status": {}})
    again = await ns.until(lambda resource: condition(resource, "Ready") == "True" and "run" in resource["status"])
    assert again["status"]["run"]["sequence"] == 1
    assert len(world.commits[again["spec"]["output"]["uri"]]) == 1


async def test_a_foreign_job_of_the_wanted_name_is_left_alone(api_server: RealCluster, ns: Namespace, world: World) -> None:
    """No operator runs while the foreign Job takes the place of ours: it would be faster."""
    world.hold = lambda config: True
    functions, *_ = chain(ns.name)
    await ns.create(functions)
    async with started(api_server, ns.name):
        wanted = (await eventually(ns.jobs))[0]
    name = wanted["metadata"]["name"]
    await ns.client.delete(JOBS.path(ns.name, name), uid=wanted["metadata"]["uid"])
    await eventually(lambda: gone(ns, name))
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "none"}]}}
    foreign = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {"template": template}}
    made = await ns.client.create(JOBS.path(ns.name), foreign)
    async with started(api_server, ns.name):
        await ns.reason("NameConflict", FUNCTION_SETS)
        assert (await ns.get(JOBS, name))["metadata"]["uid"] == made["metadata"]["uid"]
        await ns.client.delete(JOBS.path(ns.name, name), uid=made["metadata"]["uid"])
        world.hold = lambda config: False
        await ns.annotate(FUNCTION_SETS, reconcile_at="now")
        await ns.ready(FUNCTION_SETS)


async def gone(ns: Namespace, name: str) -> bool:
    return all(job["metadata"]["name"] != name for job in await ns.jobs())


async def test_a_deleted_job_is_made_again(operator: OperatorProcess, ns: Namespace, world: World) -> None:
    world.hold = lambda config: True
    functions, *_ = chain(ns.name)
    await ns.create(functions)
    await ns.reason("Checking", FUNCTION_SETS)
    job = await eventually(lambda: with_pod(ns))
    await ns.client.delete(JOBS.path(ns.name, job["metadata"]["name"]), uid=job["metadata"]["uid"])
    await eventually(lambda: replaced(ns, job["metadata"]["uid"]))
    await ns.told("JobDeleted")
    world.hold = lambda config: False
    await ns.ready(FUNCTION_SETS)


async def with_pod(ns: Namespace) -> dict[str, Any] | None:
    """The Job, once its pod is counted: a Job replaced before its controller saw its first pod gets no pod for five minutes (Kubernetes' expectations)."""
    return next((job for job in await ns.jobs() if job.get("status", {}).get("active")), None)


async def replaced(ns: Namespace, uid: str) -> bool:
    jobs = await ns.jobs()
    return bool(jobs) and all(job["metadata"]["uid"] != uid for job in jobs)


async def test_a_result_that_went_with_its_pod_is_asked_for_again(api_server: RealCluster, ns: Namespace, world: World) -> None:
    """No operator runs when the Job succeeds and its pod is deleted, as when both were on a node that is drained."""
    world.hold = lambda config: True
    await ns.create(chain(ns.name)[0])
    async with started(api_server, ns.name):
        await eventually(lambda: with_pod(ns))
        await ns.reason("Checking", FUNCTION_SETS)
    world.hold = lambda config: False
    await eventually(lambda: complete(ns))
    pods = f"/api/v1/namespaces/{ns.name}/pods"
    for pod in await items(ns.client, pods):
        await ns.client.delete(f"{pods}/{pod['metadata']['name']}", uid=pod["metadata"]["uid"])
    await eventually(lambda: no_items(ns.client, pods))
    async with started(api_server, ns.name):
        await ns.ready(FUNCTION_SETS)
        await ns.told("JobDeleted")
    assert world.ran == ["check", "check"]


async def complete(ns: Namespace) -> bool:
    """The one Job has succeeded."""
    return [job["status"].get("succeeded") for job in await ns.jobs()] == [1]


async def no_items(client: Client, path: str) -> bool:
    return not await items(client, path)


async def test_an_edited_job_is_put_right(operator: OperatorProcess, ns: Namespace, world: World) -> None:
    """Suspended by hand, a Job would never finish."""
    world.hold = lambda config: True
    functions, *_ = chain(ns.name)
    await ns.create(functions)
    await ns.reason("Checking", FUNCTION_SETS)
    job = await eventually(lambda: with_pod(ns))
    await ns.patch(JOBS, {"spec": {"suspend": True}}, job["metadata"]["name"])
    await eventually(lambda: replaced(ns, job["metadata"]["uid"]))
    await ns.told("JobEdited")


async def test_a_failed_job_stalls_with_its_own_words(operator: OperatorProcess, ns: Namespace, world: World) -> None:
    world.fail = lambda config: config.step == "label"
    await ns.create_chain()
    found = await ns.reason("SchemaBroken")
    assert condition(found, "Stalled") == "True"
    await ns.told("SchemaBroken")


def waiting(reason: str) -> dict[str, Any]:
    """A container that does not start."""
    return {"containerStatuses": [container({"waiting": {"reason": reason, "message": "because"}})]}


def container(state: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "job", "image": "i", "imageID": "", "ready": False, "restartCount": 0, "state": state, **more}


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no claim"}]}, "Unschedulable"),
        (waiting("ImagePullBackOff"), "ImagePullFailed"),
        (waiting("CrashLoopBackOff"), "CrashLoop"),
        ({"containerStatuses": [container({"terminated": {"exitCode": 137, "reason": "OOMKilled"}})]}, "OutOfMemory"),
    ],
    ids=["unschedulable", "image", "crash-loop", "memory"],
)
async def test_a_pods_trouble_shows_within_ten_seconds(
    operator: OperatorProcess, ns: Namespace, world: World, status: dict[str, Any], reason: str
) -> None:
    """The kubelet's word is in a condition at once: no polling interval lies between."""
    world.hold = lambda config: True
    functions, *_ = chain(ns.name)
    await ns.create(functions)
    pods = f"/api/v1/namespaces/{ns.name}/pods"
    pod = (await eventually(lambda: items(ns.client, pods)))[0]
    await ns.client.merge(f"{pods}/{pod['metadata']['name']}/status", {"status": status})
    await ns.reason(reason, FUNCTION_SETS, seconds=10 * SLOWER)


async def items(client: Client, path: str) -> list[dict[str, Any]]:
    return list((await client.list_all(path))["items"])


async def test_break_glass(operator: OperatorProcess, ns: Namespace, world: World) -> None:
    """A disabled resource is left alone, whatever happens around it."""
    *others, job = chain(ns.name)
    job["metadata"]["annotations"] = {"labelplane.dev/reconcile": "disabled"}
    for manifest in (*others, job):
        await ns.create(manifest)
    await ns.ready(LABEL_MODELS)
    assert (await ns.get(LABEL_JOBS))["status"] == {"observedGeneration": -1}
    await ns.annotate(LABEL_JOBS, reconcile=None)
    await ns.ready()


async def test_reconcile_at_is_handled_and_recorded(operator: OperatorProcess, ns: Namespace, world: World) -> None:
    await ns.create_chain()
    await ns.ready()
    world.data_version = 2
    await ns.annotate(LABEL_JOBS, reconcile_at="first")
    done = await ns.until(lambda found: found["status"].get("run", {}).get("sequence") == 2 and condition(found, "Ready") == "True")
    assert done["status"]["lastHandledReconcileAt"] == "first"
    assert done["status"]["run"]["input"]["version"] == 2


async def test_deleting_leaves_no_orphan(operator: OperatorProcess, ns: Namespace, world: World) -> None:
    """Jobs, their pods and ConfigMaps go with their owner; a run under way too."""
    world.hold = lambda config: config.step == "label"
    await ns.create_chain()
    await ns.reason("Labeling")
    for collection in (LABEL_JOBS, LABEL_MODELS, FUNCTION_SETS):
        found = await ns.get(collection)
        await ns.client.delete(collection.path(ns.name, NAME), uid=found["metadata"]["uid"])
    await eventually(lambda: empty(ns))
    await eventually(lambda: no_series(operator))


async def no_series(operator: OperatorProcess) -> bool:
    """/metrics knows nothing of the resource any more."""
    return 'name="rollout-risk"' not in (await operator.probe("/metrics"))[1]


async def empty(ns: Namespace) -> bool:
    return not await ns.children() and not await items(ns.client, f"/api/v1/namespaces/{ns.name}/pods")


async def test_metrics_show_what_a_run_came_to(operator: OperatorProcess, ns: Namespace, world: World) -> None:
    """M1, M2, M3, M6, F4, X21."""
    await ns.create_chain()
    done = await ns.ready()
    assert done["status"]["run"]["podSeconds"] == 5
    labels = f'{{name="{NAME}",namespace="{ns.name}"}}'
    expected = {
        f"labelplane_labeljob_coverage_ratio{labels} 0.95",
        f"labelplane_labeljob_conflict_ratio{labels} 0.05",
        f"labelplane_labeljob_mean_confidence{labels} 0.8",
        f"labelplane_labeljob_data_to_label_latency_seconds{labels} 3.5",
        f"labelplane_labeljob_rows{labels} 1000.0",
        f'labelplane_labeljob_drift{{kind="column",name="{NAME}",namespace="{ns.name}"}} 0.25',
        f'labelplane_labeljob_drift{{kind="label",name="{NAME}",namespace="{ns.name}"}} 0.0',
        'labelplane_resources{kind="LabelJob",ready="True"} 1.0',
        'labelplane_jobs_finished_total{outcome="succeeded",step="label"} 1.0',
        f'labelplane_run_pod_seconds_total{{kind="LabelJob",namespace="{ns.name}",step="label"}} 5.0',
        "labelplane_queue_depth 0.0",
    }

    async def missing_none() -> bool:
        shown.update((await operator.probe("/metrics"))[1].splitlines())
        return expected <= shown

    shown: set[str] = set()
    await eventually(missing_none, last=lambda: expected - shown)


async def test_it_ends_at_once_when_told_to(operator: OperatorProcess, ns: Namespace, world: World) -> None:
    await ns.create_chain()
    await ns.ready()
    assert await operator.terminate(8 * SLOWER) == 0


async def test_logs_tell_of_no_contents(operator: OperatorProcess, ns: Namespace, world: World) -> None:
    await ns.create_chain()
    await ns.ready()
    assert "CrashLoopBackOff" not in operator.said()


@pytest.mark.alone
async def test_a_crd_that_goes_away_ends_the_process(operator: OperatorProcess, api_server: RealCluster) -> None:
    """A dead watch ends the process; the next one waits until all kinds are served again."""
    try:
        await asyncio.to_thread(api_server.kubectl, "delete", "crd", "labelingfunctionsets.labelplane.dev")
        assert await operator.ended() == 1
    finally:
        await asyncio.to_thread(api_server.kubectl, "apply", "--server-side", "--force-conflicts", "-f", "crds")
        await asyncio.to_thread(api_server.kubectl, "wait", "--for=condition=Established", f"--timeout={HANG_SECONDS:.0f}s", "-f", "crds")
