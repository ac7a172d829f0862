"""Better than random on average: the guard that decides what the votes cannot, and the functions that it does not excuse."""

from typing import get_args

import numpy as np
import pytest

from labeljob.label_model import fit_statistics, from_votes, posterior, weights
from labeljob.label_model.fitting.arguments import AlgorithmArgument, QuestionAlgorithm
from labeljob.label_model.fitting.selection import Algorithm
from labelplane.api.crd import crd_manifests

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
    """The CRD's list is the library's, and what a fit may turn out to be is that list, the committee that `auto` asks, and what it asks of a multi-label set."""
    (model,) = (crd for crd in crd_manifests() if crd["spec"]["names"]["kind"] == "LabelModel")
    spec = model["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    assert tuple(spec["algorithm"]["enum"]) == get_args(AlgorithmArgument)
    assert set(get_args(Algorithm)) == set(get_args(AlgorithmArgument)) - {"auto"} | {"committee", *get_args(QuestionAlgorithm)}


@pytest.mark.parametrize("algorithm", [name for name in get_args(AlgorithmArgument) if name not in ("auto", "majority-vote", "ebcc")])
def test_the_prior_accuracy_is_how_far_few_votes_are_trusted(algorithm):
    """Twelve rows can hardly tell how right functions are: then what is believed of them decides how sure their votes make the model."""
    L, _ = with_two_liars(12, 3)
    sure = [
        posterior(fit_statistics(from_votes(L[:, :5], 2), 2, algorithm=algorithm, abstain=["missing"] * 5, prior_accuracy=prior), [[1] * 5])[0, 1]
        for prior in (0.55, 0.7, 0.95)
    ]
    assert sure[0] < sure[1] < sure[2], sure


def test_the_prior_accuracy_lies_between_a_guess_and_certainty():
    votes = from_votes([[0, 1], [1, 1]])
    for impossible in (0.5, 0.3, 1.0, float("nan")):
        with pytest.raises(ValueError, match=r"priorAccuracy is .*with 2 classes it lies between 0.5 \(a guess\) and 1"):
            fit_statistics(votes, 2, prior_accuracy=impossible)
    assert fit_statistics(from_votes([[0, 1], [1, 1]], 4), 4, algorithm="one-coin", prior_accuracy=0.3).cardinality == 4


@pytest.mark.parametrize("algorithm", ["one-coin", "dawid-skene", "hierarchical-dawid-skene", "generative", "triplet", "glad"])
def test_a_mirror_image_is_never_the_answer(algorithm):
    """Votes fit a solution and its mirror image alike: the one in which votes are mostly right is taken, from every start."""
    for seed in range(5):
        L, truth = with_two_liars(1500, seed)
        for prior in (0.52, 0.9):
            P = posterior(fit_statistics(from_votes(L, 2), 2, algorithm=algorithm, abstain=["missing"] * 9, prior_accuracy=prior), L)
            assert (P.argmax(axis=1) == truth).mean() > 0.85
