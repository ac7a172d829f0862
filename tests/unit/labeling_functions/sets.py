"""Function sets for these tests, with as little around the functions as possible."""

from typing import Any

import pyarrow as pa

from labeljob.contract.function_set import FunctionSet
from labeljob.labeling_functions.engine import CompiledFunctions, compile_functions
from labeljob.labeling_functions.identity import LookupData

COLUMNS: list[dict[str, Any]] = [
    {"name": "id", "type": "int64", "nullable": False},
    {"name": "message", "type": "string"},
    {"name": "count", "type": "int64"},
    {"name": "score", "type": "float64"},
    {"name": "flag", "type": "boolean"},
    {"name": "seen", "type": "timestamp"},
    {"name": "mail", "type": "string", "sensitive": "drop"},
    {"name": "resolved", "type": "timestamp", "availability": "later"},
]
ARROW = {
    "id": pa.int64(),
    "message": pa.string(),
    "count": pa.int64(),
    "score": pa.float64(),
    "flag": pa.bool_(),
    "seen": pa.timestamp("us"),
}
CLASSES = ["normal", "risky"]
ERROR = "error"


def a_set(*functions: dict[str, Any], columns: list[dict[str, Any]] | None = None, id_column: str = "id", **more: Any) -> FunctionSet:
    named = [{"name": f"f{index}", **function} for index, function in enumerate(functions)]
    schema = {"columns": COLUMNS if columns is None else columns}
    classes = more.pop("classes", CLASSES)
    return FunctionSet.model_validate({"classes": classes, "idColumn": id_column, "schema": schema, "functions": named, **more})


def risky(**kind: Any) -> dict[str, Any]:
    return {"label": "risky", **kind}


def a_lookup(column: str = "message") -> dict[str, Any]:
    table = {"uri": "configmap://tables/t.csv", "format": "csv"}
    return {"lookup": {"column": column, "table": table, "keyColumn": "key", "labelColumn": "verdict"}}


def rows(**columns: list[Any]) -> pa.Table:
    """The named columns with their declared types; the others are null."""
    n_rows = len(next(iter(columns.values())))
    return pa.table({name: pa.array(columns.get(name, [None] * n_rows), arrow_type) for name, arrow_type in ARROW.items()})


def compiled(*functions: dict[str, Any], lookups: dict[str, LookupData] | None = None, **more: Any) -> CompiledFunctions:
    return compile_functions(a_set(*functions), lookups or {}, **more)


def said(function: dict[str, Any], **columns: list[Any]) -> list[str | None]:
    """What one function says of each row: a class, None for an abstain, or ERROR."""
    with compiled(function) as functions:
        batch = functions.apply(rows(**columns))
    names = [*CLASSES, None]
    return [ERROR if error else names[vote] for vote, error in zip(batch.votes[:, 0], batch.errors[:, 0], strict=True)]
