"""I2, X14, X24: labels beside exactly the input they were given for, and features as they were known at the row's time; through the steps, on real files."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from labeljob.contract.config import FitTask, LabelTask, Mount, ResolveTask
from labeljob.contract.datasets import Dataset
from labeljob.contract.features import Features, FeaturesRequest
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.reasons import JobReason
from labeljob.contract.result import Commit
from labeljob.errors import JobError
from labeljob.features import TrainingSet, training_set
from labeljob.features.writing import write_delta, write_parquet
from labeljob.hashing import Hasher
from labeljob.io.locations import Locations
from labeljob.io.pins import pin
from labeljob.steps.fit import run_fit
from labeljob.steps.fit_sets import run_fit_sets
from labeljob.steps.label import run_label
from labeljob.steps.resolve import run_resolve
from tests.unit.job.builders import RESOURCES, context, fails, function_set

ROWS = 90
KEY = b"k" * 32
SECRET = "planted-secret"
START = datetime(2024, 3, 31, tzinfo=UTC)  # clocks change in Europe
COLUMNS = [
    {"name": "a", "type": "int64"},
    {"name": "at", "type": "timestamp"},
    {"name": "merchant", "type": "string"},
    {"name": "customer", "type": "int64", "sensitive": "hash"},
    {"name": "email", "type": "string", "sensitive": "drop"},
    {"name": "refunded", "type": "boolean", "availability": "later"},
    {"name": "truth", "type": "string"},
    {"name": "score", "type": "float64", "minimum": 0},
]
FUNCTIONS = [
    {"name": "high", "label": "risky", "threshold": {"column": "a", "above": 5}},
    {"name": "higher", "label": "risky", "threshold": {"column": "a", "above": 6}},
    {"name": "low", "label": "normal", "threshold": {"column": "a", "below": 3}},
]
GOLD = ("truth",)
SHOWN = ["id", "label", "confidence", "probabilities", "weight", "covered", "run"]


def rows(version: int = 0, count: int = ROWS) -> pa.Table:
    """One a minute; what they hold tells which version it is."""
    numbers = np.arange(count)
    return pa.table(
        {
            "id": [f"r{number:03d}" for number in numbers],
            "a": numbers % 10,
            "at": pa.array([START + timedelta(minutes=int(number)) for number in numbers], pa.timestamp("us", tz="Europe/Berlin")),
            "merchant": [f"m{number % 3}" for number in numbers],
            "customer": numbers % 7,
            "email": [f"{SECRET}{number}" for number in numbers],
            "refunded": numbers % 2 == 0,
            "truth": ["risky" if number % 10 > 5 else "normal" for number in numbers],
            "score": numbers + 1000.0 * version,
            "undeclared": numbers,
        }
    )


def declared(**more: Any) -> FunctionSet:
    columns = [{"name": "id", "type": "string", "nullable": False}, *COLUMNS]
    return function_set(COLUMNS, FUNCTIONS, schema={"columns": columns, "hashKeyRef": {"name": "s", "key": "k"}}, **more)


def places(folder: Path) -> Locations:
    return Locations([Mount(prefix="pvc://lake", path=str(folder)), Mount(prefix="secret://s", path=str(folder / "secret"))])


def labelled(folder: Path, number: int, data: Dataset, functions: FunctionSet, **task: Any) -> Commit:
    """Run `number`, of a model version of its own."""
    (folder / "secret").mkdir(exist_ok=True)
    (folder / "secret/k").write_bytes(KEY)
    surroundings = context(folder, locations=places(folder))
    found = run_resolve(ResolveTask(function_set=functions, data=data), surroundings)
    fit = FitTask(
        function_set=functions, function_set_digest=str(found.function_set_digest), hash_key=found.hash_key, data=found.data, algorithm="majority-vote", parameters={},
        artifacts="pvc://lake/model", version=number, fit_digest=f"fit-{number}", image="i",
    )  # fmt: skip
    made = (run_fit_sets if functions.is_multi_label else run_fit)(fit, surroundings).version
    label = LabelTask(
        data=pin(task.pop("labelled", data), places(folder)), artifacts="pvc://lake/model", model_name="m", model_version=number, model_sha256=made.sha256,
        output="pvc://lake/out", app_id="app", sequence=number, run_digest=f"d{number}", run=f"job-d-{number}", image="i", **task,
    )  # fmt: skip
    return run_label(label, surroundings).commit


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two versions of the input, each labelled, and a third that nobody has labelled; feature tables in three formats."""
    folder = tmp_path_factory.mktemp("lake")
    for version in (0, 1, 2):
        write_deltalake(folder / "events", rows(version), mode="overwrite")
        if version < 2:
            labelled(folder, version + 1, Dataset(uri="pvc://lake/events", format="delta"), declared())
    pq.write_table(merchants(), folder / "merchants.parquet")
    (folder / "customers.csv").write_text("number,since,tier\n" + "".join(f"{n},2024-03-3{n % 2}T00:30:00+00:00,tier{n}\n" for n in range(5)))
    return folder


def merchants() -> pa.Table:
    """A rate an hour before the first row, then each ten minutes on the minute, in nanoseconds of no zone: UTC."""
    found = [(f"m{m}", START + timedelta(minutes=minute), float(minute), m) for m in range(2) for minute in (-60, *range(0, 90, 10))]
    names, times, rates, regions = zip(*found, strict=True)
    return pa.table({"merchant": names, "known": pa.array(times, pa.timestamp("ns")), "rate": rates, "region": pa.array(regions, pa.int32())})


MERCHANTS = {
    "name": "shop", "data": {"uri": "pvc://lake/merchants.parquet", "format": "parquet"}, "keys": {"merchant": "merchant"}, "time": "known",
    "features": [{"name": "rate", "type": "float64"}, {"name": "region", "type": "int64"}],
}  # fmt: skip
RATE = [{"name": "rate", "type": "float64"}]
CUSTOMERS = {
    "name": "payer", "data": {"uri": "pvc://lake/customers.csv", "format": "csv"}, "keys": {"customer": "number"}, "time": "since",
    "features": [{"name": "tier", "type": "string"}],
}  # fmt: skip


def asked(version: int | None = 0, *, uncovered: bool = True, gold: tuple[str, ...] = GOLD, **features: Any) -> FeaturesRequest:
    return FeaturesRequest(
        job="job", mounts=(), output="pvc://lake/out", app_id="app", artifacts="pvc://lake/model", version=version, gold_columns=gold, uncovered=uncovered,
        features=Features.model_validate(features),
    )  # fmt: skip


def read(folder: Path, request: FeaturesRequest) -> pd.DataFrame:
    with training_set(request, places(folder), RESOURCES) as found:
        return found.reader().read_pandas().set_index("id")


def minute(row: str) -> int:
    return int(row[1:])


def test_columns_are_of_the_input_that_was_labelled(lake: Path) -> None:
    """X14: whatever stands in the input now; X24: what is known later, sensitive, undeclared or the answer does not come along; a hash stays one."""
    first, second, newest = (read(lake, asked(version)) for version in (0, 1, None))
    assert list(first.columns) == [*SHOWN[1:], "a", "at", "merchant", "customer", "score"]
    assert list(first.index) == [f"r{number:03d}" for number in range(ROWS)]
    assert list(first["score"]) == list(range(ROWS))
    assert list(second["score"]) == [1000.0 + number for number in range(ROWS)]
    pd.testing.assert_frame_equal(newest, second)
    assert list(first["customer"]) == Hasher(KEY).hashed(pa.array([number % 7 for number in range(ROWS)])).to_pylist()
    assert list(first["at"]) == [START + timedelta(minutes=number) for number in range(ROWS)]
    stored = DeltaTable(lake / "out", version=0).to_pandas().set_index("id").sort_index()
    pd.testing.assert_frame_equal(first[SHOWN[1:]], stored[SHOWN[1:]], check_dtype=False)
    assert set(first["run"]) == {"job-d-1"}


def test_rows_on_which_nobody_votes_are_left_out_unless_asked_for(lake: Path) -> None:
    every, covered = read(lake, asked()), read(lake, asked(uncovered=False))
    assert 0 < (~every["covered"]).sum() == ROWS - len(covered)
    assert (every.loc[~every["covered"], "weight"] == 0).all()
    pd.testing.assert_frame_equal(covered, every[every["covered"]])


def test_features_are_those_known_at_the_rows_time(lake: Path) -> None:
    """X24: at, and not after; of keys that are hashed, too; with the time since when they were known."""
    found = read(lake, asked(time="at", columns=["score"], tables=[MERCHANTS, CUSTOMERS]))
    assert list(found.columns[7:]) == ["shop__known_at", "shop__rate", "shop__region", "payer__known_at", "payer__tier"]
    for row, values in found.iterrows():
        number = minute(str(row))
        if number % 3 == 2:
            assert pd.isna(values["shop__rate"])
            assert pd.isna(values["shop__known_at"])
        else:
            assert values["shop__rate"] == number // 10 * 10
            assert values["shop__region"] == number % 3
            assert values["shop__known_at"] == START + timedelta(minutes=number // 10 * 10) <= START + timedelta(minutes=number)
        customer = number % 7
        known = customer < 5 and (customer % 2 == 0 or number >= 30)  # a day before the first row, or half an hour after
        assert values["payer__tier"] == f"tier{customer}" if known else pd.isna(values["payer__tier"])


def test_what_is_known_after_a_delay_and_for_a_while(lake: Path) -> None:
    """Age is counted from the moment since when a record is known."""
    late = read(lake, asked(time="at", columns=[], tables=[MERCHANTS | {"delay": "3m", "maxAge": "4m30s"}]))
    for row, values in late.iterrows():
        number = minute(str(row))
        since = (number - 3) // 10 * 10 if number >= 3 else -60
        young = number % 3 != 2 and number - since - 3 <= 4.5
        assert values["shop__rate"] == since if young else pd.isna(values["shop__rate"])
    assert late["shop__rate"].notna().any()


def test_a_record_a_nanosecond_late_is_late(tmp_path: Path, lake: Path) -> None:
    """X24: times are rounded up to whole microseconds where records have digits below, in every format; on both sides of 1970, too."""
    instant = pd.Timestamp("1969-12-31T23:59:59.999999000Z")
    write_deltalake(tmp_path / "events", rows(count=2).set_column(2, "at", pa.array([instant, instant + pd.Timedelta(1, "us")], pa.timestamp("us", tz="UTC"))))
    labelled(tmp_path, 1, Dataset(uri="pvc://lake/events", format="delta"), declared())
    late = instant + pd.Timedelta(1, "ns")
    pq.write_table(pa.table({"merchant": ["m0", "m1"], "known": pa.array([late, late], pa.timestamp("ns", tz="UTC")), "rate": [1.0, 2.0]}), tmp_path / "late.parquet")
    (tmp_path / "late.csv").write_text(f"merchant,known,rate\nm0,{late.isoformat()},1\nm1,{late.isoformat()},2\n")
    (tmp_path / "late.jsonl").write_text("".join(json.dumps({"merchant": f"m{m}", "known": late.isoformat(), "rate": m + 1}) + "\n" for m in range(2)))
    for form in ("parquet", "csv", "jsonl"):
        table = MERCHANTS | {"data": {"uri": f"pvc://lake/late.{form}", "format": form}, "features": RATE}
        found = read(tmp_path, asked(time="at", columns=[], tables=[table]))
        assert found["shop__rate"].fillna(-1).to_list() == [-1, 2.0], form


def test_provenance_says_what_it_was_made_of(lake: Path) -> None:
    """Enough to make it again: versions, pins, and what was left out, why."""
    with training_set(asked(time="at", tables=[MERCHANTS]), places(lake), RESOURCES) as found:
        about, schema = found.provenance, found.schema
        assert [batch.num_rows for batch in found.batches()] == [batch.num_rows for batch in found.batches()] == [ROWS]
    assert json.loads(schema.metadata[b"labelplaneTrainingSet"]) == about
    assert (about["run"], about["output"]["version"], about["input"]["version"], about["model"]["version"], about["rows"]) == ("job-d-1", 0, 0, 1, ROWS)
    assert about["leftOut"] == {"email": "is sensitive", "refunded": "is known only later", "truth": "holds known classes"}
    assert about["tables"][0]["data"] == pin(Dataset.model_validate(MERCHANTS["data"]), places(lake)).wire()
    assert about["tables"][0]["rowsWithRecord"] == ROWS * 2 // 3


def test_a_file_and_a_table_are_written_at_once(lake: Path, tmp_path: Path) -> None:
    """I3: each read back as it was, in the place of an earlier one and of nothing else."""
    wanted = read(lake, asked(time="at", tables=[MERCHANTS]))
    for version in (1, 0):
        with training_set(asked(version, time="at", tables=[MERCHANTS]), places(lake), RESOURCES) as found:
            write_parquet(found, tmp_path / "sub/set.parquet", "u")
            assert write_delta(found, tmp_path / "set", "u") == 1 - version
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "sub/set.parquet").set_index("id"), wanted)
    table = DeltaTable(tmp_path / "set")
    pd.testing.assert_frame_equal(pa.table(table.to_pyarrow_table()).to_pandas().set_index("id").sort_index(), wanted, check_dtype=False)
    assert json.loads(table.history(1)[0]["labelplaneTrainingSet"])["output"]["version"] == 0
    assert [path.name for path in (tmp_path / "sub").iterdir()] == ["set.parquet"]
    pq.write_table(merchants(), tmp_path / "other.parquet")
    with training_set(asked(), places(lake), RESOURCES) as found:
        for place in (tmp_path / "other.parquet", tmp_path / "set", tmp_path):
            with fails(JobReason.OUTPUT_CONFLICT, "is there: name another place"):
                write_parquet(found, place, "u")
        for place in (tmp_path / "other.parquet", lake / "out", tmp_path):
            with fails(JobReason.OUTPUT_CONFLICT, "is there: name another place"):
                write_delta(found, place, "u")
    assert pq.read_table(tmp_path / "other.parquet") == merchants()


def test_of_two_that_write_a_table_at_once_one_is_told(lake: Path, tmp_path: Path) -> None:
    """Its rows are not there, and those of the other are, once."""

    class Overtaken(TrainingSet):
        def batches(self) -> Iterator[pa.RecordBatch]:
            other = Thread(target=write_other)  # delta-rs asks for batches where it cannot be called itself
            other.start()
            other.join()
            yield from super().batches()

    def write_other() -> None:
        with training_set(asked(1), places(lake), RESOURCES) as other:
            write_delta(other, tmp_path / "set", "u")

    with training_set(asked(0), places(lake), RESOURCES) as found:
        write_delta(found, tmp_path / "set", "u")
        with fails(JobReason.SUPERSEDED, "u: somebody else wrote there meanwhile, and this was not written: ask again"):
            write_delta(Overtaken(found.schema, found.provenance, found._joined, found._places), tmp_path / "set", "u")
    rows = DeltaTable(tmp_path / "set").to_pandas()
    assert sorted(rows["score"]) == [1000.0 + number for number in range(ROWS)]


def test_what_is_no_training_set_stays(lake: Path, tmp_path: Path) -> None:
    """Though one was there before; compacting it puts nothing else there. What a failure leaves is nobody's."""

    class Failing(TrainingSet):
        def batches(self) -> Iterator[pa.RecordBatch]:
            raise RuntimeError("planted")

    with training_set(asked(), places(lake), RESOURCES) as found:
        failing = Failing(found.schema, found.provenance, found._joined, found._places)
        with pytest.raises(Exception, match="planted"):
            write_delta(failing, tmp_path / "set", "u")
        (tmp_path / "empty").mkdir()
        assert [write_delta(found, tmp_path / name, "u") for name in ("set", "empty")] == [0, 0]
        table = DeltaTable(tmp_path / "set")
        table.optimize.compact()
        table.vacuum(0, dry_run=False, enforce_retention_duration=False)
        latest = DeltaTable(tmp_path / "set").version()
        assert write_delta(found, tmp_path / "set", "u") == latest + 1
        write_deltalake(tmp_path / "set", pa.table({"mine": [1]}), mode="overwrite", schema_mode="overwrite")
        with fails(JobReason.OUTPUT_CONFLICT, "is there: name another place"):
            write_delta(found, tmp_path / "set", "u")


def test_rows_that_were_set_apart_lend_nothing(tmp_path: Path) -> None:
    """A row that a value breaks may have the id of one that was labelled."""
    broken = pa.concat_tables([rows(), rows(count=1).set_column(8, "score", pa.array([-5.0]))])
    pq.write_table(broken, tmp_path / "broken.parquet")
    pq.write_table(rows(), tmp_path / "good.parquet")
    good = Dataset(uri="pvc://lake/good.parquet", format="parquet")
    commit = labelled(tmp_path, 1, good, declared(), labelled=good.model_copy(update={"uri": "pvc://lake/broken.parquet"}), quarantine=0.5)
    assert commit.quarantine is not None
    assert list(read(tmp_path, asked())["score"]) == list(range(ROWS))


def test_several_labels_a_row(tmp_path: Path) -> None:
    write_deltalake(tmp_path / "events", rows())
    labelled(tmp_path, 1, Dataset(uri="pvc://lake/events", format="delta"), declared(multiLabel=True))
    found = read(tmp_path, asked(columns=["score"]))
    assert list(found.columns) == ["labels", *SHOWN[2:], "score"]
    assert list(found.loc["r009", "labels"]) == ["risky"]


def test_a_pin_that_is_broken_is_said(tmp_path: Path) -> None:
    """Never another version in its place."""
    write_deltalake(tmp_path / "events", rows())
    labelled(tmp_path, 1, Dataset(uri="pvc://lake/events", format="delta"), declared())
    write_deltalake(tmp_path / "events", rows(1), mode="overwrite")
    for uri in DeltaTable(tmp_path / "events", version=0).file_uris():
        Path(uri.removeprefix("file://")).unlink()
    with fails(JobReason.PIN_BROKEN, "pvc://lake/events: data files of the pinned version are gone"):
        read(tmp_path, asked())
    for uri in DeltaTable(tmp_path / "out").file_uris():
        Path(uri.removeprefix("file://")).unlink()
    with fails(JobReason.PIN_BROKEN, "pvc://lake/out: files of version 0 are gone"):
        read(tmp_path, asked())


def test_of_an_output_that_is_kept_apart_only_covered_rows_are_read(tmp_path: Path) -> None:
    write_deltalake(tmp_path / "events", rows())
    labelled(tmp_path, 1, Dataset(uri="pvc://lake/events", format="delta"), declared(), partition_by="covered")
    wanted, rest = read(tmp_path, asked(uncovered=False)), list((tmp_path / "out").rglob("covered=false/*.parquet"))
    assert rest
    for path in rest:
        path.unlink()
    pd.testing.assert_frame_equal(read(tmp_path, asked(uncovered=False)), wanted)


def refusals() -> Iterator[tuple[str, dict[str, Any], str]]:
    table = {"time": "at", "tables": [MERCHANTS]}

    def with_table(**more: Any) -> dict[str, Any]:
        return table | {"tables": [MERCHANTS | more]}

    yield "later", {"columns": ["a", "refunded"]}, r"columns\[1\]: column refunded is known only later"
    yield "sensitive", {"columns": ["email"]}, r"columns\[0\]: column email is sensitive"
    yield "gold", {"columns": ["truth"]}, r"columns\[0\]: column truth holds known classes"
    yield "undeclared", {"columns": ["undeclared"]}, r"columns\[0\]: column undeclared is not declared in spec.schema.columns: add it"
    yield "id", {"columns": ["id"]}, r"columns\[0\]: column id is there already"
    yield "time-no-timestamp", table | {"time": "score"}, "time: column score is float64 in spec.schema.columns: name a timestamp"
    yield "time-later", table | {"time": "refunded"}, "time: column refunded is known only later"
    yield "key-later", with_table(keys={"refunded": "merchant"}), r"tables\[0\].keys: column refunded is known only later"
    yield "key-float", with_table(keys={"score": "merchant"}), r"tables\[0\].keys: column score is float64"
    yield "key-of-another-type", with_table(keys={"a": "merchant"}), r"tables\[0\].keys: column merchant of pvc://lake/merchants.parquet has type string, and is to be int64"
    yield "no-column", with_table(features=[{"name": "nothing", "type": "int64"}]), r"tables\[0\].features\[0\]: pvc://lake/merchants.parquet has no column nothing"
    yield "time-of-table", with_table(time="region", features=RATE), r"tables\[0\].time: column region of \S+ has type int32, and is to be timestamp"
    yield "secret-by-name", with_table(features=[{"name": "email", "type": "string"}]), r"tables\[0\].features\[0\].name: a column email of the input is sensitive"
    yield "secret-in-capitals", with_table(features=[{"name": "Email", "type": "string"}]), "a column Email of the input is sensitive"
    yield "gold-in-capitals", with_table(features=[{"name": "TRUTH", "type": "string"}]), "a column TRUTH of the input holds known classes"
    yield "delay-without-end", with_table(delay="9999999999999h"), r"tables\[0\].delay: leads beyond the last time that can be told"
    yield "later-by-name", with_table(features=[{"name": "refunded", "type": "boolean"}]), "a column refunded of the input is known only later"
    yield "gold-by-name", with_table(features=[{"name": "truth", "type": "string"}]), "a column truth of the input holds known classes"
    yield "no-table", with_table(data={"uri": "pvc://lake/none", "format": "delta"}), "claim lake has no file or folder none"


@pytest.mark.parametrize(("features", "message"), [pytest.param(*case, id=name) for name, *case in refusals()])
def test_what_cannot_be_joined_says_why(lake: Path, features: dict[str, Any], message: str) -> None:
    """X24, F5."""
    with pytest.raises(JobError, match=message) as caught:
        read(lake, asked(**features))
    assert caught.value.reason in (JobReason.CONFIG_INVALID, JobReason.SOURCE_NOT_FOUND)


def test_values_are_in_no_message(lake: Path, tmp_path: Path) -> None:
    """F5: of records that are not of their type, and of records that contradict one another."""
    known = "2024-01-01T00:00:00Z"
    (lake / "odd.csv").write_text(f"merchant,known,rate\nm0,{known},{SECRET}\nm0,{SECRET},2\n{SECRET},{known},1\n{SECRET},{known},2\n")
    table = MERCHANTS | {"data": {"uri": "pvc://lake/odd.csv", "format": "csv"}}
    with fails(JobReason.SCHEMA_BROKEN, r"tables\[0\].time: 1 values of column known of pvc://lake/odd.csv are not timestamp: correct the data") as caught:
        read(lake, asked(time="at", tables=[table | {"features": RATE}]))
    assert SECRET not in str(caught.value)
    (lake / "odd.csv").write_text(f"merchant,known,rate\n{SECRET},{known},1\n{SECRET},{known},2\n")
    with fails(JobReason.CONFIG_INVALID, r"tables\[0\]: pvc://lake/odd.csv has 1 times several records with the same keys and time") as caught:
        read(lake, asked(time="at", tables=[table | {"features": RATE}]))
    assert SECRET not in str(caught.value)


def test_a_name_that_two_columns_would_have_is_refused(tmp_path: Path) -> None:
    """Weight is a column of the output, whatever the case; and the example of the page."""
    columns = [{"name": "Weight", "type": "float64"}, {"name": "a", "type": "int64"}]
    write_deltalake(tmp_path / "events", rows().append_column("Weight", pa.array([1.0] * ROWS)))
    labelled(tmp_path, 1, Dataset(uri="pvc://lake/events", format="delta"), function_set(columns, FUNCTIONS))
    with fails(JobReason.CONFIG_INVALID, "two columns of the training set would be called Weight: leave it out of columns"):
        read(tmp_path, asked())
    found = read(tmp_path, asked(columns=["a"], uncovered=False))
    names: dict[str, Any] = {}
    exec(example().replace("/data/lake", str(tmp_path)).replace("labelplane/default/payments", "app").replace("lake/labels", "lake/out").replace("amount", "a"), names)
    pd.testing.assert_frame_equal(names["frame"].set_index("id"), found)
    assert names["mean"] == [(pytest.approx(found["weight"].mean()),)]


def example() -> str:
    """The code of docs/features.md."""
    return re.findall(r"```python\n(.*?)```", (Path(__file__).parents[3] / "docs/features.md").read_text(), re.DOTALL)[0]
