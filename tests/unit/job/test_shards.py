"""A run in shards is the run in one pod: the same rows, figures and refusals (X8, X16; DESIGN §4.2)."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from deltalake import DeltaTable

from labeljob.contract.config import CommitTask, Mount, ShardTask
from labeljob.contract.datasets import Dataset, GoldDataset
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.io.locations import Locations
from labeljob.io.places import Place
from labeljob.steps.commit import run_commit
from labeljob.steps.shard import run_shard
from labelplane.api.parse import parse_function_set
from labelplane.plan.function_set import functions_of
from tests.unit.job.builders import context, delta, fails, function_set, text
from tests.unit.job.runs import fit, label, label_task, left, parquet, same_but_time, visible
from tests.unit.multi_label import tags

ROWS = 1100
SIGNALS = [{"name": f"s{j}", "type": "int64"} for j in range(4)]
BY_MAP = [{"name": f"f{j}", "votes": {"column": f"s{j}", "map": {"0": "normal", "1": "risky"}}} for j in range(4)]
FALLBACK = {"name": "else", "label": "normal", "sql": "true", "fallback": True}


def table(rows: int = ROWS, seed: int = 3, **more: Any) -> pa.Table:
    """Signals of the class, each missing on a third of the rows, and a teacher's probability; ids in no order."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, rows)
    signals = np.where(rng.random((rows, 4)) < 0.8, truth[:, None], 1 - truth[:, None])
    columns = {f"s{j}": pa.array(signals[:, j], pa.int64(), mask=rng.random(rows) < 0.33) for j in range(4)}
    p = np.clip(truth * 0.5 + rng.random(rows) * 0.5, 0.01, 0.99)
    return pa.table({"id": [f"r{i:05d}" for i in rng.permutation(rows)], **columns, "p": p, "q": 1 - p, "zero": np.zeros(rows), "truth": truth, **more})


def gold(folder: Path, data: pa.Table, each: int = 4) -> GoldDataset:
    """The class of every fourth row."""
    lines = [f"{row['id']},{('normal', 'risky')[row['truth']]}" for row in data.to_pylist()[::each]]
    return GoldDataset(label_column="gold", **text(folder, "gold.csv", "\n".join(["id,gold", *lines, ""])).model_dump())


def one_label(functions: list[dict[str, Any]] = [*BY_MAP, FALLBACK], **more: Any) -> FunctionSet:  # noqa: B006 not changed
    return function_set([*SIGNALS, {"name": "p", "type": "float64"}, {"name": "q", "type": "float64"}], functions, additionalColumns="allow", **more)


SETS: dict[str, FunctionSet] = {
    "one label": one_label(),
    "soft and partial votes": function_set(
        [*SIGNALS, *({"name": name, "type": "float64"} for name in ("p", "q", "zero"))],
        [*BY_MAP[:2], {"name": "not", "notLabel": "odd", "sql": "s2 = 1"}, {"name": "soft", "votes": {"probabilities": {"risky": "p", "normal": "q", "odd": "zero"}}}],
        additionalColumns="allow",
        classes=["normal", "risky", "odd"],
    ),
}


def all_alike(folder: Path, data: Dataset, version: Any, known: GoldDataset | None, name: str = "model") -> None:
    """Raises AssertionError unless 1, 3 and 8 shards give the same rows, figures and digest, and leave nothing behind."""
    first = label(folder, label_task(folder, data, version, known, output="labels-1", name=name), 1)
    for shards in (3, 8):
        found = label(folder, label_task(folder, data, version, known, output=f"labels-{shards}", name=name), shards)
        same_but_time(found, first)
        assert visible(folder, f"labels-{shards}") == visible(folder, "labels-1")
        assert left(folder, f"labels-{shards}") == []
        assert not (folder / f"labels-{shards}/_labelplane").exists()


@pytest.mark.parametrize(("kind", "stored"), [("one label", "folder"), ("soft and partial votes", "parquet"), ("one label", "delta")])
def test_one_three_and_eight_shards_say_the_same(tmp_path: Path, kind: str, stored: str) -> None:
    """X16: rows, content digest, figures of functions, metrics and scores against gold."""
    rows = table()
    known = gold(tmp_path, rows)
    data = {"parquet": in_one_file, "folder": in_a_folder, "delta": in_a_partitioned_table}[stored](tmp_path, rows)
    all_alike(tmp_path, data, fit(tmp_path, SETS[kind], data, known), known)


def in_one_file(folder: Path, rows: pa.Table) -> Dataset:
    return parquet(folder, "data.parquet", rows)


def in_a_folder(folder: Path, rows: pa.Table) -> Dataset:
    return parquet(folder, "data", rows, files=9, groups=18)


def in_a_partitioned_table(folder: Path, rows: pa.Table) -> Dataset:
    """Ten files at least, of which some are older than a column, and a file without rows for each class."""
    for start in range(0, len(rows), 220):
        part = rows.slice(start, 220)
        found = delta(folder, "data", part if start else part.drop_columns("s3"), partition_by=["truth"], mode="append", **({"schema_mode": "merge"} if start else {}))
    return found


def test_a_multi_label_set_in_shards(tmp_path: Path) -> None:
    """X16: answers, figures and scores of several labels a row."""
    functions, kinds = tags.rules(2)
    truth = tags.truth_of(500, 1)
    columns = tags.fired(truth, 2, 1)
    rows = pa.table({"id": np.random.default_rng(1).permutation(500), **columns})
    data = parquet(tmp_path, "data.parquet", rows)
    lines = [f"{key},{'|'.join(name for name, has in zip(tags.CLASSES, row, strict=True) if has) or '|'}" for key, row in zip(rows["id"].to_pylist(), truth, strict=True)]
    known = GoldDataset(label_column="gold", **text(tmp_path, "gold.csv", "\n".join(["id,gold", *lines[::3], ""])).model_dump())
    soft = {"votes": {"probabilities": {"bug": "p"}}}
    declared = tags.tag_set([*functions, soft, {"label": "question", "sql": "true", "fallback": True}], kinds | {"p": "float64"})
    data = parquet(tmp_path, "data.parquet", rows.append_column("p", pa.array(np.clip(truth[:, 0] * 0.6 + 0.2, 0, 1))))
    all_alike(tmp_path, data, fit(tmp_path, declared, data, known), known)


def test_an_input_model_and_gold_that_taught(tmp_path: Path) -> None:
    """X16, P4, X11: a model that votes in another, and gold left out of the scores, in shards too."""
    rows = table()
    data, known = parquet(tmp_path, "data.parquet", rows), gold(tmp_path, rows)
    fit(tmp_path, one_label(BY_MAP[:2]), data, name="below")
    version = fit(tmp_path, one_label(BY_MAP[2:]), data, gold(tmp_path, rows, each=8), inputs=["below"], useGold="fit")
    all_alike(tmp_path, data, version, gold(tmp_path, rows), "model")
    assert known is not None


def test_real_mails(tmp_path: Path) -> None:
    """X16, S5: the rules of an example over its mails."""
    example = Path(__file__).parents[3] / "examples/mail-triage"
    (manifest,) = [one for one in yaml.safe_load_all((example / "functionset.yaml").read_text()) if one]
    declared = functions_of(parse_function_set(manifest))
    plain = declared.model_copy(update={"functions": [one for one in declared.functions if one.lookup is None], "tests": None})
    mails = pq.read_table(example / "data/mails.parquet").slice(0, 800)
    data = parquet(tmp_path, "mails.parquet", mails, groups=10)
    all_alike(tmp_path, data, fit(tmp_path, plain, data), None)


def test_no_rows_at_all(tmp_path: Path) -> None:
    """DESIGN §3: a run over nothing commits an empty version."""
    version = fit(tmp_path, one_label(), parquet(tmp_path, "data.parquet", table()))
    all_alike(tmp_path, parquet(tmp_path, "empty", table(0), files=9), version, None)


def test_the_same_shards_write_the_same_bytes(tmp_path: Path) -> None:
    """X16: same shard count, same Parquet content; and every row once, with what a reader needs to pass over files."""
    data = parquet(tmp_path, "data.parquet", table())
    version = fit(tmp_path, one_label(), data)
    contents = []
    for output in ("a", "b"):
        label(tmp_path, label_task(tmp_path, data, version, output=output), 3)
        contents.append({path.name: path.read_bytes() for path in (tmp_path / output).glob("*.parquet")})
    assert contents[0] == contents[1]
    assert len(contents[0]) == 3
    added = pa.table(DeltaTable(tmp_path / "a").get_add_actions(flatten=True)).to_pylist()
    assert sum(one["num_records"] for one in added) == ROWS
    for one in added:
        ids = pq.read_table(tmp_path / "a" / one["path"]).column("id").to_pylist()
        assert ids == sorted(ids)
        assert (one["min.id"], one["max.id"], one["null_count.id"]) == (ids[0], ids[-1], 0)


def refusals(folder: Path, data: Dataset, version: Any, shards: int = 3, name: str = "model") -> tuple[JobError, JobError]:
    """What the run in one pod and the run in shards say."""
    caught = []
    for count in (1, shards):
        with pytest.raises(JobError) as error:
            label(folder, label_task(folder, data, version, output=f"refused-{count}", name=name), count, context(folder))
        caught.append(error.value)
    return caught[0], caught[1]


@pytest.mark.parametrize("also_null", [False, True])
def test_what_breaks_the_contract_is_said_of_all_rows(tmp_path: Path, also_null: bool) -> None:
    """F3, X5: counts over all parts, ids that two parts share among them; the message of the run in one pod."""
    rows = table()
    version = fit(tmp_path, one_label(), parquet(tmp_path, "data.parquet", rows))
    ids = rows["id"].to_pylist()
    ids[5] = ids[1000]
    ids[6] = ids[7]
    broken = rows.set_column(0, "id", pa.array([None if also_null and i in (50, 900) else one for i, one in enumerate(ids)]))
    one, many = refusals(tmp_path, parquet(tmp_path, "broken.parquet", broken), version)
    assert [path.name for path in (tmp_path / "refused-3").rglob("*.*")] == ["refused.json"]
    assert (many.reason, many.message) == (one.reason, one.message)
    assert "spec.schema.columns[id]: 2 duplicate ids" in many.message
    assert ("spec.schema.columns[id]: 2 null ids" in many.message) == also_null


def test_columns_that_are_not_there(tmp_path: Path) -> None:
    """F3, X5: also where the id itself cannot be read."""
    rows = table()
    version = fit(tmp_path, one_label(), parquet(tmp_path, "data.parquet", rows))
    for name, broken in (("no-s1", rows.drop_columns("s1")), ("no-id", rows.drop_columns("id"))):
        one, many = refusals(tmp_path, parquet(tmp_path, f"{name}.parquet", broken), version)
        assert (many.reason, many.message) == (JobReason.SCHEMA_BROKEN, one.message)


def failing(rows: pa.Table, name: str, places: slice) -> pa.Table:
    """A value that no map knows, on some rows."""
    values = rows[name].to_pylist()
    values[places] = [7] * len(values[places])
    return rows.set_column(rows.schema.get_field_index(name), name, pa.array(values, pa.int64()))


def test_functions_fail_over_all_rows_and_not_over_a_part(tmp_path: Path) -> None:
    """X9: 1 % of all rows may fail, be they all in one part; with more, the message of the run in one pod."""
    rows = table()
    version = fit(tmp_path, one_label(), parquet(tmp_path, "data.parquet", rows))
    all_alike(tmp_path, parquet(tmp_path, "eleven.parquet", failing(rows, "s0", slice(0, 11))), version, None)
    for name, places in (("spread", slice(None, None, 80)), ("at-once", slice(0, 12))):
        one, many = refusals(tmp_path, parquet(tmp_path, f"{name}.parquet", failing(rows, "s0", places)), version)
        assert many.reason is JobReason.FUNCTIONS_FAILING
        if name == "spread":
            assert many.message == one.message


def test_a_shard_stops_when_its_own_failures_are_too_many_for_all_rows(tmp_path: Path) -> None:
    """X9, X21: it need not wait for the others; what those leave goes when a later run is committed, be it in one pod."""
    rows = table()
    data = parquet(tmp_path, "data.parquet", rows)
    version = fit(tmp_path, one_label(), data)
    task = ShardTask(label=label_task(tmp_path, parquet(tmp_path, "odd.parquet", failing(rows, "s0", slice(0, 12))), version), shards=3)
    with fails(JobReason.FUNCTIONS_FAILING, "f0 on"):
        run_shard(task, 0, context(tmp_path))
    assert run_shard(task, 1, context(tmp_path)).rows > 300
    assert sorted(path.suffix for path in (tmp_path / "labels").rglob("*.*")) == [".json", ".json", ".parquet"]
    for sequence, shards in ((2, 3), (3, 1)):
        label(tmp_path, label_task(tmp_path, data, version, sequence=sequence), shards)
        assert left(tmp_path) == []


def test_an_input_that_fails_in_all_parts_together(tmp_path: Path) -> None:
    """X9, P4."""
    rows = table()
    data = parquet(tmp_path, "data.parquet", rows)
    fit(tmp_path, one_label(BY_MAP[:2]), data, name="below")
    version = fit(tmp_path, one_label(BY_MAP[2:]), data, inputs=["below"])
    one, many = refusals(tmp_path, parquet(tmp_path, "odd.parquet", failing(rows, "s1", slice(None, None, 80))), version)
    assert (many.reason, many.message) == (one.reason, one.message)
    assert many.message.startswith("input model below: labeling functions fail too often: f1 on")


def test_data_that_changes_meanwhile_is_refused(tmp_path: Path) -> None:
    """C1, X16: no shard reads all of the files that a pin stands for; together they know."""
    rows = table()
    data = parquet(tmp_path, "data", rows, files=4)
    version = fit(tmp_path, one_label(), data)
    task = label_task(tmp_path, data, version)
    for index in (0, 1):
        run_shard(ShardTask(label=task, shards=3), index, context(tmp_path))
    pq.write_table(table(275, seed=8), tmp_path / "data/part-003.parquet")
    run_shard(ShardTask(label=task, shards=3), 2, context(tmp_path))
    with fails(JobReason.PIN_BROKEN, "its files changed after they were pinned"):
        run_commit(CommitTask(label=task, shards=3), context(tmp_path))
    assert [path.name for path in (tmp_path / "labels").rglob("*.*")] == ["refused.json"]


def test_a_table_of_others_keeps_nothing_of_a_run(tmp_path: Path) -> None:
    """C5: one that was made while the shards worked; asked again, the commit says so again."""
    data = parquet(tmp_path, "data.parquet", table(90))
    task = label_task(tmp_path, data, fit(tmp_path, one_label(), data))
    for index in (0, 1):
        run_shard(ShardTask(label=task, shards=2), index, context(tmp_path))
    (tmp_path / "labels").rename(tmp_path / "ours")
    delta(tmp_path, "labels", table(9))
    for place in (tmp_path / "ours").iterdir():
        place.rename(tmp_path / "labels" / place.name)
    for _ in range(2):
        with fails(JobReason.OUTPUT_CONFLICT, "a Delta table that no LabelJob wrote"):
            run_commit(CommitTask(label=task, shards=2), context(tmp_path))
        assert left(tmp_path) == []


def test_one_file_that_two_shards_read_in_two_states_is_refused(tmp_path: Path) -> None:
    """C1: also when the last one to look finds what was pinned."""
    data = parquet(tmp_path, "data.parquet", table())
    version = fit(tmp_path, one_label(), data)
    task, content = label_task(tmp_path, data, version), (tmp_path / "data.parquet").read_bytes()
    parquet(tmp_path, "data.parquet", failing(table(), "s3", slice(1099, 1100)))
    run_shard(ShardTask(label=task, shards=2), 1, context(tmp_path))
    (tmp_path / "data.parquet").write_bytes(content)
    run_shard(ShardTask(label=task, shards=2), 0, context(tmp_path))
    with fails(JobReason.PIN_BROKEN, "its files changed after they were pinned"):
        run_commit(CommitTask(label=task, shards=2), context(tmp_path))
    label(tmp_path, task, 2)
    assert len(visible(tmp_path)) == ROWS


@pytest.mark.parametrize("history_limit", [0, 2])
def test_data_that_was_written_anew_is_refused_as_such(tmp_path: Path, history_limit: int) -> None:
    """C1, X16: whatever else may be said of rows that were not pinned; in one pod and in shards, read piece by piece or not."""
    rows = table()
    data = parquet(tmp_path, "data.parquet", rows)
    task = label_task(tmp_path, data, fit(tmp_path, one_label(), data), history_limit=history_limit)
    ids = [None if i == 50 else one for i, one in enumerate(rows["id"].to_pylist())]
    for broken in (rows.set_column(0, "id", pa.array(ids)), failing(rows, "s0", slice(None, None, 80))):
        parquet(tmp_path, "data.parquet", broken)
        for shards in (1, 2):
            with fails(JobReason.PIN_BROKEN, "after (it was|they were) pinned: restore it, or set the annotation"):
                label(tmp_path, task, shards)
            assert list((tmp_path / "labels").rglob("labels-*")) == []


class Counted(Locations):
    """Keeps what is looked for."""

    looked: list[str]

    def existing(self, uri: str) -> Place:
        self.looked.append(uri)
        return super().existing(uri)


def test_a_commit_waits_for_every_shard(tmp_path: Path) -> None:
    """C5: what is missing is named, another attempt may find it, and what is done is kept. X8: a shard opens its part once, also to look at other columns."""
    data = parquet(tmp_path, "data.parquet", table(note=["text"] * ROWS))
    task, places = label_task(tmp_path, data, fit(tmp_path, one_label(), data)), Counted([Mount(prefix="pvc://lake", path=str(tmp_path))])
    places.looked = []
    run_shard(ShardTask(label=task, shards=3), 1, context(tmp_path, locations=places))
    assert places.looked.count(data.uri) == 1
    with fails(JobReason.INTERNAL_ERROR, "shards 0, 2 of 3 have not finished"):
        run_commit(CommitTask(label=task, shards=3), context(tmp_path))
    with fails(JobReason.CONFIG_INVALID, "the completion index is 3 and must be 0 to 2"):
        run_shard(ShardTask(label=task, shards=3), 3, context(tmp_path))
    for index in (0, 2):
        run_shard(ShardTask(label=task, shards=3), index, context(tmp_path))
    assert run_commit(CommitTask(label=task, shards=3), context(tmp_path)).commit.metrics["rows"] == ROWS
