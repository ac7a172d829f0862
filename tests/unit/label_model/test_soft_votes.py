"""Soft votes: a teacher's probabilities are evidence for what they turn out to mean, not for what they say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeljob.label_model import LabelModel, from_dict, from_votes, merge, to_dict
from labeljob.label_model.side.evidence import gather
from labeljob.label_model.side.side_em import learned, make_problem
from labeljob.label_model.side.side_model import side_contributions, side_posterior
from labeljob.label_model.side.soft_votes import BINS, Grid, levels_of, validate_soft_votes, votes_of_levels
from labeljob.votes import VotesError
from tests.unit.label_model.generators import independent

BALANCES = [(0.5, 0.5), (0.1, 0.9), (0.2, 0.3, 0.5)]


def teacher(Y: np.ndarray, balance: np.ndarray, seed: int, sharp: float = 1.5, temper: float = 1.0) -> np.ndarray:
    """float64 [n, K]: the exact posterior given a Gaussian signal of that sharpness (0: none), its log-odds multiplied by `temper`."""
    rng, K = np.random.default_rng(1000 + seed), len(balance)
    signal = rng.normal(size=(len(Y), K))
    signal[np.arange(len(Y)), Y] += sharp
    log = temper * (sharp * signal + np.log(balance))
    if not sharp:
        log = temper * signal
    P = np.exp(log - log.max(axis=1, keepdims=True))
    return P / P.sum(axis=1, keepdims=True)


def log_loss(P: np.ndarray, Y: np.ndarray) -> float:
    return float(-np.log(np.maximum(P[np.arange(len(Y)), Y], 1e-300)).mean())


def thresholded(L: np.ndarray, P: np.ndarray) -> np.ndarray:
    """L with the teacher as an ordinary function that votes from .8 on."""
    return np.column_stack([L, np.where(P.max(axis=1) >= 0.8, P.argmax(axis=1), -1)]).astype(np.int8)


@pytest.mark.parametrize("temper", [1.0, 4.0, 0.3], ids=["calibrated", "overconfident", "timid"])
@pytest.mark.parametrize("balance", BALANCES)
def test_soft_votes_beat_the_thresholded_vote(balance, temper):
    """C3, P5: whatever a teacher takes its certainty for, its probabilities are worth more than the vote cut out of them."""
    soft, hard, none = [], [], []
    for seed in range(3):
        data = independent(3000, 6, balance, seed)
        P, K = teacher(data.Y, data.balance, seed, temper=temper), len(balance)
        soft.append(log_loss(LabelModel(K).fit(data.L, soft=P).predict_proba(data.L, P), data.Y))
        cut = thresholded(data.L, P)
        hard.append(log_loss(LabelModel(K).fit(cut).predict_proba(cut), data.Y))
        none.append(log_loss(LabelModel(K).fit(data.L).predict_proba(data.L), data.Y))
    assert np.mean(soft) < np.mean(hard)
    assert np.mean(soft) < 0.75 * np.mean(none)


@pytest.mark.parametrize("balance", BALANCES)
def test_a_useless_teacher_gets_no_weight(balance):
    """C3, X19: however sure it is of itself."""
    weights, cost, K = [], [], len(balance)
    for seed in range(4):
        data = independent(5000, 6, balance, seed)
        P = teacher(data.Y, data.balance, seed, sharp=0.0, temper=4.0)
        model = LabelModel(K).fit(data.L, soft=P)
        weights.append(model.get_weights())
        without = log_loss(LabelModel(K).fit(data.L).predict_proba(data.L), data.Y)
        cost.append(log_loss(model.predict_proba(data.L, P), data.Y) - without)
    assert np.abs(weights)[:, -1].mean() < 0.2
    assert np.mean(weights, axis=0)[:-1].min() > 0.8
    assert np.mean(cost) < 0.012


def test_a_teacher_that_is_sure_of_the_wrong_class_is_read_for_what_it_means():
    data = independent(4000, 6, (0.5, 0.5), seed=2)
    P = teacher(data.Y, data.balance, 2)[:, ::-1]
    model = LabelModel(2).fit(data.L, soft=P)
    assert model.model_.accuracies[-1] < 0.2
    assert (model.predict(data.L, soft=P) == data.Y).mean() > (LabelModel(2).fit(data.L).predict(data.L) == data.Y).mean() + 0.05


def test_copies_of_a_teacher_count_once():
    """F2: six copies move log loss by less than .01 nats, and share one vote."""
    data = independent(4000, 6, (0.5, 0.5), seed=3)
    P = teacher(data.Y, data.balance, 3, sharp=0.6)
    one, six = LabelModel(2).fit(data.L, soft=P), LabelModel(2).fit(data.L, soft=np.stack([P] * 6, axis=1))
    assert abs(log_loss(one.predict_proba(data.L, P), data.Y) - log_loss(six.predict_proba(data.L, np.stack([P] * 6, axis=1)), data.Y)) < 0.01
    assert six.model_.discounts[-1] == pytest.approx(1 / 6, abs=0.03)


def test_teachers_alone_can_be_told_apart():
    """P4: with no function at all, three teachers find the useless one among them."""
    data = independent(6000, 1, (0.4, 0.6), seed=4, abstain=1.0)
    sharp = [1.6, 1.2, 0.0, 1.4]
    soft = np.stack([teacher(data.Y, data.balance, 10 + i, s, 2.0) for i, s in enumerate(sharp)], axis=1)
    model = LabelModel(2).fit(data.L, soft=soft)
    assert (model.predict(data.L, soft=soft) == data.Y).mean() > 0.9
    assert model.get_weights()[3] < 0.3 < model.get_weights()[[1, 2, 4]].min()


def test_majority_vote_counts_probabilities_as_shares_of_a_vote():
    L, P = np.array([[0, 1], [-1, -1], [-1, 1]]), np.array([[0.7, 0.3], [0.2, 0.8], [np.nan, np.nan]])
    model = LabelModel(2, "majority-vote").fit(L, soft=P)
    stated = Grid(2).stated()[levels_of(P[:2], Grid(2))]
    np.testing.assert_allclose(model.predict_proba(L, P), [(stated[0] + 1) / 3, stated[1], [0, 1]])


def test_a_silent_teacher_says_nothing_and_covers_no_row():
    data = independent(3000, 6, (0.5, 0.5), seed=5)
    P = teacher(data.Y, data.balance, 5)
    model, silent = LabelModel(2).fit(data.L, soft=P), np.full((3, 2), np.nan)
    L = np.array([[-1] * 6, [0] * 6, [-1] * 6])
    np.testing.assert_allclose(model.predict_proba(L, silent)[[0, 2]], [model.model_.class_balance] * 2)
    assert model.predict(L, soft=silent).tolist() == [-1, 0, -1]
    assert model.predict(L, soft=[[0.1, 0.9]] * 3).tolist()[0] == 1


def test_a_model_with_soft_votes_survives_its_file(tmp_path):
    data = independent(500, 4, (0.3, 0.7), seed=6)
    P = teacher(data.Y, data.balance, 6)
    model = LabelModel(2).fit(data.L, soft=P)
    model.save(tmp_path / "m.json")
    again = LabelModel().load(tmp_path / "m.json")
    assert to_dict(from_dict(to_dict(model.model_))) == to_dict(model.model_)
    np.testing.assert_array_equal(again.predict_proba(data.L, P), model.predict_proba(data.L, P))


def test_contributions_of_a_teacher_are_in_the_posterior():
    """O6: the posterior is what the functions say, times what the teacher adds."""
    data = independent(1000, 5, (0.3, 0.7), seed=7)
    P = teacher(data.Y, data.balance, 7)
    model = LabelModel(2, "dawid-skene").fit(data.L, soft=P).model_
    rows = gather(data.L[:1], P[:1], 2, None, model.side)
    added = side_contributions(model, rows.outcomes[0])
    by_functions = np.log(side_posterior(model, rows.votes, np.full((1, 1), -1, dtype=np.int16))[0])
    joint = np.exp(by_functions + added.sum(axis=0))
    np.testing.assert_allclose(side_posterior(model, rows.votes, rows.outcomes)[0], joint / joint.sum())
    assert added[-1].any()
    assert not added[:-1].any()


def test_em_raises_its_objective_and_leaves_its_inputs():
    data = independent(800, 4, (0.3, 0.7), seed=8)
    rows = gather(data.L, teacher(data.Y, data.balance, 8), 2, None)
    counts, flat = np.ones(800), np.full((800, 2), 0.5)
    flat[:, 0] = np.where(data.L[:, 0] == 0, 0.7, 0.4)
    flat[:, 1] = 1 - flat[:, 0]
    problem = make_problem(flat, counts, rows.outcomes, counts, rows.columns)
    before = [problem.prior.copy(), rows.outcomes.copy()]
    objectives = []
    for rounds in range(1, 12):
        tables, _ = learned(problem, flat.T, rounds, 0.0)
        joint = problem.prior + tables[0][rows.outcomes[:, 0]].T
        objectives.append(np.logaddexp.reduce(joint, axis=0).sum() + 20.0 * (problem.centres[0] * tables[0]).sum())
    assert (np.diff(objectives) > -1e-9).all()
    assert objectives[-1] > objectives[0] + 1
    np.testing.assert_array_equal(problem.prior, before[0])
    np.testing.assert_array_equal(rows.outcomes, before[1])


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 14), st.integers(0, 10_000))
def test_levels_depend_on_the_row_alone_and_statistics_merge(classes, seed):
    """C3: any split of the rows has the same levels and, merged, the same statistics."""
    rng = np.random.default_rng(seed)
    P = rng.dirichlet(np.full(classes, 0.4), 60)
    P[rng.random(60) < 0.2] = np.nan
    L, K = rng.integers(-1, classes, (60, 3)), classes
    whole = gather(L, P, K, None)
    cut = int(rng.integers(1, 60))
    parts = [gather(L[part], P[part], K, None) for part in (slice(None, cut), slice(cut, None))]
    together = from_votes(np.column_stack([whole.votes, whole.outcomes]))
    first, second = (from_votes(np.column_stack([part.votes, part.outcomes])) for part in parts)
    assert merge(first, second) == merge(second, first)
    assert merge(first, second) == together
    assert together.rows == 60


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 14), st.integers(0, 10_000))
def test_a_level_is_its_vectors_top_classes_and_confidence(classes, seed):
    P = np.random.default_rng(seed).dirichlet(np.full(classes, 0.5), 40)
    grid = Grid(classes)
    levels = levels_of(P, grid)
    assert ((levels >= 0) & (levels < grid.size)).all()
    np.testing.assert_array_equal(votes_of_levels(levels, grid), P.argmax(axis=1))
    stated = grid.stated()
    np.testing.assert_allclose(stated.sum(axis=1), 1)
    np.testing.assert_array_equal(stated[levels].argmax(axis=1), P.argmax(axis=1))
    for level, top in zip(levels, P.max(axis=1), strict=True):
        low, high = grid.bounds(int(level))
        assert low <= top <= high
    if classes <= 10:
        np.testing.assert_array_equal(np.argsort(-stated[levels], axis=1, kind="stable")[:, 1], np.argsort(-P, axis=1)[:, 1])


def test_ties_and_silence_have_no_level():
    P = np.array([[0.4, 0.4, 0.2], [np.nan] * 3, [0.5, 0.3, 0.2]])
    assert levels_of(P, Grid(3)).tolist()[:2] == [-1, -1]
    assert levels_of(P, Grid(3))[2] >= 0
    assert Grid(3).size == 3 * 2 * BINS


@pytest.mark.parametrize(
    ("P", "message"),
    [
        ([[0.5, 0.4], [0.5, 0.5]], r"teacher 0 says \[0.5, 0.4\] of row 0"),
        ([[0.5, 0.5], [1.2, -0.2]], "of row 1"),
        ([[0.5, 0.5], [np.nan, 1.0]], "of row 1"),
        ([[0.5, 0.5], [np.inf, 0.0]], "of row 1"),
        ([[0.2, 0.3, 0.5]] * 2, "got shape"),
        ([[0.5, 0.5]], "got shape"),
    ],
)
def test_what_is_no_probability_is_refused_by_row(P, message):
    with pytest.raises(VotesError, match=message):
        validate_soft_votes(P, 2, 2)


def test_predicting_needs_the_teachers_of_the_fit():
    data = independent(300, 4, (0.5, 0.5), seed=9)
    P = teacher(data.Y, data.balance, 9)
    model = LabelModel(2).fit(data.L, soft=P)
    with pytest.raises(VotesError, match="soft votes of 1 teachers; got 0"):
        model.predict_proba(data.L)
    with pytest.raises(VotesError, match="soft votes of 0 teachers; got 1"):
        LabelModel(2).fit(data.L).predict_proba(data.L, P)
    with pytest.raises(ValueError, match="2 to 127 classes"):
        Grid(128)


def test_rounding_within_the_tolerance_is_scaled_away():
    assert validate_soft_votes([[0.504, 0.5]], 1, 2).sum() == pytest.approx(1)
