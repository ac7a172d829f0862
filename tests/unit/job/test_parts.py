"""Who reads what in a run of shards: disjoint parts of about equal bytes that are all of the data (X8, X16)."""

from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from hypothesis import given
from hypothesis import strategies as st

from labeljob.contract.config import MOST_SHARDS, ResolveTask
from labeljob.contract.reasons import JobReason
from labeljob.io import parts
from labeljob.io.parted import open_part, shards_for
from labeljob.io.parts import WHOLE, Groups, StoredFile, parts_of, shards_of
from labeljob.io.pins import pin
from labeljob.io.source import ReadType
from labeljob.steps.resolve import run_resolve
from tests.unit.job.builders import context, delta, fails, locations, text
from tests.unit.job.runs import parquet

Sizes = list[list[int]]  # of the row groups of each file
sizes = st.lists(st.lists(st.integers(0, 1000), min_size=1, max_size=30), min_size=1, max_size=30)


def stored(given: Sizes) -> tuple[list[StoredFile], Groups]:
    files = [StoredFile(f"f{number:02d}", sum(groups)) for number, groups in enumerate(given)]
    return files, lambda name: given[int(name[1:])]


@given(sizes, st.integers(1, 40))
def test_parts_are_disjoint_and_all_of_the_data_and_even(given: Sizes, wanted: int) -> None:
    """X16: no row group twice, none left out, no part empty, none above its share by more than the largest piece."""
    files, groups = stored(given)
    count = shards_of(files, wanted, groups)
    assert 1 <= count <= wanted
    found = parts_of(files, count, groups)
    pieces = [piece for part in found for piece in part]
    assert len(found) == count
    assert all(found)
    assert len(set(pieces)) == len(pieces)
    covered = sorted((piece.file, group) for piece in pieces for group in (range(len(groups(piece.file))) if piece.group == WHOLE else [piece.group]))
    assert covered == [(file.name, group) for file in files for group in range(len(groups(file.name)))]
    total, largest = sum(file.size for file in files), max(piece.size for piece in pieces)
    assert max(sum(piece.size for piece in part) for part in found) <= total / count + largest


@given(sizes, st.integers(1, 40), st.randoms())
def test_the_order_of_a_listing_changes_nothing(given: Sizes, wanted: int, random: Random) -> None:
    """X16: every shard finds the same parts, whatever its file system says first."""
    files, groups = stored(given)
    shuffled = list(files)
    random.shuffle(shuffled)
    count = shards_of(files, wanted, groups)
    assert shards_of(shuffled, wanted, groups) == count
    assert parts_of(shuffled, count, groups) == parts_of(files, count, groups)


def test_only_large_files_are_looked_into() -> None:
    """A thousand files in ten shards: no footer is read to split them."""
    files = [StoredFile(f"f{number:04d}", 100) for number in range(1000)]
    found = parts_of(files, 10, lambda name: pytest.fail(name))
    assert [len(part) for part in found] == [100] * 10


@pytest.mark.parametrize(
    ("total", "expected"),
    [(0, 1), (parts.SHARD_BYTES, 1), (parts.SHARD_BYTES + 1, 2), (10 * parts.SHARD_BYTES, 10), (5000 * parts.SHARD_BYTES, MOST_SHARDS)],
)
def test_auto_goes_by_bytes(total: int, expected: int) -> None:
    """X8, X21: small data is one shard, and there is a most."""
    groups = [total // 2000] * 2000
    assert shards_of([StoredFile("all", total)], "auto", lambda _: groups) == expected


def rows(count: int, start: int = 0) -> pa.Table:
    return pa.table({"id": range(start, start + count), "x": ["text"] * count, "k": [i % 2 for i in range(count)]})


def test_what_a_dataset_can_be_split_into(tmp_path: Path) -> None:
    """X8: row groups of Parquet and of plain Delta tables; one CSV or JSON-lines file is one part; a wish is met as far as it can be."""
    table = delta(tmp_path, "table", rows(50))
    for start in (50, 100):
        delta(tmp_path, "table", rows(50, start), mode="append")
    datasets = {
        "parquet": (parquet(tmp_path, "data.parquet", rows(120), groups=6), 6),
        "folder": (parquet(tmp_path, "folder", rows(120), files=3, groups=9), 9),
        "delta": (table, 3),
        "csv": (text(tmp_path, "data.csv", "id\n1\n2\n"), 1),
        "jsonl": (text(tmp_path, "data.jsonl", '{"id": 1}\n{"id": 2}\n'), 1),
    }
    for data, most in datasets.values():
        asked = [run_resolve(ResolveTask(data=data, shards=wish), context(tmp_path)).shards for wish in (None, 1, 2, 40, "auto")]
        assert asked == [None, 1, min(2, most), most, 1]


def test_a_table_that_its_engine_alone_can_read_is_one_part(tmp_path: Path) -> None:
    """C1: with deleted rows or mapped columns, files alone are not the table."""
    given = delta(tmp_path, "plain", rows(100))
    delta(tmp_path, "plain", rows(100, 100), mode="append")
    places = locations(tmp_path)
    assert shards_for(pin(given, places), 2, places) == 2
    log = tmp_path / "plain/_delta_log/00000000000000000000.json"
    log.write_text(log.read_text().replace('"minReaderVersion":1', '"minReaderVersion":2'))
    assert DeltaTable(tmp_path / "plain").protocol().min_reader_version == 2
    assert shards_for(pin(given, places), 2, places) == 1


@pytest.mark.parametrize("shards", [2, 5])
def test_parts_hold_each_row_once(tmp_path: Path, shards: int) -> None:
    """C1: partition values from the log, and null where a file is older than a column."""
    given = delta(tmp_path, "table", rows(30).drop_columns("x"), partition_by=["k"])
    for start in (30, 60):
        delta(tmp_path, "table", rows(30, start), mode="append", partition_by=["k"], schema_mode="merge")
    pinned = pin(given, locations(tmp_path))
    columns: dict[str, ReadType] = {"id": "int64", "x": "string", "k": "int64"}
    found = [
        row
        for index in range(shards)
        for part in open_part(pinned, shards, index, locations(tmp_path)).source.batches(columns, 7)
        for row in part.batch.to_pylist()
    ]
    expected = DeltaTable(tmp_path / "table").to_pyarrow_table().to_pylist()
    assert sorted(found, key=lambda row: row["id"]) == sorted(({name: row[name] for name in columns} for row in expected), key=lambda row: row["id"])
    assert open_part(pinned, shards, 0, locations(tmp_path)).rows == 90


def test_times_as_old_writers_wrote_them(tmp_path: Path) -> None:
    """F3: timestamps of 96 bits in a plain table; what is below a microsecond is dropped, as by the engine."""
    times = pa.array([0, 1_700_000_000_123_456_789, None], pa.timestamp("ns"))
    given = delta(tmp_path, "table", pa.table({"id": [1, 2, 3], "at": times.cast(pa.timestamp("us"), safe=False)}))
    (stored_file,) = (tmp_path / "table").glob("*.parquet")
    delta(tmp_path, "table", pa.table({"id": [4], "at": pa.array([5], pa.timestamp("us"))}), mode="append")
    pq.write_table(pa.table({"id": [1, 2, 3], "at": times}), stored_file, use_deprecated_int96_timestamps=True)
    pinned = pin(given, locations(tmp_path))
    sources = [open_part(pinned, 2, index, locations(tmp_path)).source for index in (0, 1)]
    rows = [row for source in sources for part in source.batches({"id": "int64", "at": "timestamp"}) for row in part.batch.to_pylist()]
    assert [row["at"] and row["at"].timestamp() for row in sorted(rows, key=lambda row: row["id"])] == [0, 1_700_000_000.123456, None, 0.000005]


def test_a_part_whose_first_rows_were_looked_at_is_held_to_that_state(tmp_path: Path) -> None:
    """C1: reading that stopped early counts: whoever reads on, or tells what was read, finds that the file is another."""
    data = parquet(tmp_path, "data.parquet", pa.table({"id": range(90)}))
    source = open_part(pin(data, locations(tmp_path)), 2, 1, locations(tmp_path)).source
    next(source.batches({"id": "int64"}, 7))
    parquet(tmp_path, "data.parquet", pa.table({"id": range(91)}))
    for read in (lambda: list(source.batches({"id": "int64"})), source.read):
        with fails(JobReason.PIN_BROKEN, "its files changed after they were pinned"):
            read()
