"""The names that notebooks know: `LabelModel` and `MajorityLabelVoter`."""

import numpy as np
import pytest

from labeljob.label_model import LabelModel, MajorityLabelVoter, NotFittedError, to_dict
from labeljob.votes import EmptyVotesError
from tests.unit.label_model.generators import independent


@pytest.fixture(scope="module")
def data():
    return independent(2000, 8, (0.3, 0.7), seed=0)


def test_fit_and_predict(data):
    """C3, X22: probabilities for each row, and labels from them."""
    model = LabelModel(cardinality=2).fit(data.L)
    P = model.predict_proba(data.L)
    assert P.shape == (2000, 2)
    assert P.dtype == np.float64
    assert (model.predict(data.L) == data.Y).mean() > 0.88
    assert model.get_weights().shape == (8,)
    assert np.corrcoef(model.get_weights(), data.accuracies)[0, 1] > 0.9


def test_int64_votes_give_the_same_model(data):
    narrow, wide = LabelModel(2).fit(data.L), LabelModel(2).fit(data.L.astype(np.int64))
    assert to_dict(narrow.model_) == to_dict(wide.model_)
    np.testing.assert_array_equal(narrow.predict_proba(data.L), wide.predict_proba(data.L.astype(np.int64)))


def test_predicting_changes_neither_the_model_nor_the_votes(data):
    model, votes = LabelModel(2).fit(data.L), data.L.copy()
    before = to_dict(model.model_)
    first = model.predict_proba(data.L)
    model.predict(data.L, "true-random")
    np.testing.assert_array_equal(model.predict_proba(data.L), first)
    assert to_dict(model.model_) == before
    np.testing.assert_array_equal(data.L, votes)
    with pytest.raises(ValueError, match="read-only"):
        model.model_.log_weights[0] = 0


def test_the_default_seed_is_fixed(data):
    """X16: two fits and two tie breaks by default agree to the last bit."""
    a, b = LabelModel(2).fit(data.L), LabelModel(2).fit(data.L)
    assert a.seed == 0
    assert to_dict(a.model_) == to_dict(b.model_)
    np.testing.assert_array_equal(a.predict(data.L, "random"), b.predict(data.L, "random"))


def test_the_reading_of_an_abstain_is_an_argument(data):
    """One for all functions, or one for each; by default it is inferred."""
    for given, expected in (("missing", ("missing",) * 8), ("evidence", ("evidence",) * 8), (["evidence"] + ["missing"] * 7, ("evidence", *["missing"] * 7))):
        assert LabelModel(2, "dawid-skene", abstain=given).fit(data.L).model_.abstain == expected
    assert LabelModel(2).fit(data.L).model_.abstain == LabelModel(2, abstain="auto").fit(data.L).model_.abstain
    with pytest.raises(ValueError, match="one of auto, evidence, missing"):
        LabelModel(2, abstain="silence").fit(data.L)


def test_what_a_function_does_is_known_of_all_rows_even_when_a_sample_is_fitted():
    """100,000 rows that all differ are sampled; how often a function votes is counted."""
    L = np.random.default_rng(0).integers(-1, 2, (100_000, 40)).astype(np.int8)
    model = LabelModel(2, "dawid-skene", abstain="missing").fit(L)
    np.testing.assert_allclose(model.outcome_rates_[:, 0], (L == -1).mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(model.outcome_rates_[:, 2], (L == 1).mean(axis=0), atol=1e-12)


def test_class_balance_from_y_dev_ignores_unknown_gold(data):
    gold = np.array([0] * 20 + [1] * 80 + [-1] * 500)
    model = LabelModel(2, "weighted-vote").fit(data.L, Y_dev=gold)
    np.testing.assert_allclose(model.model_.class_balance, [20.5 / 101, 80.5 / 101])
    given = LabelModel(2, "weighted-vote").fit(data.L, Y_dev=gold, class_balance=[0.5, 0.5])
    np.testing.assert_allclose(given.model_.class_balance, [0.5, 0.5])
    with pytest.raises(ValueError, match="gold label of row 1 is 2"):
        LabelModel(2).fit(data.L, Y_dev=[0, 2])


def test_a_row_nobody_votes_on_has_no_label_even_with_a_class_balance(data):
    """A peer gives such rows class 0 as soon as it is told the class balance."""
    L = data.L.copy()
    L[:10] = -1
    model = LabelModel(2).fit(L, class_balance=[0.9, 0.1])
    assert (model.predict(L)[:10] == -1).all()
    assert (model.predict(L)[10:] >= 0).any()


def test_tie_break_policies():
    L = np.tile([[0, 1, -1], [2, 2, 0], [-1, -1, -1]], (300, 1))
    voter = MajorityLabelVoter(cardinality=3)
    np.testing.assert_array_equal(voter.predict(L)[:3], [-1, 2, -1])
    drawn = voter.predict(L, "random")
    np.testing.assert_array_equal(drawn, voter.predict(L, "random"))
    assert set(drawn[0::3]) == {0, 1}
    assert set(drawn[1::3]) == {2}
    assert set(drawn[2::3]) == {0, 1, 2}
    assert np.bincount(drawn[0::3]).min() > 100
    assert (voter.predict(L, "true-random") != voter.predict(L, "true-random")).any()
    with pytest.raises(ValueError, match="unknown tie_break_policy 'first'"):
        voter.predict(L, "first")


def test_majority_voter_needs_no_fit():
    L = np.array([[0, 0, 1], [1, -1, -1], [-1, -1, -1], [0, 1, 2]])
    expected = [[2 / 3, 1 / 3, 0], [0, 1, 0], [1 / 3, 1 / 3, 1 / 3], [1 / 3, 1 / 3, 1 / 3]]
    np.testing.assert_allclose(MajorityLabelVoter(3).predict_proba(L), expected)
    np.testing.assert_allclose(MajorityLabelVoter(3).fit(L).predict_proba(L), expected)


def test_clear_errors():
    with pytest.raises(NotFittedError, match=r"call fit\(L\) first"):
        LabelModel(2).predict_proba([[0]])
    with pytest.raises(EmptyVotesError, match="no rows"):
        LabelModel(2).fit(np.empty((0, 3), dtype=np.int8))
    assert LabelModel(2).fit([[0, 1]]).predict(np.empty((0, 2), dtype=np.int8)).shape == (0,)
