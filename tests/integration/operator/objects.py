"""Small raw objects as the API server would send them."""

from typing import Any

from labelplane.api.groups import API_VERSION, MANAGED_BY, MANAGED_BY_LABEL, OWNER_KIND_LABEL, OWNER_NAME_LABEL, STEP_LABEL

Raw = dict[str, Any]


def resource(kind: str, name: str, version: int = 1, *, namespace: str = "ns", uid: str = "", **spec: Any) -> Raw:
    """A resource of ours."""
    metadata = {"name": name, "namespace": namespace, "uid": uid or f"{kind}-{name}", "resourceVersion": str(version), "generation": 1}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}


def function_set(name: str, version: int = 1) -> Raw:
    return resource("LabelingFunctionSet", name, version)


def model(name: str, set_name: str, version: int = 1) -> Raw:
    return resource("LabelModel", name, version, functionSetRef={"name": set_name})


def label_job(name: str, model_name: str, version: int = 1) -> Raw:
    return resource("LabelJob", name, version, modelRef={"name": model_name})


def job(name: str, owner: Raw, version: int = 1, *, finished: str | None = None) -> Raw:
    """A Job that the resource owns; `finished` is Complete or Failed."""
    metadata = {
        "name": name,
        "namespace": owner["metadata"]["namespace"],
        "uid": f"job-{name}",
        "resourceVersion": str(version),
        "labels": our_labels(owner),
        "ownerReferences": [owner_reference(owner)],
    }
    conditions = [{"type": finished, "status": "True"}] if finished else []
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "status": {"conditions": conditions}}


def pod(name: str, of: Raw, version: int = 1) -> Raw:
    """A pod of the Job."""
    reference = {"apiVersion": "batch/v1", "kind": "Job", "name": of["metadata"]["name"], "uid": of["metadata"]["uid"], "controller": True}
    metadata = {
        "name": name,
        "namespace": of["metadata"]["namespace"],
        "uid": f"pod-{name}",
        "resourceVersion": str(version),
        "labels": of["metadata"]["labels"],
        "ownerReferences": [reference],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": {"phase": "Running"}}


def our_labels(owner: Raw) -> dict[str, str]:
    return {
        MANAGED_BY_LABEL: MANAGED_BY,
        OWNER_KIND_LABEL: owner["kind"],
        OWNER_NAME_LABEL: owner["metadata"]["name"],
        STEP_LABEL: "check",
    }


def owner_reference(owner: Raw) -> Raw:
    metadata = owner["metadata"]
    return {"apiVersion": API_VERSION, "kind": owner["kind"], "name": metadata["name"], "uid": metadata["uid"], "controller": True}
