"""C1: every format is read at a pin, typed as declared, and only in the columns asked for."""

import datetime as dt
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from labeljob.contract.config import Mount
from labeljob.contract.datasets import Dataset, LookupTable
from labeljob.contract.reasons import JobReason
from labeljob.io.datasets import open_pinned, read_table
from labeljob.io.locations import Locations
from labeljob.io.pins import pin
from tests.unit.job.builders import delta, fails, jsonl, locations, pinned, read, text

ROWS = pa.table({"id": ["a", "b", "c"], "n": [1, 2, 3], "note": ["x", None, "z"]})
COLUMNS = {"id": "string", "n": "int64", "note": "string"}
EXPECTED = [{"id": "a", "n": 1, "note": "x"}, {"id": "b", "n": 2, "note": None}, {"id": "c", "n": 3, "note": "z"}]


def stored(folder: Path, kind: str) -> Dataset:
    if kind == "delta":
        return delta(folder, "data", ROWS)
    if kind == "parquet folder":
        (folder / "data").mkdir()
        pq.write_table(ROWS.slice(0, 2), folder / "data/a.parquet")
        pq.write_table(ROWS.slice(2), folder / "data/b.parquet")
        (folder / "data/_SUCCESS.parquet").write_text("not data")
        return Dataset(uri="pvc://lake/data", format="parquet")
    if kind == "parquet":
        pq.write_table(ROWS, folder / "data.parquet")
        return Dataset(uri="pvc://lake/data.parquet", format="parquet")
    if kind == "csv":
        return text(folder, "data.csv", 'note,n,id\nx,1,a\n"",2,b\nz,3,c\n')
    return jsonl(folder, "data.jsonl", [{"id": "a", "n": 1, "note": "x"}, {"id": "b", "n": 2}, {"id": "c", "n": 3, "note": "z"}])


KINDS = ["delta", "parquet", "parquet folder", "csv", "jsonl"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch_rows", [1, 2, 1000])
def test_every_format_gives_the_same_rows_in_batches_of_any_size(tmp_path: Path, kind: str, batch_rows: int) -> None:
    """C1: same rows, same types, from every format."""
    _, source = pinned(stored(tmp_path, kind), tmp_path)
    assert sorted(read(source, COLUMNS, batch_rows), key=lambda row: row["id"]) == EXPECTED
    assert [part.batch.num_rows for part in source.batches(COLUMNS, batch_rows)][:-1] == [batch_rows] * ((3 - 1) // batch_rows)
    assert set(source.types()) == set(COLUMNS)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_but_the_columns_asked_for_leaves_the_reader(tmp_path: Path, kind: str) -> None:
    """F5, X7: projection happens in the reader."""
    _, source = pinned(stored(tmp_path, kind), tmp_path)
    for part in source.batches({"n": "int64"}):
        assert part.batch.schema.names == ["n"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_pin_of_the_same_state_is_equal_and_a_changed_state_breaks_it(tmp_path: Path, kind: str) -> None:
    """C1, X16: the pin is the identity of the content; reading another state is PIN_BROKEN and never silent."""
    dataset = stored(tmp_path, kind)
    first, _ = pinned(dataset, tmp_path)
    assert pin(dataset, locations(tmp_path)) == first
    change(tmp_path, kind)
    assert pin(dataset, locations(tmp_path)) != first
    if kind == "delta":  # the older version is still there
        assert len(read(open_pinned(first, locations(tmp_path)), COLUMNS)) == 3
        return
    with fails(JobReason.PIN_BROKEN, "reconcile-at"):
        read(open_pinned(first, locations(tmp_path)), COLUMNS)


def change(folder: Path, kind: str) -> None:
    more = pa.table({"id": ["d"], "n": [4], "note": ["w"]})
    if kind == "delta":
        write_deltalake(folder / "data", more, mode="append")
    elif kind == "parquet folder":
        pq.write_table(more, folder / "data/c.parquet")
    elif kind == "parquet":
        pq.write_table(more, folder / "data.parquet")
    else:
        with next(folder.glob("data.*")).open("a") as file:
            file.write('w,4,d\n' if kind == "csv" else '{"id": "d"}\n')


def test_a_file_that_changes_while_it_is_read_breaks_the_pin(tmp_path: Path) -> None:
    """X16: the content is verified on the file that was read."""
    dataset = text(tmp_path, "data.csv", "id,n\n" + "".join(f"r{i},{i}\n" for i in range(100)))
    _, source = pinned(dataset, tmp_path)
    batches = source.batches({"id": "string"}, 10)
    next(batches)
    with (tmp_path / "data.csv").open("a") as file:
        file.write("late,1\n")
    with fails(JobReason.PIN_BROKEN, "changed"):
        list(batches)


def test_a_file_that_cannot_be_read_any_more_because_it_changed_is_a_broken_pin(tmp_path: Path) -> None:
    """X16: the cause is named, not its symptom."""
    dataset = stored(tmp_path, "parquet")
    found, _ = pinned(dataset, tmp_path)
    (tmp_path / "data.parquet").write_bytes(b"PAR1 cut off")
    with fails(JobReason.PIN_BROKEN, "changed"):
        read(open_pinned(found, locations(tmp_path)), COLUMNS)


def test_delta_versions_are_read_as_pinned(tmp_path: Path) -> None:
    """C1: a version named by the user is that version; one that is not there is said to be missing."""
    dataset = delta(tmp_path, "data", ROWS)
    write_deltalake(tmp_path / "data", ROWS.slice(0, 1), mode="overwrite")
    old, source = pinned(dataset.model_copy(update={"version": 0}), tmp_path)
    assert old.version == 0
    assert len(read(source, COLUMNS)) == 3
    assert len(read(pinned(dataset, tmp_path)[1], COLUMNS)) == 1
    with fails(JobReason.SOURCE_NOT_FOUND, "the newest is 1"):
        pin(dataset.model_copy(update={"version": 9}), locations(tmp_path))


def test_a_delta_table_created_anew_is_another_table(tmp_path: Path) -> None:
    """C1: version 0 of a recreated table is not the pinned version 0."""
    old, _ = pinned(delta(tmp_path, "data", ROWS), tmp_path)
    shutil.rmtree(tmp_path / "data")
    delta(tmp_path, "data", ROWS)
    with fails(JobReason.PIN_BROKEN, "created anew"):
        open_pinned(old, locations(tmp_path))


def test_a_vacuumed_version_is_a_broken_pin(tmp_path: Path) -> None:
    """C1: missing data files are named as such; nothing else is read in their place."""
    old, _ = pinned(delta(tmp_path, "data", ROWS), tmp_path)
    write_deltalake(tmp_path / "data", ROWS.slice(0, 1), mode="overwrite")
    DeltaTable(tmp_path / "data").vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    with fails(JobReason.PIN_BROKEN, "vacuumed"):
        read(open_pinned(old, locations(tmp_path)), COLUMNS)


def test_a_delta_version_beyond_the_log_is_a_broken_pin(tmp_path: Path) -> None:
    """C1."""
    found, _ = pinned(delta(tmp_path, "data", ROWS), tmp_path)
    with fails(JobReason.PIN_BROKEN, "version 7 of the table is gone"):
        open_pinned(found.model_copy(update={"version": 7}), locations(tmp_path))


def test_csv_values_are_read_as_declared_and_never_guessed(tmp_path: Path) -> None:
    """F3: text that looks like a number stays text; line breaks and quotes are kept; an empty field is null."""
    content = 'id,zip,ok,at,x\n007,01234,TRUE,2026-01-02T03:04:05Z,1e-3\n"a ""b""\nc",NaN,,2026-01-02,nan\n'
    _, source = pinned(text(tmp_path, "data.csv", "\ufeff" + content), tmp_path)
    rows = read(source, {"id": "string", "zip": "string", "ok": "boolean", "at": "timestamp", "x": "float64"})
    assert [row["id"] for row in rows] == ["007", 'a "b"\nc']
    assert [row["zip"] for row in rows] == ["01234", "NaN"]
    assert [row["ok"] for row in rows] == [True, None]
    assert [row["at"] for row in rows] == [dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC), dt.datetime(2026, 1, 2, tzinfo=dt.UTC)]
    assert rows[0]["x"] == 1e-3 and rows[1]["x"] != rows[1]["x"]


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("int64", ["1", "-9223372036854775808", "+5", " 7 "], ["1.5", "x", "1_000", "9223372036854775808", "0x1"]),
        ("float64", ["1", "-.5", "1e300", "NaN", "inf"], ["1,5", "one", "1_0", "--1"]),
        ("boolean", ["true", "False"], ["1", "yes", "t"]),
        ("timestamp", ["2026-01-02", "2026-01-02 03:04:05.123456+02:00"], ["yesterday", "2026-13-01", "12"]),
    ],
)
def test_text_that_is_not_of_its_type_is_counted(tmp_path: Path, kind: str, good: list[str], bad: list[str]) -> None:
    """F3: not guessed, not rounded, not dropped: counted."""
    _, source = pinned(text(tmp_path, "data.csv", "v,w\n" + "".join(f'"{value}",1\n' for value in good + bad)), tmp_path)
    (part,) = source.batches({"v": kind})
    assert part.unreadable == {"v": len(bad)}
    values = part.batch.column("v")
    assert values.slice(0, len(good)).null_count == 0
    assert values.null_count == len(bad)


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("int64", [1, -(2**63)], [1.0, "1", True, 2**63]),
        ("float64", [1, 1.5, 2**53], ["1.5", False, 2**53 + 1]),
        ("string", ["5", ""], [5, True, {"a": 1}, ["x"]]),
        ("boolean", [True, False], [0, "true"]),
        ("timestamp", ["2026-01-02T00:00:00Z"], [1700000000, "soon"]),
    ],
)
def test_json_values_are_of_their_type_or_counted(tmp_path: Path, kind: str, good: list[object], bad: list[object]) -> None:
    """F3."""
    _, source = pinned(jsonl(tmp_path, "data.jsonl", [{"v": value} for value in [*good, None, *bad]]), tmp_path)
    (part,) = source.batches({"v": kind})
    assert part.unreadable == {"v": len(bad)}
    assert part.batch.column("v").null_count == len(bad) + 1


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (pa.array([1, None], pa.int8()), "int64", [1, None]),
        (pa.array([1], pa.uint32()), "int64", [1]),
        (pa.array([1.5], pa.float32()), "float64", [1.5]),
        (pa.array([3], pa.int64()), "float64", [3.0]),
        (pa.array(["x"], pa.large_string()), "string", ["x"]),
        (pa.array(["x"], pa.string_view()), "string", ["x"]),
        (pa.array(["x", "x"]).dictionary_encode(), "string", ["x", "x"]),
        (pa.array([dt.date(2026, 1, 2)]), "timestamp", [dt.datetime(2026, 1, 2, tzinfo=dt.UTC)]),
        (pa.array([1_000_000_001], pa.timestamp("ns")), "timestamp", [dt.datetime(1970, 1, 1, 0, 0, 1, tzinfo=dt.UTC)]),
        (pa.array([1], pa.timestamp("s", "Europe/Berlin")), "timestamp", [dt.datetime(1970, 1, 1, 0, 0, 1, tzinfo=dt.UTC)]),
        (pa.nulls(2), "string", [None, None]),
    ],
)
def test_stored_types_are_widened_without_loss(tmp_path: Path, values: pa.Array, kind: str, expected: list[object]) -> None:
    """F3: a narrower or equivalent type is accepted."""
    pq.write_table(pa.table({"v": values}), tmp_path / "data.parquet")
    _, source = pinned(Dataset(uri="pvc://lake/data.parquet", format="parquet"), tmp_path)
    (part,) = source.batches({"v": kind})
    assert part.unreadable == {}
    assert part.batch.column("v").to_pylist() == expected


def test_values_that_would_lose_digits_are_counted(tmp_path: Path) -> None:
    """F3: 2^53 + 1 is no float64, 2^63 no int64."""
    table = pa.table({"f": pa.array([1, 2**53 + 1, 3], pa.int64()), "i": pa.array([1, 2**63, 3], pa.uint64())})
    pq.write_table(table, tmp_path / "data.parquet")
    _, source = pinned(Dataset(uri="pvc://lake/data.parquet", format="parquet"), tmp_path)
    (part,) = source.batches({"f": "float64", "i": "int64"})
    assert part.unreadable == {"f": 1, "i": 1}
    assert part.batch.column("i").to_pylist() == [1, None, 3]


UNREADABLE = [
    ("data.csv", "", "empty"),
    ("data.csv", "id,n\na,1,secret\n", "Expected 2 columns, got 3"),
    ("data.csv", b"id,n\n\xff\xfe,1\n", "UTF-8"),
    ("data.csv", "id,id\na,b\n", "more than once"),
    ("data.jsonl", '{"id": "a"}\n\n[1]\n', "line 3 is not a JSON object"),
    ("data.jsonl", '{"id": "secret\n', "line 1 is not a JSON object"),
    ("data.parquet", "secret", "not Parquet"),
]


@pytest.mark.parametrize(("name", "content", "match"), UNREADABLE)
def test_what_cannot_be_read_is_named_without_its_content(tmp_path: Path, name: str, content: str | bytes, match: str) -> None:
    """C1, F5: a reason a person can act on, and no value of the data in it."""
    _, source = pinned(text(tmp_path, name, content), tmp_path)
    with fails(JobReason.SOURCE_UNREADABLE, match) as caught:
        source.types()
        read(source, {"id": "string"})
    assert "secret" not in caught.value.message


def test_formats_that_are_mixed_up_are_named(tmp_path: Path) -> None:
    """C1: the message says which format to set."""
    delta(tmp_path, "table", ROWS)
    (tmp_path / "empty").mkdir()
    text(tmp_path, "file.csv", "id\na\n")
    with fails(JobReason.SOURCE_UNREADABLE, "set format: delta"):
        pinned(Dataset(uri="pvc://lake/table", format="parquet"), tmp_path)[1].types()
    with fails(JobReason.SOURCE_UNREADABLE, r"no \.parquet file"):
        pinned(Dataset(uri="pvc://lake/empty", format="parquet"), tmp_path)[1].types()
    with fails(JobReason.SOURCE_UNREADABLE, "not a Delta table"):
        pinned(Dataset(uri="pvc://lake/file.csv", format="delta"), tmp_path)
    with fails(JobReason.SOURCE_UNREADABLE, "name the file"):
        pinned(Dataset(uri="pvc://lake/empty", format="csv"), tmp_path)
    with fails(JobReason.SOURCE_UNREADABLE, "version goes with format delta"):
        pin(Dataset(uri="pvc://lake/file.csv", format="csv", version=3), locations(tmp_path))


def test_a_broken_delta_log_is_unreadable(tmp_path: Path) -> None:
    """C1."""
    dataset = delta(tmp_path, "data", ROWS)
    (tmp_path / "data/_delta_log/00000000000000000000.json").write_text("garbage")
    with fails(JobReason.SOURCE_UNREADABLE, "log cannot be read"):
        pin(dataset, locations(tmp_path))


def test_parquet_files_of_a_folder_must_agree(tmp_path: Path) -> None:
    """C1."""
    (tmp_path / "data").mkdir()
    pq.write_table(pa.table({"id": ["a"]}), tmp_path / "data/a.parquet")
    pq.write_table(pa.table({"id": [1]}), tmp_path / "data/b.parquet")
    with fails(JobReason.SOURCE_UNREADABLE, "'id' in different types"):
        pinned(Dataset(uri="pvc://lake/data", format="parquet"), tmp_path)[1].types()


@pytest.mark.parametrize(
    ("uri", "match"),
    [
        ("pvc://other/data.csv", "claim other is not there: create the claim"),
        ("pvc://lake/missing.csv", "claim lake has no file or folder missing.csv"),
        ("configmap://gold/gold.csv", "ConfigMap gold or its key gold.csv is not there"),
        ("configmap://none/gold.csv", "ConfigMap none is not there"),
        ("file:data.csv", "works only with labelplane run"),
        ("pvc://lake/../secret.csv", "leads out"),
        ("pvc://lake/link.csv", "leads out"),
    ],
)
def test_places_that_are_missing_or_outside_are_refused(tmp_path: Path, uri: str, match: str) -> None:
    """C1, O10: what to create or correct is named; nothing outside the mounts can be reached."""
    (tmp_path / "lake").mkdir()
    (tmp_path / "gold").mkdir()
    (tmp_path / "secret.csv").write_text("id\na\n")
    (tmp_path / "lake/link.csv").symlink_to(tmp_path / "secret.csv")
    mounts = [Mount(prefix="pvc://lake", path=str(tmp_path / "lake")), Mount(prefix="configmap://gold", path=str(tmp_path / "gold"))]
    with fails(JobReason.SOURCE_NOT_FOUND, match):
        Locations(mounts).existing(uri)


def test_links_inside_a_mount_and_local_files_are_found(tmp_path: Path) -> None:
    """C1: a mounted ConfigMap is made of links; `file:` starts at the folder of the manifest."""
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data/gold.csv").write_text("id\n")
    (tmp_path / "gold.csv").symlink_to("..data/gold.csv")
    mounts = [Mount(prefix="configmap://gold", path=str(tmp_path)), Mount(prefix="file:", path=str(tmp_path))]
    found = Locations(mounts)
    assert found.existing("configmap://gold/gold.csv").read_text() == "id\n"
    assert found.existing("file:gold.csv").read_text() == "id\n"
    assert found.existing(f"file://{tmp_path}/gold.csv").read_text() == "id\n"
    with fails(JobReason.SOURCE_NOT_FOUND, "leads out"):
        found.existing("file:../x.csv")


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl"])
def test_lookup_tables_are_read_whole(tmp_path: Path, kind: str) -> None:
    """C2: CSV values are text, others keep their type."""
    dataset = stored(tmp_path, kind)
    table = read_table(LookupTable(uri=dataset.uri, format=dataset.format), locations(tmp_path))
    assert set(table.column_names) == set(COLUMNS)
    assert table.column("n").to_pylist() == (["1", "2", "3"] if kind == "csv" else [1, 2, 3])


def test_long_rows_are_read_few_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """X8: a batch is bounded in bytes, whatever its rows; the rows are the same."""
    for name in ("typed", "csv", "row_groups"):
        monkeypatch.setattr(f"labeljob.io.{name}.BATCH_BYTES", 100_000)
    rows = pa.table({"id": [str(i) for i in range(300)], "text": [f"{i:05d}" * 1000 for i in range(300)]})
    pq.write_table(rows, tmp_path / "long.parquet", row_group_size=300, use_dictionary=False)
    sources = [
        Dataset(uri="pvc://lake/long.parquet", format="parquet"),
        delta(tmp_path, "long", rows),
        text(tmp_path, "long.csv", "id,text\n" + "".join(f"{row['id']},{row['text']}\n" for row in rows.to_pylist())),
    ]
    for dataset in sources:
        _, source = pinned(dataset, tmp_path)
        batches = [part.batch for part in source.batches({"id": "string", "text": "string"}, 256)]
        assert [one for batch in batches for one in batch["id"].to_pylist()] == rows["id"].to_pylist()
        assert max(batch.num_rows for batch in batches) <= (40 if dataset.format == "parquet" else 256)
        assert len(batches) > 2
