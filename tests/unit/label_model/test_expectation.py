"""The fast E step says what the plain one says; steps are mixed safely; many patterns are fitted from a part."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeljob.label_model import Budget, fit_statistics, from_votes, posterior
from labeljob.label_model.algorithms.dawid_skene import e_step, make_prior, make_problem
from labeljob.label_model.algorithms.weighted_vote import one_coin_log_weights
from labeljob.label_model.em.acceleration import MEMORY, Anderson
from labeljob.label_model.em.climbing import Parameters, next_rise, run_em
from labeljob.label_model.em.expectation import Expectation
from labeljob.label_model.posteriors import state_posterior
from labeljob.label_model.statistics.histograms import outcome_counts
from labeljob.label_model.statistics.packing import pack
from labeljob.label_model.statistics.weighted_votes import weigh
from tests.unit.label_model.generators import independent, label_matrices


def distributions(rng, functions, outcomes, states):
    """log P(outcome | state), float64 [functions, outcomes, states], and log P(state)."""
    table = rng.dirichlet(np.ones(outcomes), (functions, states)).transpose(0, 2, 1)
    return np.log(table), np.log(rng.dirichlet(np.ones(states)))


@settings(max_examples=60, deadline=None)
@given(label_matrices(max_functions=9), st.integers(2, 6), st.integers(0, 9))
def test_expected_rows_and_likelihood_are_those_of_the_definition(L, states, seed):
    """For any number of latent states, also other than that of classes."""
    rng = np.random.default_rng(seed)
    log_weights, log_prior = distributions(rng, L.shape[1], 4, states)
    counts = rng.integers(1, 5, len(L)).astype(float)
    rows = weigh(L, counts, 4)
    expected, likelihood = Expectation(rows, states).of(log_prior, log_weights)
    joint = log_prior[:, None] + sum(log_weights[j, L[:, j].astype(int) + 1] for j in range(L.shape[1])).T
    evidence = np.logaddexp.reduce(joint, axis=0)
    plain = np.exp(joint - evidence) * counts
    assert likelihood == pytest.approx(float(evidence @ counts), abs=1e-9)
    np.testing.assert_allclose(expected.rows, plain.sum(axis=1), atol=1e-10)
    np.testing.assert_allclose(expected.outcomes, outcome_counts(rows.packed, plain), atol=1e-10)
    np.testing.assert_allclose(state_posterior(L, log_prior, log_weights), np.exp(joint - evidence).T, atol=1e-12)


@pytest.mark.parametrize("states", [2, 3, 4])
def test_many_rows_in_chunks_give_what_the_plain_step_gives(states):
    """More rows than a chunk holds, with tables of two units where there are two states."""
    L = independent(40_000, 17, (0.5, 0.5), seed=0).L
    log_weights, log_prior = distributions(np.random.default_rng(0), 17, 3, states)
    rows = weigh(L, np.ones(40_000), 3)
    expected, likelihood = Expectation(rows, states).of(log_prior, log_weights)
    plain, evidence = e_step(pack(L, 3), Parameters(log_prior, log_weights))
    assert likelihood == pytest.approx(float(evidence.sum()), rel=1e-12)
    np.testing.assert_allclose(expected.rows, plain.sum(axis=1), rtol=1e-10)
    np.testing.assert_allclose(expected.outcomes, outcome_counts(rows.packed, plain), rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("classes", [2, 3])
def test_log_odds_beyond_all_bounds_stay_finite(classes):
    """C3: 200 sure votes against one another, or all alike: probabilities are finite and sum to 1."""
    weights = one_coin_log_weights(np.full(200, 1 - 1e-12), classes)
    L = np.array([[0] * 200, [1] * 200, [0, 1] * 100, [-1] * 200], dtype=np.int8)
    P = state_posterior(L, np.log(np.full(classes, 1 / classes)), weights)
    assert np.isfinite(P).all()
    np.testing.assert_allclose(P.sum(axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(P[:2, :2], np.eye(2), atol=1e-12)
    np.testing.assert_allclose(P[2, 0], P[2, 1])
    np.testing.assert_allclose(P[3], 1 / classes)


def em_problem(rows, classes, functions):
    prior = make_prior(rows, rows.counts, np.zeros(functions, dtype=bool), classes, odds=3.0, votes=10.0)
    weights = one_coin_log_weights(np.full(functions, 0.7), classes)
    return make_problem(prior, np.full(classes, 1 / classes), False, np.zeros(functions, dtype=bool), weights)


@pytest.mark.parametrize(("functions", "balance"), [(10, (0.6, 0.4)), (40, (0.6, 0.4)), (30, (0.4, 0.3, 0.2, 0.1))])
def test_a_start_from_a_part_ends_where_em_from_the_prior_ends(functions, balance):
    """Many patterns are fitted by a part of them first; the optimum is that of all, to the tolerance."""
    L = independent(30_000, functions, balance, seed=0).L
    statistics = from_votes(L, len(balance))
    rows = weigh(statistics.patterns, statistics.weights, 1 + len(balance))
    problem = em_problem(rows, len(balance), functions)
    quick = run_em(rows, rows.counts, problem, 100, 1e-6)
    exact = run_em(rows, rows.counts, problem, 500, 1e-12)
    assert quick.converged
    assert quick.iterations <= 8
    assert quick.trace[0] / 30_000 > exact.trace[-1] / 30_000 - 0.05  # near the end from the first round over all on
    P, Q = (state_posterior(L, one.parameters.log_balance, one.parameters.log_confusion) for one in (quick, exact))
    assert np.abs(P - Q).mean() < 1e-3


def test_mixing_needs_fewer_rounds_and_ends_in_the_same_place():
    L = independent(5000, 10, (0.6, 0.4), seed=1).L
    statistics = from_votes(L, 2)
    rows = weigh(statistics.patterns, statistics.weights, 3)
    problem = em_problem(rows, 2, 10)
    mixed = run_em(rows, rows.counts, problem, 100, 1e-9)
    here, rounds, objective = problem.start, 0, -np.inf
    while rounds < 200:
        posterior_, evidence = e_step(rows.packed, here)
        if float(evidence @ rows.counts) - objective <= 1e-9 * rows.total:
            break
        objective, rounds = float(evidence @ rows.counts), rounds + 1
        problem_step = m_step_of(rows, posterior_, problem)
        here = problem_step
    assert mixed.iterations < rounds / 1.7
    np.testing.assert_allclose(mixed.parameters.log_confusion, here.log_confusion, atol=2e-3)


def m_step_of(rows, posterior_, problem):
    from labeljob.label_model.algorithms.dawid_skene import m_step

    return m_step(rows.packed, posterior_ * rows.counts, problem)


def test_anderson_solves_a_linear_fixed_point_and_leaves_constants_alone():
    """x -> A x + b with three modes: as many remembered steps find the fixed point; the last coordinate is held."""
    rng = np.random.default_rng(0)
    Q = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    A, b = Q @ np.diag([0.9, 0.7, 0.4]) @ Q.T, rng.normal(size=3)
    fixed = np.linalg.solve(np.eye(3) - A, b)
    x, mixer = np.zeros(4), Anderson()
    x[3] = 7.0
    assert MEMORY == 3
    for _ in range(6):
        step = np.append(A @ x[:3] + b, x[3])
        mixed = mixer.propose(x, step)
        x = step if mixed is None else mixed
    np.testing.assert_allclose(x[:3], fixed, atol=1e-4)
    assert x[3] == 7.0
    assert np.abs(np.linalg.matrix_power(A, 6) @ fixed).max() > 0.05


@pytest.mark.parametrize("reading", ["missing", "evidence"])
@pytest.mark.parametrize("balance", [(0.6, 0.4), (0.4, 0.3, 0.2, 0.1)])
def test_a_fit_on_a_sample_comes_close_to_the_fit_on_all_rows(reading, balance):
    """G9: memory bounded by the budget costs little: fresh rows get nearly the same probabilities."""
    data = independent(60_000, 12, balance, seed=2)
    train, fresh = data.L[:50_000], data.L[50_000:]
    ids = np.arange(50_000, dtype=np.uint64)
    fits = {}
    for budget in (Budget(bytes=1 << 30), Budget(bytes=1_200_000)):
        statistics = from_votes(train, len(balance), ids, budget)
        fits[statistics.sampled] = fit_statistics(statistics, len(balance), algorithm="dawid-skene", abstain=[reading] * 12)
    assert set(fits) == {False, True}
    P, Q = posterior(fits[False], fresh), posterior(fits[True], fresh)
    truth = data.Y[50_000:]
    loss = [-np.log(one[np.arange(10_000), truth]).mean() for one in (P, Q)]
    assert loss[1] <= loss[0] * 1.01
    assert np.abs(P - Q).mean() < 0.01


@settings(max_examples=30, deadline=None)
@given(label_matrices(min_rows=2), st.integers(2, 5))
def test_rows_repeated_with_a_prior_as_often_change_nothing(L, times):
    """Doubling all rows moves the answer only by the prior's share: with the prior doubled too, by nothing."""
    results = []
    for repeat in (1, times):
        statistics = from_votes(np.repeat(L, repeat, axis=0), 3)
        rows = weigh(statistics.patterns, statistics.weights, 4)
        prior = make_prior(rows, rows.counts, np.ones(L.shape[1], dtype=bool), 3, odds=2.0, votes=4.0)
        scaled = type(prior)(results[0][0].confusion * times, prior.balance * times) if results else prior
        problem = make_problem(scaled, np.full(3, 1 / 3), False, np.zeros(L.shape[1], dtype=bool), np.zeros((L.shape[1], 4, 3)))
        results.append((scaled, run_em(rows, rows.counts, problem, 30, 1e-9).parameters))
    (_, once), (_, often) = results
    np.testing.assert_allclose(once.log_confusion, often.log_confusion, atol=1e-6)
    np.testing.assert_allclose(once.log_balance, often.log_balance, atol=1e-6)


@pytest.mark.parametrize(("rise", "before", "expected"), [(1e-2, 0.0, 1e-2), (1e-4, 1e-2, 1e-5), (2e-2, 1e-2, 2e-2), (-1e-9, 1e-2, -1e-9)])
def test_what_a_further_round_would_gain(rise, before, expected):
    assert next_rise(rise, before) == pytest.approx(expected)


@pytest.mark.parametrize("outcomes", [4, 5])
def test_likelihoods_that_would_underflow_are_added_as_logs(outcomes):
    """The same answer on both sides of the limit, and a finite one beyond."""
    rng = np.random.default_rng(0)
    L = rng.integers(-1, outcomes - 1, (500, 9)).astype(np.int8)
    weights, prior = rng.normal(size=(9, outcomes, 3)), np.log([0.5, 0.3, 0.2])
    for scale in (1.0, 60.0, 400.0):
        joint = prior + sum(scale * weights[j][L[:, j] + 1] for j in range(9))
        joint -= joint.max(axis=1, keepdims=True)
        expected = np.exp(joint) / np.exp(joint).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(state_posterior(L, prior, scale * weights), expected, atol=1e-12)
