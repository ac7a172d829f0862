"""Rows by label, probabilities and labels, and the exchange with other tools."""

import json
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given

from labeljob.analysis import LFAnalysis
from labeljob.notebook import (
    ExchangeError,
    LabelingFunction,
    classifier_votes,
    filter_unlabeled_dataframe,
    from_crowdkit,
    from_wrench,
    get_label_buckets,
    get_label_instances,
    label_quality_scores,
    load_votes,
    preds_to_probs,
    probs_to_preds,
    to_crowdkit,
    wrong_rows,
)
from labeljob.votes import EmptyVotesError, VotesError
from tests.unit.label_model.generators import label_matrices

L = np.array([[0, 1], [-1, -1], [1, 1], [0, -1]])
Y = np.array([1, 0, -1, 0])
DF = pd.DataFrame({"text": list("abcd")}, index=[5, 5, 1, 0])


def test_rows_nobody_votes_on_are_left_out():
    kept, probabilities = filter_unlabeled_dataframe(DF, np.eye(4)[:, :2], L)
    assert list(kept["text"]) == ["a", "c", "d"]
    assert probabilities.shape == (3, 2)
    with pytest.raises(VotesError, match="X has 3 rows, y 4 and L 4"):
        filter_unlabeled_dataframe(DF[:3], Y, L)


def test_buckets():
    predicted = np.array([[1], [1], [1], [0]])
    buckets = get_label_buckets(Y, predicted)
    assert {bucket: rows.tolist() for bucket, rows in buckets.items()} == {(1, 1): [0], (0, 1): [1], (-1, 1): [2], (0, 0): [3]}
    assert list(get_label_instances((0, 1), DF, Y, predicted)["text"]) == ["b"]
    assert get_label_instances((0, 0), np.array([10, 11, 12, 13]), Y, predicted).tolist() == [13]
    assert len(get_label_instances((1, 0), DF, Y, predicted)) == 0
    with pytest.raises(ValueError, match="has 1 labels, but 2 lists"):
        get_label_instances((1,), DF, Y, predicted)
    with pytest.raises(VotesError, match="x has 3 rows"):
        get_label_instances((1, 1), DF[:3], Y, predicted)
    with pytest.raises(VotesError, match=r"list of labels 2 has shape \(2,\), but the first has 4 rows"):
        get_label_buckets(Y, [0, 1])


def test_wrong_rows():
    """Row 2 has no gold and row 1 no vote: nobody is wrong there."""
    assert list(wrong_rows(L, Y, 0, DF)["text"]) == ["a"]
    assert list(wrong_rows(L, [0, 0, 0, 1], "second", DF, lfs=[LabelingFunction("first", len), LabelingFunction("second", len)])["text"]) == ["a", "c"]
    for chosen in (2, -1, "third"):
        with pytest.raises(ValueError, match="there is no labeling function"):
            wrong_rows(L, Y, chosen, DF, lfs=["first", "second"])


def test_labels_of_probabilities():
    P = [[0.2, 0.8], [0.5, 0.5], [1, 0]]
    assert probs_to_preds(P).tolist() == [1, -1, 0]
    assert set(probs_to_preds(np.full((50, 2), 0.5), "random")) == {0, 1}
    assert probs_to_preds([[0.4999, 0.5001]], tol=0.001).tolist() == [-1]
    with pytest.raises(ValueError, match="unknown tie_break_policy 'first'"):
        probs_to_preds(P, "first")
    with pytest.raises(ValueError, match="probabilities of row 1"):
        probs_to_preds([[1, 0], [np.nan, 1]])
    np.testing.assert_array_equal(preds_to_probs([1, 0], 3), [[0, 1, 0], [1, 0, 0]])
    with pytest.raises(VotesError, match="row 1 has no label"):
        preds_to_probs([0, -1], 2)


def test_label_quality_scores():
    """As Northcutt et al. define them; the wrong label is the lowest, the unknown one NaN."""
    scores = label_quality_scores([[0.7, 0.2, 0.1], [0.1, 0.2, 0.7], [0.3, 0.3, 0.4]], [0, 0, -1])
    np.testing.assert_allclose(scores["self_confidence"], [0.7, 0.1, np.nan])
    np.testing.assert_allclose(scores["normalized_margin"], [(0.7 - 0.2 + 1) / 2, (0.1 - 0.7 + 1) / 2, np.nan])
    with pytest.raises(VotesError, match="is 3, which is not one of 3"):
        label_quality_scores([[0.7, 0.2, 0.1]], [3])


def test_a_classifier_is_one_more_column():
    P = [[0.95, 0.05], [0.3, 0.7], [0.5, 0.5], [0.0, 1.0]]
    assert classifier_votes(P, 0.7).tolist() == [0, 1, -1, 1]
    assert classifier_votes(P, [0.99, 0.6]).tolist() == [-1, 1, -1, 1]
    assert classifier_votes(P, 0.1).tolist() == [0, 1, -1, 1]
    assert np.column_stack([L, classifier_votes(P, 0.9)]).shape == (4, 3)
    for threshold in (0, 1.1, [0.5], float("nan")):
        with pytest.raises(ValueError, match="threshold is"):
            classifier_votes(P, threshold)


@given(label_matrices(classes=3))
def test_crowdkit_there_and_back(votes):
    table = to_crowdkit(votes, classes=["a", "b", "c"])
    assert list(table.columns) == ["task", "worker", "label"]
    assert len(table) == (votes >= 0).sum()
    again, tasks, workers, classes = from_crowdkit(table, classes=["a", "b", "c"])
    assert classes == ["a", "b", "c"]
    rows, columns = np.nonzero(again >= 0)
    found = {(tasks[i], workers[j], int(again[i, j])) for i, j in zip(rows, columns, strict=True)}
    assert found == {(int(i), int(j), int(votes[i, j])) for i, j in np.argwhere(votes >= 0)}


def test_crowdkit_tables():
    answers = pd.DataFrame({"task": ["t2", "t1", "t2", "t2"], "worker": ["w", "w", "v", "w"], "label": ["dog", "cat", "cat", "dog"]})
    matrix, tasks, workers, classes = from_crowdkit(answers)
    assert (matrix.tolist(), tasks, workers, classes) == ([[1, 0], [0, -1]], ["t2", "t1"], ["w", "v"], ["cat", "dog"])
    with pytest.raises(ExchangeError, match="worker 'w' answers task 't2' in two ways"):
        from_crowdkit(answers.assign(label=["dog", "cat", "cat", "cat"]))
    with pytest.raises(ExchangeError, match="no column 'worker'"):
        from_crowdkit(answers.drop(columns="worker"))
    with pytest.raises(ExchangeError, match="row 1 has no label"):
        from_crowdkit(answers.assign(label=["dog", None, "cat", "dog"]))
    with pytest.raises(ExchangeError, match="'dog' is not one of the classes"):
        from_crowdkit(answers, classes=["cat"])
    with pytest.raises(ExchangeError, match="3 tasks were named"):
        to_crowdkit(matrix, tasks=[1, 2, 3])


def test_wrench(tmp_path):
    split = {"7": {"label": 1, "weak_labels": [-1, 1], "data": {"text": "x"}}, "3": {"label": None, "weak_labels": [0, 1], "data": {"text": "y"}}}
    (tmp_path / "train.json").write_text(json.dumps(split))
    for source in (split, tmp_path / "train.json", str(tmp_path / "train.json")):
        votes, gold, ids, data = from_wrench(source)
        assert (votes.tolist(), gold.tolist(), ids, data[0]) == ([[-1, 1], [0, 1]], [1, -1], ["7", "3"], {"text": "x"})
    for broken, message in (
        ({"a": {"label": 0}}, "row 'a' has no list weak_labels"),
        ({"a": {"label": [0, 1], "weak_labels": [1]}}, "sequence tagging"),
        ({"a": {"label": 0, "weak_labels": [1]}, "b": {"label": 0, "weak_labels": [1, 0]}}, r"the rows have \[1, 2\] weak labels"),
        ({}, "no rows"),
        (tmp_path, "name one split"),
    ):
        with pytest.raises(ExchangeError, match=message):
            from_wrench(broken)
    with pytest.raises(VotesError, match="row 0, column 0 is -7"):
        from_wrench({"a": {"label": 0, "weak_labels": [-7]}})


def test_pickles_are_never_opened(tmp_path):
    (tmp_path / "model.pkl").write_bytes(pickle.dumps({"mu": 1}))
    for read in (load_votes, from_wrench):
        with pytest.raises(ExchangeError, match=r'export the votes with np.save\("L.npy", L\)'):
            read(tmp_path / "model.pkl")
    np.save(tmp_path / "L.npy", L)
    np.testing.assert_array_equal(load_votes(tmp_path / "L.npy"), L)
    np.save(tmp_path / "objects.npy", np.array([[None, 1]], dtype=object), allow_pickle=True)
    with pytest.raises(ExchangeError, match=r"no \.npy file of numbers"):
        load_votes(tmp_path / "objects.npy")


def test_analysis_has_the_methods_users_know():
    found = LFAnalysis(np.array([[-1, 0, 0], [-1, -1, -1], [1, 0, -1], [-1, 0, -1], [0, 0, 0]], dtype=np.int64))
    assert (found.label_coverage(), found.label_overlap(), found.label_conflict()) == (0.8, 0.6, 0.2)
    assert found.lf_polarities() == [[0, 1], [0], [0]]
    np.testing.assert_allclose(found.lf_coverages(), [0.4, 0.8, 0.4])
    np.testing.assert_allclose(found.lf_overlaps(), [0.4, 0.6, 0.4])
    np.testing.assert_allclose(found.lf_overlaps(normalize_by_coverage=True), [1, 0.75, 1])
    np.testing.assert_allclose(found.lf_conflicts(), [0.2, 0.2, 0])
    np.testing.assert_allclose(found.lf_conflicts(normalize_by_overlaps=True), [0.5, 1 / 3, 0])
    assert list(found.lf_summary(est_weights=[1, 2, 3])["Learned Weight"]) == [1, 2, 3]
    with pytest.raises(VotesError, match="2 weights were given for 3"):
        found.lf_summary(est_weights=[1, 2])
    with pytest.raises(EmptyVotesError):
        LFAnalysis(np.empty((0, 2), dtype=np.int8)).label_coverage()


def test_unknown_gold_is_ignored_in_every_statistic():
    """A peer counts gold -1 as a wrong vote in one column, and not in the next."""
    votes, gold = np.array([[0, 1], [0, -1], [1, 1], [1, 0]]), np.array([[0], [1], [-1], [-1]])
    analysis, known = LFAnalysis(votes), LFAnalysis(votes[:2])
    np.testing.assert_array_equal(analysis.lf_empirical_accuracies(gold), [0.5, 0])
    np.testing.assert_array_equal(analysis.lf_summary(gold)["Emp. Acc."], analysis.lf_empirical_accuracies(gold))
    np.testing.assert_array_equal(analysis.lf_empirical_probs(gold, 2), known.lf_empirical_probs(gold[:2], 2))
    assert analysis.lf_empirical_probs(gold, 2)[1].tolist() == [[0, 1], [0, 0], [1, 0]]
    assert np.isnan(analysis.lf_empirical_probs([0, 0, 0, 0], 2)[:, :, 1]).all()
