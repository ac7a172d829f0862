"""Gold as evidence: known rows teach the model, and are scored by models that have not seen them."""

import numpy as np
import pytest

from labeljob.label_model import LabelModel, cross_fitted_proba, from_votes, merge, to_dict
from labeljob.label_model.fits import Bench
from labeljob.label_model.fitting import AlgorithmArgument
from labeljob.label_model.known_rows import clamp, start_at
from labeljob.label_model.semi_supervised import FOLDS, fold_models, split, with_codes
from tests.unit.label_model.generators import independent
from tests.unit.label_model.test_soft_votes import log_loss, teacher

ALGORITHMS: list[AlgorithmArgument] = ["auto", "weighted-vote", "one-coin", "dawid-skene", "hierarchical-dawid-skene", "ebcc"]


def misled(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two good functions, and four that are wrong more often than right (votes, truth); all independent given the class."""
    data = independent(rows, 2, (0.5, 0.5), seed, abstain=0.0)
    rng = np.random.default_rng(1000 + seed)
    bad = np.where(rng.random((rows, 4)) < 0.25, data.Y[:, None], 1 - data.Y[:, None])
    return np.column_stack([data.L, bad]).astype(np.int8), data.Y


def some(Y: np.ndarray, rows: int) -> np.ndarray:
    """Gold for the first rows."""
    return np.where(np.arange(len(Y)) < rows, Y, -1)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_gold_teaches_what_the_votes_alone_get_wrong(algorithm):
    """C3, P5: 200 known rows of 4,000; scored on the others."""
    L, Y = misled(4000, 0)
    gold, fresh = some(Y, 200), slice(200, None)
    without = (LabelModel(2, algorithm).fit(L).predict(L[fresh], "random") == Y[fresh]).mean()
    taught = (LabelModel(2, algorithm).fit(L, gold=gold).predict(L[fresh], "random") == Y[fresh]).mean()
    assert without < 0.5
    assert taught > (0.6 if algorithm == "weighted-vote" else 0.85)  # a weighted vote never counts a vote against the class that it names


def test_gold_tells_a_good_teacher_from_a_bad_one_where_votes_cannot():
    """P5: one function and one teacher from elsewhere; a sample of people's answers says how far to trust it."""
    data = independent(3000, 1, (0.5, 0.5), seed=2, abstain=0.95)
    P = teacher(data.Y, data.balance, 2)[:, ::-1]  # sure of the wrong class
    gold, fresh = some(data.Y, 150), slice(150, None)
    alone, taught = LabelModel(2).fit(data.L, soft=P), LabelModel(2).fit(data.L, soft=P, gold=gold)
    assert (taught.predict(data.L[fresh], soft=P[fresh]) == data.Y[fresh]).mean() > 0.8
    assert (alone.predict(data.L[fresh], soft=P[fresh]) == data.Y[fresh]).mean() < 0.6


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_no_gold_is_no_change(algorithm):
    data = independent(600, 5, (0.3, 0.7), seed=3)
    plain = LabelModel(2, algorithm).fit(data.L).model_
    assert to_dict(LabelModel(2, algorithm).fit(data.L, gold=np.full(600, -1)).model_) == to_dict(plain)


def test_sharding_and_order_change_nothing():
    """X16: statistics of gold rows are kept apart, and merge."""
    data = independent(400, 4, (0.2, 0.3, 0.5), seed=4)
    gold, folds = some(data.Y, 90), np.arange(400) % FOLDS
    whole = with_codes(data.L, gold, folds)
    parts = [with_codes(data.L[s], gold[s], folds[s]) for s in (slice(0, 70), slice(70, 300), slice(300, None))]
    assert merge(parts[2], merge(parts[0], parts[1])) == whole
    rows, known, fold = split(whole)
    assert rows.rows == 400
    assert rows.counts[known >= 0].sum() == 90
    assert {(k, f) for k, f in zip(known, fold, strict=True) if k >= 0} == {(k, f) for k, f in zip(gold[:90], folds[:90], strict=True)}
    shuffled = np.random.default_rng(0).permutation(400)
    assert to_dict(LabelModel(3).fit(data.L, gold=gold).model_) == to_dict(LabelModel(3).fit(data.L[shuffled], gold=gold[shuffled]).model_)


def test_the_penalised_objective_never_falls_with_known_rows():
    data = independent(1500, 6, (0.3, 0.7), seed=5, abstain=0.3)
    statistics, known, _ = split(with_codes(data.L, some(data.Y, 200), np.zeros(1500, dtype=np.int64)))
    counts = np.stack([statistics.counts @ (statistics.patterns == k) for k in range(2)], axis=1).astype(float)
    bench = Bench(statistics, counts, np.zeros(6, dtype=bool), np.full(6, 0.7), 0.7, None, 200, 0.0, 0, known)
    for fitted in (bench.coins(np.ones(6)), bench.coins(np.ones(6), uninformative=True), bench.confusions(np.ones(6))):
        assert (np.diff(fitted.trace) > -1e-8).all()
        assert len(fitted.trace) > 3
        np.testing.assert_array_equal(fitted.posterior[:, known >= 0].argmax(axis=0), known[known >= 0])


def test_clamping_by_hand():
    states, evidence = np.array([[0.2, 0.5], [0.3, 0.25], [0.5, 0.25]]), np.array([-1.0, -2.0])
    before = states.copy()
    clamped, log = clamp(states, evidence, np.array([1, -1]), np.array([0, 1, -1]), np.array([0.6, 0.4]))
    np.testing.assert_allclose(clamped[:, 0], [0, 0.6, 0.4])  # .3 : .5 x .4
    np.testing.assert_allclose(log, [-1 + np.log(0.5), -2])
    np.testing.assert_array_equal(clamped[:, 1], states[:, 1])
    np.testing.assert_array_equal(states, before)
    impossible, _ = clamp(np.array([[1.0], [0.0]]), np.zeros(1), np.array([1]), np.array([0, 1]), np.ones(2))
    assert impossible[:, 0].tolist() == [0, 1]
    assert start_at(np.full((2, 2), 0.5), np.array([1, -1])).tolist() == [[0, 0.5], [1, 0.5]]


def test_a_fold_is_scored_by_a_model_that_has_not_seen_it():
    """X11: taking the gold of one fold away, or changing it, does not change what is said of that fold."""
    L, Y = misled(1000, 6)
    gold = some(Y, 100)
    flipped, folds = gold.copy(), np.arange(1000) % FOLDS
    flipped[(folds == 2) & (gold >= 0)] = 1 - flipped[(folds == 2) & (gold >= 0)]
    seen = []

    def fit(statistics, known):
        seen.append((statistics.rows, int(statistics.counts[known >= 0].sum())))
        return LabelModel(2).fit(L).model_

    assert [fold for fold, _ in fold_models(with_codes(L, gold, folds), fit)] == list(range(FOLDS))
    assert seen == [(1000, 80)] * FOLDS
    ours, theirs = (dict(fold_models(with_codes(L, labels, folds), _dawid_skene)) for labels in (gold, flipped))
    np.testing.assert_allclose(ours[2].log_weights, theirs[2].log_weights, rtol=0, atol=1e-9)
    assert np.abs(ours[1].log_weights - theirs[1].log_weights).max() > 0.01


def _dawid_skene(statistics, known):
    from labeljob.label_model import fit_statistics

    return fit_statistics(statistics, 2, algorithm="dawid-skene", known=known)


def test_cross_fitted_scores_are_those_of_fresh_rows():
    """X11: twenty useless functions, thirty gold rows: a fit flatters itself on them, cross-fitting does not."""
    gaps = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        Y, L = rng.integers(0, 2, 1060), rng.integers(0, 2, (1060, 20)).astype(np.int8)
        gold = some(Y, 60)
        train = slice(0, 60)
        model = LabelModel(2, "dawid-skene").fit(L[train], gold=gold[train])
        flattered = log_loss(model.predict_proba(L[train]), Y[train])
        honest = log_loss(cross_fitted_proba(L[train], gold[train], 2, algorithm="dawid-skene"), Y[train])
        fresh = log_loss(model.predict_proba(L[60:]), Y[60:])
        gaps.append((fresh - flattered, fresh - honest))
    flattered_gap, honest_gap = np.mean(gaps, axis=0)
    assert flattered_gap > 0.15
    assert honest_gap < 0.02


def test_cross_fitting_answers_for_gold_rows_alone():
    data = independent(300, 5, (0.3, 0.7), seed=7)
    P = cross_fitted_proba(data.L, some(data.Y, 50), 2)
    np.testing.assert_allclose(P[:50].sum(axis=1), 1)
    assert np.isnan(P[50:]).all()
    assert from_votes(data.L).rows == 300
