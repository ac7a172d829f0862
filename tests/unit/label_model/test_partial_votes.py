"""Partial votes: "one of these classes", "not that one"."""

import numpy as np
import pytest

from labeljob.label_model import LabelModel, PartialClasses, to_dict
from labeljob.votes import VotesError
from tests.unit.label_model.generators import independent

NOT = PartialClasses(~np.eye(4, dtype=bool))
BALANCE = (0.4, 0.3, 0.2, 0.1)


def excluding_rules(Y: np.ndarray, seed: int, precision: float = 0.95, rate: float = 0.5) -> np.ndarray:
    """One rule a class that says "not this class" on that share of the rows; right that often (of classes alike)."""
    rng, K = np.random.default_rng(1000 + seed), 4
    votes = np.full((len(Y), K), -1)
    for k in range(K):
        fires = np.where(k == Y, rate * (1 - precision) * 3, rate * precision)
        votes[rng.random(len(Y)) < fires, k] = K + k
    return votes


def log_loss(P: np.ndarray, Y: np.ndarray) -> float:
    return float(-np.log(P[np.arange(len(Y)), Y]).mean())


def test_partial_votes_beside_ordinary_ones_bring_the_answer_nearer():
    """C3: rules that only exclude are evidence, which leaving them out would lose."""
    data = independent(4000, 4, BALANCE, seed=0)
    L = np.column_stack([data.L, excluding_rules(data.Y, 0)])
    model = LabelModel(4, partial=NOT).fit(L)
    alone = LabelModel(4).fit(data.L)
    assert log_loss(model.predict_proba(L), data.Y) < 0.85 * log_loss(alone.predict_proba(data.L), data.Y)
    assert (model.predict(L) == data.Y).mean() > (alone.predict(data.L) == data.Y).mean() + 0.05
    np.testing.assert_allclose(model.model_.accuracies[4:], 0.95, atol=0.05)
    assert (model.get_weights()[4:] > 0.5).all()


def test_rules_that_only_exclude_find_the_classes():
    """C3: with no vote for a single class at all."""
    Y = np.random.default_rng(1).choice(4, 6000, p=BALANCE)
    rules = np.column_stack([excluding_rules(Y, seed, rate=0.6) for seed in (1, 2, 3)])
    model = LabelModel(4, partial=NOT).fit(rules)
    assert (model.predict(rules) == Y).mean() > 0.78
    np.testing.assert_allclose(model.model_.class_balance, BALANCE, atol=0.08)


def test_a_partial_vote_raises_its_classes_and_covers_its_row():
    data = independent(2000, 4, BALANCE, seed=2)
    L = np.column_stack([data.L, excluding_rules(data.Y, 2)])
    model = LabelModel(4, partial=NOT).fit(L)
    silent, not_two = np.full((1, 8), -1), np.full((1, 8), -1)
    not_two[0, 6] = 4 + 2
    before, after = model.predict_proba(silent)[0], model.predict_proba(not_two)[0]
    assert after[2] < 0.5 * before[2]
    assert (after[[0, 1, 3]] > before[[0, 1, 3]]).all()
    assert model.predict(silent)[0] == -1
    assert model.predict(not_two)[0] == before[[0, 1]].argmax()


def test_a_useless_partial_rule_gets_no_weight():
    data = independent(5000, 5, BALANCE, seed=3)
    fires = np.random.default_rng(1003).random(5000) < 0.3
    model = LabelModel(4, partial=NOT).fit(np.column_stack([data.L, np.where(fires, 4, -1)]))
    assert abs(model.get_weights()[-1]) < 0.15


@pytest.mark.parametrize("copying", [1.0, 0.9])
def test_copies_of_a_partial_rule_count_once(copying):
    """F2: six copies, exact and 90 %, share one vote; the other rules keep theirs."""
    data = independent(5000, 5, BALANCE, seed=8)
    rules, rng = excluding_rules(data.Y, 8), np.random.default_rng(1008)
    weak = excluding_rules(data.Y, 9, precision=0.85)[:, [1]]
    copies = np.where(rng.random((5000, 6)) < copying, weak, np.column_stack([excluding_rules(data.Y, 20 + i, precision=0.85)[:, 1] for i in range(6)]))
    once, often = np.column_stack([data.L, rules, weak]), np.column_stack([data.L, rules, weak, copies])
    alone, beside = LabelModel(4, partial=NOT).fit(once), LabelModel(4, partial=NOT).fit(often)
    assert abs(log_loss(beside.predict_proba(often), data.Y) - log_loss(alone.predict_proba(once), data.Y)) < 0.01
    assert (beside.model_.discounts[9:] < 0.25).all(), beside.model_.discounts
    assert (beside.model_.discounts[5:9] > 0.8).all(), beside.model_.discounts


def test_a_function_that_votes_for_classes_and_sets_weighs_the_sets_by_agreement():
    data = independent(5000, 5, BALANCE, seed=4)
    rng = np.random.default_rng(1004)
    L = data.L.astype(np.int64)
    blurred = (L[:, 0] >= 0) & (rng.random(5000) < 0.5)
    pair = PartialClasses(np.array([[True, True, False, False], [False, False, True, True]]))
    L[blurred, 0] = 4 + L[blurred, 0] // 2
    model = LabelModel(4, partial=pair).fit(L)
    assert (model.predict(L) == data.Y).mean() > 0.72
    row = np.full((1, 5), -1)
    row[0, 0] = 5
    assert model.predict_proba(row)[0, [2, 3]].sum() > model.model_.class_balance[[2, 3]].sum() + 0.1


def test_majority_vote_shares_a_partial_vote_among_its_classes():
    L = np.array([[0, 4 + 0], [-1, 4 + 3], [-1, -1]])
    P = LabelModel(4, "majority-vote", partial=NOT).fit(L).predict_proba(L)
    np.testing.assert_allclose(P[:2], [[1 / 2, 1 / 6, 1 / 6, 1 / 6], [1 / 3, 1 / 3, 1 / 3, 0]])


def test_permuting_classes_permutes_the_answer():
    data = independent(1500, 4, BALANCE, seed=5)
    L = np.column_stack([data.L, excluding_rules(data.Y, 5)])
    order = np.array([2, 0, 3, 1])  # class k becomes order[k]
    renamed = np.where(L < 0, -1, np.where(L < 4, order[np.clip(L, 0, 3)], L))
    sets = np.zeros((4, 4), dtype=bool)
    sets[:, order] = NOT.sets
    P = LabelModel(4, "dawid-skene", partial=NOT).fit(L).predict_proba(L)
    Q = LabelModel(4, "dawid-skene", partial=PartialClasses(sets)).fit(renamed).predict_proba(renamed)
    np.testing.assert_allclose(Q[:, order], P, atol=1e-6)


def test_the_sets_survive_the_file(tmp_path):
    data = independent(500, 4, BALANCE, seed=6)
    L = np.column_stack([data.L, excluding_rules(data.Y, 6)])
    model = LabelModel(4, partial=NOT).fit(L)
    model.save(tmp_path / "m.json")
    again = LabelModel().load(tmp_path / "m.json")
    assert to_dict(again.model_) == to_dict(model.model_)
    np.testing.assert_array_equal(again.partial.sets, NOT.sets)
    np.testing.assert_array_equal(again.predict_proba(L), model.predict_proba(L))


@pytest.mark.parametrize(
    "sets", [np.ones((1, 4), dtype=bool), np.zeros((1, 4), dtype=bool), np.ones(4, dtype=bool), np.ones((1, 4), dtype=int)], ids=["all", "none", "flat", "int"]
)
def test_sets_that_say_nothing_are_refused(sets):
    with pytest.raises(ValueError, match="at least one class and not all"):
        PartialClasses(sets)


def test_votes_beyond_the_sets_are_refused_and_so_are_new_functions():
    data = independent(500, 4, BALANCE, seed=7)
    L = np.column_stack([data.L, excluding_rules(data.Y, 7)])
    model = LabelModel(4, partial=NOT).fit(L)
    with pytest.raises(VotesError, match="row 0, column 4 is 8"):
        model.predict_proba(np.array([[-1, -1, -1, -1, 8, -1, -1, -1]]))
    with pytest.raises(VotesError, match="column 0 has a partial vote"):
        model.predict_proba(np.array([[4, -1, -1, -1, -1, -1, -1, -1]]))
    with pytest.raises(VotesError, match="not one of 4 classes"):
        LabelModel(4).fit(L)
