"""A run in shards on the real API server and its Job controller; the tests play the node."""

import time

import pytest

from labeljob.contract.config import JobConfig
from labelplane.cluster.paths import JOBS, LABEL_JOBS
from labelplane.plan.shards import WRITE_SECONDS
from tests.integration.operator.objects import Raw
from tests.integration.operator.player import World
from tests.integration.operator.process import OperatorProcess
from tests.integration.operator.serving import Namespace, chain, eventually, message
from tests.manifests import changed

pytestmark = pytest.mark.apiserver


async def create(ns: Namespace, shards: int) -> None:
    functions, model, job = chain(ns.name)
    for manifest in (functions, model, changed(job, "spec.shards", shards)):
        await ns.create(manifest)


def step_of(job: Raw) -> str:
    return str(job["metadata"]["labels"]["labelplane.dev/step"])


async def job_of(ns: Namespace, step: str) -> Raw:
    """The Job of a step, once it is there."""

    async def look() -> Raw | None:
        return next((job for job in await ns.jobs() if step_of(job) == step), None)

    found: Raw = await eventually(look)
    return found


async def test_an_indexed_job_then_a_commit(operator: OperatorProcess, ns: Namespace, world: World) -> None:
    """P1, X21: the API server takes the Job as it is built, its controller makes a pod an index, and one version comes of it; on a claim for one pod, one after another."""
    await ns.create_claim("lake", "ReadWriteOncePod")
    world.hold = lambda config: config.step in ("shard", "commit")
    await create(ns, 3)
    await ns.until(lambda found: "claim lake (spec.input.uri, spec.output.uri) allows one pod at a time" in message(found))
    world.hold = lambda config: config.step == "commit"
    found = await ns.reason("Committing")
    assert found["status"]["progress"]["completed"] == "3/3"
    job = await job_of(ns, "shard")
    spec = job["spec"]
    assert (spec["completionMode"], spec["completions"], spec["backoffLimitPerIndex"], spec["maxFailedIndexes"], spec["podReplacementPolicy"]) == ("Indexed", 3, 3, 0, "Failed")
    assert (job["status"]["completedIndexes"], spec["parallelism"]) == ("0-2", 1)
    world.hold = lambda config: False
    done = await ns.ready()
    assert "progress" not in done["status"]
    assert done["status"]["run"]["podSeconds"] == 4 * 5
    assert world.ran.count("shard") == 3
    assert len(world.commits[done["spec"]["output"]["uri"]]) == 1


async def test_a_shard_that_cannot_succeed_ends_the_run(operator: OperatorProcess, ns: Namespace, world: World) -> None:
    """F3: the reason is the failed pod's own, though its Job ends the others; nothing is committed."""
    failed: list[JobConfig] = []

    def fail_once(config: JobConfig) -> bool:
        if config.step != "shard" or failed:
            return False
        failed.append(config)
        return True

    world.fail = fail_once
    await create(ns, 4)
    found = await ns.reason("SchemaBroken")
    assert message(found).startswith("shard ")
    assert message(found).endswith(" of 4: column image is missing")
    assert world.commits == {}


async def test_more_pods_at_once_is_nobodys_business_but_the_users(operator: OperatorProcess, ns: Namespace, world: World) -> None:
    """A queue or a person may scale the Job; one that is cut short is made again."""
    world.hold = lambda config: config.step == "shard"
    await create(ns, 3)
    job = await job_of(ns, "shard")
    path, uid = JOBS.path(ns.name, job["metadata"]["name"]), job["metadata"]["uid"]
    await ns.client.merge(path, {"spec": {"parallelism": 1}})
    await ns.annotate(LABEL_JOBS, nothing="x")  # it is looked at again
    await eventually(lambda: answers(ns, job["metadata"]["name"]))
    assert (await ns.client.get(path))["metadata"]["uid"] == uid
    await ns.client.merge(path, {"spec": {"parallelism": 2, "completions": 2}})
    await ns.told("JobEdited")
    world.hold = lambda config: False
    await ns.ready()
    assert (await ns.client.get(path))["spec"]["completions"] == 3


async def answers(ns: Namespace, name: str) -> bool:
    """The status speaks of the Job."""
    return f"(Job {name})" in message(await ns.get(LABEL_JOBS))


async def test_many_shards_are_a_few_writes(operator: OperatorProcess, ns: Namespace, world: World) -> None:
    """F7, X8: however many shards end, status is written a few times, and then once in WRITE_SECONDS."""
    shards = 60
    world.hold = lambda config: config.step == "shard"
    await create(ns, shards)
    await ns.until(lambda found: found["status"].get("progress"))
    before, began = await status_writes(operator), time.monotonic()
    world.hold = lambda config: False
    await ns.ready()
    assert world.ran.count("shard") == shards
    written, seconds = await status_writes(operator) - before, time.monotonic() - began
    print(f"{shards} shards in {seconds:.1f} s: {written:.0f} status writes")
    assert written <= seconds / WRITE_SECONDS + 5


async def status_writes(operator: OperatorProcess) -> float:
    """Status is what the operator replaces, and nothing else."""
    _, text = await operator.probe("/metrics")
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith("labelplane_api_requests_total") and 'verb="PUT"' in line)
