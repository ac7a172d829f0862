"""Ids as numbers: the same in any batch, different for different ids."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeljob.row_ids import LONG, hashed_ids

TEXTS = st.lists(st.text(max_size=30) | st.text(alphabet="ab", min_size=LONG - 8, max_size=LONG + 8), unique=True, min_size=1, max_size=30)
PINNED_TEXTS = ["0x6db6ca64564daeaa", "0x60e0eaa363a23d15", "0xf35361e2b364f380", "0xa25c076076da436"]
PINNED_NUMBERS = ["0x6db6ca64564daeaa", "0x6f8aaeac2856bddb", "0x9ac9032e24397f11"]


@given(TEXTS | st.lists(st.integers(-(2**63), 2**63 - 1), unique=True, min_size=1, max_size=30), st.data())
def test_an_id_has_one_hash_in_any_batch(ids, data):
    """G9: the sample of rows that a fit keeps does not depend on batches, shards or order."""
    whole = pa.array(ids)
    hashes = hashed_ids(whole)
    assert hashes.dtype == np.uint64
    assert len(np.unique(hashes)) == len(ids)
    cut = data.draw(st.integers(0, len(ids)))
    np.testing.assert_array_equal(np.concatenate([hashed_ids(whole[:cut]), hashed_ids(whole[cut:])]), hashes)
    order = data.draw(st.permutations(range(len(ids))))
    np.testing.assert_array_equal(hashed_ids(pa.array([ids[i] for i in order])), hashes[list(order)])


def test_hashes_are_pinned():
    """Another version must draw the same sample, or a refit of the same pins would give another model."""
    assert [hex(value) for value in hashed_ids(pa.array(["", "a", "event-0001", "é" * 200])).tolist()] == PINNED_TEXTS
    assert [hex(value) for value in hashed_ids(pa.array([0, 1, -1])).tolist()] == PINNED_NUMBERS


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_any_kind_of_string_and_texts_that_differ_in_length_alone(kind):
    texts = ["\0" * length for length in range(40)]
    hashes = hashed_ids(pa.array(texts, kind))
    assert len(np.unique(hashes)) == 40
    np.testing.assert_array_equal(hashes, hashed_ids(pa.array(texts)))
    assert len(hashed_ids(pa.array([], kind))) == 0


def test_hashes_of_consecutive_ids_are_spread_evenly():
    for ids in (pa.array(range(20_000)), pa.array([f"row-{i}" for i in range(20_000)])):
        shares = np.bincount((hashed_ids(ids) >> np.uint64(60)).astype(int), minlength=16) / 20_000
        np.testing.assert_allclose(shares, 1 / 16, atol=0.01)
