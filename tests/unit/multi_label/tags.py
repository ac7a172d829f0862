"""Generated rows with several classes or none, and rules, choosers and a teacher that speak of them."""

from typing import Any

import numpy as np
import pyarrow as pa

from labeljob.contract.function_set import FunctionSet
from labeljob.labeling_functions.engine import compile_functions
from labeljob.multi_label.fitting import Reduced
from labeljob.votes import VoteBatch

CLASSES = ["bug", "feature", "question"]
PREVALENCE = np.array([0.35, 0.2, 0.3])


def columns(kinds: dict[str, str]) -> list[dict[str, Any]]:
    return [{"name": "id", "type": "int64", "nullable": False}, *({"name": name, "type": kind} for name, kind in kinds.items())]


def tag_set(functions: list[dict[str, Any]], kinds: dict[str, str], classes: list[str] = CLASSES, **more: Any) -> FunctionSet:
    """A multi-label set; functions without a name are f0, f1, ..."""
    named = [{"name": f"f{index}", **function} for index, function in enumerate(functions)]
    spec = {"classes": classes, "multiLabel": True, "idColumn": "id", "schema": {"columns": columns(kinds)}, "functions": named}
    return FunctionSet.model_validate(spec | more)


def rules(each: int = 3, classes: list[str] = CLASSES) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """(functions, types of their columns): `each` rules a class, each true where its column is."""
    names = [(name, f"{name}_{i}") for name in classes for i in range(each)]
    return [{"name": column, "label": name, "sql": column} for name, column in names], {column: "boolean" for _, column in names}


def truth_of(rows: int, seed: int) -> np.ndarray:
    """Which classes each row has, bool [n_rows, 3], each by itself."""
    return np.random.default_rng(seed).random((rows, len(CLASSES))) < PREVALENCE


def fired(truth: np.ndarray, each: int, seed: int) -> dict[str, np.ndarray]:
    """Columns of `rules`: each finds U(.2, .6) of the rows with its class, and fires on U(0, .03) of the others."""
    rng = np.random.default_rng(seed)
    found = {}
    for k, name in enumerate(CLASSES):
        for i in range(each):
            rates = np.where(truth[:, k], rng.uniform(0.2, 0.6), rng.uniform(0.0, 0.03))
            found[f"{name}_{i}"] = rng.random(len(truth)) < rates
    return found


def voted(function_set: FunctionSet, values: dict[str, Any], lookups: dict[str, Any] | None = None) -> VoteBatch:
    """The votes on rows with these columns; those that are not given are null."""
    arrow = {"string": pa.string(), "int64": pa.int64(), "float64": pa.float64(), "boolean": pa.bool_()}
    rows = len(next(iter(values.values())))
    table = pa.table(
        {column.name: pa.array(values.get(column.name, range(rows) if column.name == "id" else [None] * rows), arrow[column.type]) for column in function_set.schema_.columns}
    )
    with compile_functions(function_set, lookups or {}) as functions:
        return functions.apply(table, error_allowance=rows)


def all_rows(batch: VoteBatch) -> Reduced:
    """Every row as its own pattern."""
    return Reduced(batch.votes, batch.levels, np.ones(len(batch.votes), dtype=np.int64))


def log_loss(p: np.ndarray, truth: np.ndarray) -> float:
    """Mean over rows and classes, in nats."""
    p = np.clip(p, 1e-12, 1 - 1e-12)
    return float(-np.where(truth, np.log(p), np.log(1 - p)).mean())
