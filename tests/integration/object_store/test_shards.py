"""X8, X16: a run in shards whose data and output are in an object store is the run in one pod on a volume, and leaves nothing behind."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labeljob.contract.config import Access, CommitTask, LabelTask, Mount
from labeljob.contract.datasets import Dataset
from labeljob.contract.reasons import JobReason
from labeljob.io.locations import Locations
from labeljob.io.pins import pin
from labeljob.steps.commit import run_commit
from labeljob.steps.context import StepContext
from labeljob.steps.fit_shard import run_fit_shard
from tests.fault_proxy import fault_proxy
from tests.integration.object_store.builders import QUICK, Lake, rows_of
from tests.object_store import write_secret
from tests.unit.job.builders import context, fails
from tests.unit.job.runs import fit, fit_in_shards, fit_task, label, label_task, merge, parquet, same_but_time, visible
from tests.unit.job.test_quarantine import DECLARED, good, planted
from tests.unit.job.test_shards import gold, in_a_folder, in_one_file, one_label, table

pytestmark = pytest.mark.objectstore


def surroundings(lake: Lake, folder: Path, *uris: str, **changes: str | None) -> StepContext:
    """The volume at `folder`, and these URIs."""
    secret = write_secret(lake.folder / f"keys-{len(changes)}-{len(uris)}", lake.server.keys(**changes))
    access = [Access(uri=uri, field="spec.input", secret="keys") for uri in uris]
    mounts = [Mount(prefix="pvc://lake", path=str(folder)), Mount(prefix="secret://keys", path=str(secret))]
    return context(folder, batch_rows=100, locations=Locations(mounts, access, retries=QUICK))


def in_store(lake: Lake, task: LabelTask, data: Dataset, output: str, places: StepContext) -> LabelTask:
    return task.model_copy(update={"data": pin(data, places.locations), "output": lake.uri(output)})


def in_four_files(lake: Lake, rows: pa.Table) -> str:
    """A Delta table; its URI."""
    for start in range(0, len(rows), 300):
        lake.write_table("in/table", rows.slice(start, 300), mode="append")
    return lake.uri("in/table")


@pytest.mark.parametrize("stored", ["file", "folder", "delta"])
def test_shards_of_data_in_a_bucket(lake: Lake, tmp_path: Path, stored: str) -> None:
    rows = table()
    on_volume = (in_a_folder if stored == "folder" else in_one_file)(tmp_path, rows)
    version = fit(tmp_path, one_label(), on_volume)
    task = label_task(tmp_path, on_volume, version)
    expected = label(tmp_path, task, 1)
    for path in (tmp_path / "data").glob("*"):
        lake.put(f"in/data/{path.name}", path.read_bytes())
    uris = {
        "file": lambda: lake.put("in/data.parquet", (tmp_path / "data.parquet").read_bytes()),
        "folder": lambda: lake.uri("in/data"),
        "delta": lambda: in_four_files(lake, rows),
    }
    data = Dataset(uri=uris[stored](), format="delta" if stored == "delta" else "parquet")
    places = surroundings(lake, tmp_path, data.uri, lake.uri("out/one"), lake.uri("out/three"))
    for output, shards in (("out/one", 1), ("out/three", 3)):
        same_but_time(label(tmp_path, in_store(lake, task, data, output, places), shards, places), expected)
        named = {uri.rpartition("/")[2] for uri in lake.table(output).file_uris()}
        assert {name for name in lake.names(output) if not name.startswith("_")} == named
        assert not [name for name in lake.names(output) if name.startswith("_labelplane/")]


def test_an_output_in_a_bucket_is_partitioned(lake: Lake, tmp_path: Path) -> None:
    """I3: from one pod and from shards, with rows that the commit takes out of files; no key is left that no version names."""
    version = fit(tmp_path, DECLARED, parquet(tmp_path, "good.parquet", good()))
    data = parquet(tmp_path, "data.parquet", planted())
    expected = label(tmp_path, label_task(tmp_path, data, version, quarantine=0.02), 1)
    places = surroundings(lake, tmp_path, lake.uri("out/one"), lake.uri("out/three"))
    for output, shards in (("out/one", 1), ("out/three", 3)):
        task = in_store(lake, label_task(tmp_path, data, version, quarantine=0.02, partition_by="label"), data, output, places)
        same_but_time(label(tmp_path, task, shards, places), expected)
        table_of = lake.table(output)
        named = {uri.rpartition(f"/{output}/")[2] for uri in table_of.file_uris()}
        assert {name.partition("/")[0] for name in named} >= {"label=normal", "label=risky"}
        assert {name for name in lake.names(output) if not name.startswith("_")} == named
        assert sorted(table_of.to_pyarrow_table()["id"].to_pylist()) == [row["id"] for row in visible(tmp_path)]


def test_a_fit_in_shards_whose_versions_are_in_a_bucket(lake: Lake, tmp_path: Path) -> None:
    """X8, G9, F3: its parts, too, and the version is the one that one pod makes on a volume; of a fit that is refused the reason stays, and nothing else."""
    rows = table()
    task = fit_task(tmp_path, one_label(), in_one_file(tmp_path, rows), gold(tmp_path, rows))
    expected = merge(task, context(tmp_path))
    in_bucket = task.model_copy(update={"artifacts": lake.uri("models/one"), "shards": 3})
    places = surroundings(lake, tmp_path, in_bucket.artifacts, lake.uri("models/two"))
    run_fit_shard(in_bucket, 1, places)
    assert {name.rpartition("/")[2] for name in lake.names("models/one")} >= {"0001.json", "0001-votes.safetensors", "0001-ids-00000.parquet", "0001-gold-00000.parquet"}
    assert fit_in_shards(in_bucket, 3, places).sha256 == expected.sha256
    assert [name for name in lake.names("models/one") if name.startswith("_labelplane/")] == []
    shared = parquet(tmp_path, "shared.parquet", pa.concat_tables([rows, rows.slice(7, 1)]))
    refused = fit_task(tmp_path, one_label(), shared).model_copy(update={"artifacts": lake.uri("models/two"), "shards": 2})
    for attempt in (lambda: fit_in_shards(refused, 2, places), lambda: merge(refused, places)):
        with fails(JobReason.SCHEMA_BROKEN, "1 duplicate ids"):
            attempt()
        assert {name.rpartition("/")[2] for name in lake.names("models/two")} == {"refused.json", "_labelplane_probe"}


def test_data_that_changes_between_shards_breaks_the_pin(lake: Lake, tmp_path: Path) -> None:
    rows = table()
    on_volume = in_one_file(tmp_path, rows)
    task = label_task(tmp_path, on_volume, fit(tmp_path, one_label(), on_volume))
    data = Dataset(uri=lake.put("in/data.parquet", (tmp_path / "data.parquet").read_bytes()), format="parquet")
    places = surroundings(lake, tmp_path, data.uri, lake.uri("out"))
    pinned = in_store(lake, task, data, "out", places)
    lake.put("in/data.parquet", in_one_file_bytes(tmp_path))
    with fails(JobReason.PIN_BROKEN, "changed after they were pinned"):
        label(tmp_path, pinned, 3, places)
    assert [name for name in lake.names("out") if name.endswith(".parquet")] == []


def in_one_file_bytes(folder: Path) -> bytes:
    """Other rows of the same shape."""
    in_one_file(folder, table(seed=4))
    return (folder / "data.parquet").read_bytes()


def test_a_store_that_stays_away_at_the_commit_keeps_what_the_shards_did(lake: Lake, tmp_path: Path) -> None:
    rows = table()
    on_volume = in_one_file(tmp_path, rows)
    task = label_task(tmp_path, on_volume, fit(tmp_path, one_label(), on_volume))
    data = Dataset(uri=lake.put("in/data.parquet", (tmp_path / "data.parquet").read_bytes()), format="parquet")
    places = surroundings(lake, tmp_path, data.uri, lake.uri("out"))
    in_bucket = in_store(lake, task, data, "out", places)
    with fault_proxy(lake.server.endpoint) as proxy:
        away = surroundings(lake, tmp_path, data.uri, lake.uri("out"), AWS_ENDPOINT_URL=proxy.endpoint)
        proxy.fail("refuse", "^PUT .*/_delta_log/0")
        with fails(JobReason.STORAGE_UNAVAILABLE, "answers"):
            label(tmp_path, in_bucket, 3, away)
        assert len([name for name in lake.names("out") if name.startswith("labels-")]) == 3
        proxy.fail("lose-reply", "^PUT .*/_delta_log/0", times=1)
        assert label(tmp_path, in_bucket, 3, away).commit.version == 0
        assert lake.table("out").version() == 0
        for name in (dead := ["_labelplane/00000001-dead/0000.json", "labels-00000001-dead2-0000-00000.parquet"]):
            lake.put(f"out/{name}", b"{}")
        proxy.fail("refuse", "^DELETE")  # what cannot be removed does not fail a run that is committed, and goes the next time
        assert run_commit(CommitTask(label=in_bucket, shards=3), away).commit.version == 0
        assert {name.rpartition("/")[2] for name in dead} <= {request.rpartition("/")[2] for request in proxy.failed()}
    run_commit(CommitTask(label=in_bucket, shards=3), places)
    assert not [name for name in lake.names("out") if "dead" in name]


def test_rows_set_apart_in_a_bucket(lake: Lake, tmp_path: Path) -> None:
    """F3, X16: beside the output, in one pod and in shards as on a volume; files that hold a repeated id are written anew, and what they replace goes."""
    on_volume = parquet(tmp_path, "data.parquet", planted())
    version = fit(tmp_path, DECLARED, parquet(tmp_path, "good.parquet", good()))
    task = label_task(tmp_path, on_volume, version, quarantine=0.02)
    expected = label(tmp_path, task, 1)
    data = Dataset(uri=lake.put("in/data.parquet", (tmp_path / "data.parquet").read_bytes()), format="parquet")
    places = surroundings(lake, tmp_path, data.uri, lake.uri("out/one"), lake.uri("out/three"))
    for output, shards in (("out/one", 1), ("out/three", 3)):
        found = label(tmp_path, in_store(lake, task, data, output, places), shards, places)
        same_but_time(found, expected)
        assert found.commit.quarantine is not None
        place = places.locations.path(lake.uri(output))
        folder = place / found.commit.quarantine.uri.removeprefix(f"{lake.uri(output)}/")
        rows = [row for path in folder.glob("*.parquet") for row in pq.read_table(path.open("rb")).to_pylist()]
        assert len(rows) == found.commit.quarantine.rows == 10
        assert {row["run"] for row in rows} == {task.run}
        files = [path.name for path in place.glob("labels-*.parquet")]
        assert len(files) == shards
        assert sum(name.endswith("-once.parquet") for name in files) == (2 if shards == 3 else 0)  # the second shard has none


@pytest.mark.parametrize("stored", ["folder", "delta"])
def test_kept_votes_in_a_bucket(lake: Lake, tmp_path: Path, stored: str) -> None:
    """Guarantees 2 and 3: as on a volume; an object is told by its ETag, and what is kept is removed with a commit that does not name it."""
    rows = table()
    on_volume = in_a_folder(tmp_path, rows)
    version = fit(tmp_path, one_label(), on_volume)
    task = label_task(tmp_path, on_volume, version)
    expected = label(tmp_path, task, 1)
    data = Dataset(uri=lake.uri("in/data"), format="delta" if stored == "delta" else "parquet")
    places = surroundings(lake, tmp_path, data.uri, lake.uri("out"))
    paths = sorted((tmp_path / "data").glob("*"))
    reused = []
    for sequence, (new, shards, limit) in enumerate(((paths[:6], 1, 2), (paths[6:], 3, 2), ([], 1, 2), ([], 3, 0)), start=1):
        for path in new:
            if stored == "delta":
                lake.write_table("in/data", pq.read_table(path), mode="append")
            else:
                lake.put(f"in/data/{path.name}", path.read_bytes())
        now = in_store(lake, task, data, "out", places).model_copy(update={"sequence": sequence, "run": f"job-{sequence}", "history_limit": limit})
        found = label(tmp_path, now, shards, places)
        reused.append(found.commit.metrics.get("reusedRows"))
        left = [name for name in lake.names("out") if name.startswith("_labelplane/")]
        assert [name for name in left if name.endswith(".json")] == [f"_labelplane/votes/{one}" for one in named_by(lake, limit)]
    assert found.commit.content_digest == expected.commit.content_digest
    assert reused == [0, 6 * 123, len(rows), None]
    assert left == []
    assert {row["run"] for row in rows_of(lake.table("out"))} == {"job-4"}


def named_by(lake: Lake, limit: int) -> list[str]:
    """Manifests of the last commits."""
    found = [json.loads(entry["labelplane"])["votes"] for entry in lake.table("out").history(limit)] if limit else []
    return sorted(found)
