"""What the tests ask of resources that an operator serves."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from labelplane.cluster.client import ApiError, Client
from labelplane.cluster.paths import CLAIMS, CONFIG_MAPS, EVENTS, FUNCTION_SETS, JOBS, LABEL_JOBS, LABEL_MODELS, Collection
from labelplane.errors import Transient
from labelplane.status.checker import violations
from tests.manifests import REMOVE, changed, function_set, label_job, label_model
from tests.patience import HANG_SECONDS

Raw = dict[str, Any]
NAME = "rollout-risk"
LOOK_SECONDS = 0.2  # several tests look at once, and what they look for is there to stay


@dataclass(frozen=True)
class Namespace:
    """One namespace, seen through an administrator's client."""

    client: Client
    name: str

    async def create(self, manifest: Raw) -> Raw:
        collection = {one.kind: one for one in (FUNCTION_SETS, LABEL_MODELS, LABEL_JOBS)}[manifest["kind"]]
        return await self.client.create(collection.path(self.name), manifest)

    async def create_claim(self, name: str, mode: str) -> None:
        """A PersistentVolumeClaim of one access mode."""
        spec = {"accessModes": [mode], "storageClassName": "", "resources": {"requests": {"storage": "1Mi"}}}
        await self.client.create(CLAIMS.path(self.name), {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec})

    async def create_chain(self) -> None:
        """A set, a model of it and a job of that."""
        for manifest in chain(self.name):
            await self.create(manifest)

    async def get(self, collection: Collection, name: str = NAME) -> Raw:
        """The object; a status of ours obeys the rules whenever anybody looks."""
        found = await self.client.get(collection.path(self.name, name))
        assert found["kind"] in ("Job", "ConfigMap") or violations(found) == []
        return found

    async def patch(self, collection: Collection, patch: Raw, name: str = NAME) -> Raw:
        return await self.client.merge(collection.path(self.name, name), patch)

    async def annotate(self, collection: Collection, name: str = NAME, **annotations: str | None) -> None:
        prefixed = {f"labelplane.dev/{key.replace('_', '-')}": value for key, value in annotations.items()}
        await self.patch(collection, {"metadata": {"annotations": prefixed}}, name)

    async def ready(self, collection: Collection = LABEL_JOBS, name: str = NAME, seconds: float = HANG_SECONDS) -> Raw:
        """The resource, once Ready for its present generation."""
        return await self.until(lambda found: condition(found, "Ready") == "True" and current(found), collection, name, seconds)

    async def reason(self, reason: str, collection: Collection = LABEL_JOBS, name: str = NAME, seconds: float = HANG_SECONDS) -> Raw:
        """The resource, once its Ready condition gives this reason."""
        return await self.until(lambda found: ready_reason(found) == reason, collection, name, seconds)

    async def until(self, holds: Callable[[Raw], object], collection: Collection = LABEL_JOBS, name: str = NAME, seconds: float = HANG_SECONDS) -> Raw:
        """The resource, once this holds; fails with its last status."""

        async def look() -> Raw | None:
            found = await self.get(collection, name)
            last.update(found)
            return found if holds(found) else None

        last: Raw = {}
        try:
            found: Raw = await eventually(look, seconds, lambda: last.get("status"))
        except AssertionError as error:
            states = {job["metadata"]["name"]: job.get("status") for job in await self.jobs()}
            raise AssertionError(f"{error}; Jobs: {states}") from None
        return found

    async def jobs(self) -> list[Raw]:
        items: list[Raw] = (await self.client.list_all(JOBS.path(self.name)))["items"]
        return items

    async def children(self) -> list[str]:
        """Names of every Job and ConfigMap of ours."""
        listed = [await self.client.list_all(collection.path(self.name), JOBS.selector) for collection in (JOBS, CONFIG_MAPS)]
        return [item["metadata"]["name"] for answer in listed for item in answer["items"]]

    async def told(self, reason: str) -> None:
        """Wait for an Event of ours with this reason; it follows the status that it is about."""

        async def look() -> bool:
            items = (await self.client.list_all(EVENTS.path(self.name)))["items"]
            reasons.update(item["reason"] for item in items if item.get("reportingComponent") == "labelplane")
            return reason in reasons

        reasons: set[str] = set()
        await eventually(look, last=lambda: reasons)


async def eventually(look: Callable[[], Awaitable[Any]], seconds: float = HANG_SECONDS, last: Callable[[], object] = lambda: None) -> Any:
    """The first true answer; an API server that is away is asked again."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        try:
            found = await look()
        except (Transient, ApiError) as error:
            found, last = None, lambda error=error: error
        if found:
            return found
        assert asyncio.get_running_loop().time() < deadline, f"waited {seconds:.0f} s; last: {last()}"
        await asyncio.sleep(LOOK_SECONDS)


def chain(namespace: str) -> tuple[Raw, Raw, Raw]:
    """Manifests of a set, a model and a job."""
    return function_set(namespace=namespace), changed(label_model(namespace=namespace), "spec.goldData", REMOVE), label_job(namespace=namespace)


def condition(resource: Raw, kind: str) -> str | None:
    """Status of a condition; None when it is absent."""
    return next((one["status"] for one in resource.get("status", {}).get("conditions", []) if one["type"] == kind), None)


def ready_reason(resource: Raw) -> str | None:
    return next((one["reason"] for one in resource.get("status", {}).get("conditions", []) if one["type"] == "Ready"), None)


def message(resource: Raw, kind: str = "Ready") -> str:
    """Message of a condition."""
    return next((str(one["message"]) for one in resource.get("status", {}).get("conditions", []) if one["type"] == kind), "")


def current(resource: Raw) -> bool:
    """The status speaks of the present generation."""
    return bool(resource["status"].get("observedGeneration") == resource["metadata"]["generation"])
