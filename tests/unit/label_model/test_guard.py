"""Better than random on average: the guard that decides what the votes cannot, and the functions that it does not excuse."""

from typing import get_args

import numpy as np
import pytest

from labeljob.label_model import fit_statistics, from_votes, weights
from labeljob.label_model.fitting import AlgorithmArgument
from labelplane.api.label_model import Algorithm

NEVER_NEGATIVE = ("majority-vote", "weighted-vote", "mace")
RECOGNISE = tuple(name for name in get_args(AlgorithmArgument) if name not in NEVER_NEGATIVE)


def with_two_liars(rows, seed, coverage=0.8):
    """Seven functions of accuracy .8 and two of accuracy .2."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, 2, rows)
    right = random.random((rows, 9)) < np.where(np.arange(9) < 7, 0.8, 0.2)
    votes = np.where(right, truth[:, None], 1 - truth[:, None])
    return np.where(random.random((rows, 9)) < coverage, votes, -1), truth


@pytest.mark.parametrize("algorithm", RECOGNISE)
@pytest.mark.parametrize("reading", ["missing", "evidence"])
def test_a_function_worse_than_random_gets_a_negative_weight(algorithm, reading):
    """C3: its accuracy is found, and its vote counts against the class that it names."""
    L, _ = with_two_liars(4000, 1)
    model = fit_statistics(from_votes(L, 2), 2, algorithm=algorithm, abstain=[reading] * 9)
    averaged = model.algorithm == "committee"  # two of its members cannot say that a function is worse than random
    np.testing.assert_allclose(model.accuracies, [0.8] * 7 + [0.2] * 2, atol=0.1 if averaged else 0.05)
    assert (weights(model)[:7] > 0.5).all(), weights(model)
    assert (weights(model)[7:] < (0 if averaged else -0.5)).all(), weights(model)


@pytest.mark.parametrize("algorithm", NEVER_NEGATIVE)
def test_the_others_never_count_a_vote_against_its_class(algorithm):
    L, _ = with_two_liars(4000, 1)
    model = fit_statistics(from_votes(L, 2), 2, algorithm=algorithm, abstain=["missing"] * 9)
    assert (weights(model) >= 0).all()


def test_a_manifest_may_ask_for_every_algorithm_of_the_library():
    """The CRD's list and the job's are the same, in the same order."""
    assert get_args(Algorithm) == get_args(AlgorithmArgument)
