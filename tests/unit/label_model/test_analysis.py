"""The table of labeling functions and the conflict matrix."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given

from labeljob.analysis import LFAnalysis, conflict_matrix
from labeljob.votes import EmptyVotesError, VotesError
from tests.unit.label_model.generators import label_matrices

L = np.array([[0, 1, -1], [0, 0, -1], [1, 1, -1], [-1, 1, -1]])
Y = [0, 0, 0, -1]


def test_summary_has_the_columns_users_know():
    table = LFAnalysis(L, ["a", "b", "c"]).lf_summary()
    assert list(table.columns) == ["j", "Polarity", "Coverage", "Overlaps", "Conflicts"]
    assert list(table.index) == ["a", "b", "c"]
    assert list(table["j"]) == [0, 1, 2]
    assert list(table["Polarity"]) == [[0, 1], [0, 1], []]
    assert list(table["Coverage"]) == [0.75, 1, 0]
    assert list(table["Overlaps"]) == [0.75, 0.75, 0]
    assert list(table["Conflicts"]) == [0.25, 0.25, 0]


def test_unknown_gold_is_left_out_of_every_column():
    """A peer counts gold -1 in one accuracy column and not in the other."""
    table = LFAnalysis(L, [SimpleNamespace(name=name) for name in "abc"]).lf_summary(Y)
    assert list(table.columns[5:]) == ["Correct", "Incorrect", "Emp. Acc."]
    assert list(table["Correct"]) == [2, 1, 0]
    assert list(table["Incorrect"]) == [1, 2, 0]
    np.testing.assert_allclose(table["Emp. Acc."], [2 / 3, 1 / 3, np.nan])
    assert (table["Correct"] + table["Incorrect"] <= 3).all()


def test_functions_without_names_are_numbered():
    assert list(LFAnalysis(L).lf_summary().index) == [0, 1, 2]


def test_clear_errors():
    with pytest.raises(VotesError, match="2 labeling functions were named, but the label matrix has 3 columns"):
        LFAnalysis(L, ["a", "b"])
    with pytest.raises(VotesError, match=r"gold has shape \(2,\), but the label matrix has 4 rows"):
        LFAnalysis(L).lf_summary([0, 1])
    with pytest.raises(EmptyVotesError):
        LFAnalysis(np.empty((0, 2), dtype=np.int8)).lf_summary()


@given(label_matrices(classes=4))
def test_conflict_matrix_counts_rows_with_two_different_votes(votes):
    """X2: which pairs of functions disagree, and on how many rows."""
    counts = conflict_matrix(votes)
    assert counts.dtype == np.int64
    for i in range(votes.shape[1]):
        for j in range(votes.shape[1]):
            a, b = votes[:, i], votes[:, j]
            assert counts[i, j] == ((a >= 0) & (b >= 0) & (a != b)).sum()
