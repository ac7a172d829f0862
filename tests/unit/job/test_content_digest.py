"""X16, DESIGN §4.2: the content digest says what the rows say, however they were cut into batches."""

import itertools

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeljob.content_digest import ContentDigest

rows = st.lists(
    st.tuples(
        st.text(max_size=5),
        st.none() | st.sampled_from(["normal", "risky", ""]),
        st.floats(0, 1),
        st.lists(st.integers(-1, 3), max_size=3),
        st.booleans(),
    ),
    max_size=12,
)


def batch(values: list[tuple[object, ...]], run: str = "r") -> pa.RecordBatch:
    ids, labels, numbers, votes, flags = (list(column) for column in zip(*values, strict=True)) if values else ([],) * 5
    return pa.RecordBatch.from_arrays(
        [
            pa.array(ids, pa.string()),
            pa.array(labels, pa.string()),
            pa.StructArray.from_arrays([pa.array(numbers, pa.float64())], names=["p"]),
            pa.array(votes, pa.list_(pa.int8())),
            pa.array(flags, pa.bool_()),
            pa.array([run] * len(ids), pa.string()),
        ],
        names=["id", "label", "probabilities", "votes", "covered", "run"],
    )


def digest(*batches: pa.RecordBatch) -> str:
    found = ContentDigest()
    for part in batches:
        found.update(part)
    return found.hexdigest()


@given(rows, st.data())
def test_cuts_and_slices_leave_no_trace(values: list[tuple[object, ...]], data: st.DataObject) -> None:
    """X16: any split, empty parts and slices of larger arrays included, and any run name."""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(values)), max_size=4)))
    edges = [0, *cuts, len(values)]
    whole = batch(values)
    parts = [whole.slice(a, b - a) for a, b in itertools.pairwise(edges)]
    copies = [batch(values[a:b], run="other") for a, b in itertools.pairwise(edges)]
    assert digest(*parts) == digest(*copies) == digest(whole)


@given(rows.filter(bool), st.data())
def test_every_change_of_a_value_changes_it(values: list[tuple[object, ...]], data: st.DataObject) -> None:
    """X16: nulls, empty text, empty lists, and where one text ends and the next begins are all told apart."""
    index = data.draw(st.integers(0, len(values) - 1))
    other = data.draw(rows.filter(bool))[0]
    changed = [*values[:index], other, *values[index + 1 :]]
    same = repr(changed) == repr(values)
    assert (digest(batch(changed)) == digest(batch(values))) == same


def test_the_known_value_does_not_move() -> None:
    """X16: a digest in status can be compared with one made by another build."""
    first = digest(batch([("a", "risky", 0.75, [1, -1], True), ("b", None, 0.5, [], False)]))
    assert first == digest(batch([("a", "risky", 0.75, [1, -1], True)]), batch([("b", None, 0.5, [], False)]))
    assert first == "af705150d32031f362d44197057bbfe0d990874e085aa67ba6a852e7da2c1f5f"
    assert digest() == digest(batch([]))


@pytest.mark.parametrize("other", [("ab", "c"), ("a", "bc")])
def test_text_boundaries_count(other: tuple[str, str]) -> None:
    """X16."""
    table = [pa.RecordBatch.from_arrays([pa.array(list(pair))], names=["id"]) for pair in (other, ("abc", ""))]
    assert digest(table[0]) != digest(table[1])
