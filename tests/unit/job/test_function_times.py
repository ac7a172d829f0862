"""The log of a large run says what each function costs."""

import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labeljob.contract.datasets import Dataset
from labeljob.logs import Log
from labeljob.model_artifact import VotingSet
from labeljob.steps.evaluate import TIMED_ROWS, vote_batches
from tests.unit.job.builders import context, function_set, pinned

FUNCTIONS = [{"name": "high", "label": "risky", "threshold": {"column": "n", "above": 7}}, {"name": "low", "label": "normal", "threshold": {"column": "n", "below": 3}}]


@pytest.mark.parametrize(("rows", "events"), [(TIMED_ROWS, 1), (TIMED_ROWS - 1, 0)])
def test_a_large_run_times_its_functions_once(tmp_path: Path, rows: int, events: int) -> None:
    """C2: names and microseconds; a small run has better things to do."""
    pq.write_table(pa.table({"id": range(rows), "n": pa.array([1] * rows, pa.int64())}), tmp_path / "rows.parquet")
    _, source = pinned(Dataset(uri="pvc://lake/rows.parquet", format="parquet"), tmp_path)
    declared = function_set([{"name": "id", "type": "int64", "nullable": False}, {"name": "n", "type": "int64"}], FUNCTIONS)
    stream = io.StringIO()
    surroundings = context(tmp_path, log=Log("label", stream), batch_rows=20_000)
    assert sum(len(ids) for ids, _ in vote_batches(source, rows, VotingSet(declared, {}), surroundings, lambda _: None)) == rows
    timed: list[dict[str, Any]] = [one for one in map(json.loads, stream.getvalue().splitlines()) if one["event"] == "functions timed"]
    assert len(timed) == events
    for one in timed:
        assert one["rows"] == 20_000
        assert set(one["us_per_row"]) == {"high", "low"}
        assert min(one["us_per_row"].values()) > 0
