"""A voter beside whom the others hardly count is named."""

import numpy as np
import pytest

from labeljob.label_model import LabelModel
from tests.unit.label_model.generators import vote_set


def votes(accuracies, coverage, rows=2000, seed=0):
    """Label matrix of two classes, int8 [rows, n_functions]."""
    random = np.random.default_rng(seed)
    Y = random.integers(0, 2, rows)
    L = np.where(random.random((rows, len(accuracies))) < accuracies, Y[:, None], 1 - Y[:, None])
    return np.where(random.random(L.shape) < coverage, L, -1).astype(np.int8)


def said(L, soft=None):
    """What the fit says of a voter that dominates; its reading of abstains is missing."""
    notes = LabelModel(2, abstain="missing").fit(L, soft=soft).model_.notes
    return [note.removeprefix("FunctionDominant: ") for note in notes if note.startswith("FunctionDominant")]


@pytest.mark.parametrize(
    ("accuracies", "coverage", "text"),
    [
        ([0.85] * 8 + [0.8], [0.05] * 8 + [1.0], "labeling function 8 alone decides 7"),  # a teacher beside rules that seldom vote
        ([0.6, 0.6, 0.97, 0.6, 0.6], 1.0, "labeling function 2 overrules all others: 36%"),  # one that always prevails
        ([0.8, 0.8, 0.8], 1.0, None),
        ([0.98] * 5, 1.0, None),  # the label is nearly always the vote of each, because all agree
        ([0.85] * 12, 0.2, None),
        ([0.8], 1.0, None),  # nobody is there to check it
    ],
)
def test_a_voter_that_decides_most_labels_is_named(accuracies, coverage, text):
    """X19: by what the labels would be without it, not by its weight alone."""
    found = said(votes(accuracies, coverage))
    assert found == [] if text is None else len(found) == 1 and found[0].startswith(text)


def test_a_weak_teacher_that_decides_most_labels_is_named():
    """X19: with its probabilities, after the functions."""
    L = votes([0.9] * 4, [0.1] * 4)
    P = np.random.default_rng(1).beta(2, 2, len(L))
    found = said(L, np.column_stack([1 - P, P]))
    assert len(found) == 1
    assert found[0].startswith("labeling function 4 alone decides")


def test_on_real_votes_only_the_rule_for_nearly_all_texts_dominates():
    """X19: of the sms set, one rule votes on three of four covered rows; no voter of a crowd decides so much."""
    assert len(said(vote_set("sms")[0])) == 1
    assert said(vote_set("bluebird")[0]) == []
