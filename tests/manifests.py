"""Valid manifests to start from. `changed(manifest, "spec.functions[0].label", "x")` gives a changed copy."""

import copy
import re
from typing import Any

Manifest = dict[str, Any]
REMOVE = object()


def function_set(name: str = "rollout-risk", namespace: str = "default") -> Manifest:
    """A set with one function of every kind."""
    return {
        "apiVersion": "labelplane.dev/v1alpha1",
        "kind": "LabelingFunctionSet",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "classes": ["normal", "risky"],
            "idColumn": "event_id",
            "schema": {
                "additionalColumns": "allow",
                "columns": [
                    {"name": "event_id", "type": "string", "nullable": False},
                    {"name": "message", "type": "string"},
                    {"name": "image", "type": "string"},
                    {"name": "restarts", "type": "int64", "minimum": 0},
                    {"name": "rollouts_per_hour", "type": "float64"},
                    {"name": "teacher_risk", "type": "float64"},
                    {"name": "user_email", "type": "string", "sensitive": "drop"},
                    {"name": "resolved_at", "type": "timestamp", "availability": "later"},
                ],
            },
            "functions": [
                {"name": "crashloop_tag", "label": "risky", "keywords": {"column": "message", "any": ["CrashLoopBackOff", "OOMKilled"]}},
                {"name": "readiness_failure", "label": "risky", "regex": {"column": "message", "pattern": "(?i)readiness probe failed"}},
                {"name": "velocity_high", "label": "risky", "threshold": {"column": "rollouts_per_hour", "above": 6}},
                {"name": "quiet", "label": "normal", "sql": "restarts = 0 AND message IS NULL"},
                {
                    "name": "trusted_image",
                    "lookup": {
                        "column": "image",
                        "table": {"uri": "configmap://trusted/images.csv", "format": "csv"},
                        "keyColumn": "image",
                        "labelColumn": "verdict",
                    },
                },
                {"name": "old_model", "votes": {"column": "teacher_risk", "above": {"risky": 0.8}, "below": {"normal": 0.2}}},
                {"name": "catch_all", "label": "normal", "sql": "true", "fallback": True, "accuracy": 0.6},
            ],
            "tests": [{"row": {"message": "Back-off: CrashLoopBackOff"}, "expect": {"crashloop_tag": "risky", "quiet": "abstain"}}],
            "limits": {"maxErrorRate": 0.01},
        },
    }


def label_model(name: str = "rollout-risk", namespace: str = "default") -> Manifest:
    """A model of `function_set()`."""
    return {
        "apiVersion": "labelplane.dev/v1alpha1",
        "kind": "LabelModel",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "functionSetRef": {"name": "rollout-risk"},
            "trainingData": {"uri": "pvc://lake/events", "format": "delta", "version": "latest"},
            "goldData": {"uri": "configmap://gold/gold.csv", "format": "csv", "labelColumn": "gold"},
            "artifacts": {"uri": "pvc://lake/models/rollout-risk"},
            "algorithm": "auto",
            "calibration": "auto",
            "parameters": {"seed": 0, "maxIterations": 100, "tolerance": 0.000001, "classBalance": "auto"},
        },
    }


def label_job(name: str = "rollout-risk", namespace: str = "default") -> Manifest:
    """A job of `label_model()`."""
    return {
        "apiVersion": "labelplane.dev/v1alpha1",
        "kind": "LabelJob",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "modelRef": {"name": "rollout-risk"},
            "input": {"uri": "pvc://lake/events", "format": "delta", "version": "latest"},
            "output": {"uri": "pvc://lake/labels/rollout-risk", "format": "delta"},
            "mode": "once",
            "onModelChange": "relabel",
            "objectives": {"coverage": 0.9, "conflictRate": 0.1},
            "suspend": False,
            "runTTL": "168h",
            "activeDeadline": "2h",
        },
    }


def changed(manifest: Manifest, path: str, value: Any) -> Manifest:
    """A copy with the value at `path` replaced (or removed with REMOVE); missing parents are made."""
    result = copy.deepcopy(manifest)
    keys = [int(index) if index else name for name, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", path)]
    parent: Any = result
    for key in keys[:-1]:
        if isinstance(parent, dict) and key not in parent:
            parent[key] = {}
        parent = parent[key]
    if value is REMOVE:
        del parent[keys[-1]]
    elif isinstance(parent, list) and keys[-1] == len(parent):
        parent.append(value)
    else:
        parent[keys[-1]] = value
    return result
