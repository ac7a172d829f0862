"""An int8 label matrix is checked by whatever reads it first: no way through a fit or a prediction leaves a vote unseen."""

import numpy as np
import pytest

from labeljob.label_model import LabelModel, MajorityLabelVoter
from labeljob.label_model.statistics.sampling import Budget
from labeljob.label_model.statistics.vote_statistics import from_votes, reduce_votes
from labeljob.votes import VotesError, validate_votes

# (functions, classes): rows read as numbers, as units of five, of four and of two columns, column by column, with many classes.
SHAPES = [(4, 2), (10, 2), (9, 2), (33, 2), (4, 3), (13, 3), (6, 8), (6, 9), (6, 15), (5, 20), (3, 100)]
BAD = (-2, -128, 0, 127)  # 0 stands for the first class that does not exist
SMALL, LARGE = Budget(bytes=4096), Budget()


def matrix(rows: int, functions: int, classes: int) -> np.ndarray:
    return np.random.default_rng(rows + functions).integers(-1, classes, (rows, functions)).astype(np.int8)


def spoilt(L: np.ndarray, place: str, bad: int, classes: int) -> np.ndarray:
    wrong = L.copy()
    wrong[{"first": (0, 0), "middle": (len(L) // 2, 1), "last": (-1, -1)}[place]] = bad or classes
    return wrong


def error_of(L: np.ndarray, classes: int) -> str:
    with pytest.raises(VotesError) as error:
        validate_votes(L, classes)
    return str(error.value)


@pytest.mark.parametrize("place", ["first", "middle", "last"])
@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("budget", [SMALL, LARGE], ids=["sampled", "whole"])
@pytest.mark.parametrize(("functions", "classes"), SHAPES)
def test_statistics_see_every_vote(functions, classes, budget, bad, place):
    L = matrix(700, functions, classes)
    assert reduce_votes(L, budget=budget, cardinality=classes, checked=False) == from_votes(L, classes, budget=budget)
    wrong = spoilt(L, place, bad, classes)
    with pytest.raises(VotesError) as error:
        reduce_votes(wrong, budget=budget, cardinality=classes, checked=False)
    assert str(error.value) == error_of(wrong, classes)


def test_statistics_of_a_tall_matrix_see_every_vote():
    """More rows than are read, counted or looked for at a time."""
    for functions, classes in [(10, 2), (11, 2), (20, 3)]:
        L = matrix(300_001, functions, classes)
        for place in ("first", "middle", "last"):
            wrong = spoilt(L, place, 0, classes)
            with pytest.raises(VotesError, match=error_of(wrong, classes)[:40]):
                reduce_votes(wrong, cardinality=classes, checked=False)


@pytest.mark.parametrize("algorithm", ["one-coin", "dawid-skene", "majority-vote", "ebcc", "auto"])
@pytest.mark.parametrize(("functions", "classes"), [(4, 2), (9, 2), (5, 3), (5, 20)])
def test_a_bad_vote_stops_fit_and_predict_and_changes_nothing(functions, classes, algorithm):
    L = matrix(400, functions, classes)
    fitted = LabelModel(classes, algorithm, abstain="missing").fit(L)
    before, probabilities = fitted.model_, fitted.predict_proba(L)
    for bad in BAD:
        for place in ("first", "last"):
            wrong = spoilt(L, place, bad, classes)
            for refused in (fitted.fit, fitted.predict_proba, fitted.predict):
                with pytest.raises(VotesError) as error:
                    refused(wrong)
                assert str(error.value) == error_of(wrong, classes)
    assert fitted.model_ is before
    np.testing.assert_array_equal(fitted.predict_proba(L), probabilities)


@pytest.mark.parametrize(("functions", "classes"), SHAPES)
def test_predictions_see_every_vote(functions, classes):
    L = matrix(40_000, functions, classes)
    model = LabelModel(classes, "one-coin", abstain="missing").fit(L[:500])
    for place in ("first", "middle", "last"):
        wrong = spoilt(L, place, -2, classes)
        with pytest.raises(VotesError, match="-2, which is negative"):
            model.predict_proba(wrong)


def test_gold_and_majority_vote_see_every_vote():
    L = matrix(300, 5, 2)
    for bad in BAD:
        wrong = spoilt(L, "last", bad, 2)
        with pytest.raises(VotesError, match="row 299, column 4"):
            LabelModel(2, "dawid-skene").fit(wrong, gold=np.zeros(300, dtype=int))
        with pytest.raises(VotesError, match="row 299, column 4"):
            MajorityLabelVoter(2).predict_proba(wrong)
