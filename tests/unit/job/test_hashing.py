"""Hashes in the place of sensitive values: what they are, that they join, and that a key which is not the pinned one stops the job (F5)."""

import hashlib
import hmac
from pathlib import Path

import pyarrow as pa
import pytest

from labeljob.contract.config import Mount
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.reasons import JobReason
from labeljob.gold import read_gold
from labeljob.hashing import LEAST_BYTES, Hasher, hasher_of
from labeljob.io.locations import Locations
from labeljob.labeling_functions.engine import compile_functions
from labeljob.labeling_functions.identity import function_set_digest, read_lookups
from labeljob.multi_label.gold import read_set_gold
from labeljob.privacy import withheld
from labeljob.schema import check_contract
from tests.unit.job.builders import RESOURCES, delta, fails, function_set, jsonl, pinned, text

KEY = bytes(range(LEAST_BYTES))
HASHED_ID = {"name": "id", "type": "string", "nullable": False, "sensitive": "hash"}
REF = {"name": "hashing", "key": "current"}


def standard(value: str, key: bytes = KEY) -> str:
    """The hash of typed bytes by the standard library's HMAC."""
    return hmac.new(key, value.encode(), hashlib.sha256).hexdigest()


def hashing_set(*columns: dict[str, object], lookup: str | None = None) -> FunctionSet:
    functions = [{"name": "known", "lookup": {"column": lookup, "table": {"uri": "pvc://lake/t.csv", "format": "csv"}, "keyColumn": "key", "labelColumn": "verdict"}}]
    declared = {"columns": [dict(column) for column in columns], "hashKeyRef": REF}
    return function_set(list(columns), functions if lookup else [], schema=declared)


@pytest.mark.parametrize("key", [KEY, b"k" * 64, b"a longer key than one block of SHA-256, which is itself hashed first, says RFC 2104"])
def test_a_hash_is_the_hmac_of_typed_bytes(key: bytes) -> None:
    """F5: whole number and text differ, null stays null, and every repetition has the same hash."""
    hasher = Hasher(key)
    texts = hasher.hashed(pa.array(["1", None, "é", "1", ""]))
    assert texts.to_pylist() == [standard("string:1", key), None, standard("string:é", key), standard("string:1", key), standard("string:", key)]
    numbers = hasher.hashed(pa.chunked_array([[1, None], [-(2**63)]], pa.int64()))
    assert numbers.to_pylist() == [standard("int64:1", key), None, standard(f"int64:{-(2**63)}", key)]
    assert hasher.key_id == standard("labelplane key id", key)[:10]


def test_other_types_are_not_hashed() -> None:
    with pytest.raises(TypeError, match="only string and int64 are hashed, this is double"):
        Hasher(KEY).hashed(pa.array([1.0]))


@pytest.mark.parametrize(
    ("content", "expected", "reason", "words"),
    [
        (None, None, JobReason.HASH_KEY_INVALID, "key current of Secret hashing is not there: create it in this namespace"),
        (b"planted", None, JobReason.HASH_KEY_INVALID, "has 7 bytes and must have at least 32"),
        (KEY, "0123456789", JobReason.HASH_KEY_CHANGED, r"is another one \(id [0-9a-f]{10}\) than values were hashed with \(id 0123456789\)"),
    ],
)
def test_a_key_that_cannot_be_used_is_named_and_not_shown(tmp_path: Path, content: bytes | None, expected: str | None, reason: JobReason, words: str) -> None:
    """F5."""
    if content is not None:
        (tmp_path / "current").write_bytes(content)
    places = Locations([Mount(prefix="secret://hashing", path=str(tmp_path))])
    with fails(reason, words) as stopped:
        hasher_of(hashing_set(HASHED_ID).schema_, places, expected)
    assert "planted" not in stopped.value.message


def test_a_key_that_is_there_and_cannot_be_read_keeps_its_cause(tmp_path: Path) -> None:
    """F5: nobody is told to create what is there."""
    (tmp_path / "current").mkdir()
    places = Locations([Mount(prefix="secret://hashing", path=str(tmp_path))])
    with pytest.raises(IsADirectoryError):
        hasher_of(hashing_set(HASHED_ID).schema_, places)


def test_a_set_that_hashes_nothing_needs_no_key() -> None:
    assert hasher_of(function_set([]).schema_, Locations([])) is None


def test_nothing_but_hashes_is_set_aside(tmp_path: Path) -> None:
    """F5: repeated ids are found among hashes, bounds are those of the values, and without a key nothing is read on."""
    declared = hashing_set(HASHED_ID, {"name": "n", "type": "int64", "sensitive": "hash", "minimum": 5})
    _, source = pinned(delta(tmp_path, "data", pa.table({"id": ["a", "planted", "planted"], "n": [5, 4, 6]})), tmp_path)
    with fails(JobReason.SCHEMA_BROKEN, r"columns\[id\]: 1 duplicate ids; spec.schema.columns\[n\]: 1 values below minimum 5") as stopped:
        check_contract(source, declared, RESOURCES, lambda rows: None, hasher=Hasher(KEY))
    assert "planted" not in stopped.value.message
    with pytest.raises(ValueError, match="id is to be hashed, and there is no key"):
        check_contract(source, declared, RESOURCES, lambda rows: None)


@pytest.mark.parametrize("kind", ["string", "int64"])
def test_gold_finds_its_rows(tmp_path: Path, kind: str) -> None:
    """F5: ids of gold are read as the data's are, and hashed alike."""
    declared = hashing_set(HASHED_ID | {"type": kind})
    _, source = pinned(text(tmp_path, "gold.csv", "id,gold\n1,risky\n2,normal\n"), tmp_path)
    gold = read_gold(source, declared, "gold", hasher=Hasher(KEY))
    batch = pa.RecordBatch.from_pydict({"id": pa.array(["2", "3", "1"]) if kind == "string" else pa.array([2, 3, 1])})
    ids = withheld(batch, declared, Hasher(KEY)).column("id")
    assert gold.match(ids).classes.tolist() == [0, -1, 1]
    assert ids.to_pylist()[0] == standard(f"{kind}:2")


def test_gold_of_several_labels_finds_its_rows(tmp_path: Path) -> None:
    """F5."""
    declared = hashing_set(HASHED_ID).model_copy(update={"multi_label": True})
    _, source = pinned(jsonl(tmp_path, "gold.jsonl", [{"id": "a", "tags": ["risky"]}, {"id": "b", "tags": []}]), tmp_path)
    gold = read_set_gold(source, declared, "tags", hasher=Hasher(KEY))
    assert gold.match(pa.array([standard("string:a"), "a"])).labels.tolist() == [[False, True], [False, False]]


@pytest.mark.parametrize(("kind", "values"), [("string", ["x", "y", None]), ("int64", [7, 8, None])])
def test_keys_are_hashed_as_the_column_is(kind: str, values: list[object]) -> None:
    """F5: a table of CSV text is looked up by hashes of the column's own type."""
    declared, hasher = hashing_set(HASHED_ID, {"name": "who", "type": kind, "sensitive": "hash"}, lookup="who"), Hasher(KEY)
    table = pa.table({"key": [str(values[0])], "verdict": ["risky"]})
    lookups = read_lookups(declared, lambda _: table, hasher)
    assert lookups["known"].keys.to_pylist() == [standard(f"{kind}:{values[0]}")]
    rows = pa.RecordBatch.from_pydict({"who": pa.array(values)})
    with compile_functions(declared, lookups) as functions:
        assert functions.apply(withheld(rows, declared, hasher)).votes[:, 0].tolist() == [1, -1, -1]


def test_another_key_is_another_set() -> None:
    """F5: the key is part of what decides the output, with or without a lookup."""
    declared = hashing_set(HASHED_ID)
    digests = {function_set_digest(declared, {}, key_id=key) for key in (None, "1" * 10, "2" * 10)}
    assert len(digests) == 3


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"planted@x.com": ["a"], "verdict": ["risky"]}, "has no column 'key': correct the name, or give the table a header"),
        ({"key": ["planted", "planted"], "verdict": ["risky", "normal"]}, "has 1 keys with more than one class: keep"),
        ({"key": ["a"], "verdict": ["planted@x.com"]}, "has 1 labels that are not in spec.classes: use one of normal, risky"),
    ],
)
def test_nothing_of_a_hashed_table_is_shown(table: dict[str, list[str]], words: str) -> None:
    """F5: keys, labels and a header that is none may all be what the column hides."""
    declared = hashing_set(HASHED_ID, {"name": "who", "type": "string", "sensitive": "hash"}, lookup="who")
    with fails(JobReason.LOOKUP_INVALID, words) as stopped:
        read_lookups(declared, lambda _: pa.table(table), Hasher(KEY))
    assert "planted" not in stopped.value.message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("planted1,planted2\nb,c\n", "none of them is there: has the data a header"),
        ("planted1,planted1\nb,c\n", "columns 1 and 2 have one name, which appears more than once"),
    ],
)
def test_the_first_row_of_a_file_without_a_header_is_not_shown(tmp_path: Path, content: str, words: str) -> None:
    """F5: what stands in the place of names are values."""
    declared = function_set([], additionalColumns="refuse")
    with pytest.raises(Exception, match=words) as stopped:
        check_contract(pinned(text(tmp_path, "data.csv", content), tmp_path)[1], declared, RESOURCES, lambda rows: None)
    assert "planted" not in str(stopped.value)
