"""spec.output.partitionBy: the same labels, in files that are kept apart by label or by covered (I3, C5)."""

import resource
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow.fs import LocalFileSystem, SubTreeFileSystem

from labeljob.artifacts import ArtifactHome
from labeljob.contract.config import CommitTask, ShardTask
from labeljob.contract.datasets import Dataset
from labeljob.contract.reasons import JobReason
from labeljob.contract.result import ModelVersion
from labeljob.contract.versions import VersionsRequest
from labeljob.frozen_models import opened
from labeljob.io.partitions import write_rows
from labeljob.reading.explain import explain
from labeljob.versions.diff import diff
from labeljob.versions.rollback import rollback
from tests.unit.job.builders import RESOURCES, fails, function_set, locations
from tests.unit.job.kills import killed_everywhere, step
from tests.unit.job.runs import fit, label, label_task, left, parquet, same_but_time, visible
from tests.unit.job.test_quarantine import good, planted
from tests.unit.job.test_shards import BY_MAP, SIGNALS, one_label, table

EVERY = 9  # touches
NULL = "__HIVE_DEFAULT_PARTITION__"
DECLARED = function_set(
    [*SIGNALS, {"name": "p", "type": "float64", "minimum": 0, "maximum": 1}, {"name": "note", "type": "string", "nullable": False}], BY_MAP, additionalColumns="allow"
)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ModelVersion, Dataset]:
    """(folder, a model version, rows of which some break the contract and some share their id)."""
    folder = tmp_path_factory.mktemp("lake")
    version = fit(folder, DECLARED, parquet(folder, "good.parquet", good()))
    data = parquet(folder, "data.parquet", planted())
    label(folder, label_task(folder, data, version, output="plain", quarantine=0.02), 1)
    return folder, version, data


def files_of(folder: Path, output: str) -> dict[str, pa.Table]:
    """The data files of the newest version by their path below the output, read as files and nothing else."""
    root = folder / output
    return {file: pq.ParquetFile(root / file).read() for file in (uri.rpartition(f"/{output}/")[2] for uri in DeltaTable(root).file_uris())}


@pytest.mark.parametrize(("column", "shards"), [("label", 1), ("label", 3), ("covered", 1), ("covered", 8)])
def test_labels_are_those_of_one_folder(lake: tuple[Path, ModelVersion, Dataset], column: str, shards: int) -> None:
    """X16, F3: rows, digest, figures and what is set apart; a file has one value, ascending ids and its statistics; null has a folder, too."""
    folder, version, data = lake
    output = f"{column}-{shards}"
    found = label(folder, label_task(folder, data, version, output=output, quarantine=0.02, partition_by=column), shards)
    plain = label(folder, label_task(folder, data, version, output="plain", quarantine=0.02), 1)
    same_but_time(found, plain)
    assert visible(folder, output) == visible(folder, "plain")
    assert left(folder, output) == sorted(path.name for path in (folder / output / "_quarantine").rglob("*.parquet"))
    log = DeltaTable(folder / output)
    assert log.metadata().partition_columns == [column]
    named = {one["path"]: one for one in pa.table(log.get_add_actions(flatten=True)).to_pylist()}
    files = files_of(folder, output)
    wanted = {"label": {"normal", "risky", None}, "covered": {True, False}}[column]
    assert {named[path][f"partition.{column}"] for path in files} == wanted
    assert {path.partition("/")[0] for path in files} == {f"{column}={NULL if one is None else str(one).lower() if column == 'covered' else one}" for one in wanted}
    for path, rows in files.items():
        ids = rows["id"].to_pylist()
        assert ids == sorted(ids)
        assert set(rows[column].to_pylist()) == {named[path][f"partition.{column}"]}
        assert (named[path]["num_records"], named[path]["min.id"], named[path]["max.id"]) == (len(ids), ids[0], ids[-1])


def test_equal_shards_write_equal_files(lake: tuple[Path, ModelVersion, Dataset]) -> None:
    """X16: byte for byte, so that two attempts at a shard do no harm."""
    folder, version, data = lake
    written = []
    for output in ("one", "other"):
        label(folder, label_task(folder, data, version, output=output, quarantine=0.02, partition_by="label"), 3)
        written.append({path.relative_to(folder / output): path.read_bytes() for path in (folder / output).glob("label=*/*.parquet")})
    assert written[0] == written[1]


def test_readers_find_the_rows_and_pass_over_other_folders(lake: tuple[Path, ModelVersion, Dataset]) -> None:
    """I3: pandas, Polars and DuckDB, with the lines of docs/data.md; a filter by label reads its files alone."""
    folder, version, data = lake
    label(folder, label_task(folder, data, version, output="read", quarantine=0.02, partition_by="label"), 3)
    found, wanted = DeltaTable(folder / "read"), visible(folder, "plain")
    here = SubTreeFileSystem(str(folder / "read"), LocalFileSystem())
    frames = (found.to_pandas(), pl.read_delta(str(folder / "read")).to_pandas(), duckdb.from_arrow(found.to_pyarrow_dataset(filesystem=here)).df())
    for frame in frames:
        rows = frame.sort_values("id")
        assert rows["id"].to_list() == [row["id"] for row in wanted]
        assert [one if isinstance(one, str) else None for one in rows["label"]] == [row["label"] for row in wanted]
        assert [list(one) for one in rows["votes"]] == [row["votes"] for row in wanted]
    risky = [row["id"] for row in wanted if row["label"] == "risky"]
    for path in (folder / "read").glob("label=*/*.parquet"):
        if path.parent.name != "label=risky":
            path.unlink()
    assert sorted(pa.table(found.scan(columns=["id"], predicate="label = 'risky'").read_all())["id"].to_pylist()) == risky
    assert sorted(pl.scan_delta(str(folder / "read")).filter(pl.col("label") == "risky").select("id").collect()["id"].to_list()) == risky
    assert sorted(row[0] for row in duckdb.from_arrow(found.to_pyarrow_dataset(filesystem=here)).filter("label = 'risky'").project("id").fetchall()) == risky


def test_versions_are_compared_restored_and_explained(tmp_path: Path) -> None:
    """O6: the next run replaces all files, of folders, too, that it has no row for."""
    version = fit(tmp_path, one_label(BY_MAP), parquet(tmp_path, "rows.parquet", table()))
    again = parquet(tmp_path, "again.parquet", table(300).filter(pa.compute.field("s0") == 1))
    for sequence, data in enumerate((Dataset(uri="pvc://lake/rows.parquet", format="parquet"), again), start=1):
        label(tmp_path, label_task(tmp_path, data, version, sequence=sequence, run_digest=f"{sequence}" * 64, partition_by="label"), 3)
    asked = VersionsRequest(action="diff", job="job", mounts=(), output="pvc://lake/labels", app_id="labelplane/ns/job", artifacts="pvc://lake/model", before=0, version=1)
    rows = [{row["id"]: row["label"] for row in DeltaTable(tmp_path / "labels", version=n).to_pyarrow_table().to_pylist()} for n in (0, 1)]
    changes = diff(asked, locations(tmp_path), RESOURCES)
    assert changes["rows"] == {"both": len(rows[1]), "added": 0, "removed": len(rows[0]) - len(rows[1])}
    assert changes["flipped"] == sum(rows[0][one] != rows[1][one] for one in rows[1])
    restored = rollback(asked.model_copy(update={"action": "rollback", "version": 0}), locations(tmp_path))
    assert restored["version"] == 2
    assert {row["id"]: row["label"] for row in visible(tmp_path)} == rows[0]
    assert DeltaTable(tmp_path / "labels").metadata().partition_columns == ["label"]
    artifact = opened(locations(tmp_path), ArtifactHome(tmp_path / "model", "pvc://lake/model").load(1, version.sha256), "pvc://lake/model")
    for value in ("risky", None):
        one = next(name for name, found in rows[0].items() if found == value)
        assert explain(tmp_path / "labels", artifact, one, "pvc://lake/labels")["label"] == value


def test_what_cannot_be_partitioned_so_is_refused_before_work(lake: tuple[Path, ModelVersion, Dataset], tmp_path: Path) -> None:
    """A table cannot change its partitions: delta-rs writes a version that nobody can read."""
    folder, version, data = lake
    label(folder, label_task(folder, data, version, output="kept", quarantine=0.02, partition_by="label"), 1)
    for output, wish, message in (
        ("kept", None, "its table was made with partitionBy: label, and spec.output now has no partitionBy: give this LabelJob a folder of its own"),
        ("kept", "covered", "its table was made with partitionBy: label, and spec.output now has partitionBy: covered"),
        ("plain", "label", "its table was made with no partitionBy, and spec.output now has partitionBy: label"),
    ):
        task = label_task(folder, data, version, output=output, sequence=2, quarantine=0.02, partition_by=wish)
        for one in (task, ShardTask(label=task, shards=3), CommitTask(label=task, shards=3)):  # no shard has finished: the commit looks at the table first
            with fails(JobReason.OUTPUT_CONFLICT, message):
                step(folder, one)
    assert visible(folder, "kept") == visible(folder, "plain")
    several = fit(tmp_path, one_label(BY_MAP, multiLabel=True), parquet(tmp_path, "rows.parquet", table(300)))
    rows = Dataset(uri="pvc://lake/rows.parquet", format="parquet")
    with fails(JobReason.FUNCTIONS_INVALID, r"spec.output.partitionBy: label is no column .* use covered"):
        label(tmp_path, label_task(tmp_path, rows, several, partition_by="label"), 1)
    label(tmp_path, label_task(tmp_path, rows, several, partition_by="covered"), 3)
    assert {path.parent.name for path in (tmp_path / "labels").glob("*/*.parquet")} == {"covered=true", "covered=false"}


@pytest.mark.parametrize("shards", [1, 3])
def test_a_run_that_was_killed_leaves_nothing_in_the_folders(lake: tuple[Path, ModelVersion, Dataset], shards: int) -> None:
    """Guarantee 3: files of an attempt that died lie in folders before there is a table; the next attempt takes no offence, and removes them."""
    folder, version, data = lake
    output, stray = f"killed-{shards}", "labels-00000001-deadbeef-00000.parquet"
    for value in ("risky", "gone"):
        (folder / output / f"label={value}").mkdir(parents=True)
        (folder / output / f"label={value}" / stray).write_bytes(b"")
    label(folder, label_task(folder, data, version, output=output, quarantine=0.02, partition_by="label"), shards)
    assert list((folder / output).rglob(stray)) == []
    assert visible(folder, output) == visible(folder, "plain")
    (folder / f"other-{shards}/label=risky").mkdir(parents=True)
    (folder / f"other-{shards}/label=risky/theirs.parquet").write_bytes(b"")
    with fails(JobReason.OUTPUT_CONFLICT, "it holds files that are not a Delta table"):
        label(folder, label_task(folder, data, version, output=f"other-{shards}", quarantine=0.02, partition_by="label"), shards)


@pytest.mark.parametrize("of", ["one pod", "a shard", "the commit"])
def test_killed_anywhere_it_ends_with_each_row_once(tmp_path: Path, of: str) -> None:
    """Guarantee 3: before some touches of the output; in the end no file is left that no version names."""
    rows = table(300)
    version = fit(tmp_path, one_label(BY_MAP), parquet(tmp_path, "rows.parquet", rows))
    task = label_task(tmp_path, Dataset(uri="pvc://lake/rows.parquet", format="parquet"), version, partition_by="label")

    def after() -> None:
        assert [row["id"] for row in visible(tmp_path)] == sorted(rows["id"].to_pylist())
        assert left(tmp_path) == []

    assert killed_everywhere(tmp_path, task, of, EVERY, lambda: None, after)


def test_a_temporary_folder_that_is_full_is_named(tmp_path: Path) -> None:
    """And not the volume of the output, which has room."""
    rows = pa.record_batch({"id": range(50_000), "label": ["a"] * 50_000})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
    try:
        with fails(JobReason.VOLUME_FULL, r"the temporary folder \S+ takes no more \(EFBIG\): give it more room"):
            write_rows([rows], rows.schema, tmp_path / "labels", lambda n: f"labels-{n}.parquet", "label")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not (tmp_path / "labels").exists()


@settings(max_examples=25, deadline=None)
@given(values=st.lists(st.sampled_from(["a", "b.c", "B-1", None]), max_size=60), size=st.integers(1, 9))
def test_any_split_into_batches_gives_the_same_files(tmp_path_factory: pytest.TempPathFactory, values: list[Any], size: int) -> None:
    schema = pa.schema([("id", pa.int64()), ("label", pa.string()), ("votes", pa.list_(pa.int8()))])
    rows = pa.table({"id": range(len(values)), "label": pa.array(values, pa.string()), "votes": [[n % 3, -1] for n in range(len(values))]}, schema=schema)
    folder = tmp_path_factory.mktemp("files")
    files = write_rows(rows.to_batches(max_chunksize=size), schema, folder, lambda n: f"labels-{n}.parquet", "label")
    assert [file.name.rpartition("-")[2] for file in files] == [f"{n}.parquet" for n in range(len(set(values)))]
    written = {file.name.partition("=")[2].partition("/")[0]: pq.ParquetFile(folder / file.name).read() for file in files}
    for value in dict.fromkeys(values):
        assert written[NULL if value is None else value] == rows.filter(pa.array([one == value for one in values]))
    assert sum(file.rows for file in files) == len(values)
