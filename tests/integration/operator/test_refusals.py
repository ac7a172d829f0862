"""The API server refuses a Job, or the pods of a Job: a condition says so in its words, and the mend is found."""

import asyncio

import pytest

from labelplane.cluster.client import ApiError
from labelplane.cluster.paths import FUNCTION_SETS
from labelplane.cluster.refusals import refusal
from labelplane.errors import Transient
from tests.cluster_fixtures import RealCluster
from tests.integration.operator.player import World
from tests.integration.operator.process import OperatorProcess
from tests.integration.operator.quotas import no_room
from tests.integration.operator.serving import Namespace, chain, condition, message


@pytest.mark.apiserver
async def test_a_quota_that_refuses_our_jobs(operator: OperatorProcess, ns: Namespace, world: World, api_server: RealCluster) -> None:
    """Stalled with the quota's own words, and an Event; asked again when there is room, it goes on."""
    await no_room(api_server, ns.name, "count/jobs.batch")
    await ns.create(chain(ns.name)[0])
    stalled = await ns.reason("QuotaExceeded", FUNCTION_SETS)
    assert condition(stalled, "Stalled") == "True"
    assert "exceeded quota: small" in message(stalled)
    await ns.told("QuotaExceeded")
    await asyncio.to_thread(api_server.kubectl, "-n", ns.name, "delete", "quota", "small")
    await ns.annotate(FUNCTION_SETS, reconcile_at="again")
    await ns.ready(FUNCTION_SETS)


@pytest.mark.apiserver
async def test_a_quota_that_refuses_the_pods_of_our_jobs(operator: OperatorProcess, ns: Namespace, world: World, api_server: RealCluster) -> None:
    """The Job stands and nothing runs: after half a minute the condition says where to look. No event wakes us then but our own clock."""
    await no_room(api_server, ns.name, "pods")
    await ns.create(chain(ns.name)[0])
    await ns.reason("Checking", FUNCTION_SETS)
    waiting = await ns.reason("PodNotStarting", FUNCTION_SETS)
    (job,) = await ns.jobs()
    assert f"kubectl describe job {job['metadata']['name']}" in message(waiting)
    assert condition(waiting, "Reconciling") == "True"
    said = await asyncio.to_thread(api_server.kubectl, "-n", ns.name, "describe", "job", job["metadata"]["name"])
    assert "exceeded quota: small" in said


def test_a_quota_that_nobody_has_counted_yet_is_awaited() -> None:
    """For a moment after it was made it refuses everything; the words are the API server's (plugin/resourcequota)."""
    answer = ApiError(403, {"reason": "Forbidden", "message": 'jobs.batch "run" is forbidden: status unknown for quota: small, resources: count/jobs.batch'})
    assert isinstance(refusal(answer, "Job run"), Transient)
