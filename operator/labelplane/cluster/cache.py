"""What events have told us: our resources, our Jobs and their pods.

The cache may lag behind the API server and never leads it, save by what we wrote ourselves: every answer to a write is
put here at once. An object never goes back to an older resourceVersion (Kubernetes defines their order), so a late event
cannot hide our own write. `replace` takes a whole list and forgets what is no longer there: a watch that had to start
again tells of no deletions that happened meanwhile.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from labelplane.api.groups import GROUP, KINDS, OWNER_KIND_LABEL, OWNER_NAME_LABEL, Key
from labelplane.api.named import references_of
from labelplane.cluster.index import Index
from labelplane.resources.indexed_job import is_indexed
from labelplane.resources.pod_problems import pod_problem

Raw = Mapping[str, Any]

_OUR_KINDS = frozenset(kind.kind for kind in KINDS)
_TOMBSTONES = 10_000


class Cache:
    """Objects by kind, namespace and name. All calls come from one event loop; nothing here waits."""

    def __init__(self) -> None:
        self._objects: dict[Key, Raw] = {}
        self._deleted: OrderedDict[Key, int] = OrderedDict()  # version at which an object went
        self._referrers: Index[Key, Key] = Index()  # resource -> what its spec refers to
        self._jobs: Index[Key, str] = Index()  # Job -> uid of its owner
        self._pods: Index[Key, str] = Index()  # pod -> uid of its Job

    def __iter__(self) -> Iterator[tuple[Key, Raw]]:
        return iter(list(self._objects.items()))

    def get(self, key: Key) -> Raw | None:
        return self._objects.get(key)

    def resources(self) -> Iterator[tuple[Key, Raw]]:
        """Every resource of our kinds."""
        return ((key, raw) for key, raw in self if key.kind in _OUR_KINDS)

    def jobs_of(self, uid: str) -> tuple[Raw, ...]:
        """Jobs whose controller is the object of this uid, oldest first."""
        found = (self._objects[key] for key in self._jobs.members(uid))
        return tuple(sorted(found, key=lambda raw: (raw["metadata"].get("creationTimestamp") or "", raw["metadata"]["name"])))

    def pods_of(self, job_uid: str) -> tuple[Raw, ...]:
        """Pods of one Job, oldest first."""
        found = (self._objects[key] for key in self._pods.members(job_uid))
        return tuple(sorted(found, key=lambda raw: (raw["metadata"].get("creationTimestamp") or "", raw["metadata"]["name"])))

    def put(self, raw: Raw) -> bool:
        """Take an object in, unless we know a newer one. Tells whether anything changed."""
        key, version = key_of(raw), _version(raw)
        known = self._objects.get(key)
        newest = max(_version(known) if known else -1, self._deleted.get(key, -1))
        if version <= newest:
            return False
        self._deleted.pop(key, None)
        self._objects[key] = _slim(raw)
        self._place(key, raw)
        return True

    def drop(self, raw: Raw) -> bool:
        """Forget an object that is gone, unless a newer one of its name is known."""
        key, version = key_of(raw), _version(raw)
        known = self._objects.get(key)
        if known is not None and _version(known) > version:
            return False
        self._bury(key, version)
        return True

    def forget(self, key: Key, uid: str) -> None:
        """Forget an object that the API server says is gone."""
        known = self._objects.get(key)
        if known is not None and known["metadata"].get("uid") == uid:
            self._bury(key, _version(known))

    def replace(self, kind: str, namespace: str | None, items: Iterable[Raw], version: str) -> set[Key]:
        """Make the cache equal to a list taken at this version; returns the keys that changed."""
        listed = {key_of(item): item for item in items}
        changed = {key for key, item in listed.items() if self.put(item)}
        for key, raw in self:
            if key.kind == kind and namespace in (None, key.namespace) and key not in listed and _version(raw) <= _number(version):
                self._bury(key, _version(raw))
                changed.add(key)
        return changed

    def woken_by(self, raw: Raw) -> set[Key]:
        """Resources whose next step may depend on this object."""
        key = key_of(raw)
        if key.kind in _OUR_KINDS:
            return {key} | self._dependents(key)
        if key.kind == "Pod":
            job = self._job_of(raw)
            if job is not None and is_indexed(job) and _is_quiet(raw):
                return set()
            return _owner(job) if job else _labelled_owner(raw)
        return _owner(raw) or _labelled_owner(raw)

    def _dependents(self, key: Key) -> set[Key]:
        """Who refers to it, and to them, and so on; inputs of models may go round in a circle."""
        found, left = set[Key](), [key]
        while left:
            new = self._referrers.members(left.pop()) - found
            found |= new
            left += new
        return found

    def _job_of(self, pod: Raw) -> Raw | None:
        controller = controller_of(pod)
        if controller.get("kind") != "Job":
            return None
        return self._objects.get(Key("Job", key_of(pod).namespace, str(controller.get("name"))))

    def _place(self, key: Key, raw: Raw | None) -> None:
        uid = controller_of(raw).get("uid") if raw is not None else None
        owner = () if uid is None else (uid,)
        if key.kind in _OUR_KINDS:
            self._referrers.place(key, references_of(key, raw) if raw is not None else ())
        elif key.kind == "Job":
            self._jobs.place(key, owner)
        else:
            self._pods.place(key, owner)

    def _bury(self, key: Key, version: int) -> None:
        self._objects.pop(key, None)
        self._place(key, None)
        self._deleted[key] = version
        self._deleted.move_to_end(key)
        while len(self._deleted) > _TOMBSTONES:
            self._deleted.popitem(last=False)


def key_of(raw: Raw) -> Key:
    """Identity of any object of a watched kind."""
    metadata = raw["metadata"]
    return Key(str(raw["kind"]), str(metadata.get("namespace") or ""), str(metadata["name"]))


def controller_of(raw: Raw) -> Raw:
    """The owner reference that controls the object, or an empty map."""
    references = raw["metadata"].get("ownerReferences") or ()
    return next((reference for reference in references if reference.get("controller")), {})


def _owner(raw: Raw) -> set[Key]:
    controller = controller_of(raw)
    ours = str(controller.get("apiVersion", "")).startswith(f"{GROUP}/") and controller.get("kind") in _OUR_KINDS
    return {Key(str(controller["kind"]), key_of(raw).namespace, str(controller["name"]))} if ours else set()


def _is_quiet(pod: Raw) -> bool:
    """One of many that does well: its Job's own status counts it, in one event for all that ended since the last."""
    return (pod.get("status") or {}).get("phase") != "Failed" and pod_problem([pod]) is None


def _labelled_owner(raw: Raw) -> set[Key]:
    labels = raw["metadata"].get("labels") or {}
    kind, name = labels.get(OWNER_KIND_LABEL), labels.get(OWNER_NAME_LABEL)
    return {Key(kind, key_of(raw).namespace, name)} if kind in _OUR_KINDS and name else set()


def _slim(raw: Raw) -> Raw:
    metadata = {field: value for field, value in raw["metadata"].items() if field != "managedFields"}
    return {**raw, "metadata": metadata}


def same_version(one: Raw, other: Raw) -> bool:
    """Both are the same state of an object."""
    return _version(one) == _version(other)


def _version(raw: Raw) -> int:
    return _number(raw["metadata"].get("resourceVersion"))


def _number(version: object) -> int:
    return int(version) if isinstance(version, str) and version.isdigit() else 0
