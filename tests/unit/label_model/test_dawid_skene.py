"""EM: the objective never falls, inputs stay, accuracies are recovered, and solutions are neither flipped nor collapsed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeljob.label_model import fit_statistics, from_votes, posterior
from labeljob.label_model.algorithms.dawid_skene import make_prior, make_problem
from labeljob.label_model.algorithms.weighted_vote import one_coin_log_weights
from labeljob.label_model.em.climbing import run_em
from tests.unit.label_model.generators import expected_accuracy, independent, label_matrices, one_sided_rules, oracle_log_loss


def em(L, classes, evidence, held=None, balance_is_given=False, iterations=60):
    statistics = from_votes(L, classes)
    counts = statistics.counts.astype(float)
    prior = make_prior(statistics.patterns, counts, evidence, classes, odds=2.0, votes=4.0)
    held = np.zeros(L.shape[1], dtype=bool) if held is None else held
    weights = one_coin_log_weights(np.full(L.shape[1], 0.7), classes)
    problem = make_problem(prior, np.full(classes, 1 / classes), balance_is_given, held, weights)
    arrays = [statistics.patterns, counts, prior.confusion, prior.balance, problem.start.log_confusion, problem.start.log_balance]
    before = [array.copy() for array in arrays]
    result = run_em(statistics.patterns, counts, problem, iterations, tolerance=0.0)
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)
    return result


@settings(max_examples=60, deadline=None)
@given(label_matrices(), st.data(), st.booleans())
def test_the_penalised_likelihood_never_falls_and_inputs_stay(L, data, balance_is_given):
    """C3: each round of EM raises what it claims to raise, for either reading of an abstain and with confusions held."""
    flags = st.lists(st.booleans(), min_size=L.shape[1], max_size=L.shape[1])
    evidence, held = np.array(data.draw(flags)), np.array(data.draw(flags))
    trace = np.array(em(L, 3, evidence, held & ~evidence, balance_is_given).trace)
    assert np.isfinite(trace).all()
    assert (np.diff(trace) >= -1e-9 * np.abs(trace[:-1]) - 1e-12).all()


@settings(max_examples=30, deadline=None)
@given(label_matrices(), st.booleans())
def test_confusions_are_distributions(L, evidence):
    result = em(L, 3, np.full(L.shape[1], evidence), iterations=5)
    outcomes = np.exp(result.parameters.log_confusion)[:, 0 if evidence else 1 :, :]
    np.testing.assert_allclose(outcomes.sum(axis=1), 1)
    np.testing.assert_allclose(np.exp(result.parameters.log_balance).sum(), 1)


def test_not_converging_is_reported():
    data = independent(2000, 6, (0.6, 0.4), seed=0)
    short = fit_statistics(from_votes(data.L), 2, algorithm="dawid-skene", max_iterations=2)
    assert (short.iterations, short.converged) == (2, False)
    full = fit_statistics(from_votes(data.L), 2, algorithm="dawid-skene")
    assert full.converged
    assert full.iterations < 100


@pytest.mark.parametrize("reading", ["missing", "evidence"])
@pytest.mark.parametrize("balance", [(0.6, 0.4), (0.4, 0.3, 0.2, 0.1)])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_accuracies_and_log_loss_come_close_to_the_truth(reading, balance, seed):
    """C3: accuracy of every LF without gold. X22: probabilities, not only labels: fresh rows cost at most 3 % more than the oracle's."""
    data = independent(20_000, 10, balance, seed)
    train, fresh = data.L[:10_000], data._replace(L=data.L[10_000:], Y=data.Y[10_000:])
    model = fit_statistics(from_votes(train), len(balance), algorithm="dawid-skene", abstain=[reading] * 10)
    np.testing.assert_allclose(model.accuracies, data.accuracies, atol=0.04)
    np.testing.assert_allclose(model.class_balance, balance, atol=0.03)
    P = posterior(model, fresh.L)
    loss = -np.log(P[np.arange(len(P)), fresh.Y]).mean()
    assert loss <= oracle_log_loss(fresh) * 1.03


@pytest.mark.parametrize("balance", [(0.69, 0.31), (0.95, 0.05), (0.4, 0.3, 0.2, 0.1)])
@pytest.mark.parametrize("seed", range(4))
def test_one_sided_rules_need_their_abstains(balance, seed):
    """C3: with abstain as evidence the class balance and precision of rules come out, well above majority vote."""
    data = one_sided_rules(4000, 12, balance, seed)
    statistics = from_votes(data.L)
    fitted = {name: fit_statistics(statistics, len(balance), algorithm=name) for name in ("majority-vote", "dawid-skene")}
    assert fitted["dawid-skene"].abstain == ("evidence",) * 12
    np.testing.assert_allclose(fitted["dawid-skene"].class_balance, balance, atol=0.15)
    score = {name: expected_accuracy(posterior(model, data.L), data.L, data.Y) for name, model in fitted.items()}
    assert score["dawid-skene"] > score["majority-vote"] + 0.01


@pytest.mark.parametrize("seed", range(5))
def test_the_solution_is_not_flipped(seed):
    """Functions that are barely better than random on average do not swap the classes."""
    data = independent(3000, 7, (0.5, 0.5), seed)
    P = posterior(fit_statistics(from_votes(data.L), 2, algorithm="dawid-skene"), data.L)
    assert expected_accuracy(P, data.L, data.Y) > 0.7


def test_a_below_random_function_is_recognised_by_its_confusion():
    data = independent(5000, 8, (0.5, 0.5), seed=3, abstain=0.2)
    L = data.L.copy()
    L[:, 0] = np.where(L[:, 0] >= 0, 1 - L[:, 0], -1)
    model = fit_statistics(from_votes(L), 2, algorithm="dawid-skene")
    assert model.accuracies[0] == pytest.approx(1 - data.accuracies[0], abs=0.05)


def test_one_sided_and_missing_keeps_a_say():
    """A one-sided teacher whose null is missing would have a flat likelihood; it still counts for the class it names."""
    data = one_sided_rules(3000, 6, (0.6, 0.4), seed=0)
    model = fit_statistics(from_votes(data.L), 2, algorithm="dawid-skene", abstain=["missing"] * 6)
    only_zero, only_one = np.full((1, 6), -1), np.full((1, 6), -1)
    only_zero[0, 0], only_one[0, 1] = 0, 1
    assert posterior(model, only_zero)[0, 0] > model.class_balance[0]
    assert posterior(model, only_one)[0, 1] > model.class_balance[1]
