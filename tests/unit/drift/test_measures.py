"""Sizes against figures worked out by hand and by simulation."""

import math

import numpy as np
import pytest

from labeljob.drift.measures import is_beyond_chance, likelihood_ratio, population_stability


def test_population_stability_of_large_samples_is_the_textbook_sum():
    p, q = np.array([0.2, 0.3, 0.5]), np.array([0.3, 0.3, 0.4])
    wanted = float(np.sum((p - q) * np.log(p / q)))
    assert population_stability((p * 1e7).astype(int), (q * 1e7).astype(int)) == pytest.approx(wanted, rel=1e-4)


def test_it_is_zero_in_the_mean_when_nothing_moved():
    """Before the correction it would be (B - 1)(1/n + 1/n_ref) = 0.05."""
    rng, shares = np.random.default_rng(0), np.full(11, 1 / 11)
    found = [population_stability(rng.multinomial(400, shares), rng.multinomial(400, shares)) for _ in range(400)]
    assert np.mean(found) < 0.015
    assert min(found) == 0


def test_bins_that_are_empty_on_one_side_have_a_finite_size():
    assert 1 < population_stability(np.array([0, 500]), np.array([500, 0])) < 20
    assert population_stability(np.array([0, 0]), np.array([500, 0])) == 0


def test_the_likelihood_ratio_against_a_figure_worked_out_by_hand():
    """Two samples of 10: 3 of 10 beside 6 of 10."""
    given = likelihood_ratio(np.array([3, 7]), np.array([6, 4]))
    wanted = 2 * (3 * math.log(3 / 4.5) + 7 * math.log(7 / 5.5) + 6 * math.log(6 / 4.5) + 4 * math.log(4 / 5.5))
    assert given == pytest.approx(wanted)


@pytest.mark.parametrize(("rows", "bins"), [(30, 2), (300, 2), (5000, 2), (100, 11), (3000, 11), (3000, 52)])
def test_chance_is_seldom_taken_for_more(rows: int, bins: int):
    """One comparison at a level of one in a hundred: at most that many, and a little noise, in 2,000."""
    rng = np.random.default_rng(rows + bins)
    shares = rng.dirichlet(np.ones(bins))
    alarms = sum(is_beyond_chance(rng.multinomial(rows, shares), rng.multinomial(4 * rows, shares), 1) for _ in range(2000))
    assert alarms <= 35


def test_what_is_large_and_certain_is_beyond_chance():
    assert is_beyond_chance(np.array([500, 4500]), np.array([1000, 19000]), 100)
    assert not is_beyond_chance(np.array([2, 18]), np.array([1000, 19000]), 100)
    assert not is_beyond_chance(np.array([20]), np.array([30]), 1)
