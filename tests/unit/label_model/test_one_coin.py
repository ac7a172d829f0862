"""`one-coin` alone is the coin of committees, fitted quicker."""

import gc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeljob.label_model import fit_statistics, from_votes, posterior
from labeljob.label_model.algorithms.one_coin import FITTED, Problem
from labeljob.label_model.algorithms.vote_pairs import agreed_accuracies, balance_of_votes
from labeljob.label_model.algorithms.weighted_vote import agreement, pooled_agreement, sharpened, shrunk_accuracies
from labeljob.label_model.em import climbing
from labeljob.label_model.model import Deferred
from labeljob.label_model.statistics.vote_statistics import spaced
from labeljob.label_model.statistics.weighted_votes import weigh
from tests.unit.label_model.benches import bench_of
from tests.unit.label_model.generators import independent, label_matrices, one_sided_rules, oracle_log_loss


@pytest.mark.parametrize("reading", ["missing", "evidence"])
@pytest.mark.parametrize("balance", [(0.6, 0.4), (0.5, 0.3, 0.2)])
@pytest.mark.parametrize("make", [independent, one_sided_rules])
def test_it_ends_where_the_coin_of_committees_ends(make, balance, reading):
    data, evidence = make(3000, 9, balance, seed=3), reading == "evidence"
    alone = fit_statistics(
        from_votes(data.L, len(balance)), len(balance), algorithm="one-coin", abstain=[reading] * 9, prior_accuracy=0.7, tolerance=1e-11, max_iterations=2000
    )
    bench = bench_of(data.L, len(balance), evidence=evidence, pooled=0.7)
    fitted = bench.coins(np.ones(9))
    np.testing.assert_allclose(posterior(alone, bench.statistics.patterns), fitted.posterior.T, atol=1e-3)


@settings(max_examples=40, deadline=None)
@given(label_matrices(), st.booleans(), st.booleans(), st.data())
def test_its_objective_never_falls(L, balance_is_given, mixed, data):
    """C3: for either reading of an abstain, also where functions differ in it."""
    functions = L.shape[1]
    evidence = np.array(data.draw(st.lists(st.booleans(), min_size=functions, max_size=functions))) if mixed else np.ones(functions, dtype=bool)
    rows = weigh(L, np.ones(len(L)), 4)
    voting = np.full((functions, 3), 2.0)
    problem = Problem(evidence, 7.0, 3.0, voting, 5.0 - voting, (np.full(functions, 0.7), np.full(3, 1 / 3)), balance_is_given)
    trace = np.array(climbing.run_em(rows, rows.counts, problem, 60, 0.0).trace)
    assert np.isfinite(trace).all()
    assert (np.diff(trace) >= -1e-9 * np.abs(trace[:-1]) - 1e-12).all()


def test_many_patterns_are_fitted_by_evenly_spaced_ones_nearly_as_well():
    """FITTED of some 50,000 patterns: fresh rows cost at most 1 % more than the oracle's."""
    data = independent(80_000, 13, (0.6, 0.4), seed=1)
    train, fresh = data.L[:60_000], data._replace(L=data.L[60_000:], Y=data.Y[60_000:])
    statistics = from_votes(train, 2)
    assert len(statistics.counts) > FITTED
    P = posterior(fit_statistics(statistics, 2, algorithm="one-coin", abstain=["missing"] * 13), fresh.L)
    assert -np.log(P[np.arange(20_000), fresh.Y]).mean() < oracle_log_loss(fresh) * 1.01


def test_the_start_is_nearer_to_the_truth_than_agreement_is():
    """Others' plurality errs: agreement with it understates accuracy, by a factor that pairs of votes tell."""
    for seed in range(5):
        data = independent(5000, 10, (0.6, 0.4), seed=seed)
        rows = weigh(data.L, np.ones(5000), 3)
        agreeing, comparable = agreement(rows, rows.counts, 2)
        agreed = shrunk_accuracies(agreeing, comparable, 2, np.zeros(10, dtype=bool), pooled_agreement(agreeing, comparable, 2))
        told = sharpened(agreed, rows.outcomes[:, 1:].sum(axis=1), rows.packed.tallies, rows.counts)
        assert np.abs(told - data.accuracies).mean() < 0.5 * np.abs(agreed - data.accuracies).mean()


def test_without_pairs_of_votes_the_start_is_agreement():
    L = np.where(np.eye(6, dtype=bool), 1, -1).astype(np.int8)
    rows = weigh(L, np.ones(6), 3)
    accuracies = shrunk_accuracies(np.zeros(6), np.zeros(6), 2, np.zeros(6, dtype=bool), 0.7)
    np.testing.assert_array_equal(sharpened(accuracies, np.ones(6), rows.packed.tallies, rows.counts), accuracies)


def test_spaced_rows_stand_for_all_and_frequent_patterns_for_more():
    L = np.concatenate([np.zeros((900, 3)), independent(100, 3, (0.5, 0.5), seed=0).L]).astype(np.int8)
    whole = from_votes(L, 2)
    part = spaced(whole, 10)
    assert len(part.counts) <= 10
    assert part.rows == 1000
    assert part.weights.sum() == pytest.approx(1000)
    assert part.weights[(part.patterns == 0).all(axis=1)] == pytest.approx(900, abs=101)
    assert spaced(whole, len(whole.counts)) is whole


@pytest.mark.parametrize("balance", [(0.8, 0.2), (0.5, 0.3, 0.2)])
def test_pairs_of_votes_tell_accuracies_and_balance(balance):
    """Consistent estimates: near the truth before the first round of EM, far nearer than pooled ones."""
    data, classes = independent(40_000, 10, balance, seed=7), len(balance)
    rows, sided = weigh(data.L, np.ones(40_000), 1 + classes), np.zeros(10, dtype=bool)
    accuracies, pooled = agreed_accuracies(rows, sided, None)
    np.testing.assert_allclose(accuracies, data.accuracies, atol=0.025)
    assert np.abs(pooled - data.accuracies).max() > 0.1
    np.testing.assert_allclose(balance_of_votes(rows.outcomes[:, 1:], accuracies, sided), balance, atol=0.02)


def test_one_sided_functions_get_the_pooled_accuracy_and_tell_no_balance():
    data = one_sided_rules(5000, 6, (0.6, 0.4), seed=0)
    rows, sided = weigh(data.L, np.ones(5000), 3), np.ones(6, dtype=bool)
    accuracies, pooled = agreed_accuracies(rows, sided, None)
    np.testing.assert_array_equal(accuracies, pooled)
    assert balance_of_votes(rows.outcomes[:, 1:], accuracies, sided) is None
    assert agreed_accuracies(rows, sided, 0.8)[1] == 0.8


def test_notes_are_found_out_when_asked_for_and_stay_the_same():
    """The statistics may be gone by then."""
    data = independent(3000, 8, (0.6, 0.4), seed=1)
    model = fit_statistics(from_votes(data.L, 2), 2, algorithm="one-coin")
    assert isinstance(model.noted, Deferred)
    assert model.notes == ()
    worse = from_votes(np.where(data.L >= 0, data.Y[:, None], -1).astype(np.int8), 2)
    noted = fit_statistics(worse, 2, algorithm="one-coin")
    del worse
    gc.collect()
    found = noted.notes
    assert any("majority vote" in note for note in found)
    assert noted.notes == found
