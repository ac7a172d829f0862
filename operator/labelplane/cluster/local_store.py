"""Resources on a laptop: one JSON file each in a state folder, with uid and generation as an API server keeps them."""

import json
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from labelplane.api.groups import RECONCILE_AT, Key
from labelplane.api.parse import key_of

Resource = dict[str, Any]
AGAIN = "+"  # in a reconcile-at, before how many times a command has found the resource Stalled


class LocalStore:
    """The state folder: `resources/`, `jobs/`, `configmaps/`, `volumes/`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("resources", "jobs", "configmaps", "volumes"):
            (root / name).mkdir(parents=True, exist_ok=True)

    def apply(self, manifest: Mapping[str, Any]) -> Key:
        """Store what the user wants, as `kubectl apply` would: the generation moves when the spec changes. What is Stalled is asked for again."""
        key = key_of(manifest)
        old = self.get(key)
        metadata: Resource = dict(old["metadata"]) if old else {"uid": str(uuid.uuid4()), "generation": 0}
        changed = old is None or old.get("spec") != manifest.get("spec")
        metadata |= {
            "name": key.name,
            "namespace": key.namespace,
            "generation": metadata["generation"] + (1 if changed else 0),
            "annotations": asked(manifest["metadata"].get("annotations") or {}, old),
        }
        status = old["status"] if old else {"observedGeneration": -1}
        self._write(key, {"apiVersion": manifest["apiVersion"], "kind": key.kind, "metadata": metadata, "spec": manifest.get("spec"), "status": status})
        return key

    def get(self, key: Key) -> Resource | None:
        path = self._path(key)
        return json.loads(path.read_text()) if path.exists() else None

    def put_status(self, key: Key, status: Mapping[str, Any]) -> None:
        resource = self.get(key)
        if resource is not None:
            self._write(key, resource | {"status": dict(status)})

    def all(self) -> Iterator[Resource]:
        """Every stored resource, by name."""
        for path in sorted((self.root / "resources").glob("*.json")):
            yield json.loads(path.read_text())

    def _path(self, key: Key) -> Path:
        return self.root / "resources" / f"{key.kind}.{key.namespace}.{key.name}.json"

    def _write(self, key: Key, resource: Resource) -> None:
        path = self._path(key)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(resource, indent=1))
        partial.replace(path)


def asked(annotations: Mapping[str, str], old: Resource | None) -> Resource:
    """The manifest's annotations, with a reconcile-at of their own for what is Stalled: the command is run again because what stood in the way may be mended.

    It stays from then on, or what has become Ready would be asked for once more by its absence.
    """
    given = annotations.get(RECONCILE_AT, "")
    before = (old or {}).get("metadata", {}).get("annotations", {}).get(RECONCILE_AT, given)
    head, _, times = before.rpartition(AGAIN)
    count = int(times) if head == given and times.isdigit() else 0
    conditions = ((old or {}).get("status") or {}).get("conditions") or []
    count += any(one["type"] == "Stalled" and one["status"] == "True" for one in conditions)
    return dict(annotations) | ({RECONCILE_AT: f"{given}{AGAIN}{count}"} if count else {})
