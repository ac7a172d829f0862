"""`ebcc`: variational inference climbs a bound on the evidence, and starts alike on votes that are alike."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeljob.label_model import fit_statistics, from_votes, posterior
from labeljob.label_model.algorithms.subtypes import beliefs_of, pattern_keys, prior_of, run
from labeljob.label_model.em.gamma import digamma, divergence, log_gamma
from labeljob.label_model.em.state_expectation import StateExpectation
from labeljob.label_model.fitting.fits import Bench
from labeljob.label_model.fitting.semi_supervised import with_known
from tests.unit.label_model.benches import bench_of
from tests.unit.label_model.generators import independent, label_matrices

log_gamma_of = np.vectorize(math.lgamma)


@settings(max_examples=60, deadline=None)
@given(label_matrices(), st.booleans(), st.sampled_from(["learned", "given", "known rows"]), st.floats(0.1, 1.0))
def test_the_bound_never_falls(L, evidence, balance, power):
    """C3: whatever is assumed of abstains and of the balance, and however far functions are discounted."""
    if not (L >= 0).any():
        return
    bench = bench_of(L, 3, evidence, balance=np.array([0.5, 0.3, 0.2]) if balance == "given" else None)
    if balance == "known rows":
        statistics = with_known(bench.statistics, L[:2], np.array([0, 2])[: len(L)])
        bench = Bench(statistics, bench.vote_counts, bench.evidence, bench.accuracies, 0.7, None, 200, 0.0, 0)
    discount, before = np.full(L.shape[1], power), bench.statistics.patterns.copy()
    made = run(bench.observed, bench.start(discount), discount, bench.evidence, bench.balance, 60, 0.0, seed=0)
    steps = np.diff(made.trace)
    assert (steps >= -1e-9 * (1 + np.abs(made.trace[1:]))).all(), steps.min()
    np.testing.assert_allclose(made.posterior.sum(axis=0), 1)
    np.testing.assert_array_equal(bench.statistics.patterns, before)


def test_what_climbs_is_a_bound_on_the_evidence_and_a_close_one():
    """Against the evidence itself: the sum over all 6^4 ways in which four rows can be of two subtypes of three classes."""
    L = np.array([[0, 0, 1], [1, -1, 1], [2, 2, 2], [0, 1, -1]])
    bench = bench_of(L, 3)
    of_class, plain = np.repeat(np.arange(3), 2), np.ones(3)
    expectation = StateExpectation(bench.observed, bench.observed.covered, of_class)
    start = (bench.start(plain)[:, None, :] * np.array([0.9, 0.1])[:, None]).reshape(6, -1)
    first = expectation.of_states(lambda part: start[:, part])
    prior = prior_of(bench.observed, first, of_class, plain, bench.evidence, None)
    ways = [log_probability(L, np.array(states), prior.votes) for states in itertools.product(range(6), repeat=4)]
    evidence = np.logaddexp.reduce(ways)
    expected, bound = first, -np.inf
    for _ in range(40):
        beliefs = beliefs_of(prior, expected)
        expected, likelihood = expectation.of(beliefs.log_prior, beliefs.log_weights)
        bound = likelihood + beliefs.log_density
        assert bound < evidence
    assert bound > evidence - 4, (bound, evidence)


def log_probability(L, states, pseudo_votes):
    """Of votes and states together, every probability integrated out: Dirichlet-multinomials of votes, subtypes and classes."""
    classes = states // 2
    value = dirichlet_multinomial(np.bincount(classes, minlength=3), np.ones(3))
    for k in range(3):
        value += dirichlet_multinomial(np.bincount(states[classes == k] - 2 * k, minlength=2), np.full(2, 0.05))
    for votes, state in itertools.product(L.T, range(6)):
        value += dirichlet_multinomial(np.bincount(votes[(states == state) & (votes >= 0)], minlength=3), pseudo_votes[:, state])
    return value


def dirichlet_multinomial(counts, prior):
    """log probability of draws in one order."""
    return float((log_gamma_of(prior + counts) - log_gamma_of(prior)).sum() + math.lgamma(prior.sum()) - math.lgamma(prior.sum() + counts.sum()))


@pytest.mark.parametrize(("x", "value"), [(1.0, -0.5772156649015329), (0.5, -1.9635100260214235), (10.0, 2.251752589066721), (1e-3, -1000.5755719318103)])
def test_digamma_at_known_points(x, value):
    np.testing.assert_allclose(digamma(x), value, rtol=1e-11)


@settings(max_examples=60, deadline=None)
@given(st.floats(1e-6, 1e7), st.lists(st.floats(0.01, 50), min_size=3, max_size=3), st.lists(st.floats(0.01, 50), min_size=3, max_size=3))
def test_log_gamma_and_what_is_made_of_it(x, shape, prior):
    np.testing.assert_allclose(log_gamma(x), math.lgamma(x), rtol=1e-11, atol=1e-11)
    away = divergence(np.array(shape), np.array(prior), 0)
    assert away >= -1e-9
    np.testing.assert_allclose(divergence(np.array(shape), np.array(shape), 0), 0, atol=1e-9)


def test_subtypes_with_equal_seed_are_equal_bytes_and_start_matters_little():
    data = independent(2000, 8, (0.6, 0.4), seed=2)
    models = [fit_statistics(from_votes(data.L), 2, algorithm="ebcc", seed=seed) for seed in (0, 0, 1)]
    first, again, other = (posterior(model, data.L) for model in models)
    np.testing.assert_array_equal(first, again)
    assert (first.argmax(axis=1) == other.argmax(axis=1)).mean() > 0.97
    assert (models[0].algorithm, len(models[0].members)) == ("ebcc", 3)


def test_a_row_starts_alike_when_rows_are_added():
    """Once more the same rows, or one more row that turns no order of functions: every pattern starts where it did."""
    L = independent(600, 6, (0.6, 0.4), seed=2).L
    keys = [pattern_keys(bench_of(votes, 2).observed) for votes in (L, np.concatenate([L, L]), np.concatenate([L, L[:1]]))]
    for of_classes, of_patterns in keys[1:]:
        np.testing.assert_array_equal(of_classes, keys[0][0])
        np.testing.assert_array_equal(of_patterns, keys[0][1])
