"""Many resources at once, and none at all to do."""

import asyncio
import time

import pytest

from labelplane.cluster.client import Client
from labelplane.cluster.paths import FUNCTION_SETS, JOBS, PODS
from tests.cluster_fixtures import RealCluster
from tests.integration.operator.process import OperatorProcess, operator_process
from tests.integration.operator.serving import Raw, chain, condition, eventually
from tests.manifests import changed

pytestmark = pytest.mark.apiserver

RESOURCES = 500


@pytest.mark.alone
async def test_many_resources_and_then_silence(api_server: RealCluster, client: Client, api_namespace: str) -> None:
    """500 sets created at once: each gets its Job and a status; after that the operator writes nothing."""
    functions, *_ = chain(api_namespace)
    limit = asyncio.Semaphore(32)

    async def create(number: int) -> None:
        async with limit:
            await client.create(FUNCTION_SETS.path(api_namespace), changed(functions, "metadata.name", f"set-{number}"))

    async def all_under_way() -> bool:
        """A Job without a pod would still be written of: after POD_SECONDS, and once its pod is there."""
        for collection in (FUNCTION_SETS, JOBS, PODS):
            found[collection.kind] = (await client.list_all(collection.path(api_namespace)))["items"]
        found["status"] = [one for one in found["LabelingFunctionSet"] if condition(one, "Reconciling") == "True"]
        return all(len(items) == RESOURCES for items in found.values())

    found: dict[str, list[Raw]] = {}

    async with operator_process(api_server.kubeconfig, LABELPLANE_RESYNC_SECONDS="600") as operator:
        started = time.monotonic()
        await asyncio.gather(*(create(number) for number in range(RESOURCES)))
        created = time.monotonic() - started
        await eventually(all_under_way, last=lambda: {kind: len(items) for kind, items in found.items()})
        print(f"{RESOURCES} created in {created:.1f} s, all with a Job and a status after {time.monotonic() - started:.1f} s")
        await eventually(lambda: settled(operator))
        before = await writes(operator)
        await asyncio.sleep(5)  # what is measured is that nothing happens
        assert await writes(operator) == before


async def settled(operator: OperatorProcess) -> bool:
    """No key waits, and nothing has been written for a second."""
    before = await writes(operator)
    await asyncio.sleep(1)
    _, text = await operator.probe("/metrics")
    return "labelplane_queue_depth 0.0" in text and await writes(operator) == before


async def writes(operator: OperatorProcess) -> float:
    """Requests to the API server that change something."""
    _, text = await operator.probe("/metrics")
    lines = [line for line in text.splitlines() if line.startswith("labelplane_api_requests_total") and 'verb="GET"' not in line]
    return sum(float(line.split()[-1]) for line in lines)
