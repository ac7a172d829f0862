"""A quota that refuses from the first request on."""

import asyncio
from typing import Any

from tests.cluster_fixtures import RealCluster
from tests.reader import dry_run

POD = {"restartPolicy": "Never", "containers": [{"name": "probe", "image": "none"}]}
PROBES: dict[str, dict[str, Any]] = {
    "count/jobs.batch": {"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": {"spec": POD}}},
    "pods": {"apiVersion": "v1", "kind": "Pod", "spec": POD},
}


async def no_room(api_server: RealCluster, namespace: str, what: str) -> None:
    """Make a quota `small` that allows none of them; returns when admission refuses one in its name.

    Admission looks quotas up in a cache of its own, which may not know one that the API server gives already: everything passes then. A dry run
    goes through the same admission, and creates nothing.
    """
    await asyncio.to_thread(api_server.kubectl, "-n", namespace, "create", "quota", "small", f"--hard={what}=0")
    probe = {**PROBES[what], "metadata": {"name": "probe", "namespace": namespace}}
    said = ""

    def refused() -> bool:
        nonlocal said
        said = dry_run(api_server.folders, probe)
        return "exceeded quota: small" in said

    await asyncio.to_thread(api_server.wait, "the quota to be in force", refused, last=lambda: said)
