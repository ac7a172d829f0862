"""Create and delete a Job together with its ConfigMap: create first and ask questions on 409, never look and then create."""

from collections.abc import Mapping
from typing import Any

from labelplane.api.groups import MANAGED_BY, MANAGED_BY_LABEL, Key
from labelplane.api.reasons import ControlReason
from labelplane.cluster.cache import Cache, controller_of
from labelplane.cluster.client import ApiError, Client, Json
from labelplane.cluster.paths import CONFIG_MAPS, JOBS, Collection
from labelplane.cluster.refusals import TERMINATING, refusal
from labelplane.errors import ReconcileError, Stalled, Transient

_PATIENCE = 3  # an API server that has just started refuses what its roles allow, for a moment


class JobWriter:
    """Writes Jobs of ours; each answer goes into the cache at once."""

    def __init__(self, client: Client, cache: Cache) -> None:
        self._client = client
        self._cache = cache
        self._refused: dict[str, int] = {}

    async def create(self, owner: Mapping[str, Any], config_map: Json, job: Json) -> None:
        """Create both; what exists already and is the owner's stays as it is.

        Raises:
            Stalled: refused for good, or the name is somebody else's.
            Transient: refused for now.
        """
        await self._create(CONFIG_MAPS, owner, config_map)
        self._cache.put(await self._create(JOBS, owner, job))

    async def delete(self, owner: Mapping[str, Any], name: str, uid: str) -> None:
        """Delete the ConfigMap, then this very Job: were the Job gone first, a failure would leave the ConfigMap behind."""
        namespace = owner["metadata"]["namespace"]
        try:
            await self._delete_config_map(owner, name)
            await self._client.delete(JOBS.path(namespace, name), uid=uid)
        except ApiError as error:
            if error.status not in (404, 409):
                raise refusal(error, f"deleting Job {name}") from error
        self._cache.forget(Key(JOBS.kind, namespace, name), uid)

    async def _delete_config_map(self, owner: Mapping[str, Any], name: str) -> None:
        path = CONFIG_MAPS.path(owner["metadata"]["namespace"], name)
        try:
            found = await self._client.get(path)
            if controller_of(found).get("uid") == owner["metadata"]["uid"]:
                await self._client.delete(path, uid=found["metadata"]["uid"])
        except ApiError as error:
            if error.status not in (404, 409):
                raise

    async def _create(self, collection: Collection, owner: Mapping[str, Any], manifest: Json) -> Json:
        namespace, name = manifest["metadata"]["namespace"], manifest["metadata"]["name"]
        path = collection.path(namespace)
        try:
            created = await self._client.create(path, manifest)
        except ApiError as error:
            if error.reason == "AlreadyExists":
                return await self._existing(collection, owner, manifest)
            raise self._patient(f"{path}/{name}", refusal(error, f"{collection.kind} {name}")) from error
        self._refused.pop(f"{path}/{name}", None)
        return created

    def _patient(self, path: str, error: ReconcileError) -> ReconcileError:
        """The first refusals for lack of rights are taken for a server that is still starting."""
        if error.reason != ControlReason.FORBIDDEN:
            return error
        self._refused[path] = self._refused.get(path, 0) + 1
        if self._refused[path] < _PATIENCE:
            return Transient(error.reason, error.message)
        del self._refused[path]
        return error

    async def _existing(self, collection: Collection, owner: Mapping[str, Any], manifest: Json) -> Json:
        name = manifest["metadata"]["name"]
        path = collection.path(manifest["metadata"]["namespace"], name)
        try:
            found = await self._client.get(path)
        except ApiError as error:
            raise Transient(TERMINATING, f"{collection.kind} {name} has just gone") from error
        check_owner(found, owner, collection.kind)
        return await self._labelled(path, found, manifest) if collection is JOBS else found

    async def _labelled(self, path: str, found: Json, manifest: Json) -> Json:
        """Our watch sees labelled objects only: put back a label that somebody took away."""
        if (found["metadata"].get("labels") or {}).get(MANAGED_BY_LABEL) == MANAGED_BY:
            return found
        try:
            return await self._client.merge(path, {"metadata": {"labels": manifest["metadata"]["labels"]}})
        except ApiError as error:
            raise refusal(error, f"the labels of {path}") from error


def check_owner(found: Mapping[str, Any], owner: Mapping[str, Any], kind: str) -> None:
    """Pass when the object that exists is the owner's.

    Raises:
        Transient: it is on its way out.
        Stalled: it is somebody else's.
    """
    name, controller = found["metadata"]["name"], controller_of(found)
    if found["metadata"].get("deletionTimestamp"):
        raise Transient(TERMINATING, f"{kind} {name} is being deleted")
    if controller.get("uid") == owner["metadata"]["uid"]:
        return
    if (controller.get("kind"), controller.get("name")) == (owner["kind"], owner["metadata"]["name"]):
        raise Transient(TERMINATING, f"{kind} {name} belongs to an earlier resource of this name and will be collected")
    raise Stalled(
        ControlReason.NAME_CONFLICT,
        f"{kind} {name} exists and does not belong to this {owner['kind']}; delete or rename it, then set the reconcile-at annotation",
    )
