"""A small, generated dataset of rollout events, and the three manifests that label it in a real cluster."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from devcluster.volumes import JOB_USER
from tests.manifests import Manifest

MESSAGES = ("Back-off: CrashLoopBackOff", "Readiness probe failed: timeout", "Pulled image", "Started container", None)


def events(rows: int, *, seed: int = 0) -> pa.Table:
    """`rows` events; a risky one tends to have a telling message, restarts, and many rollouts per hour."""
    random = np.random.default_rng(seed)
    risky = random.random(rows) < 0.3
    told = random.random(rows) < 0.8
    message = np.where(risky & told, random.integers(0, 2, rows), random.integers(2, 5, rows))
    frame = pd.DataFrame(
        {
            "event_id": [f"e{seed}-{index:08d}" for index in range(rows)],
            "message": [MESSAGES[index] for index in message],
            "restarts": np.where(risky, random.integers(1, 9, rows), random.integers(0, 2, rows)),
            "rollouts_per_hour": np.where(risky, random.gamma(4, 2, rows), random.gamma(1, 2, rows)),
            "user_email": [f"person{index}@example.com" for index in range(rows)],
            "gold": np.where(risky, "risky", "normal"),
        }
    )
    return pa.Table.from_pandas(frame, preserve_index=False)


def write_events(folder: Path, rows: int, *, seed: int = 0, table: str = "events") -> int:
    """Write a version of a Delta table of events below a volume's folder, readable by job pods. Returns its version."""
    write_deltalake(str(folder / table), events(rows, seed=seed).drop_columns(["gold"]), mode="overwrite")
    hand_over(folder / table)
    return int(DeltaTable(str(folder / table)).version())


def hand_over(folder: Path) -> None:
    """Give all below a folder to the user of job pods."""
    import os

    for path in (folder, *folder.rglob("*")):
        os.chown(path, JOB_USER, JOB_USER)


def function_set(namespace: str, **spec: Any) -> Manifest:
    functions = [
        {"name": "crashloop", "label": "risky", "owner": "sre", "keywords": {"column": "message", "any": ["CrashLoopBackOff"]}},
        {"name": "readiness", "label": "risky", "owner": "sre", "regex": {"column": "message", "pattern": "(?i)readiness probe failed"}},
        {"name": "velocity", "label": "risky", "owner": "release", "threshold": {"column": "rollouts_per_hour", "above": 6}},
        {"name": "restarting", "label": "risky", "owner": "sre", "threshold": {"column": "restarts", "atLeast": 2}},
        {"name": "calm", "label": "normal", "owner": "release", "sql": "restarts <= 1 AND rollouts_per_hour < 4"},
        {"name": "started", "label": "normal", "owner": "sre", "keywords": {"column": "message", "any": ["Started", "Pulled"]}},
    ]
    columns = [
        {"name": "event_id", "type": "string", "nullable": False},
        {"name": "message", "type": "string"},
        {"name": "restarts", "type": "int64", "minimum": 0},
        {"name": "rollouts_per_hour", "type": "float64"},
        {"name": "user_email", "type": "string", "sensitive": "drop"},
    ]
    base = {
        "classes": ["normal", "risky"],
        "idColumn": "event_id",
        "schema": {"columns": columns},
        "functions": functions,
        "tests": [{"row": {"message": "Back-off: CrashLoopBackOff"}, "expect": {"crashloop": "risky", "calm": "abstain"}}],
    }
    return _manifest("LabelingFunctionSet", namespace, base | spec)


def label_model(namespace: str, **spec: Any) -> Manifest:
    base = {
        "functionSetRef": {"name": "rollouts"},
        "trainingData": {"uri": "pvc://lake/events", "format": "delta", "version": "latest"},
        "artifacts": {"uri": "pvc://lake/models/rollouts"},
    }
    return _manifest("LabelModel", namespace, base | spec)


def label_job(namespace: str, name: str = "rollouts", **spec: Any) -> Manifest:
    base = {
        "modelRef": {"name": "rollouts"},
        "input": {"uri": "pvc://lake/events", "format": "delta", "version": "latest"},
        "output": {"uri": "pvc://lake/labels", "format": "delta"},
        "objectives": {"coverage": 0.5, "conflictRate": 0.5},
    }
    manifest = _manifest("LabelJob", namespace, base | spec)
    manifest["metadata"]["name"] = name
    return manifest


def three(namespace: str) -> tuple[Manifest, Manifest, Manifest]:
    """The whole pipeline."""
    return function_set(namespace), label_model(namespace), label_job(namespace)


def labels(folder: Path) -> DeltaTable:
    """The table of labels below a volume's folder."""
    return DeltaTable(str(folder / "labels"))


def exactly_once(table: DeltaTable, rows: int) -> None:
    """Every row is labelled once."""
    ids = table.to_pandas(columns=["event_id"])["event_id"]
    assert len(ids) == rows
    assert ids.is_unique


def _manifest(kind: str, namespace: str, spec: Manifest) -> Manifest:
    return {"apiVersion": "labelplane.dev/v1alpha1", "kind": kind, "metadata": {"name": "rollouts", "namespace": namespace}, "spec": spec}
