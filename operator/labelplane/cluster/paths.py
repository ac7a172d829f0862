"""Addresses of the API server's collections: what we watch, and what we write."""

from dataclasses import dataclass

from labelplane.api.groups import FUNCTION_SET, GROUP, LABEL_JOB, LABEL_MODEL, MANAGED_BY, MANAGED_BY_LABEL, VERSION


@dataclass(frozen=True)
class Collection:
    """One kind of object; `selector` keeps everybody else's objects out of our lists and watches."""

    kind: str
    group: str
    version: str
    plural: str
    selector: str | None = None

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """Path of the collection (of the whole cluster without a namespace), of an object, or of its subresource."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        parts = [root, *(("namespaces", namespace) if namespace else ()), self.plural]
        return "/".join([*parts, *(part for part in (name, subresource) if part)])

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


_OURS = f"{MANAGED_BY_LABEL}={MANAGED_BY}"

FUNCTION_SETS = Collection(FUNCTION_SET.kind, GROUP, VERSION, FUNCTION_SET.plural)
LABEL_MODELS = Collection(LABEL_MODEL.kind, GROUP, VERSION, LABEL_MODEL.plural)
LABEL_JOBS = Collection(LABEL_JOB.kind, GROUP, VERSION, LABEL_JOB.plural)
JOBS = Collection("Job", "batch", "v1", "jobs", _OURS)
PODS = Collection("Pod", "", "v1", "pods", _OURS)
CONFIG_MAPS = Collection("ConfigMap", "", "v1", "configmaps")
CLAIMS = Collection("PersistentVolumeClaim", "", "v1", "persistentvolumeclaims")
EVENTS = Collection("Event", "", "v1", "events")

OUR_KINDS = (FUNCTION_SETS, LABEL_MODELS, LABEL_JOBS)
WATCHED = (*OUR_KINDS, JOBS, PODS)
BY_KIND = {collection.kind: collection for collection in WATCHED}


@dataclass(frozen=True)
class WatchedPath:
    """One list and one watch: a collection in one namespace, or in the whole cluster."""

    collection: Collection
    namespace: str | None

    @property
    def path(self) -> str:
        return self.collection.path(self.namespace)

    def __str__(self) -> str:
        return f"{self.collection.plural} in {self.namespace or 'the cluster'}"


def watched_paths(namespaces: tuple[str, ...]) -> tuple[WatchedPath, ...]:
    """Every list and watch that serves these namespaces; none means the whole cluster."""
    return tuple(WatchedPath(collection, namespace) for namespace in namespaces or (None,) for collection in WATCHED)
