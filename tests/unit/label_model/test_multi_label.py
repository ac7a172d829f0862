"""Multi-label: one binary task a class."""

import tracemalloc

import numpy as np
import pytest

from labeljob.label_model import LabelModel, MultiLabelModel, binary_votes, fit_statistics, from_dict, from_votes, to_dict
from labeljob.label_model.multi_label import merge_tasks, task_statistics
from labeljob.votes import EmptyVotesError, VotesError

PREVALENCE = np.array([0.5, 0.2, 0.35])


def tagged(rows: int, functions: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(votes int8 [n, m, 3], truth bool [n, 3]): each function judges each class on half the rows, right with U(.7, .9)."""
    rng = np.random.default_rng(seed)
    truth = rng.random((rows, 3)) < PREVALENCE
    right = rng.random((rows, functions, 3)) < rng.uniform(0.7, 0.9, (functions, 3))
    votes = np.where(right, truth[:, None, :], ~truth[:, None, :]).astype(np.int8)
    votes[rng.random(votes.shape) < 0.5] = -1
    return votes, truth


def test_each_class_is_found_and_rows_may_have_several_or_none():
    """C3: labels of rows with none, one, two and three classes."""
    votes, truth = tagged(4000, 9, 0)
    model = MultiLabelModel(3).fit(votes)
    labels = model.predict(votes)
    assert (labels == truth).mean() > 0.88
    assert np.corrcoef(labels.sum(axis=1), truth.sum(axis=1))[0, 1] > 0.7
    np.testing.assert_allclose([one.class_balance[1] for one in model.models_], PREVALENCE, atol=0.05)


def test_a_task_is_the_binary_label_model_of_its_votes():
    votes, _ = tagged(500, 5, 1)
    model = MultiLabelModel(3).fit(votes)
    for k in range(3):
        assert to_dict(model.models_[k]) == to_dict(LabelModel(2).fit(votes[:, :, k]).model_)
    np.testing.assert_array_equal(model.predict_proba(votes)[:, 2], LabelModel(2).fit(votes[:, :, 2]).predict_proba(votes[:, :, 2])[:, 1])


def test_statistics_of_shards_merge_to_those_of_all_rows():
    votes, _ = tagged(300, 4, 2)
    merged = merge_tasks(task_statistics(votes[:100], 3), task_statistics(votes[100:], 3))
    assert merged == task_statistics(votes, 3)
    assert to_dict(MultiLabelModel(3).fit_statistics(merged).models_[0]) == to_dict(MultiLabelModel(3).fit(votes).models_[0])


def test_votes_of_a_label_matrix_speak_for_their_class():
    L = np.array([[0, 2], [-1, 1]])
    np.testing.assert_array_equal(binary_votes(L, 3)[0], [[1, -1, -1], [-1, -1, 1]])
    np.testing.assert_array_equal(binary_votes(L, 3, exclusive=[True, False])[0], [[1, 0, 0], [-1, -1, 1]])
    assert (binary_votes(L, 3, exclusive=True)[1, 0] == -1).all()
    votes = binary_votes(L, 3, exclusive=True)
    whole = np.asarray(votes)
    assert votes.shape == whole.shape == (2, 2, 3)
    for key in (np.s_[:, :, 2], np.s_[:, :, -1], np.s_[:1, 1, :], np.s_[1], np.s_[..., 0], np.s_[:, 0], np.s_[np.array([1, 0]), :, 1:]):
        np.testing.assert_array_equal(votes[key], whole[key])
    with pytest.raises(ValueError, match="without a copy"):
        np.asarray(votes, copy=False)


def test_memory_is_that_of_one_class_at_a_time():
    """Fitting and predicting 60 classes hold no array of rows by functions by classes, which would be 12 MB here."""
    L = np.random.default_rng(0).integers(-1, 60, (20_000, 10)).astype(np.int8)
    model = MultiLabelModel(60, algorithm="majority-vote").fit(binary_votes(L[:100], 60, exclusive=True))
    tracemalloc.start()
    try:
        votes = binary_votes(L, 60, exclusive=True)
        labels = model.predict(votes)
        task_statistics(votes, 60)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert labels.shape == (20_000, 60)
    assert peak < 8 << 20


def test_nobody_spoke_so_there_is_no_label_and_prevalence_is_used():
    votes, _ = tagged(800, 5, 3)
    votes[0] = -1
    model = MultiLabelModel(3).fit(votes, prevalence=[0.9, np.nan, 0.35])
    assert model.predict_proba(votes)[0, 0] == pytest.approx(0.9, abs=0.02)
    assert not model.predict(votes)[0].any()


@pytest.mark.parametrize(
    ("votes", "message"),
    [(np.zeros((2, 3, 2)), "3 classes"), (np.zeros((2, 3)), "3 classes"), (np.full((2, 2, 3), 2), "class 0: the vote at row 0, column 0 is 2")],
)
def test_bad_votes_are_named(votes, message):
    with pytest.raises(VotesError, match=message):
        MultiLabelModel(3).fit(votes)


def test_other_arguments_that_cannot_be():
    votes, _ = tagged(50, 3, 4)
    with pytest.raises(EmptyVotesError):
        MultiLabelModel(3).fit(votes[:0])
    with pytest.raises(ValueError, match="prevalence is one share"):
        MultiLabelModel(3).fit(votes, prevalence=[0.1, 1.0, 0.3])
    with pytest.raises(VotesError, match="2 tasks were given for 3"):
        MultiLabelModel(3).fit_statistics(task_statistics(votes, 3)[:2])


def test_discounts_by_name_are_for_questions_of_two_answers():
    """Of many classes, Dawid-Skene alone with discounts may name one that nobody votes for; `auto` is what to ask for."""
    L = np.array([[0, 1, 2], [0, 0, -1], [1, 1, 1]])
    with pytest.raises(ValueError, match="unknown algorithm"):
        LabelModel(3, algorithm="discounted-dawid-skene").fit(L)
    model = fit_statistics(from_votes(np.tile([[0, 1], [1, 1], [0, 0]], (40, 1)), 2), 2, algorithm="discounted-dawid-skene")
    assert model.algorithm == "discounted-dawid-skene"
    assert to_dict(from_dict(to_dict(model))) == to_dict(model)
