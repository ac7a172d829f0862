"""Files in order of id become one stream in that order, in little memory (X8, X16)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeljob.io import sorted_merge
from labeljob.io.sorted_merge import chains_of, fan_in_of, merged

ids = st.one_of(st.lists(st.lists(st.integers(-50, 50), max_size=40), max_size=7), st.lists(st.lists(st.text(max_size=3), max_size=20), max_size=7))


@dataclass(frozen=True)
class Span:
    first: Any
    last: Any


def written(folder: Path, parts: Sequence[Sequence[Any]], kind: pa.DataType, group_rows: int = 3) -> list[list[Path]]:
    """One file for each part, its rows in order of id."""
    paths = []
    for number, part in enumerate(parts):
        values = sorted(part, key=lambda value: value.encode() if isinstance(value, str) else value)
        path = folder / f"{number}.parquet"
        columns = {"id": pa.array(values, kind), "of": pa.array([number] * len(values), pa.int64()), "more": [[number]] * len(values)}
        pq.write_table(pa.table(columns), path, row_group_size=group_rows)
        paths.append([path])
    return paths


@settings(max_examples=60, deadline=None)
@given(ids, st.integers(1, 5), st.sampled_from([1, 1 << 22, 1 << 30]))
def test_the_stream_is_all_rows_in_order(tmp_path_factory: pytest.TempPathFactory, parts: list[list[Any]], batch_rows: int, memory: int) -> None:
    """X16: for text and numbers, ids that repeat within a file and across files, empty files, and more files than may be open at a time."""
    folder = tmp_path_factory.mktemp("merge")
    kind = pa.string() if any(isinstance(one, str) for part in parts for one in part) else pa.int64()
    found = [row for batch in merged(written(folder, parts, kind), ["id", "of", "more"], batch_rows, memory) for row in batch.to_pylist()]
    key = lambda value: value.encode() if isinstance(value, str) else value  # noqa: E731
    assert [row["id"] for row in found] == sorted((one for part in parts for one in part), key=key)
    assert sorted((key(row["id"]), row["of"]) for row in found) == sorted((key(one), number) for number, part in enumerate(parts) for one in part)
    assert all(row["more"] == [row["of"]] for row in found)


def test_more_files_than_memory_are_merged_in_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """X8: forty files, eight at a time; no more are ever open."""
    monkeypatch.setattr(sorted_merge, "LEAST_ROWS", 4)
    rows = np.random.default_rng(0).permutation(4000)
    paths = written(tmp_path, np.split(rows, 40), pa.int64(), group_rows=50)
    memory = 8 * 3 * sorted_merge.COLUMN_BYTES
    assert fan_in_of(3, memory) == 8
    found = pa.Table.from_batches(merged(paths, ["id", "of", "more"], 64, memory))
    assert found["id"].to_pylist() == list(range(4000))


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20)), max_size=25))
def test_chains_do_not_overlap_and_are_few(spans: list[tuple[int, int]]) -> None:
    """As many chains as files that hold the same value, at the most."""
    files = [Span(first, first + length) for first, length in spans]
    chains = chains_of(files)
    assert sorted((one.first, one.last) for chain in chains for one in chain) == sorted((one.first, one.last) for one in files)
    assert all(a.last < b.first for chain in chains for a, b in pairwise(chain))
    deepest = max((sum(one.first <= at <= one.last for one in files) for at in range(81)), default=0)
    assert len(chains) == deepest
