"""Levels of firing: what EM climbs, what its M step fits, and what it tells apart."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.label_models.generator import Cell
from benchmarks.label_models.rules import generate_rules
from labeljob.label_model.algorithms.levels import LEVELS, Factors, first_levels, run, scaled
from labeljob.label_model.fitting.fits import Bench
from labeljob.label_model.fitting.semi_supervised import with_known
from tests.unit.label_model.benches import bench_of
from tests.unit.label_model.generators import label_matrices


def fitted(bench, discount=None, start=None, iterations=60, tolerance=0.0):
    discount = np.ones(len(bench.evidence)) if discount is None else discount
    start = bench.start(discount) if start is None else start
    return run(bench.observed, start, discount, bench.evidence, bench.balance, iterations, tolerance)


@settings(max_examples=60, deadline=None)
@given(label_matrices(), st.sampled_from(["all", "some", "none"]), st.sampled_from(["learned", "given", "known rows"]), st.floats(0.1, 1.0))
def test_the_objective_never_falls(L, evidence, balance, power):
    """C3: whatever is assumed of abstains and of the balance, and however far functions are discounted."""
    if not (L >= 0).any():
        return
    bench = bench_of(L, 3, evidence != "none", balance=np.array([0.5, 0.3, 0.2]) if balance == "given" else None)
    if evidence == "some":
        bench.evidence[::2] = False
    if balance == "known rows":
        statistics = with_known(bench.statistics, L[:2], np.array([0, 2])[: len(L)])
        bench = Bench(statistics, bench.vote_counts, bench.evidence, bench.accuracies, 0.7, None, 200, 0.0, 0)
    made = fitted(bench, np.full(L.shape[1], power))
    steps = np.diff(made.trace)
    assert (steps >= -1e-9 * (1 + np.abs(made.trace[1:]))).all(), steps.min()
    assert np.isfinite(made.log_weights).all()
    assert np.exp(made.log_prior).sum() == pytest.approx(1)
    of_evidence = np.exp(made.log_weights[bench.evidence] / power)
    np.testing.assert_allclose(of_evidence.sum(axis=1), 1)  # an outcome each: silence or a vote
    assert (made.log_weights[~bench.evidence, 0] == 0).all()
    if balance == "given":
        np.testing.assert_allclose(np.exp(made.log_prior).reshape(3, LEVELS).sum(axis=1), bench.balance)


def test_scaling_fits_both_margins():
    """Darroch & Ratcliff: rows of (outcome, class) and of (vote, level) are those expected, and nothing else is changed."""
    rng = np.random.default_rng(0)
    rows = rng.gamma(2.0, 50.0, size=(4, 3, 2, LEVELS))
    factors = Factors(rng.uniform(0.5, 2, (4, 3, 2)), np.ones((4, 2, LEVELS)))
    evidence = np.array([True, True, False, True])
    for _ in range(40):
        factors = scaled(factors, rows, evidence)
    fit = factors.probabilities() * rows.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(fit.sum(axis=3)[evidence], rows.sum(axis=3)[evidence], rtol=1e-6)
    np.testing.assert_allclose(fit[:, 1:].sum(axis=(1, 2))[evidence], rows[:, 1:].sum(axis=(1, 2))[evidence], rtol=1e-6)
    assert (factors.b[2] == 1).all()


def test_levels_start_by_how_many_rules_fire():
    L = np.array([[-1, -1, -1, -1], [0, -1, -1, 0], [0, 1, 0, -1], [0, 1, 0, 1]], dtype=np.int8)
    bench = bench_of(L, 2, True)
    shares = first_levels(bench.observed, bench.evidence)(slice(None))
    np.testing.assert_allclose(shares.sum(axis=0), 1)
    fired = (bench.observed.patterns >= 0).sum(axis=1)
    assert (np.diff(shares[-1][np.argsort(fired)]) > 0).all()
    bench.evidence[:3] = False  # whose abstain is missing says nothing of the level
    shares = first_levels(bench.observed, bench.evidence)(slice(None))
    silent = bench.observed.patterns[:, 3] < 0
    assert np.ptp(shares[:, silent], axis=1).max() < 1e-12


@pytest.mark.parametrize("seed", range(4))
def test_a_level_is_not_taken_for_a_class(seed):
    """Long rows set off more of every rule: Dawid-Skene takes them for a class, levels do not."""
    made = generate_rules(Cell(5_000, 40, 2, "rules, long rows", seed))
    bench = bench_of(made.votes, 2, True, pooled=0.8)
    covered = (bench.statistics.patterns >= 0).any(axis=1)
    patterns = {pattern.tobytes(): i for i, pattern in enumerate(bench.statistics.patterns)}
    of_row = np.array([patterns[row.tobytes()] for row in made.votes])
    rows = covered[of_row]

    def right(posterior):
        return (posterior.argmax(axis=0)[of_row] == made.truth)[rows].mean()

    assert right(fitted(bench, iterations=100, tolerance=1e-4).posterior) > right(bench.guarded(Bench.rules, np.ones(40)).posterior) + 0.05


def test_the_order_of_rows_rules_and_classes_changes_nothing():
    made = generate_rules(Cell(1_500, 9, 2, "rules, long rows", 1))
    bench = bench_of(made.votes, 2, True)
    rng = np.random.default_rng(0)
    rules = rng.permutation(9)
    swapped = np.where(made.votes >= 0, 1 - made.votes, -1).astype(np.int8)
    moved = bench_of(swapped[rng.permutation(1_500)][:, rules], 2, True)
    one, other = (fitted(each, iterations=20) for each in (bench, moved))
    states = np.concatenate([np.arange(LEVELS) + LEVELS, np.arange(LEVELS)])
    np.testing.assert_allclose(other.log_prior, one.log_prior[states], atol=1e-9)
    np.testing.assert_allclose(other.log_weights, one.log_weights[rules][:, [0, 2, 1]][:, :, states], atol=1e-8)
