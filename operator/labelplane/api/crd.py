"""The three CustomResourceDefinitions, generated from the models."""

from typing import Any

from pydantic import BaseModel

from labelplane.api.function_set import FunctionSetSpec, FunctionSetStatus
from labelplane.api.groups import FUNCTION_SET, GROUP, LABEL_JOB, LABEL_MODEL, VERSION, Kind
from labelplane.api.label_job import LabelJobSpec, LabelJobStatus
from labelplane.api.label_model import LabelModelSpec, LabelModelStatus
from labelplane.api.structural_schema import structural_schema
from labelplane.api.validation_rules import NAME_RULE

Manifest = dict[str, Any]

_READY = '.status.conditions[?(@.type=="Ready")].status'
_REASON = '.status.conditions[?(@.type=="Ready")].reason'
_AGE = ("Age", "date", ".metadata.creationTimestamp", 0)

COLUMNS: dict[str, tuple[tuple[str, str, str, int], ...]] = {
    FUNCTION_SET.kind: (
        ("Functions", "integer", ".status.functionCount", 0),
        ("Ready", "string", _READY, 0),
        ("Reason", "string", _REASON, 0),
        _AGE,
        ("Digest", "string", ".status.digest", 1),
    ),
    LABEL_MODEL.kind: (
        ("Version", "integer", ".status.current.version", 0),
        ("Algorithm", "string", ".status.current.algorithm", 0),
        ("Coverage", "number", ".status.current.metrics.coverage", 0),
        ("Conflict", "number", ".status.current.metrics.conflictRate", 0),
        ("Shards", "string", ".status.progress.completed", 0),
        ("Ready", "string", _READY, 0),
        ("Reason", "string", _REASON, 0),
        _AGE,
        ("Digest", "string", ".status.current.digest", 1),
        ("Functions", "string", ".status.current.functionSet.digest", 1),
        ("Data", "string", ".status.current.trainingData.digest", 1),
    ),
    LABEL_JOB.kind: (
        ("Model", "integer", ".status.run.model.version", 0),
        ("Input", "string", ".status.run.input.version", 0),
        ("Output", "integer", ".status.run.output.version", 0),
        ("Rows", "integer", ".status.metrics.rows", 0),
        ("Coverage", "number", ".status.metrics.coverage", 0),
        ("Conflict", "number", ".status.metrics.conflictRate", 0),
        ("Shards", "string", ".status.progress.completed", 0),
        ("Ready", "string", _READY, 0),
        ("Reason", "string", _REASON, 0),
        _AGE,
        ("Run", "string", ".status.run.digest", 1),
        ("Data", "string", ".status.run.input.digest", 1),
        ("Content", "string", ".status.run.output.contentDigest", 1),
    ),
}
MODELS: tuple[tuple[Kind, type[BaseModel], type[BaseModel]], ...] = (
    (FUNCTION_SET, FunctionSetSpec, FunctionSetStatus),
    (LABEL_MODEL, LabelModelSpec, LabelModelStatus),
    (LABEL_JOB, LabelJobSpec, LabelJobStatus),
)


def crd_manifests() -> list[Manifest]:
    """The CRDs in the order in which a user meets them."""
    return [_crd(kind, spec, status) for kind, spec, status in MODELS]


def _crd(kind: Kind, spec: type[BaseModel], status: type[BaseModel]) -> Manifest:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind.kind,
                "listKind": f"{kind.kind}List",
                "plural": kind.plural,
                "singular": kind.singular,
                "shortNames": [kind.short],
                "categories": ["labelplane"],
            },
            "versions": [_version(kind, spec, status)],
        },
    }


def _version(kind: Kind, spec: type[BaseModel], status: type[BaseModel]) -> Manifest:
    return {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [_column(*column) for column in COLUMNS[kind.kind]],
        "schema": {
            "openAPIV3Schema": {
                "type": "object",
                "description": (spec.__doc__ or "").strip(),
                "required": ["spec"],
                "properties": {
                    "apiVersion": {"type": "string"},
                    "kind": {"type": "string"},
                    "metadata": {"type": "object"},
                    "spec": structural_schema(spec),
                    "status": structural_schema(status) | {"default": {"observedGeneration": -1}},
                },
                "x-kubernetes-validations": [NAME_RULE],
            }
        },
    }


def _column(name: str, kind: str, path: str, priority: int) -> Manifest:
    column: Manifest = {"name": name, "type": kind, "jsonPath": path}
    return column | {"priority": priority} if priority else column
