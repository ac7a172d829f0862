"""I2, X24: the join as of a row's time beside a naive one, on any rows and records."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeljob.features.as_of import AsOf, PointInTime, UnlikeRecordsError
from tests.unit.job.builders import RESOURCES

START = datetime(1969, 12, 31, 23, 59, 50, tzinfo=UTC)  # times on both sides of 1970
SECOND = 1_000_000
UTC = pa.timestamp("us", tz="UTC")
LABELS = pa.schema([("id", pa.string()), ("label", pa.string())])
ROWS = pa.schema([("id", pa.string()), ("shop", pa.string()), ("at", UTC), ("till", pa.int64())])
RECORDS = pa.schema([("shop", pa.string()), ("till", pa.int64()), ("known_at", UTC), ("value", pa.float64()), ("note", pa.string())])
Found = tuple[Any, Any, Any]  # known at, value, note


def at(second: int | None) -> datetime | None:
    return None if second is None else START + timedelta(seconds=second)


def batches(rows: Sequence[tuple[Any, ...]], schema: pa.Schema, size: int = 9) -> Iterator[pa.RecordBatch]:
    for first in range(0, len(rows), size):
        columns = zip(*rows[first : first + size], strict=True)
        yield pa.RecordBatch.from_arrays([pa.array(list(values), field.type) for values, field in zip(columns, schema, strict=True)], schema=schema)


def joined(rows: Sequence[tuple[Any, ...]], records: Sequence[tuple[Any, ...]], max_age: int | None = None, size: int = 9) -> tuple[list[Found], int]:
    """What `PointInTime` finds for each row, in order of id, and for how many."""
    named = [(f"r{place:04d}", *row) for place, row in enumerate(rows)]
    with PointInTime(RESOURCES) as under_test:
        labels = [(name, "risky") for name, *_ in reversed(named)]
        assert under_test.start(batches(labels, LABELS, size), LABELS, batches(named, ROWS, size), ROWS) == (len(rows), len(rows))
        found = under_test.add(batches(records, RECORDS, size), RECORDS, AsOf((3, 5), 4, None if max_age is None else max_age * SECOND))
        shown = pa.schema([LABELS.field("id"), *list(RECORDS)[2:]])
        table = pa.Table.from_batches(under_test.ordered([0, 6, 7, 8], shown), schema=shown)
    assert table["id"].to_pylist() == [name for name, *_ in named]
    return list(zip(*(table[name].to_pylist() for name in ("known_at", "value", "note")), strict=True)), found


def naive(row: tuple[Any, ...], records: Sequence[tuple[Any, ...]], max_age: int | None) -> Found:
    """By looking at every record."""
    shop, time, till = row
    if None in row:
        return None, None, None
    known = [one for one in records if None not in one[:3] and one[:2] == (shop, till) and one[2] <= time]
    if not known or (max_age is not None and time - max(one[2] for one in known) > timedelta(seconds=max_age)):
        return None, None, None
    latest = max(known, key=lambda one: one[2])
    return latest[2:]


SHOPS, TILLS, SECONDS = st.sampled_from(["north", "south", "North", "", None]), st.sampled_from([1, 2, None]), st.one_of(st.none(), st.integers(0, 20))
SOME_ROWS = st.lists(st.tuples(SHOPS, SECONDS.map(at), TILLS), max_size=40)
VALUES = st.one_of(st.none(), st.integers(-3, 3).map(float))
SOME_RECORDS = st.lists(st.tuples(SHOPS, TILLS, SECONDS.map(at), VALUES, st.sampled_from(["a", None])), max_size=40, unique_by=lambda one: one[:3])


@settings(max_examples=30, deadline=None)
@given(rows=SOME_ROWS, records=SOME_RECORDS, max_age=st.one_of(st.none(), st.integers(0, 8)))
def test_each_row_finds_what_a_search_of_all_records_finds(rows: list[Any], records: list[Any], max_age: int | None) -> None:
    """Nulls among keys and times, records of one instant with the row, too old ones, and a null as the latest value."""
    wanted = [naive(row, records, max_age) for row in rows]
    assert joined(rows, records, max_age) == (wanted, sum(one[0] is not None for one in wanted))


@settings(max_examples=8, deadline=None)
@given(rows=SOME_ROWS, records=SOME_RECORDS, cut=st.integers(0, 20))
def test_nothing_that_becomes_known_later_changes_a_row(rows: list[Any], records: list[Any], cut: int) -> None:
    """X24: without the records after an instant, rows up to it have what they had."""
    moment = at(cut)
    early = [row for row in rows if row[1] is not None and row[1] <= moment]
    known = [one for one in records if one[2] is None or one[2] <= moment]
    assert joined(early, records)[0] == joined(early, known)[0]


def test_many_rows_and_records() -> None:
    """More than DuckDB joins at a time, in every order."""
    rows = [(f"s{n * 7 % 50}", at(n * 13 % 5000), n % 2) for n in range(6000)]
    records = [(f"s{n % 50}", n // 50 % 2, at(n * 17 % 5000), float(n), None) for n in range(5000)]
    by_key: dict[Any, list[Any]] = {}
    for one in records:
        by_key.setdefault(one[:2], []).append(one)
    assert joined(rows, records, size=2000)[0] == [naive(row, by_key.get((row[0], row[2]), []), None) for row in rows]


@pytest.mark.parametrize("other", [(2.0, "a"), (None, "a"), (1.0, None)])
def test_records_of_one_time_must_be_alike(other: tuple[float | None, str | None]) -> None:
    """One that is there twice counts once; where two differ, be it by a null, nothing is joined."""
    one = ("north", 1, at(3), 1.0, "a")
    rows = [("north", at(5), 1)]
    assert joined(rows, [one, one])[0] == [one[2:]]
    with pytest.raises(UnlikeRecordsError, match="1 times"):
        joined(rows, [one, one, (*one[:3], *other)])
    joined(rows, [(None, *one[1:]), (None, *one[1:3], *other), (*one[:2], None, *one[3:]), (*one[:2], None, *other)])  # found by nobody


def test_labels_without_a_row_are_counted() -> None:
    with PointInTime(RESOURCES) as under_test:
        labels, rows = [("r1", "risky"), ("r2", None)], [("r1", "north", at(1), 1)]
        assert under_test.start(batches(labels, LABELS), LABELS, batches(rows, ROWS), ROWS) == (2, 1)
