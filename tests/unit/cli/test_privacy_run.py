"""Sensitive columns on the whole road: hashed ids and lookup keys, a dropped column, a key in a Secret; and no planted value in anything a run leaves."""

import csv
import hashlib
import hmac
import io
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from deltalake import DeltaTable, write_deltalake

from tests.forks import python

KEY = b"planted-key-0123456789-abcdefghijklmnopq"
OTHER_KEY = b"planted-key-of-another-kind-0123456789ab"
ROWS = 400
PLANTED = re.compile(rb"planted|77310\d{5}")  # in every sensitive value and in the keys; account numbers begin so
ACCOUNTS = range(7_731_000_000, 7_731_000_020)
MADE_UP = 42  # an account for tests: what stands in a manifest is for all to see

SET = {
    "classes": ["normal", "risky"],
    "idColumn": "customer",
    "schema": {
        "hashKeyRef": {"name": "hashing", "key": "current"},
        "columns": [
            {"name": "customer", "type": "string", "nullable": False, "sensitive": "hash"},
            {"name": "account", "type": "int64", "sensitive": "hash", "minimum": 1},
            {"name": "notes", "type": "string", "sensitive": "drop"},
            {"name": "text", "type": "string"},
            {"name": "amount", "type": "float64"},
        ],
    },
    "functions": [
        {
            "name": "known_account",
            "lookup": {"column": "account", "table": {"uri": "pvc://lake/accounts.csv", "format": "csv"}, "keyColumn": "account", "labelColumn": "verdict"},
        },
        {"name": "asks", "label": "risky", "keywords": {"column": "text", "any": ["urgent"]}},
        {"name": "thanks", "label": "normal", "regex": {"column": "text", "pattern": "thanks"}},
        {"name": "large", "label": "risky", "threshold": {"column": "amount", "above": 0.8}},
        {"name": "small", "label": "normal", "threshold": {"column": "amount", "below": 0.4}},
    ],
    "tests": [{"row": {"account": MADE_UP, "text": "urgent"}, "expect": {"known_account": "risky", "asks": "risky"}}],
}
GOLD = {"uri": "pvc://lake/gold.csv", "format": "csv", "labelColumn": "gold"}


def write(folder: Path, kind: str, spec: dict[str, Any], **annotations: str) -> None:
    metadata = {"name": "cases", "namespace": "default", "annotations": annotations}
    manifest = {"apiVersion": "labelplane.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}
    (folder / f"{kind.lower()}.yaml").write_text(yaml.safe_dump(manifest))


def customer(i: int) -> str:
    return f"planted-{i:04d}"


def data(rows: int = ROWS) -> tuple[pa.Table, list[str]]:
    """Rows of which half are risky, and their classes."""
    rng = np.random.default_rng(0)
    risky = rng.random(rows) < 0.5
    account = np.where(risky, rng.integers(0, 12, rows), rng.integers(8, 20, rows)) + ACCOUNTS[0]
    words = np.where(rng.random(rows) < 0.8, np.where(risky, "urgent", "thanks"), "other")
    table = pa.table(
        {
            "customer": [customer(i) for i in range(rows)],
            "account": account,
            "notes": [f"planted note {i}" for i in range(rows)],
            "text": words,
            "amount": np.where(risky, rng.beta(4, 2, rows), rng.beta(2, 4, rows)),
            "undeclared": [f"planted{i}@example.com" for i in range(rows)],
        }
    )
    return table, ["risky" if one else "normal" for one in risky]


def lines(*rows: tuple[object, ...]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("privacy")
    lake = made / "lake"
    table, classes = data()
    write_deltalake(lake / "events", table)
    (lake / "accounts.csv").write_text(lines(("account", "verdict"), (MADE_UP, "risky"), *((account, "risky" if i < 10 else "normal") for i, account in enumerate(ACCOUNTS))))
    (lake / "gold.csv").write_text(lines(("customer", "gold"), *((customer(i), classes[i]) for i in range(0, ROWS, 2))))
    for name, key in (("keys", KEY), ("other", OTHER_KEY), ("short", b"planted")):
        (made / name).mkdir()
        (made / name / "current").write_bytes(key)
    write(made, "LabelingFunctionSet", SET)
    write(
        made,
        "LabelModel",
        {
            "functionSetRef": {"name": "cases"},
            "trainingData": {"uri": "pvc://lake/events", "format": "delta"},
            "goldData": GOLD,
            "artifacts": {"uri": "pvc://lake/models"},
            "parameters": {"useGold": "fit"},
        },
    )
    job = {"modelRef": {"name": "cases"}, "input": {"uri": "pvc://lake/events", "format": "delta"}, "output": {"uri": "pvc://lake/labels", "format": "delta"}, "goldData": GOLD}
    write(made, "LabelJob", job)
    return made


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line, with a folder of its own for what is temporary; all that it says is kept."""
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    called = [python(), "-m", "labelplane.cli.main", *arguments]
    done = subprocess.run(called, capture_output=True, text=True, check=False, env=os.environ | {"COLUMNS": "200", "TMPDIR": str(scratch)})
    with (folder / "said.txt").open("a") as said:
        said.write(done.stdout + done.stderr)
    return done


def run(folder: Path, keys: str | None = "keys") -> dict[str, dict[str, Any]]:
    """Resources by kind after a run that ended well or badly."""
    secret = ["--secret", f"hashing={folder / keys}"] if keys else []
    done = command(folder, "run", str(folder), "--volume", f"lake={folder}/lake", *secret, "-o", "json")
    assert done.returncode in (0, 1), done.stderr
    return {item["kind"]: item for item in json.loads(done.stdout)["items"]}


@pytest.fixture(scope="module")
def ran(folder: Path) -> dict[str, dict[str, Any]]:
    return run(folder)


@pytest.fixture
def again(folder: Path, ran: dict[str, dict[str, Any]], tmp_path: Path) -> Path:
    """A copy of it, to change."""
    assert ready(ran["LabelJob"])[0] == "True"
    made = Path(shutil.copytree(folder, tmp_path / "again"))
    known = made / ".labelplane/folders.json"
    known.write_text(known.read_text().replace(str(folder), str(made)))
    return made


def ready(resource: dict[str, Any]) -> tuple[str, str, str]:
    one = next(one for one in resource["status"]["conditions"] if one["type"] == "Ready")
    return one["status"], one["reason"], one["message"]


def condition(resource: dict[str, Any], kind: str) -> dict[str, Any]:
    return next((one for one in resource["status"]["conditions"] if one["type"] == kind), {})


def hashed(value: str, key: bytes = KEY) -> str:
    return hmac.new(key, f"string:{value}".encode(), hashlib.sha256).hexdigest()


def left(folder: Path) -> list[Path]:
    """Files that runs have left: state, logs, pages, labels, models, what was said, and what was temporary."""
    places = [folder / ".labelplane", folder / "lake/labels", folder / "lake/models", folder / "said.txt", folder / "scratch"]
    return [file for place in places for file in ([place] if place.is_file() else place.rglob("*")) if file.is_file()]


def content(file: Path) -> bytes:
    return str(pq.read_table(file).to_pylist()).encode() if file.suffix == ".parquet" else file.read_bytes()


def planted_in(folder: Path) -> list[str]:
    """Where a planted value is: in the bytes as they are, or once Parquet is decoded."""
    return [str(file) for file in left(folder) if PLANTED.search(file.read_bytes()) or PLANTED.search(content(file))]


def test_ids_of_the_output_are_the_hashes(folder: Path, ran: dict[str, dict[str, Any]]) -> None:
    """F5: anybody with the key can reckon the id of a row, and gold finds its rows."""
    rows = DeltaTable(folder / "lake/labels").to_pyarrow_table()
    assert rows.schema.field("customer").type == pa.string()
    assert set(rows["customer"].to_pylist()) == {hashed(customer(i)) for i in range(ROWS)}
    status = ran["LabelJob"]["status"]
    assert (status["metrics"]["rows"], status["metrics"]["goldTaught"]) == (ROWS, ROWS // 2)
    assert ran["LabelModel"]["status"]["current"]["metrics"]["precision"] > 0.8


def test_keys_of_the_table_are_hashed_alike(folder: Path, ran: dict[str, dict[str, Any]]) -> None:
    """F5: the lookup votes on every row, and the version keeps hashes in the place of keys."""
    figures = {one["name"]: one for one in ran["LabelModel"]["status"]["functions"]}
    assert figures["known_account"]["coverage"] == 1.0
    kept = pq.read_table(next((folder / "lake/models").rglob("lookups/known_account.parquet")))
    expected = {hmac.new(KEY, f"int64:{account}".encode(), hashlib.sha256).hexdigest() for account in (MADE_UP, *ACCOUNTS)}
    assert set(kept["key"].to_pylist()) == expected


def test_no_planted_value_is_in_anything_that_is_left(folder: Path, ran: dict[str, dict[str, Any]]) -> None:
    """F5, X7: state, logs, pages, labels, kept votes, model files, terminal and temporary files, Parquet decoded."""
    first = hashed(customer(0))
    assert command(folder, "explain", first, str(folder)).returncode == 0
    page = command(folder, "report", str(folder), "--file", str(folder / ".labelplane/again.html"))
    assert page.returncode == 0, page.stderr
    assert "planted" not in command(folder, "explain", "1", str(folder)).stderr
    kept = [content(file) for file in left(folder) if "votes" in file.parts and file.suffix == ".parquet"]
    assert sorted(first.encode() in one for one in kept) == [False, True]  # ids of votes are hashes; what was seen of rows has none
    assert planted_in(folder) == []
    assert first.encode() in content(folder / "said.txt")


def test_another_key_stops_the_run_until_it_is_asked_for(again: Path) -> None:
    """F5: a rotated key neither relabels by itself nor mixes hashes; asked for, everything is hashed, fitted and labelled anew."""
    write_deltalake(again / "lake/events", data()[0].slice(0, 300), mode="overwrite")
    stamp = {"labelplane.dev/reconcile-at": "1"}
    job = yaml.safe_load((again / "labeljob.yaml").read_text())["spec"]
    write(again, "LabelJob", job, **stamp)
    status, reason, message = ready(run(again, "other")["LabelJob"])
    assert (status, reason) == ("False", "HashKeyChanged")
    assert "key current of Secret hashing" in message
    assert "annotation labelplane.dev/reconcile-at of the LabelingFunctionSet" in message
    assert DeltaTable(again / "lake/labels").version() == 0
    write(again, "LabelingFunctionSet", SET, **stamp)
    found = run(again, "other")
    assert ready(found["LabelJob"])[0] == "True"
    assert found["LabelModel"]["status"]["current"]["version"] == 2
    ids = DeltaTable(again / "lake/labels").to_pyarrow_table()["customer"].to_pylist()
    assert set(ids) == {hashed(customer(i), OTHER_KEY) for i in range(300)}


@pytest.mark.parametrize(
    ("keys", "words"),
    [(None, "key current of Secret hashing is not there.*--secret hashing=FOLDER"), ("short", "key current of Secret hashing has 7 bytes and must have at least 32")],
)
def test_a_key_that_cannot_be_used_is_named(folder: Path, tmp_path: Path, keys: str | None, words: str) -> None:
    """F5: the Secret and its key, and what to do; nothing is fitted."""
    for name in ("labelingfunctionset.yaml", "lake/accounts.csv", "short/current"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / name, tmp_path / name)
    status, reason, message = ready(run(tmp_path, keys)["LabelingFunctionSet"])
    assert (status, reason) == ("False", "HashKeyInvalid")
    assert re.search(words, message)


def test_an_undeclared_column_of_addresses_is_suspected(folder: Path, ran: dict[str, dict[str, Any]]) -> None:
    """F5: column, pattern and share, on the model and on the job, and never a value; nothing stops."""
    for kind in ("LabelModel", "LabelJob"):
        message = condition(ran[kind], "PrivacySuspected")["message"]
        assert message.startswith("column undeclared: 100.0% of 400 sampled values match the pattern email; declare such a column with sensitive")
        assert ready(ran[kind])[0] == "True"


def broken(folder: Path, table: pa.Table) -> tuple[str, str]:
    """Reason and message when the job reads this."""
    write_deltalake(folder / "lake/events", table, mode="overwrite", schema_mode="overwrite")
    job = yaml.safe_load((folder / "labeljob.yaml").read_text())["spec"]
    write(folder, "LabelJob", job, **{"labelplane.dev/reconcile-at": f"{table.nbytes}"})
    _, reason, message = ready(run(folder)["LabelJob"])
    return reason, message


def test_bad_values_of_sensitive_columns_are_counted_and_not_shown(again: Path) -> None:
    """F3, F5: repeated and missing ids, values out of bounds, another type."""
    good = data()[0]
    several = pa.concat_tables([good, good.slice(0, 3)])
    several = several.set_column(1, "account", pa.array([-ACCOUNTS[1] if i == 5 else ACCOUNTS[0] for i in range(len(several))]))
    reason, message = broken(again, several)
    assert reason == "SchemaBroken"
    assert message.startswith("spec.schema.columns[customer]: 3 duplicate ids; spec.schema.columns[account]: 1 values below minimum 1")
    texts = good.set_column(1, "account", pa.array(["planted"] * ROWS))
    reason, message = broken(again, texts)
    assert (reason, "has type" in message) == ("SchemaBroken", True)
    assert planted_in(again) == []


def test_tests_of_hashed_columns_run_without_the_key(folder: Path) -> None:
    """F5: functions vote the same with any key, so that none has to be at hand to validate and test."""
    done = command(folder, "test", str(folder), "--volume", f"lake={folder}/lake")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_folder_of_a_secret_is_remembered(again: Path) -> None:
    """Running again changes nothing, and the page is still drawn with the gold that the key finds."""
    found = run(again, keys=None)
    assert ready(found["LabelJob"])[0] == "True"
    assert "no report" not in (again / "said.txt").read_text()


def test_what_cannot_be_read_is_told_without_its_content(again: Path) -> None:
    """F5: an error that nobody foresaw is told by its type and place; its own words may quote a row."""
    for file in (again / "lake/labels").glob("*.parquet"):
        file.write_bytes(b"planted planted planted planted")
    done = command(again, "explain", hashed(customer(0)), str(again))
    assert done.returncode == 2
    assert re.match(r"error: \w+ while reading, at .*explain.py:\d+", done.stderr)


def test_a_secret_is_a_folder(folder: Path) -> None:
    done = command(folder, "run", str(folder), "--secret", "hashing")
    assert (done.returncode, done.stderr) == (2, "error: --secret hashing: write it as name=FOLDER\n")
    done = command(folder, "run", str(folder), "--secret", "hashing=nowhere")
    assert done.returncode == 2
    assert "there is no such folder: make it, with a file for each key" in done.stderr
