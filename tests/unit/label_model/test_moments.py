"""`generative` and `triplet`: accuracies from agreement alone, for any number of classes and both readings of an abstain."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from labeljob.label_model import Budget, fit_statistics, from_votes, posterior
from labeljob.label_model.algorithms.generative import matched, misfit
from labeljob.label_model.algorithms.moments import Agreement, accuracy_of, agreement_of, balance_of_votes
from labeljob.label_model.algorithms.triplet import magnitudes, signs, weighted_median
from tests.unit.label_model.benches import bench_of
from tests.unit.label_model.generators import expected_accuracy, independent, label_matrices, one_sided_rules

MOMENTS = ("generative", "triplet")


@pytest.mark.parametrize("balance", [(0.5, 0.5), (0.9, 0.1), (0.5, 0.3, 0.1, 0.1)])
def test_agreement_beyond_chance_has_rank_one_whatever_the_balance(balance):
    """The identity that both methods solve, on enough rows to see it."""
    data, K = independent(200_000, 5, balance, seed=4), len(balance)
    found = agreement_of(bench_of(data.L, K))
    u = (K * data.accuracies - 1) / (K - 1)
    expected = np.outer(u, u) * ~np.eye(5, dtype=bool)
    np.testing.assert_allclose(found.beyond, expected, atol=0.02)
    np.testing.assert_array_equal(np.diag(found.rows), 0)
    np.testing.assert_allclose(balance_of_votes(bench_of(data.L, K), u), balance, atol=0.01)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-0.9, 0.95).filter(lambda u: abs(u) > 0.05), min_size=4, max_size=12))
@example([0.875, 0.4375, 0.15625, -0.75, -0.3125, -0.125, -0.0625, -0.0625])  # full steps would turn two functions for ever
@example([0.75, 0.4375, 0.125, -0.5, -0.3125, -0.125, -0.0625, -0.0625])  # two that disagree most alike, of which one is right
def test_exact_moments_give_exact_advantages(advantages):
    """Both recover what made the moments, signs included, when the functions are better than random on average."""
    u = np.array(advantages)
    if (np.abs(u) * u).sum() <= 0.2:
        return
    off = ~np.eye(len(u), dtype=bool)
    moments, rows = np.outer(u, u) * off, np.full((len(u), len(u)), 1e9) * off
    size = magnitudes(moments, rows, 0.4)
    np.testing.assert_allclose(size, np.abs(u), atol=1e-6)
    sign = signs(moments * rows)
    assert (sign == np.sign(u)).all() or (sign == -np.sign(u)).all()
    least_squares, _, converged = matched(Agreement(moments, rows, 0.4, -1.0), 5000)
    assert converged
    np.testing.assert_allclose(np.abs(least_squares), np.abs(u), atol=0.02)


@settings(max_examples=50, deadline=None)
@given(label_matrices(min_rows=5))
def test_what_least_squares_makes_least_never_rises(L):
    """C3: of any votes, right or not."""
    found = agreement_of(bench_of(L, 3))
    values = [misfit(found, np.full(L.shape[1], found.pooled)), *(misfit(found, matched(found, steps)[0]) for steps in range(1, 12))]
    assert (np.diff(values) <= 1e-12 * (1 + np.abs(values[1:]))).all(), values


@pytest.mark.parametrize("algorithm", MOMENTS)
@pytest.mark.parametrize("balance", [(0.6, 0.4), (0.5, 0.3, 0.2)])
def test_accuracies_without_gold(algorithm, balance):
    """C3."""
    data = independent(30_000, 9, balance, seed=6)
    model = fit_statistics(from_votes(data.L), len(balance), algorithm=algorithm, abstain=["missing"] * 9)
    np.testing.assert_allclose(model.accuracies, data.accuracies, atol=0.03)
    np.testing.assert_allclose(model.class_balance, balance, atol=0.03)


@pytest.mark.parametrize("algorithm", MOMENTS)
def test_an_abstain_that_is_evidence_gets_rates_that_depend_on_the_class(algorithm):
    """DESIGN 3: on rules, P(abstain | class) is near what gold says, and labels are better than by majority vote."""
    data = one_sided_rules(30_000, 12, (0.6, 0.4), seed=8)
    statistics = from_votes(data.L)
    model = fit_statistics(statistics, 2, algorithm=algorithm, abstain=["evidence"] * 12)
    truth = np.array([[(data.L[y == data.Y, j] == -1).mean() for y in range(2)] for j in range(12)])
    assert np.abs(np.exp(model.log_weights[:, 0]) - truth).mean() < 0.03
    np.testing.assert_allclose(np.exp(model.log_weights).sum(axis=1), 1, atol=1e-6)
    majority = fit_statistics(statistics, 2, algorithm="majority-vote", abstain=["evidence"] * 12)
    found = [expected_accuracy(posterior(one, data.L), data.L, data.Y) for one in (model, majority)]
    assert found[0] > found[1] + 0.005


def test_the_median_over_triplets_is_robust_to_a_copy():
    """A copy spoils only the triplets that hold it: the others' accuracies stay."""
    data = independent(50_000, 9, (0.5, 0.5), seed=2, abstain=0.2)
    L = np.concatenate([data.L, data.L[:, :1]], axis=1)
    size = magnitudes(*_moments(L), 0.4)
    np.testing.assert_allclose(accuracy_of(size, 2)[1:9], data.accuracies[1:], atol=0.03)


def _moments(L):
    found = agreement_of(bench_of(L, 2))
    return found.beyond, found.rows


@pytest.mark.parametrize(
    ("values", "weights", "median"), [([3.0, 1.0, 2.0], [1, 1, 1], 2.0), ([1.0, 2.0], [1, 1], 1.5), ([1.0, 2.0, 9.0], [1, 1, 5], 9.0), ([4.0], [0.1], 4.0)]
)
def test_weighted_median(values, weights, median):
    assert weighted_median(np.array(values), np.array(weights, dtype=float)) == median


@pytest.mark.parametrize(("algorithm", "reading"), [("generative", "missing"), ("generative", "evidence"), ("triplet", "missing")])
def test_pairs_that_were_counted_stand_for_all_rows_where_patterns_are_a_sample(algorithm, reading):
    """Of a sample of 600 rows, and all pairs: what is learned of 20,000 rows is what all their patterns teach, which the sample alone is far from."""
    L, K = independent(20_000, 6, (0.5, 0.3, 0.2), seed=3).L, 3
    ids = np.arange(len(L), dtype=np.uint64)
    whole, part = from_votes(L, K, ids), from_votes(L, K, ids, Budget(bytes=32_000))
    assert part.sampled
    assert part.totals.pairs.by_class is not None
    bare = from_votes(L, K, budget=Budget(bytes=32_000))
    given = {"abstain": [reading] * 6, "prior_accuracy": 0.7, "class_balance": [0.5, 0.3, 0.2]}
    fits = [fit_statistics(one, K, algorithm=algorithm, **given) for one in (whole, part, bare)]
    rates = [np.exp(model.log_weights) for model in fits]
    np.testing.assert_allclose(rates[1], rates[0], rtol=1e-9)
    assert np.abs(rates[2] - rates[0]).max() > 0.01
