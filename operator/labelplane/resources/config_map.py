"""The ConfigMap that hands a job its configuration."""

import hashlib
from collections.abc import Mapping
from typing import Any

from labeljob.contract.digests import canonical_json
from labelplane.api.groups import MANAGED_BY, MANAGED_BY_LABEL, OWNER_KIND_LABEL, OWNER_NAME_LABEL, STEP_LABEL
from labelplane.plan.actions import JobIntent
from labelplane.resources.mounts import CONFIG_FILE, config_with_mounts


def config_text(intent: JobIntent) -> str:
    """The configuration as the job reads it."""
    return canonical_json(config_with_mounts(intent).wire()).decode()


def config_digest(intent: JobIntent) -> str:
    """SHA-256 of the configuration; the job refuses any other."""
    return hashlib.sha256(config_text(intent).encode()).hexdigest()


def config_map_manifest(intent: JobIntent, resource: Mapping[str, Any]) -> dict[str, Any]:
    """An immutable ConfigMap of the Job's name, owned by the resource."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": child_metadata(intent, resource),
        "immutable": True,
        "data": {CONFIG_FILE: config_text(intent)},
    }


def child_metadata(intent: JobIntent, resource: Mapping[str, Any]) -> dict[str, Any]:
    """Name, owner and our own labels; nothing is copied from the user's labels or annotations."""
    metadata = resource["metadata"]
    owner = {"apiVersion": resource["apiVersion"], "kind": resource["kind"], "name": metadata["name"], "uid": metadata["uid"]}
    return {
        "name": intent.name,
        "namespace": metadata["namespace"],
        "labels": {
            MANAGED_BY_LABEL: MANAGED_BY,
            OWNER_KIND_LABEL: resource["kind"],
            OWNER_NAME_LABEL: metadata["name"],
            STEP_LABEL: intent.config.step,
        },
        "ownerReferences": [owner | {"controller": True, "blockOwnerDeletion": True}],
    }
