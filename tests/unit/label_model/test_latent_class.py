"""Latent-class models: EM climbs, coins and confusions come back, hard rows stay in doubt."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from labeljob.label_model import fit_statistics, from_votes
from labeljob.label_model.algorithms.latent_class import coin_structure, run
from labeljob.label_model.fitting.fits import Bench
from tests.unit.label_model.generators import independent, label_matrices


def bench_of(L, classes, evidence=False, discount=None):
    statistics = from_votes(L, classes)
    counts = np.stack([statistics.counts.astype(float) @ (statistics.patterns == k) for k in range(classes)], axis=1)
    functions = statistics.functions
    accuracies = np.full(functions, 0.7)
    return Bench(statistics, counts, np.full(functions, evidence), accuracies, 0.7, None, 200, 0.0, 0)


@settings(max_examples=60, deadline=None)
@given(label_matrices(), st.booleans(), st.sampled_from(["coin", "confusion", "uninformative", "rules"]), st.floats(0.1, 1.0))
def test_the_penalised_objective_never_falls(L, evidence, kind, power):
    """C3: EM is EM, whatever is assumed of functions and however far they are discounted."""
    if not (L >= 0).any():
        return
    bench = bench_of(L, 3, evidence and kind != "uninformative")
    discount = np.full(L.shape[1], 1.0 if kind == "uninformative" else power)
    before = bench.statistics.patterns.copy()
    if kind == "rules":
        fitted = bench.rules(discount)
    elif kind == "confusion":
        fitted = bench.confusions(discount)
    else:
        fitted = bench.coins(discount, uninformative=kind == "uninformative")
    steps = np.diff(fitted.trace)
    assert (steps >= -1e-8 * (1 + np.abs(fitted.trace[1:]))).all(), steps.min()
    np.testing.assert_allclose(fitted.posterior.sum(axis=0), 1)
    np.testing.assert_array_equal(bench.statistics.patterns, before)


def test_coins_find_accuracies():
    data = independent(20_000, 8, (0.6, 0.4), seed=3)
    model = fit_statistics(from_votes(data.L), 2, algorithm="one-coin")
    np.testing.assert_allclose(model.accuracies, data.accuracies, atol=0.02)


def test_confusions_with_few_votes_are_coins_and_with_many_their_own():
    """Shrinkage: a function that favours a class shows it once it has enough votes."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 20_000)
    confusion = np.array([[0.95, 0.4], [0.05, 0.6]])  # vote given class: leans to class 0
    L = np.where(rng.random((20_000, 6)) < confusion[0][truth][:, None], 0, 1).astype(np.int8)
    for rows, gap in ((20_000, 0.3), (30, -1.0)):
        bench = bench_of(L[:rows], 2)
        found = np.exp(bench.confusions(np.ones(6)).parameters.log_confusion)
        leaning = found[:, 0, 0] - found[:, 1, 1]
        if gap > 0:
            assert (leaning > gap).all()
        else:
            coins = coin_structure(bench.observed, bench.evidence, np.ones(6), 0.7, 10.0)
            assert np.ptp(np.exp(run(bench.observed, coins, bench.start(np.ones(6)), 50, 1e-6).parameters.log_confusion)[:, [0, 1], [0, 1]], axis=1).max() < 1e-12


def test_rows_that_say_nothing_stay_in_doubt():
    """A fifth of the rows get votes at random: their share is found, and they are less sure than without the allowance."""
    random = np.random.default_rng(5)
    truth = random.integers(0, 2, 4000)
    L = np.where(random.random((4000, 15)) < 0.85, truth[:, None], 1 - truth[:, None])
    L[:800] = random.integers(0, 2, (800, 15))
    bench = bench_of(L.astype(np.int8), 2)
    plain, allowing = bench.coins(np.ones(15)), bench.coins(np.ones(15), uninformative=True)
    assert 0.15 < allowing.parameters.uninformative < 0.25
    assert allowing.posterior.max(axis=0).mean() < plain.posterior.max(axis=0).mean() - 0.02
