"""95 % intervals of accuracies without gold: their quantiles, their coverage, and what narrows and widens them."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeljob.label_model import fit_statistics, from_votes
from labeljob.label_model.fitting.arguments import AlgorithmArgument
from labeljob.label_model.fitting.intervals import beta_interval, effective_votes, sample_of
from tests.unit.label_model.generators import independent

SHARES = np.array([0.025, 0.975])


@settings(max_examples=60, deadline=None)
@given(st.floats(0.5, 1e6))
def test_beta_quantiles_with_a_closed_form(shape):
    """Beta(a, 1) is U ** (1 / a), and Beta(1, b) its mirror image."""
    found = beta_interval(np.array([shape, 1.0]), np.array([1.0, shape]))
    np.testing.assert_allclose(found[0], SHARES ** (1 / shape), atol=5e-4)
    np.testing.assert_allclose(found[1], 1 - (1 - SHARES) ** (1 / shape), atol=5e-4)


@pytest.mark.parametrize(("a", "b"), [(2.0, 2.0), (0.7, 3.0), (30.0, 8.0), (700.0, 300.0)])
def test_beta_quantiles_of_a_million_draws(a, b):
    draws = np.random.default_rng(0).beta(a, b, 1_000_000)
    np.testing.assert_allclose(beta_interval(np.array([a]), np.array([b]))[0], np.quantile(draws, SHARES), atol=1e-3)


def test_beta_quantiles_of_a_large_sample_are_normal():
    low, high = beta_interval(np.array([6e6]), np.array([4e6]))[0]
    half = 1.959964 * np.sqrt(0.6 * 0.4 / 1e7)
    np.testing.assert_allclose([low, high], [0.6 - half, 0.6 + half], atol=1e-6)


@pytest.mark.parametrize(("right", "wrong"), [(0.0, 5.0), (0.6, 0.6), (1e6, 1.0), (3.0, 0.0)])
def test_extreme_shapes_stay_in_the_unit_interval(right, wrong):
    low, high = beta_interval(np.array([right]), np.array([wrong]))[0]
    assert 0 <= low < high <= 1


INTERVALS = {"ebcc": 72, "glad": 120}  # how many are drawn of what is slow; else 240


@pytest.mark.parametrize("algorithm", [name for name in get_args(AlgorithmArgument) if name not in ("majority-vote", "weighted-vote")])
@pytest.mark.parametrize(("rows", "functions", "balance"), [(1500, 8, (0.6, 0.4)), (600, 12, (0.5, 0.3, 0.2))])
def test_the_truth_lies_in_95_of_100_intervals(algorithm, rows, functions, balance):
    """C3: on generated votes; the share of 240 intervals has a standard error of 1.4 points."""
    hits, widths = [], []
    for seed in range(INTERVALS.get(algorithm, 240) // functions):
        data = independent(rows, functions, balance, seed=seed)
        model = fit_statistics(from_votes(data.L), len(balance), algorithm=algorithm, abstain=["missing"] * functions)
        low, high = model.accuracy_intervals.T
        hits.append((low <= data.accuracies) & (data.accuracies <= high))
        widths.append(high - low)
        assert ((low < model.accuracies) & (model.accuracies < high)).all()
    assert 0.91 < np.mean(hits) < 0.99, np.mean(hits)
    assert np.mean(widths) < 0.2


def test_four_times_the_rows_halve_an_interval_and_hidden_classes_widen_it():
    small, large = (independent(rows, 8, (0.6, 0.4), seed=3) for rows in (2000, 8000))
    fits = [fit_statistics(from_votes(data.L), 2, algorithm="one-coin", abstain=["missing"] * 8) for data in (small, large)]
    width = [np.ptp(model.accuracy_intervals, axis=1).mean() for model in fits]
    assert 0.42 < width[1] / width[0] < 0.58
    effective, votes = effective_votes(fits[1], sample_of(from_votes(large.L))), (large.L >= 0).sum(axis=0)
    assert (effective < 0.7 * votes).all()
    assert (effective > 0.05 * votes).all()


def test_copies_do_not_count_as_evidence_of_one_another():
    """F2: six copies of a function leave its interval about as wide as it is alone."""
    data = independent(4000, 8, (0.6, 0.4), seed=5)
    L = np.concatenate([data.L, np.repeat(data.L[:, :1], 6, axis=1)], axis=1)
    alone, copied = (fit_statistics(from_votes(one), 2, abstain=["missing"] * one.shape[1]) for one in (data.L, L))
    width = [np.ptp(model.accuracy_intervals[0]) for model in (alone, copied)]
    assert 0.8 < width[1] / width[0] < 1.3, width


def test_intervals_are_computed_once_when_they_are_asked_for_and_cannot_be_changed():
    """A fit does not wait for them; what is asked later is what was fitted, whatever happens to the votes in between."""
    L = independent(900, 6, (0.6, 0.4), seed=5).L
    model = fit_statistics(from_votes(L), 2, algorithm="one-coin")
    expected = fit_statistics(from_votes(L.copy()), 2, algorithm="one-coin").accuracy_intervals
    L[:] = -1
    assert model.accuracy_intervals is model.accuracy_intervals
    np.testing.assert_array_equal(model.accuracy_intervals, expected)
    with pytest.raises(ValueError, match="read-only"):
        model.accuracy_intervals[0] = 0.0


def test_without_votes_or_with_agreement_alone_there_is_no_interval():
    data = independent(500, 5, (0.6, 0.4), seed=5)
    L = np.concatenate([data.L, np.full((500, 1), -1, dtype=np.int8)], axis=1)
    assert np.isnan(fit_statistics(from_votes(L), 2, algorithm="one-coin").accuracy_intervals).all(axis=1).tolist() == [False] * 5 + [True]
    for algorithm in ("majority-vote", "weighted-vote"):
        assert np.isnan(fit_statistics(from_votes(L), 2, algorithm=algorithm).accuracy_intervals).all()
