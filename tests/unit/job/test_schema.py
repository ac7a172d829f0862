"""F3, X5: the contract is checked on every row before anything else; violations name column and count, never a value."""

import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from labeljob.contract.function_set import FunctionSet
from labeljob.contract.reasons import JobReason
from labeljob.privacy import inputs, readable
from labeljob.schema import REMEDY, check_contract
from tests.unit.job.builders import RESOURCES, delta, fails, function_set, jsonl, pinned, text


def check(folder: Path, table: pa.Table, declared: FunctionSet, batch_rows: int = 2) -> int:
    _, source = pinned(delta(folder, "data", table), folder)
    return check_contract(source, declared, RESOURCES, lambda rows: None, batch_rows)


IDS = ["a", "b", "c", "d", "e"]
VIOLATIONS: list[tuple[dict[str, Any], pa.Array, str]] = [
    ({"type": "int64", "minimum": 0}, pa.array([1, -1, None, -2, 0]), r"columns\[x\]: 2 values below minimum 0"),
    ({"type": "float64", "maximum": 1.5}, pa.array([1.5, 1.6, None, float("nan"), 9]), r"columns\[x\]: 2 values above maximum 1.5"),
    ({"type": "string", "nullable": False}, pa.array(["u", None, None, "v", ""]), r"columns\[x\]: 2 nulls, declared nullable: false"),
    ({"type": "int64"}, pa.array(["1", "2", "3", "4", "5"]), r"columns\[x\]: has type .*, declared int64"),
    ({"type": "int64"}, pa.array([1.0, 2, 3, 4, 5]), r"columns\[x\]: has type .*, declared int64"),
    ({"type": "boolean"}, pa.array([1, 0, 1, 0, 1]), r"columns\[x\]: has type .*, declared boolean"),
    ({"type": "timestamp"}, pa.array(["2026-01-01"] * 5), r"columns\[x\]: has type .*, declared timestamp"),
    ({"type": "string"}, pa.array([[1]] * 5), r"columns\[x\]: has type .*, declared string"),
    ({"type": "float64"}, pa.array([1, 2**53 + 1, 3, 4, 5]), r"columns\[x\]: 1 values that are not float64"),
]


@pytest.mark.parametrize(("declared", "values", "match"), VIOLATIONS)
def test_each_violation_names_column_and_count(tmp_path: Path, declared: dict[str, Any], values: pa.Array, match: str) -> None:
    """F3."""
    with fails(JobReason.SCHEMA_BROKEN, match):
        check(tmp_path, pa.table({"id": IDS, "x": values}), function_set([{"name": "x", **declared}]))


def test_all_violations_are_collected(tmp_path: Path) -> None:
    """F3: one look shows everything, in declared order, and without a value of the data."""
    table = pa.table({"id": ["a", "a", None, "d", "secret"], "n": [-7, 1, None, 4, 5], "t": [1, 2, 3, 4, 5], "more": ["secret"] * 5})
    declared = function_set(
        [{"name": "gone", "type": "string"}, {"name": "n", "type": "int64", "minimum": 0, "nullable": False}, {"name": "t", "type": "string"}],
        additionalColumns="refuse",
    )
    with fails(JobReason.SCHEMA_BROKEN, "") as caught:
        check(tmp_path, table, declared)
    message = caught.value.message
    assert message.removesuffix(REMEDY).split("; ") == [
        "spec.schema.columns[gone]: the column is missing",
        "spec.schema.columns[t]: has type int64, declared string",
        "spec.schema.additionalColumns: column more is not declared",
        "spec.schema.columns[id]: 1 null ids",
        "spec.schema.columns[id]: 1 duplicate ids",
        "spec.schema.columns[n]: 1 values below minimum 0",
        "spec.schema.columns[n]: 1 nulls, declared nullable: false",
    ]
    assert message.endswith(REMEDY)
    assert "secret" not in message


def test_duplicates_are_found_across_batches(tmp_path: Path) -> None:
    """F3: ids are unique in the whole dataset."""
    ids = [f"r{i}" for i in range(500)] * 2
    with fails(JobReason.SCHEMA_BROKEN, r"columns\[id\]: 500 duplicate ids"):
        check(tmp_path, pa.table({"id": ids}), function_set([]), batch_rows=64)


def test_good_data_passes_and_is_counted(tmp_path: Path) -> None:
    """F3: NaN is within any bounds; a column known only later may be absent; further columns are allowed unless refused."""
    declared = function_set(
        [
            {"name": "x", "type": "float64", "minimum": 0, "maximum": 2},
            {"name": "at", "type": "timestamp", "availability": "later"},
            {"name": "email", "type": "string", "sensitive": "drop", "nullable": False},
        ]
    )
    table = pa.table({"id": IDS, "x": [0, 2, None, float("nan"), 1], "more": IDS})
    assert check(tmp_path, table, declared) == 5


def test_a_sensitive_column_is_not_even_looked_at(tmp_path: Path) -> None:
    """F5: neither its values nor its type are read, so nothing of it can be said."""
    declared = function_set([{"name": "email", "type": "int64", "sensitive": "drop", "nullable": False}], additionalColumns="refuse")
    assert readable(declared) == {"id": "string"}
    assert check(tmp_path, pa.table({"id": IDS, "email": ["x@y", None, "z", "u", "v"]}), declared) == 5


@pytest.mark.parametrize(
    ("column", "match"),
    [
        ({"name": "x", "type": "string", "sensitive": "drop"}, "is sensitive"),
        ({"name": "x", "type": "string", "availability": "later"}, "known only afterwards"),
        ({"name": "y", "type": "string"}, "not declared"),
    ],
)
def test_functions_cannot_be_given_what_they_may_not_read(column: dict[str, Any], match: str) -> None:
    """F5, X24."""
    with fails(JobReason.FUNCTIONS_INVALID, match):
        inputs(function_set([column]), ["x"])


@pytest.mark.parametrize("id_column", [{"name": "id", "type": "float64"}, {"name": "id", "type": "string", "sensitive": "drop"}])
def test_the_id_column_must_be_able_to_identify(id_column: dict[str, Any]) -> None:
    """F3."""
    with fails(JobReason.FUNCTIONS_INVALID, "idColumn"):
        inputs(function_set([id_column]), [])


def test_text_formats_are_held_to_the_declared_types(tmp_path: Path) -> None:
    """F3: values that do not parse are counted by column; they are not counted as nulls as well."""
    declared = function_set([{"name": "n", "type": "int64", "nullable": False}, {"name": "x", "type": "float64"}])
    _, source = pinned(text(tmp_path, "data.csv", "id,n,x\na,1,1\nb,secret,2\nc,,x\nd,1.5,\n"), tmp_path)
    with fails(JobReason.SCHEMA_BROKEN, "") as caught:
        check_contract(source, declared, RESOURCES, lambda rows: None)
    assert caught.value.message.removesuffix(REMEDY).split("; ") == [
        "spec.schema.columns[n]: 2 values that are not int64",
        "spec.schema.columns[n]: 1 nulls, declared nullable: false",
        "spec.schema.columns[x]: 1 values that are not float64",
    ]


def test_int64_ids_and_empty_files(tmp_path: Path) -> None:
    """F3: whole numbers identify too; JSON Lines without a line have no rows and break nothing."""
    declared = function_set([{"name": "id", "type": "int64"}])
    _, source = pinned(jsonl(tmp_path, "data.jsonl", [{"id": 1}, {"id": 1}, {}]), tmp_path)
    with fails(JobReason.SCHEMA_BROKEN, "1 null ids; .*1 duplicate ids"):
        check_contract(source, declared, RESOURCES, lambda rows: None)
    _, nothing = pinned(text(tmp_path, "none.jsonl", ""), tmp_path)
    assert check_contract(nothing, declared, RESOURCES, io.StringIO().truncate) == 0
