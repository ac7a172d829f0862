"""`mace` and `glad`: EM climbs, and what the papers say of functions and rows comes back."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeljob.label_model import fit_statistics, from_votes, posterior
from labeljob.label_model.algorithms.glad import EASE_ROWS, EASES, Glad, climbed
from labeljob.label_model.algorithms.mace import Mace, expectation_of, propensity_of
from labeljob.label_model.em.mixture import run
from labeljob.label_model.fitting.arguments import AlgorithmArgument
from labeljob.scores import log_loss
from tests.unit.label_model.benches import bench_of
from tests.unit.label_model.generators import independent, label_matrices


@settings(max_examples=60, deadline=None)
@given(label_matrices(), st.booleans(), st.sampled_from(["mace", "glad"]))
def test_the_penalised_objective_never_falls(L, evidence, kind):
    """C3: EM is EM."""
    if not (L >= 0).any():
        return
    bench = bench_of(L, 3, evidence)
    start, before = bench.start(np.ones(L.shape[1])), bench.statistics.patterns.copy()
    if kind == "mace":
        model, eases = Mace(bench.observed.shares, propensity_of(bench), 5.0, 5.0, None), np.ones(1)
    else:
        model, eases = Glad(propensity_of(bench), 1.0, bench.majority_balance), EASE_ROWS / EASE_ROWS.sum()
    expectation = expectation_of(bench, np.repeat(np.arange(3), len(eases)))
    first = expectation.of_states(lambda part: (start[:, None, part] * eases[:, None]).reshape(3 * len(eases), -1))
    ended = run(expectation, model, first, 60, 0.0)
    steps = np.diff(ended.trace)
    assert (steps >= -1e-8 * (1 + np.abs(ended.trace[1:]))).all(), steps.min()
    np.testing.assert_allclose(expectation.classes(ended.step.log_prior, ended.step.log_weights).sum(axis=0), 1)
    np.testing.assert_array_equal(bench.statistics.patterns, before)


def test_mace_sees_who_spams():
    """A function that always says the same, and one that draws at random, are told from those that know."""
    data = independent(5000, 6, (0.7, 0.3), seed=1, abstain=0.2)
    random = np.random.default_rng(3)
    L = np.concatenate([data.L, np.zeros((5000, 1), dtype=np.int8), random.integers(0, 2, (5000, 1), dtype=np.int8)], axis=1)
    model = fit_statistics(from_votes(L), 2, algorithm="mace", abstain=["missing"] * 8)
    gap = model.log_weights[:, [1, 2], [0, 1]] - model.log_weights[:, [1, 2], [1, 0]]
    spam = [gap[6, 0], *gap[7]]  # what a vote for class 1 of the one that never casts it would count, nobody knows
    assert max(spam) < 0.15 < gap[:6].min(), gap
    assert (posterior(model, L).argmax(axis=1) == data.Y).mean() > 0.85


def hard_and_easy(rows, seed):
    """Functions of ability 1 to 3 on rows of ease .2 or 1.5, as GLAD says votes come about."""
    random = np.random.default_rng(seed)
    truth, ease, ability = random.integers(0, 2, rows), random.choice([0.2, 1.5], rows), random.uniform(1, 3, 12)
    right = random.random((rows, 12)) < 1 / (1 + np.exp(-np.outer(ease, ability)))
    return np.where(right, truth[:, None], 1 - truth[:, None]).astype(np.int8), truth


def test_glad_keeps_hard_rows_in_doubt():
    """Where ease differs, GLAD is better calibrated than one accuracy a function."""
    L, truth = hard_and_easy(6000, 2)
    statistics = from_votes(L)
    loss = {name: log_loss(posterior(fit_statistics(statistics, 2, algorithm=name), L), truth) for name in ("glad", "one-coin")}
    assert loss["glad"] < loss["one-coin"] - 0.02, loss


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 200), min_size=8, max_size=8), st.floats(-3, 3), st.sampled_from([2, 5]))
def test_the_ability_is_the_most_probable_one(numbers, centre, classes):
    """Against a fine grid."""
    right, wrong = np.array([numbers[:4]]), np.array([numbers[4:]])
    found = climbed(right, wrong, np.array([centre]), centre, classes)[0]
    grid = np.linspace(-8, 8, 4001)
    odds = np.outer(grid, EASES)
    chance = np.exp(odds) / (np.exp(odds) + classes - 1)
    value = (right * np.log(chance) + wrong * np.log((1 - chance) / (classes - 1))).sum(axis=1) - (grid - centre) ** 2 / 2
    assert abs(found - grid[value.argmax()]) < 0.05


@pytest.mark.parametrize("algorithm", [name for name in get_args(AlgorithmArgument) if name not in ("majority-vote", "weighted-vote")])
@pytest.mark.parametrize("reading", ["missing", "evidence"])
def test_both_readings_of_an_abstain(algorithm, reading):
    """DESIGN 3: rows without a vote tell the class only where abstaining is evidence and depends on it."""
    data = independent(6000, 8, (0.5, 0.5), seed=3, abstain=0.0)
    L = data.L.copy()
    L[(np.random.default_rng(1).random(L.shape) < 0.8) & (data.Y == 0)[:, None]] = -1  # silent on most rows of class 0
    model = fit_statistics(from_votes(L), 2, algorithm=algorithm, abstain=[reading] * 8)
    silent = posterior(model, np.full((1, 8), -1))[0]
    if reading == "evidence":
        assert silent[0] > (0.7 if algorithm == "auto" else 0.95)  # two of the four members of its committee of rules do not look at abstains
    else:
        np.testing.assert_allclose(silent, model.class_balance)
