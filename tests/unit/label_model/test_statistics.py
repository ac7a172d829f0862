"""Vote statistics are a commutative monoid that forgets the order of the rows and nothing else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeljob.label_model.packing import outcome_counts, pack, sum_tables
from labeljob.label_model.statistics import empty, from_votes, merge, merge_all
from labeljob.votes import VotesError
from tests.unit.label_model.generators import independent, label_matrices


@given(label_matrices(), st.randoms(use_true_random=False))
def test_row_order_does_not_matter(L, random):
    order = list(range(len(L)))
    random.shuffle(order)
    assert from_votes(L[order]) == from_votes(L)


@given(label_matrices(min_rows=3), st.data())
def test_any_sharding_gives_the_same_statistics(L, data):
    """Shards reduce votes to statistics that merge: associative, commutative, with an identity."""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(L)), min_size=2, max_size=2)))
    a, b, c = (from_votes(part) for part in np.split(L, cuts))
    whole = from_votes(L)
    assert merge(merge(a, b), c) == merge(a, merge(b, c)) == merge(c, merge(b, a)) == whole
    assert merge(whole, empty(L.shape[1])) == whole
    assert merge_all([c, a, b], L.shape[1]) == whole


@given(label_matrices())
def test_nothing_but_the_order_is_lost(L):
    statistics = from_votes(L)
    expected, counts = np.unique(L, axis=0, return_counts=True)
    np.testing.assert_array_equal(statistics.patterns, expected)
    np.testing.assert_array_equal(statistics.counts, counts)
    assert statistics.rows == len(L)


@pytest.mark.parametrize(("functions", "balance"), [(5, (0.6, 0.4)), (30, (0.6, 0.4)), (90, (0.6, 0.4)), (40, (0.1,) * 10)])
def test_wide_matrices_count_exactly(functions, balance):
    """The table, the one-word and the many-word way of counting agree with a plain count."""
    L = independent(400, functions, balance, seed=1, abstain=0.9).L
    statistics = from_votes(np.concatenate([L, L[:100]]))
    expected, counts = np.unique(np.concatenate([L, L[:100]]), axis=0, return_counts=True)
    np.testing.assert_array_equal(statistics.patterns, expected)
    np.testing.assert_array_equal(statistics.counts, counts)


def test_doubling_the_rows_doubles_the_counts():
    L = independent(300, 8, (0.6, 0.4), seed=2).L
    once, twice = from_votes(L), from_votes(np.concatenate([L, L]))
    np.testing.assert_array_equal(twice.patterns, once.patterns)
    np.testing.assert_array_equal(twice.counts, 2 * once.counts)


def test_statistics_of_different_functions_do_not_merge():
    with pytest.raises(VotesError, match="of 2 and of 3 labeling functions"):
        merge(empty(2), empty(3))


@given(label_matrices(classes=4, max_functions=9))
def test_packed_sums_and_histograms_equal_the_plain_ones(L):
    rng = np.random.default_rng(0)
    log_weights, row_weights = rng.normal(size=(L.shape[1], 5, 3)), rng.random((3, len(L)))
    packed = pack(L, 5)
    plain = sum(log_weights[j, L[:, j].astype(int) + 1] for j in range(L.shape[1]))
    np.testing.assert_allclose(sum_tables(packed, log_weights), plain.T, atol=1e-12)
    counts = outcome_counts(packed, row_weights)
    for outcome in range(5):
        np.testing.assert_allclose(counts[:, outcome, :], (outcome == L + 1).T @ row_weights.T, atol=1e-12)
