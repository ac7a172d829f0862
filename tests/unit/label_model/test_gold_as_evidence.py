"""Gold as evidence: known rows teach the model, and are scored by models that have not seen them."""

import numpy as np
import pytest

from labeljob.label_model import Budget, LabelModel, PartialClasses, cross_fitted_proba, fit_statistics, from_votes, merge, posterior, to_dict, with_known
from labeljob.label_model.algorithms.dawid_skene import e_step, m_step, make_prior, make_problem
from labeljob.label_model.algorithms.glad import EASES, Glad
from labeljob.label_model.algorithms.mace import Mace, expectation_of, propensity_of
from labeljob.label_model.em import climbing
from labeljob.label_model.em.expectation import Expected
from labeljob.label_model.em.known_rows import clamp, start_at
from labeljob.label_model.em.mixture import run
from labeljob.label_model.fitting.arguments import AlgorithmArgument
from labeljob.label_model.fitting.fits import Bench
from labeljob.label_model.fitting.semi_supervised import fold_models, part_known
from labeljob.label_model.statistics.histograms import outcome_counts
from labeljob.label_model.statistics.packing import pack
from labeljob.votes import VotesError
from tests.unit.label_model.generators import independent
from tests.unit.label_model.test_soft_votes import log_loss, teacher

ALGORITHMS: list[AlgorithmArgument] = ["auto", "weighted-vote", "one-coin", "dawid-skene", "hierarchical-dawid-skene", "ebcc", "mace", "glad"]


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
    assert taught > (0.6 if algorithm in ("weighted-vote", "mace") else 0.85)  # these two never count a vote against the class that it names


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
    """X16: known rows are kept apart from those of unknown class, which merge."""
    data = independent(400, 4, (0.2, 0.3, 0.5), seed=4)
    gold = some(data.Y, 90)
    whole = with_known(from_votes(data.L[90:]), data.L[:90], data.Y[:90])
    others = merge(from_votes(data.L[300:]), from_votes(data.L[90:300]))
    backwards = with_known(others, data.L[:90][::-1], data.Y[:90][::-1])
    assert backwards == whole
    assert whole != from_votes(data.L)
    assert whole.rows == 400
    assert whole.counts[whole.known >= 0].sum() == 90
    with pytest.raises(VotesError, match="merge first"):
        merge(whole, others)
    with pytest.raises(VotesError, match="known already"):
        with_known(whole, data.L[:1], data.Y[:1])
    shuffled = np.random.default_rng(0).permutation(400)
    assert to_dict(LabelModel(3).fit(data.L, gold=gold).model_) == to_dict(LabelModel(3).fit(data.L[shuffled], gold=gold[shuffled]).model_)


def test_known_rows_are_kept_whole_beside_a_sample():
    """G9: a budget of a few hundred patterns loses none of them, and counts each as one row beside rows that stand for many."""
    data, gold = independent(20_000, 14, (0.5, 0.5), seed=8), slice(0, 600)
    sampled = from_votes(data.L[600:], 2, np.arange(19_400, dtype=np.uint64), Budget(bytes=1 << 14))
    assert sampled.sampled
    statistics = with_known(sampled, data.L[gold], data.Y[gold])
    assert statistics.rows == 20_000
    assert statistics.weights.sum() == pytest.approx(20_000)
    assert statistics.weights[statistics.known >= 0].sum() == 600
    taught, alone = (fit_statistics(one, 2, algorithm="one-coin", abstain=["missing"] * 14) for one in (statistics, sampled))
    error = [np.abs(model.accuracies - data.accuracies).mean() for model in (taught, alone)]
    assert error[0] < error[1]


@pytest.mark.parametrize("uninformative", [False, True])
def test_the_penalised_objective_never_falls_with_known_rows(uninformative):
    data = independent(1500, 6, (0.3, 0.7), seed=5, abstain=0.3)
    statistics = part_known(data.L, some(data.Y, 200))
    known, plain = statistics.known, np.ones(6)
    counts = np.stack([statistics.counts @ (statistics.patterns == k) for k in range(2)], axis=1).astype(float)
    bench = Bench(statistics, counts, np.zeros(6, dtype=bool), np.full(6, 0.7), 0.7, None, 200, 0.0, 0)
    fits = [bench.coins(plain, uninformative=uninformative), bench.confusions(plain), bench.rules(plain)]
    eases = np.repeat(np.arange(2), len(EASES))
    start, of_classes, of_eases = bench.begin(plain), expectation_of(bench, np.arange(2)), expectation_of(bench, eases)
    mace, glad = Mace(bench.observed.shares, propensity_of(bench), 5.0, 5.0, None), Glad(propensity_of(bench), 1.0, np.array([0.3, 0.7]))
    even = of_eases.of_states(lambda part: np.full((8, len(known[part])), 1 / 8))
    mixtures = [run(of_classes, mace, of_classes.of_states(lambda part: start[:, part]), 60, 0.0), run(of_eases, glad, even, 60, 0.0)]
    for fitted in (*fits, *mixtures):
        assert (np.diff(fitted.trace) > -1e-8 * np.abs(fitted.trace[1:])).all()
        assert len(fitted.trace) > 3
    for fitted in fits:
        np.testing.assert_array_equal(fitted.posterior[:, known >= 0].argmax(axis=0), known[known >= 0])


def test_dawid_skene_climbs_with_known_rows():
    """Their part of the M step is a constant: the same as clamping each of them in every E step."""
    data = independent(1500, 6, (0.3, 0.7), seed=5, abstain=0.3)
    gold = some(data.Y, 200)
    known = gold >= 0
    evidence, counts = np.zeros(6, dtype=bool), np.ones(1500)
    prior = make_prior(data.L, counts, evidence, 2, odds=2.0, votes=4.0)
    problem = make_problem(prior, np.array([0.5, 0.5]), False, evidence, np.zeros((6, 3, 2)))
    packed = pack(data.L, 3)
    of_class = (np.arange(2)[:, None] == gold) * 1.0
    told = Expected(outcome_counts(packed, of_class), of_class.sum(axis=1))
    ended = climbing.run_em(data.L[~known], counts[~known], problem, 300, 1e-12, known=told)
    assert (np.diff(ended.trace) > -1e-9 * np.abs(ended.trace[1:])).all()
    step = ended.parameters
    for _ in range(300):
        step = m_step(packed, np.where(known, of_class, e_step(packed, step)[0]), problem)
    np.testing.assert_allclose(np.exp(ended.parameters.log_confusion), np.exp(step.log_confusion), atol=1e-4)
    np.testing.assert_allclose(np.exp(ended.parameters.log_balance), np.exp(step.log_balance), atol=1e-4)


@pytest.mark.parametrize("algorithm", [*ALGORITHMS, "auto"])
def test_rows_that_are_all_known_and_a_class_that_nobody_votes_for(algorithm):
    """Nothing is left to infer: each function's accuracy is what it is on gold, up to the prior; a class may be known by its rows alone."""
    data = independent(900, 4, (0.2, 0.3, 0.5), seed=11, abstain=0.2)
    L = np.where(data.L == 2, -1, data.L)
    model = LabelModel(3, algorithm, abstain="evidence").fit(L, gold=data.Y).model_
    right = [(L[L[:, j] >= 0, j] == data.Y[L[:, j] >= 0]).mean() for j in range(4)]
    np.testing.assert_allclose(model.accuracies, right, atol=0.08)
    if algorithm == "dawid-skene":
        silent = posterior(model, np.full((1, 4), -1, dtype=np.int8))[0]
        assert silent.argmax() == 2  # rows of the third class are those on which the others are silent
        assert silent[2] > 0.8


def test_few_functions_that_votes_cannot_tell_apart():
    """Two functions are no majority; gold says which is right when they differ."""
    data = independent(2000, 2, (0.5, 0.5), seed=12, abstain=0.0)
    L = np.column_stack([data.L[:, 0], np.where(np.random.default_rng(0).random(2000) < 0.55, data.Y, 1 - data.Y)]).astype(np.int8)
    assert LabelModel(2).fit(L).model_.algorithm == "majority-vote"
    taught = LabelModel(2).fit(L, gold=some(data.Y, 100))
    assert (taught.model_.algorithm, taught.model_.reason) == ("dawid-skene", "Taught")
    differ = (L[:, 0] != L[:, 1]) & (np.arange(2000) >= 100)
    assert (taught.predict(L[differ]) == L[differ, 0]).all()
    assert "right and wrong cannot be told apart" not in " ".join(LabelModel(2).fit(*misled(4000, 0)[:1], gold=some(misled(4000, 0)[1], 200)).model_.notes)


@pytest.mark.parametrize("algorithm", ["majority-vote", "generative", "triplet"])
def test_what_cannot_learn_from_gold_says_so(algorithm):
    data = independent(300, 5, (0.3, 0.7), seed=3)
    with pytest.raises(ValueError, match=f"{algorithm} does not learn from known classes"):
        LabelModel(2, algorithm).fit(data.L, gold=some(data.Y, 50))
    with pytest.raises(VotesError, match="known to be of class 2"):
        fit_statistics(with_known(from_votes(data.L), data.L[:1], np.array([2])), 2)


def test_the_guard_against_lost_classes_asks_gold():
    """Rules of a rare class and many rows nobody knows: where majority vote is wrong about the balance, the fit that gold speaks for stays."""
    rng = np.random.default_rng(5)
    Y = (rng.random(4000) < 0.9).astype(np.int64)
    names_0 = np.where(rng.random((4000, 5)) < np.where(Y == 0, 0.8, 0.35)[:, None], 0, -1)
    names_1 = np.where(rng.random((4000, 1)) < np.where(Y == 1, 0.3, 0.02)[:, None], 1, -1)
    L = np.column_stack([names_0, names_1]).astype(np.int8)
    for algorithm in ("dawid-skene", "auto"):
        taught = LabelModel(2, algorithm, abstain="evidence").fit(L, gold=some(Y, 150))
        P = taught.predict_proba(L[150:])
        assert (P.argmax(axis=1) == Y[150:]).mean() > (0.93 if algorithm == "dawid-skene" else 0.92)
        assert P[:, 1].mean() == pytest.approx(0.9, abs=0.06 if algorithm == "dawid-skene" else 0.25)


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
    gold, others, folds = Y[:100], from_votes(L[100:]), np.arange(100) % 5
    flipped = np.where(folds == 2, 1 - gold, gold)
    seen = []

    def fit(statistics):
        seen.append((statistics.rows, int(statistics.counts[statistics.known >= 0].sum())))
        return fit_statistics(statistics, 2, algorithm="dawid-skene")

    ours, theirs = (fold_models(others, L[:100], known, folds, fit) for known in (gold, flipped))
    assert list(ours) == list(range(5))
    assert seen == [(1000, 80)] * 10
    assert to_dict(ours[2]) == to_dict(theirs[2])
    assert np.abs(ours[1].log_weights - theirs[1].log_weights).max() > 0.01


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


def test_gold_teaches_what_a_partial_vote_is_worth():
    """P5: "not class 0", said mostly of rows of class 0, beside one function that seldom votes: only known rows tell."""
    data = independent(4000, 1, (0.4, 0.3, 0.3), seed=13, abstain=0.8)
    rng = np.random.default_rng(14)
    says = rng.random(4000) < np.where(data.Y == 0, 0.7, 0.1)
    L = np.column_stack([data.L, np.where(says, 3, -1)]).astype(np.int8)
    partial = PartialClasses(np.array([[False, True, True]]))
    fresh = slice(250, None)
    alone, taught, told = (LabelModel(3, partial=partial).fit(L, gold=gold) for gold in (None, some(data.Y, 250), data.Y))
    loss = [log_loss(model.predict_proba(L[fresh]), data.Y[fresh]) for model in (alone, taught, told)]
    assert loss[1] < (loss[0] + loss[2]) / 2  # most of what is to be had
    spoken = np.array([[-1, 3]], dtype=np.int8)
    assert alone.predict_proba(spoken)[0, 0] < 0.6 < 0.65 < taught.predict_proba(spoken)[0, 0]
