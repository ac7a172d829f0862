"""A sample of rows is the same in any order and any number of parts, and holds no text of the data."""

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from labeljob.drift.bins import bins_of
from labeljob.drift.sample import MOST_ROWS, RowSample
from labeljob.row_ids import keys_of
from tests.unit.job.builders import function_set

SET = function_set(
    [
        {"name": "text", "type": "string"},
        {"name": "number", "type": "float64"},
        {"name": "flag", "type": "boolean"},
        {"name": "secret", "type": "string", "sensitive": "drop"},
        {"name": "later", "type": "int64", "availability": "later"},
        {"name": "at", "type": "timestamp"},
    ]
)


def added(sample: RowSample, batch: pa.RecordBatch) -> RowSample:
    sample.add(batch, keys_of(batch.column("id")))
    return sample


def rows(count: int, seed: int = 0) -> pa.RecordBatch:
    rng = np.random.default_rng(seed)
    texts = [None if one % 7 == 0 else f"text {one % 60}" for one in rng.integers(0, 1000, count)]
    return pa.RecordBatch.from_pydict(
        {
            "id": [f"row-{place}" for place in range(count)],
            "text": pa.array(texts, pa.string()),
            "number": rng.normal(size=count),
            "flag": pa.array([None if one == 2 else bool(one) for one in rng.integers(0, 3, count)], pa.bool_()),
            "later": rng.integers(0, 5, count),
        }
    )


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(8)), st.integers(1, 8), st.integers(10, 400))
def test_order_and_parts_do_not_matter(order: list[int], first: int, most: int) -> None:
    batch = rows(600)
    pieces = [batch.slice(place * 75, 75) for place in order]
    whole = RowSample(SET, most)
    added(whole, batch)
    parts = [RowSample(SET, most), RowSample(SET, most)]
    for part in parts:
        part.expect(600)
    for place, piece in enumerate(pieces):
        added(parts[place >= first], piece)
    parts[0].merge(parts[1])
    assert parts[0].table().equals(whole.table())
    assert 0 < whole.table().num_rows <= most
    again = RowSample.from_text(SET, whole.to_text())
    assert again.table().equals(whole.table())


def test_a_sample_is_bounded_and_even() -> None:
    sample = RowSample(SET)
    big = rows(100_000)
    for start in range(0, len(big), 20_000):
        added(sample, big.slice(start, 20_000))
    table = sample.table()
    assert MOST_ROWS / 2 * 0.9 < table.num_rows <= MOST_ROWS
    assert abs(np.nanmean(table["number"].to_numpy())) < 0.05


def test_no_text_gets_into_bins_and_only_what_may_be_compared() -> None:
    sample = RowSample(SET)
    added(sample, rows(2000))
    found = bins_of(sample)
    assert list(found) == ["text", "number", "flag"]
    assert "text " not in str(found)
    assert sum(found["text"].counts) == 2000
    assert found["text"].counts[-1] == rows(2000)["text"].null_count
    assert found["text"].counts[-2] > 0  # beyond the fifty most frequent
    assert len(found["number"].counts) == 11
    assert found["flag"].categories == ["1", "0"] or found["flag"].categories == ["0", "1"]


def test_a_column_of_one_value_or_of_nulls_has_bins() -> None:
    sample = RowSample(function_set([{"name": "n", "type": "float64"}, {"name": "none", "type": "int64"}]))
    added(sample, pa.RecordBatch.from_pydict({"id": ["a", "b", "c"], "n": [1.0, 1.0, float("nan")], "none": pa.array([None] * 3, pa.int64())}))
    found = bins_of(sample)
    assert (found["n"].edges, found["n"].counts) == ([1.0], [2, 0, 1])
    assert (found["none"].edges, found["none"].counts) == ([], [0, 3])
