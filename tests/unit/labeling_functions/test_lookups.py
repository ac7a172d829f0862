"""Lookup tables: read once, refused when they contradict themselves, identified by content."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.labeling_functions.identity import LookupData, function_set_digest, lookup_digest
from labeljob.labeling_functions.lookups import from_arrow, read_lookup, to_arrow
from tests.unit.labeling_functions.sets import a_lookup, a_set, risky

SET = a_set(a_lookup(), risky(sql="flag"))
LOOKUP = SET.functions[0]


def read(keys: list[object], labels: list[object]) -> LookupData:
    return read_lookup(LOOKUP, pa.table({"key": keys, "verdict": labels}), SET.classes)


def test_identical_duplicates_collapse() -> None:
    """C2: the same key with the same class is one key."""
    data = read(["b", "a", "b"], ["risky", "normal", "risky"])
    assert (data.keys.to_pylist(), data.labels) == (["a", "b"], ("normal", "risky"))


@pytest.mark.parametrize(
    ("keys", "labels", "why"),
    [
        (["a", "a", "b", "c", "c", "d", "d", "e", "e"], ["risky", "normal", "risky", *["risky", "normal"] * 3], "4 keys"),
        (["a", None], ["risky", "risky"], "1 rows without 'key'"),
        (["a", "b"], ["risky", None], "1 rows without 'verdict'"),
        (["a"], ["odd"], r"1 labels that are not in spec.classes \('odd'\): use one of normal, risky"),
    ],
)
def test_tables_that_cannot_work(keys: list[object], labels: list[object], why: str) -> None:
    """C2: refused with the table's name and the count, and at most three keys."""
    with pytest.raises(JobError, match=why) as stopped:
        read(keys, labels)
    assert stopped.value.reason is JobReason.LOOKUP_INVALID
    assert "f0: lookup table configmap://tables/t.csv" in stopped.value.message
    assert "'e'" not in stopped.value.message


def test_missing_column() -> None:
    """C2: the message names the columns there are."""
    with pytest.raises(JobError, match="no column 'verdict': it has key, label"):
        read_lookup(LOOKUP, pa.table({"key": ["a"], "label": ["risky"]}), SET.classes)


def test_empty_table() -> None:
    """C2: nothing to find is no error."""
    empty = pa.table({"key": pa.array([], pa.string()), "verdict": pa.array([], pa.string())})
    assert read_lookup(LOOKUP, empty, SET.classes).labels == ()


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), st.sampled_from(["risky", "normal"]), max_size=8), st.randoms())
def test_digest_is_of_the_content(pairs: dict[str, str], shuffle: object) -> None:
    """F6: row order does not matter, any change does, and freezing loses nothing."""
    order = list(pairs)
    shuffle.shuffle(order)  # type: ignore[attr-defined]
    data, other = (LookupData(pa.array(keys, pa.string()), tuple(pairs[key] for key in keys)) for keys in (list(pairs), order))
    assert lookup_digest(data) == lookup_digest(other) == lookup_digest(from_arrow(to_arrow(data)))
    more = LookupData(pa.array([*pairs, "\x00new"], pa.string()), (*data.labels, "risky"))
    assert lookup_digest(more) != lookup_digest(data)


def test_set_digest() -> None:
    """F6: tables and meaning change it; owners, texts, tests and disabled functions do not."""
    tables = {"f0": read(["a"], ["risky"])}
    digest = function_set_digest(SET, tables)
    assert function_set_digest(SET, {"f0": read(["a"], ["normal"])}) != digest
    described = a_set(a_lookup(), risky(sql="flag", owner="me", description="x"), risky(sql="count > 1", enabled=False))
    assert function_set_digest(described, tables) == digest
    assert function_set_digest(a_set(a_lookup(), risky(sql="NOT flag")), tables) != digest
