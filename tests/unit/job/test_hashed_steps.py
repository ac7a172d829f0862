"""The steps with hashed columns: several labels a row, and models that vote in others (F5, P4)."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from labeljob.contract.config import CommitTask, FitTask, LabelTask, Mount, ResolveTask, ShardTask
from labeljob.contract.datasets import Dataset, GoldDataset
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.inputs import InputQuery
from labeljob.contract.reasons import JobReason
from labeljob.contract.result import ModelVersion
from labeljob.drift.sample import RowSample
from labeljob.hashing import Hasher
from labeljob.io.locations import Locations
from labeljob.io.shard_files import ShardFiles
from labeljob.labeling_functions.python_runtime import PythonRuntime
from labeljob.row_ids import keys_of
from labeljob.steps.commit import run_commit
from labeljob.steps.context import StepContext
from labeljob.steps.fit import run_fit
from labeljob.steps.fit_shard import run_fit_shard
from labeljob.steps.label import run_label
from labeljob.steps.resolve import run_resolve
from labeljob.steps.shard import run_shard
from tests.unit.job import runs
from tests.unit.job.builders import context, delta, fails, function_set, text
from tests.unit.job.lake import without_reuse, without_run

ROWS = 200
KEY, OTHER = b"k" * 32, b"o" * 32
ID = {"name": "id", "type": "string", "nullable": False}
PLACE = {"name": "place", "type": "int64"}
SIGNALS = [{"name": f"s{j}", "type": "int64"} for j in range(3)]
HASH = {"sensitive": "hash"}
TABLE = {"uri": "pvc://lake/places.csv", "format": "csv"}
KNOWN = {"name": "known", "lookup": {"column": "place", "table": TABLE, "keyColumn": "place", "labelColumn": "verdict"}}
MINE = """
import pyarrow as pa

def vote(batch):
    return pa.array(["normal", "risky"]).take(batch.column("s0"))
"""
VOTES = [{"name": f"v{j}", "votes": {"column": f"s{j}", "map": {"0": "normal", "1": "risky"}}} for j in range(3)]


def declared(id_: dict[str, Any] | None = None, place: dict[str, Any] | None = None, functions: list[dict[str, Any]] | None = None, **more: Any) -> FunctionSet:
    columns = [ID | (id_ or {}), PLACE | (place or {}), *SIGNALS]
    schema = {"columns": columns, "hashKeyRef": {"name": "s", "key": "k"}}
    return function_set(columns, functions or [KNOWN, *VOTES], schema=schema, **more)


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    """Rows of a place that tells the class, and of signals that do so mostly."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, ROWS)
    signals = {f"s{j}": np.where(rng.random(ROWS) < 0.8, truth, 1 - truth) for j in range(3)}
    (tmp_path / "places.csv").write_text("place,verdict\n10,normal\n20,normal\n11,risky\n21,risky\n")
    (tmp_path / "gold.csv").write_text("id,gold\n" + "".join(f"r{i},{('normal', 'risky')[truth[i]]}\n" for i in range(0, ROWS, 4)))
    key(tmp_path, KEY)
    return delta(tmp_path, "data", pa.table({"id": [f"r{i}" for i in range(ROWS)], "place": 10 * rng.integers(1, 3, ROWS) + truth, **signals}))


def key(folder: Path, content: bytes) -> None:
    (folder / "secret").mkdir(exist_ok=True)
    (folder / "secret/k").write_bytes(content)


def surroundings(folder: Path) -> StepContext:
    mounts = [Mount(prefix="pvc://lake", path=str(folder)), Mount(prefix="secret://s", path=str(folder / "secret"))]
    return context(folder, locations=Locations(mounts), batch_rows=70, python=PythonRuntime((str(folder / "modules"),)))


def fit(folder: Path, name: str, functions: FunctionSet, data: Dataset, *inputs: str, **parameters: Any) -> ModelVersion:
    """Version 1 at pvc://lake/<name>."""
    return runs.merge(fit_task(folder, name, functions, data, *inputs, **parameters), surroundings(folder))


def fit_task(folder: Path, name: str, functions: FunctionSet, data: Dataset, *inputs: str, **parameters: Any) -> FitTask:
    """Its task."""
    gold = GoldDataset(label_column="gold", **text(folder, "gold.csv", (folder / "gold.csv").read_text()).model_dump())
    queries = tuple(InputQuery(name=one, artifacts=f"pvc://lake/{one}", version=1) for one in inputs)
    found = run_resolve(ResolveTask(function_set=functions, data=data, gold=gold, inputs=queries), surroundings(folder))
    return FitTask(
        function_set=functions, function_set_digest=str(found.function_set_digest), hash_key=found.hash_key, data=found.data, gold=found.gold, gold_label_column="gold",
        inputs=found.inputs, algorithm="dawid-skene", parameters={"seed": 0} | parameters, artifacts=f"pvc://lake/{name}", version=1, fit_digest=name, image="i",
    )  # fmt: skip


def label(folder: Path, name: str, version: ModelVersion) -> list[str]:
    """Ids of the output."""
    task = LabelTask(
        data=version.data, gold=version.gold, gold_label_column="gold", artifacts=f"pvc://lake/{name}", model_name=name, model_version=1, model_sha256=version.sha256,
        output=f"pvc://lake/labels-{name}", app_id="app", sequence=1, run_digest="d", run="r-d-1", image="i",
    )  # fmt: skip
    run_label(task, surroundings(folder))
    ids: list[str] = DeltaTable(folder / f"labels-{name}").to_pyarrow_table()["id"].to_pylist()
    return ids


@pytest.mark.parametrize("several", [False, True])
def test_a_version_is_used_with_the_key_that_it_was_fitted_with(tmp_path: Path, data: Dataset, several: bool) -> None:
    """F5: of one label a row and of several; gold finds its rows, ids are hashes, and with another key nothing is written."""
    more = {"multiLabel": True} if several else {}
    version = fit(tmp_path, "model", declared(HASH, HASH, **more), data)
    assert version.hash_key is not None
    assert version.hash_key.id == Hasher(KEY).key_id
    assert (version.metrics["precision"] or 0) > 0.5
    key(tmp_path, OTHER)
    with fails(JobReason.HASH_KEY_CHANGED, "is another one"):
        label(tmp_path, "model", version)
    assert not (tmp_path / "labels-model").exists()
    key(tmp_path, KEY)
    assert sorted(label(tmp_path, "model", version)) == sorted(Hasher(KEY).hashed(pa.array([f"r{i}" for i in range(ROWS)])).to_pylist())


def test_a_fit_with_another_key_than_was_pinned_stops(tmp_path: Path, data: Dataset) -> None:
    """F5."""
    functions = declared(HASH)
    found = run_resolve(ResolveTask(function_set=functions, data=data), surroundings(tmp_path))
    key(tmp_path, OTHER)
    task = FitTask(
        function_set=functions, function_set_digest=str(found.function_set_digest), hash_key=found.hash_key, data=found.data, algorithm="auto", parameters={},
        artifacts="pvc://lake/model", version=1, fit_digest="f", image="i",
    )  # fmt: skip
    with fails(JobReason.HASH_KEY_CHANGED, "is another one"):
        run_fit(task, surroundings(tmp_path))
    assert not (tmp_path / "model").exists()


def test_an_input_looks_up_what_is_hashed_alike(tmp_path: Path, data: Dataset) -> None:
    """F5, P4: with the same key the tables of an input work on the hashes here."""
    fit(tmp_path, "first", declared(HASH, HASH, [KNOWN]), data)
    version = fit(tmp_path, "second", declared(HASH, HASH, VOTES), data, "first")
    assert [one.name for one in version.inputs] == ["first"]
    assert len(label(tmp_path, "second", version)) == ROWS


@pytest.mark.parametrize(
    ("there", "here", "new_key", "parameters", "why"),
    [
        ((None, HASH), (None, None), False, {}, "reads the column place, which is not hashed here and hashed there: declare it alike"),
        ((None, None), (None, HASH), False, {}, "reads the column place, which is hashed here and not hashed there: declare it alike"),
        ((None, HASH), (None, HASH), True, {}, "reads the column place, which is hashed with another key there"),
        ((None, None), (HASH, None), False, {"useGold": "fit"}, "learned from gold rows that it knows by ids hashed otherwise than here"),
        ((HASH, None), (HASH, None), True, {"useGold": "fit"}, "learned from gold rows that it knows by ids hashed otherwise than here"),
    ],
)
def test_an_input_that_hashes_otherwise_is_refused(
    tmp_path: Path, data: Dataset, there: tuple[Any, Any], here: tuple[Any, Any], new_key: bool, parameters: dict[str, Any], why: str
) -> None:
    """F5, P4: its tables would find nothing, and gold that taught it would score what it taught."""
    fit(tmp_path, "first", declared(*there, [KNOWN, *VOTES[:2]]), data, **parameters)
    key(tmp_path, OTHER if new_key else KEY)
    with fails(JobReason.INPUT_MISMATCH, why):
        fit(tmp_path, "second", declared(*here, VOTES), data, "first")


@pytest.mark.parametrize("several", [False, True])
def test_shards_hash_and_look_as_one_pod_does(tmp_path: Path, data: Dataset, several: bool) -> None:
    """F5, X16: the same content, scores and suspicions, whichever pods read the rows; what shards write for one another are hashes."""
    more = {"multiLabel": True} if several else {}
    version = fit(tmp_path, "model", declared(HASH, HASH, **more), data)
    table = DeltaTable(tmp_path / "data").to_pyarrow_table()
    seen = table.append_column("who", pa.array([f"{one}@example.com" for one in table["id"].to_pylist()]))
    rows = runs.parquet(tmp_path, "rows.parquet", seen, groups=8)
    gold = GoldDataset(label_column="gold", **text(tmp_path, "gold.csv", (tmp_path / "gold.csv").read_text()).model_dump())
    results = [runs.label(tmp_path, runs.label_task(tmp_path, rows, version, gold, output=f"labels-{n}"), n, surroundings(tmp_path)) for n in (1, 3)]
    runs.same_but_time(*results)
    found = [[(one.column, one.pattern, one.how, one.share) for one in result.commit.privacy] for result in results]
    assert found == [[("who", "email", "is", 1.0)]] * 2
    assert [result.commit.privacy[0].sampled for result in results] == [ROWS, ROWS]  # each shard looks at its part of what is not declared
    assert results[0].commit.content_digest == results[1].commit.content_digest
    assert all(len(row["id"]) == 64 for row in runs.visible(tmp_path, "labels-3"))


def test_shards_of_a_fit_leave_hashes(tmp_path: Path, data: Dataset) -> None:
    """F5, G9: of ids, and of gold rows among them; the version is that of one pod."""
    rows = runs.parquet(tmp_path, "rows.parquet", DeltaTable(tmp_path / "data").to_pyarrow_table(), groups=8)
    task = fit_task(tmp_path, "model", declared(HASH, HASH), rows)
    whole = runs.merge(task.model_copy(update={"artifacts": "pvc://lake/whole"}), surroundings(tmp_path))
    parts = task.model_copy(update={"shards": 2})
    for index in range(2):
        run_fit_shard(parts, index, surroundings(tmp_path))
    written = {kind: [pq.read_table(file).column("id").to_pylist() for file in (tmp_path / "model").rglob(f"*-{kind}-*.parquet")] for kind in ("ids", "gold")}
    hashes = Hasher(KEY).hashed(pa.array([f"r{i}" for i in range(ROWS)])).to_pylist()
    assert sorted(one for ids in written["ids"] for one in ids) == sorted(hashes)
    assert sorted(one for ids in written["gold"] for one in ids) == sorted(hashes[::4])
    (tmp_path / "secret/k").unlink()
    with fails(JobReason.HASH_KEY_INVALID, ""):
        runs.merge(parts, surroundings(tmp_path))
    key(tmp_path, KEY)
    assert runs.merge(parts, surroundings(tmp_path)).sha256 == whole.sha256  # what can be mended takes no work from the shards


def test_rows_that_a_shard_keeps_a_look_at_are_chosen_by_hashes(tmp_path: Path, data: Dataset) -> None:
    """F5: a hash without a key of an id of a dozen digits is found by trying; those that a shard leaves for the commit are of the hash with the key."""
    version = fit(tmp_path, "model", declared(HASH, HASH), data)
    rows = DeltaTable(tmp_path / "data").to_pyarrow_table()
    task = runs.label_task(tmp_path, runs.parquet(tmp_path, "rows.parquet", rows, groups=8), version)
    for index in range(2):
        run_shard(ShardTask(label=task, shards=2), index, surroundings(tmp_path))
    tallies = list(ShardFiles(tmp_path / "labels", task, 2).tallies())
    kept = np.concatenate([RowSample.from_text(declared(HASH, HASH), one["sample"]).table()["#row"].to_numpy() for one in tallies])
    looked = np.concatenate([np.load(io.BytesIO(base64.b64decode(one["scan"])))["keys"] for one in tallies])
    ids = rows["id"].combine_chunks()
    keyed = np.sort(keys_of(Hasher(KEY).hashed(ids)))
    assert not np.isin(keys_of(ids), keyed).any()
    assert len(kept) == ROWS
    np.testing.assert_array_equal(np.sort(kept), keyed)
    assert np.isin(looked, keyed).all()


def test_ids_that_shards_tell_one_another_are_hashes(tmp_path: Path, data: Dataset) -> None:
    """F5: where the contract is broken, repeated ids are looked for among hashes."""
    version = fit(tmp_path, "model", declared(HASH, HASH), data)
    table = DeltaTable(tmp_path / "data").to_pyarrow_table()
    broken = table.set_column(0, "id", pa.array(["r0", *table["id"].to_pylist()[1:-2], None, "r0"]))
    task = runs.label_task(tmp_path, runs.parquet(tmp_path, "rows.parquet", broken, groups=8), version)
    for index in range(2):
        run_shard(ShardTask(label=task, shards=2), index, surroundings(tmp_path))
    written = [pq.read_table(file).column("id").to_pylist() for file in (tmp_path / "labels").rglob("*ids*.parquet")]
    assert written
    assert all(len(one) == 64 for ids in written for one in ids)
    with fails(JobReason.SCHEMA_BROKEN, r"columns\[id\]: 1 null ids; spec.schema.columns\[id\]: [12] duplicate ids"):
        run_commit(CommitTask(label=task, shards=2), surroundings(tmp_path))


@pytest.mark.parametrize("several", [False, True])
def test_rows_set_apart_show_hashes_at_most(tmp_path: Path, data: Dataset, several: bool) -> None:
    """F3, F5, X16: in one pod and in shards, of one label a row and of several: the id as its hash, no other sensitive column, and bounds held against values.
    Guarantee 2: also where the votes on the other row of an id are kept, and those of a function in Python."""
    found = DeltaTable(tmp_path / "data").to_pyarrow_table()
    ids, places = found["id"].to_pylist(), found["place"].to_pylist()
    ids[3], ids[4], places[100] = ids[150], None, 987654321
    rows = found.set_column(0, "id", pa.array(ids)).set_column(1, "place", pa.array(places))
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules/mine.py").write_text(MINE)
    more = {"multiLabel": True} if several else {"functions": [KNOWN, *VOTES, {"name": "mine", "python": {"entrypoint": "mine:vote", "columns": ["s0"]}}]}
    version = fit(tmp_path, "model", declared(HASH, HASH | {"maximum": 1000}, **more), data)
    broken = runs.parquet(tmp_path, "broken.parquet", rows, groups=6)
    outcomes, labelled, hashed = [], [], Hasher(KEY).hashed(pa.array(["r150", "r100"])).to_pylist()
    for sequence, shards, reused in ((1, 1, 0), (2, 3, ROWS - 2 * 34 - 1)):  # the rows of the first and of the third row group were broken, and one that is kept shares its id
        task = runs.label_task(tmp_path, broken, version, sequence=sequence, quarantine=0.05, history_limit=2)
        found = runs.label(tmp_path, task, shards, surroundings(tmp_path))
        assert (found.commit.metrics["rows"], found.commit.metrics["reusedRows"]) == (ROWS - 4, reused)
        outcomes.append(without_reuse(found))
        runs.same_but_time(outcomes[-1], outcomes[0])
        labelled.append(without_run(tmp_path, "labels"))
        apart = [row for path in (tmp_path / "labels/_quarantine").rglob(f"{sequence:08d}-*/*.parquet") for row in pq.read_table(path).to_pylist()]
        said = sorted(((row["row"]["id"], row["reason"]) for row in apart), key=str)
        assert said == sorted([(hashed[0], "id: duplicate id")] * 2 + [(hashed[1], "place: above maximum 1000"), (None, "id: null id")], key=str)
        assert {name for row in apart for name in row["row"]} == {"id", "s0", "s1", "s2"}
        assert "987654321" not in str(apart)
    assert labelled[0] == labelled[1]
