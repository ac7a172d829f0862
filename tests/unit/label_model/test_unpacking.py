"""Codes say all that the votes said, and sums over patterns in order are those over any order."""

import pickle

import numpy as np
import pytest

from labeljob.label_model.algorithms.vote_pairs import votes_beside
from labeljob.label_model.statistics.histograms import outcome_counts
from labeljob.label_model.statistics.packing import LEAST_RUNS, pack
from labeljob.label_model.statistics.patterns import distinct, distinct_up_to
from labeljob.label_model.statistics.unpacking import unpack
from labeljob.label_model.statistics.weighted_votes import weigh

SHAPES = [(1, 2), (4, 3), (10, 3), (23, 3), (9, 4), (7, 5), (5, 16), (5, 17), (3, 64), (4, 65), (2, 128), (3, 300)]


def matrix(functions, outcomes, rows=500):
    votes = np.random.default_rng(functions * outcomes).integers(-1, outcomes - 1, (rows, functions))
    return votes.astype(np.int8 if outcomes <= 128 else np.int16)


@pytest.mark.parametrize("rows", [0, 1, 500])
@pytest.mark.parametrize(("functions", "outcomes"), SHAPES)
def test_votes_come_back(functions, outcomes, rows):
    L = matrix(functions, outcomes, rows)
    found = unpack(pack(L, outcomes))
    np.testing.assert_array_equal(found, L)
    assert found.dtype == L.dtype


@pytest.mark.parametrize(("functions", "outcomes"), SHAPES)
def test_patterns_are_the_distinct_rows_in_order(functions, outcomes):
    L = matrix(functions, outcomes)
    kept, counts = distinct_up_to(L, outcomes, 1 << 16)
    patterns = kept if isinstance(kept, np.ndarray) else unpack(kept)
    expected, times = np.unique(L, axis=0, return_counts=True)
    np.testing.assert_array_equal(patterns, expected)
    np.testing.assert_array_equal(counts, times)


@pytest.mark.parametrize("order", ["ascending", "any"])
@pytest.mark.parametrize(("functions", "outcomes"), [(4, 3), (10, 3), (23, 3), (9, 4), (7, 5)])
def test_histograms_do_not_depend_on_the_order(functions, outcomes, order):
    patterns, counts = (np.repeat(of, 1 + LEAST_RUNS // 100, axis=0) for of in distinct(matrix(functions, outcomes), outcomes))
    rows = np.arange(len(counts)) if order == "ascending" else np.random.default_rng(1).permutation(len(counts))
    weights = np.stack([counts, counts**2]).astype(np.float64)[:, rows]
    packed = pack(np.ascontiguousarray(patterns[rows]), outcomes)
    assert packed.rows >= LEAST_RUNS or functions == 4
    assert (packed.runs is not None) == (order == "ascending" and packed.rows >= LEAST_RUNS)
    expected = [[[w[column == k].sum() for w in weights] for k in range(-1, outcomes - 1)] for column in patterns[rows].T]
    np.testing.assert_array_equal(outcome_counts(packed, weights), expected)


@pytest.mark.parametrize("scale", [1.0, 0.37, 1e9])
@pytest.mark.parametrize(("functions", "outcomes"), [(4, 3), (12, 3), (9, 4), (7, 5)])
def test_votes_beside_a_vote_in_one_sum_and_class_by_class(functions, outcomes, scale):
    """Whole numbers that are small enough are summed as digits of one; others class by class."""
    patterns, counts = distinct(matrix(functions, outcomes), outcomes)
    weighted = weigh(patterns, counts * scale, outcomes)
    cast = (patterns[:, :, None] == np.arange(outcomes - 1)).astype(np.float64)
    expected = np.einsum("r,rjk,rl->jkl", counts * scale, cast, cast.sum(axis=1))
    np.testing.assert_allclose(votes_beside(weighted), expected, rtol=1e-12)


def test_a_pickle_holds_no_table_that_can_be_computed():
    """And equal votes have equal pickles, whatever was asked of them."""
    packed = pack(matrix(10, 3), 3)
    fresh = pickle.dumps(packed.layout)
    assert packed.layout.design.size > 1000
    assert pickle.dumps(packed.layout) == fresh
    assert len(fresh) < 200
    again = pickle.loads(fresh)
    assert again == packed.layout
    assert not again.design.flags.writeable
