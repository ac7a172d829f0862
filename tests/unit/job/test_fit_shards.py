"""A fit in shards is the fit in one pod: the same version to the last byte, and the same reasons where it is refused (G9, X8, C5; DESIGN §4.2, §4.9)."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labeljob.artifacts import ArtifactHome
from labeljob.contract.config import FitTask
from labeljob.contract.datasets import GoldDataset
from labeljob.contract.reasons import JobReason
from labeljob.contract.result import ModelVersion
from labeljob.drift.sample import RowSample
from labeljob.errors import JobError
from labeljob.io.fit_files import FitFiles
from labeljob.io.pins import pin
from labeljob.label_model import from_bytes
from labeljob.steps.fit import prepare, votes_of
from labeljob.steps.fit_shard import run_fit_shard
from labeljob.votes import VoteBatch
from tests.unit.job.builders import context, fails, function_set, locations, text
from tests.unit.job.runs import fit, fit_in_shards, fit_task, merge, parquet
from tests.unit.job.test_shards import BY_MAP, FALLBACK, ROWS, SETS, SIGNALS, failing, gold, in_a_folder, in_a_partitioned_table, one_label, table
from tests.unit.multi_label import tags

ADDRESSES = {"name": "who", "type": "string"}
KINDS = SETS | {"addresses": function_set([*SIGNALS, ADDRESSES], [*BY_MAP, FALLBACK], additionalColumns="allow")}


def all_alike(folder: Path, task: FitTask, shards: tuple[int, ...] = (3,)) -> ModelVersion:
    """Raises AssertionError unless one pod and so many shards make the same version, and leave nothing behind."""
    found = []
    for count in (1, *shards):
        ours = task.model_copy(update={"artifacts": f"{task.artifacts}-{count}"})
        surroundings = context(folder, batch_rows=300)
        version = merge(ours, surroundings) if count == 1 else fit_in_shards(ours, count, surroundings)
        home = surroundings.locations.path(ours.artifacts)
        found.append((version.model_dump(exclude={"fitted_at"}), ArtifactHome(home, ours.artifacts).load(1, version.sha256)))
        assert sorted(path.name for path in home.iterdir()) == ["index.json", "v1"]
    for record, content in found[1:]:
        assert content == found[0][1]
        assert record == found[0][0]
    return version


def drawn(folder: Path, rows: pa.Table) -> GoldDataset:
    """Gold of which some rows stand for more than others, so that sums of weights depend on their order."""
    lines = [f"{row['id']},{('normal', 'risky')[row['truth']]},{0.1 if row['truth'] else 0.7}" for row in rows.to_pylist()[::3]]
    file = text(folder, "gold.csv", "\n".join(["id,gold,drawn", *lines, ""]))
    return GoldDataset(label_column="gold", inclusion_probability_column="drawn", **file.model_dump())


@pytest.mark.parametrize(
    ("kind", "stored", "shards"), [("addresses", in_a_folder, (3, 8)), ("soft and partial votes", in_a_partitioned_table, (3,))]
)
def test_one_three_and_eight_shards_make_one_version(tmp_path: Path, kind: str, stored: Any, shards: tuple[int, ...]) -> None:
    """G9, X8, F5: parameters, calibration, figures, reference for drift, scores on gold, and which declared columns look like personal data, on how many rows."""
    rows = table(who=[f"p{i}@example.com" if i % 7 else "nobody" for i in range(ROWS)]) if kind == "addresses" else table()
    version = all_alike(tmp_path, fit_task(tmp_path, KINDS[kind], stored(tmp_path, rows), drawn(tmp_path, rows)), shards)
    assert [(one.column, one.pattern, one.sampled) for one in version.privacy] == ([("who", "email", ROWS)] if kind == "addresses" else [])
    assert version.metrics["goldRows"] == -(-len(rows) // 3)
    assert version.calibration is not None
    assert version.calibration.method != "none"


def test_gold_that_teaches_and_a_model_that_votes(tmp_path: Path) -> None:
    """X11, P4, M8: folds go by ids, and gold rows are kept out of the statistics, in shards too."""
    rows = table()
    data = parquet(tmp_path, "data.parquet", rows)
    fit(tmp_path, one_label(BY_MAP[:2]), data, gold(tmp_path, rows, each=16), name="below", useGold="fit")
    version = all_alike(tmp_path, fit_task(tmp_path, one_label(BY_MAP[2:]), data, gold(tmp_path, rows), inputs=["below"], useGold="fit"))
    assert [note for note in version.notes if "gold rows taught an input model" in note]


def test_a_multi_label_set(tmp_path: Path) -> None:
    """X8: a label model for each class, from one pass in shards; gold of label sets, and soft votes."""
    functions, kinds = tags.rules(2)
    truth = tags.truth_of(500, 1)
    p = np.clip(truth[:, 0] * 0.6 + 0.2, 0, 1)
    rows = pa.table({"id": np.random.default_rng(1).permutation(500), **tags.fired(truth, 2, 1), "p": p})
    lines = [f"{key},{'|'.join(name for name, has in zip(tags.CLASSES, row, strict=True) if has) or '|'}" for key, row in zip(rows["id"].to_pylist(), truth, strict=True)]
    known = GoldDataset(label_column="gold", **text(tmp_path, "gold.csv", "\n".join(["id,gold", *lines[::3], ""])).model_dump())
    declared = tags.tag_set([*functions, {"votes": {"probabilities": {"bug": "p"}}}, {"label": "question", "sql": "true", "fallback": True}], kinds | {"p": "float64"})
    data = parquet(tmp_path, "data.parquet", rows)
    assert all_alike(tmp_path, fit_task(tmp_path, declared, data, known)).metrics["goldRows"] == 167
    all_alike(tmp_path, fit_task(tmp_path, declared, data, name="without-gold"))


def test_more_patterns_than_are_kept(tmp_path: Path) -> None:
    """G9: beyond the budget a version is made of exact counts of pairs and of a sample that goes by hashed ids, the same in shards."""
    rng = np.random.default_rng(0)
    rows, functions = 68_000, 18
    truth = rng.random(rows) < 0.4
    votes = np.where(rng.random((rows, functions)) < 0.7, truth[:, None], ~truth[:, None]).astype(np.int64)
    signals = {f"s{j}": pa.array(votes[:, j], mask=rng.random(rows) < 0.3) for j in range(functions)}
    by_map = [{"name": f"f{j}", "votes": {"column": f"s{j}", "map": {"0": "normal", "1": "risky"}}} for j in range(functions)]
    declared = function_set([{"name": "id", "type": "int64", "nullable": False}, *({"name": name, "type": "int64"} for name in signals)], by_map)
    data = parquet(tmp_path, "data.parquet", pa.table({"id": rng.permutation(rows), **signals}))
    task = fit_task(tmp_path, declared, data, maxIterations=2).model_copy(update={"algorithm": "dawid-skene"})
    all_alike(tmp_path, task, (2,))
    parts = task.model_copy(update={"shards": 2})
    run_fit_shard(parts, 0, context(tmp_path))
    assert from_bytes(FitFiles(tmp_path / "model", parts).votes(0)).patterns.nbytes < 1 << 20
    with fails(JobReason.INTERNAL_ERROR, "shards 1 of 2 have not finished"):
        merge(parts, context(tmp_path))


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, FitTask]:
    """Rows in four files, and the task of a fit on them."""
    folder = tmp_path_factory.mktemp("lake")
    return folder, fit_task(folder, one_label(), parquet(folder, "data", table(240), files=4))


def on(lake: tuple[Path, FitTask], name: str, rows: pa.Table, **changes: Any) -> FitTask:
    """The same fit, or another, on other rows."""
    folder, task = lake
    data = pin(parquet(folder, name, rows), locations(folder))
    return task.model_copy(update={"data": data, "artifacts": f"pvc://lake/{name}-versions", **changes})


def refusals(folder: Path, task: FitTask, shards: int = 3) -> JobError:
    """What the fit in shards says, and the fit in one pod too; nothing is left but why."""
    caught = []
    for count in (1, shards):
        with pytest.raises(JobError) as error:
            merge(task, context(folder)) if count == 1 else fit_in_shards(task, count, context(folder))
        caught.append(error.value)
    one, many = caught
    assert (many.reason, many.message) == (one.reason, one.message)
    assert left_at(folder, task) == ["refused.json"]
    return many


def left_at(folder: Path, task: FitTask) -> list[str]:
    """Files beside the versions."""
    return [path.name for path in folder.joinpath(task.artifacts.rpartition("/")[2]).rglob("*") if path.is_file()]


def test_what_breaks_the_contract_is_said_of_all_rows(lake: tuple[Path, FitTask]) -> None:
    """F3, X5: counts over all parts, ids that two parts share among them, be it all that is broken."""
    rows = table(240)
    ids = rows["id"].to_pylist()
    ids[5], ids[6] = ids[230], ids[7]
    shared = rows.set_column(0, "id", pa.array(ids))
    assert "spec.schema.columns[id]: 2 duplicate ids" in refusals(lake[0], on(lake, "shared.parquet", shared)).message
    null = shared.set_column(0, "id", pa.array([None if i in (50, 200) else one for i, one in enumerate(ids)]))
    assert "spec.schema.columns[id]: 2 null ids; spec.schema.columns[id]: 2 duplicate ids" in refusals(lake[0], on(lake, "null.parquet", null)).message
    for name, broken in (("no-s1", rows.drop_columns("s1")), ("no-id", rows.drop_columns("id"))):
        assert refusals(lake[0], on(lake, f"{name}.parquet", broken)).reason is JobReason.SCHEMA_BROKEN


def test_what_there_is_nothing_to_learn_from(lake: tuple[Path, FitTask]) -> None:
    """F3: no rows at all, and no votes; one part without either is no matter."""
    folder, task = lake
    data = pin(parquet(folder, "empty", table(0), files=4), locations(folder))
    empty = task.model_copy(update={"data": data, "artifacts": "pvc://lake/empty-versions"})
    assert refusals(folder, empty).reason is JobReason.EMPTY_DATASET
    rows = table(240)
    silent = rows.select([name for name in rows.column_names if name not in {"s0", "s1", "s2", "s3"}])
    for j in range(4):
        silent = silent.append_column(f"s{j}", pa.array([None] * 240, pa.int64()))
    assert refusals(folder, on(lake, "silent.parquet", silent)).reason is JobReason.NO_COVERAGE
    half = pa.concat_tables([silent.slice(0, 120), rows.slice(120).select(silent.column_names)])
    all_alike(folder, on(lake, "half.parquet", half))


def test_functions_fail_over_all_rows_and_not_over_a_part(lake: tuple[Path, FitTask]) -> None:
    """X9, P4: 1 % of all rows may fail, be they all in one part; with more, the reason of the fit in one pod, of an input's functions, too. A message is of rows so far."""
    folder, _ = lake
    rows = table(240)
    all_alike(folder, on(lake, "two.parquet", failing(rows, "s0", slice(0, 2))))
    spread = on(lake, "spread.parquet", failing(rows, "s0", slice(None, None, 80)))
    assert refusals(folder, spread).message.startswith("labeling functions fail too often: f0 on 1.25% of 240 rows")
    with fails(JobReason.FUNCTIONS_FAILING, "f0 on 1.67% of 180 rows"):
        merge(spread, context(folder, batch_rows=60))
    alone = on(lake, "alone.parquet", failing(rows, "s0", slice(0, 3)), shards=3)
    with fails(JobReason.FUNCTIONS_FAILING, "f0 on 3.75% of 80 rows"):
        run_fit_shard(alone, 0, context(folder))
    assert left_at(folder, alone) == []
    fit(folder, one_label(BY_MAP[:2]), parquet(folder, "good.parquet", rows), name="below")
    above = fit_task(folder, one_label(BY_MAP[2:]), parquet(folder, "odd.parquet", failing(rows, "s1", slice(None, None, 80))), name="above", inputs=["below"])
    assert refusals(folder, above).message.startswith("input model below: labeling functions fail too often: f1 on")


def test_data_that_changes_meanwhile_is_refused(lake: tuple[Path, FitTask]) -> None:
    """C1: no shard reads all of the files that a pin stands for; together they know."""
    folder, _ = lake
    data = parquet(folder, "changing", table(240), files=4)
    task = fit_task(folder, one_label(), data, name="of-changing").model_copy(update={"shards": 3})
    for index in (0, 1):
        run_fit_shard(task, index, context(folder))
    pq.write_table(table(60, seed=8), folder / "changing/part-003.parquet")
    run_fit_shard(task, 2, context(folder))
    with fails(JobReason.PIN_BROKEN, "its files changed after they were pinned"):
        merge(task, context(folder))
    assert left_at(folder, task) == ["refused.json"]


def test_how_right_functions_are_does_not_depend_on_the_order_of_rows(lake: tuple[Path, FitTask]) -> None:
    """G2: weights of gold rows are no whole numbers, and their sums are of rows in order of id, once: equal to the last bit."""
    folder, task = lake
    rows = table(240)
    drawn_gold = drawn(folder, rows)
    prepared = prepare(fit_task(folder, task.function_set, parquet(folder, "drawn.parquet", rows), drawn_gold), context(folder))
    ids, votes = rows["id"].combine_chunks(), np.random.default_rng(0).integers(-1, 2, (240, 5)).astype(np.int8)
    found = []
    for order in (range(0, 240, 40), range(200, -1, -40)):
        one = votes_of(task, prepared)
        for start in order:
            one.add(ids.slice(start, 40), VoteBatch(votes[start : start + 40], np.zeros((40, 5), dtype=bool)))
        assert not one.counts.judged_weight.any()
        (known, _, _), matched = one.settle()
        assert known.to_pylist() == sorted(known.to_pylist())
        assert matched.known.all()
        assert one.counts.judged_weight.sum() > 100
        found.append([values.tolist() for values in (one.counts.right_weight, one.counts.judged_weight, one.counts.judged)])
    assert found[0] == found[1]


def test_what_shards_write_holds_ids_numbers_and_hashes(lake: tuple[Path, FitTask]) -> None:
    """F5: a text that functions read is in no file, nor anything of a column that is dropped or known later; numbers of the others are what drift is measured on."""
    folder, _ = lake
    secret = [f"planted-{i}" for i in range(240)]
    columns = [
        {"name": "text", "type": "string"},
        {"name": "amount", "type": "int64"},
        {"name": "salary", "type": "int64", "sensitive": "drop"},
        {"name": "outcome", "type": "int64", "availability": "later"},
    ]
    declared = function_set(columns, [{"name": "any", "label": "risky", "keywords": {"column": "text", "any": ["planted-7"]}}])
    numbers = {name: range(start, start + 240) for name, start in (("amount", 500), ("salary", 70_000), ("outcome", 90_000))}
    data = parquet(folder, "texts.parquet", pa.table({"id": [f"r{i}" for i in range(240)], "text": secret, **numbers, "note": secret}))
    task = fit_task(folder, declared, data, name="of-texts").model_copy(update={"shards": 2})
    rows = run_fit_shard(task, 0, context(folder)).rows
    written = [path for path in (folder / "of-texts").rglob("*") if path.is_file()]
    assert {path.suffix for path in written} == {".json", ".parquet", ".safetensors"}
    tally = FitFiles(folder / "of-texts", task).tally(0)
    assert tally.keys() == {"counts", "sample", "scan"}
    decoded = [base64.b64decode(tally[name]) for name in ("sample", "scan")]
    tables = [str(pq.read_table(path).to_pylist()).encode() for path in written if path.suffix == ".parquet"]
    assert not [content for content in (*(path.read_bytes() for path in written), *decoded, *tables) if b"planted" in content]
    sample = RowSample.from_text(declared, tally["sample"]).table()
    assert set(sample.column_names) == {"#row", "text#hash", "text#length", "amount"}
    assert sorted(sample["amount"].to_pylist()) == [500 + i for i in range(rows)]
    scan = np.load(io.BytesIO(decoded[1]))
    assert {name: scan[name].dtype.kind for name in scan} == {"keys": "u", "flags": "u", "names": "U", "counts": "i"}
    assert (scan["flags"].shape[:2], scan["names"].tolist()) == ((rows, 2), ["note"])  # which patterns id and text match; of undeclared columns, counts
    with fails(JobReason.CONFIG_INVALID, "the completion index is 2 and must be 0 to 1"):
        run_fit_shard(task, 2, context(folder))
