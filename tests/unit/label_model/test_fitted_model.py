"""A fitted model explains itself exactly and survives JSON to the last bit."""

import json
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeljob.label_model import (
    FORMAT_VERSION,
    ModelFormatError,
    contributions,
    estimated_accuracy,
    fallback_posterior,
    fit_statistics,
    from_dict,
    from_votes,
    posterior,
    to_dict,
    weights,
)
from labeljob.label_model.fitting.arguments import AlgorithmArgument
from tests.unit.label_model.generators import independent, label_matrices

ALGORITHMS = ("majority-vote", "weighted-vote", "dawid-skene")


@settings(max_examples=40, deadline=None)
@given(label_matrices(), st.sampled_from([name for name in get_args(AlgorithmArgument) if name != "majority-vote"]), st.sampled_from(["missing", "evidence"]))
def test_contributions_add_up_to_the_posterior(L, algorithm, reading):
    """O6 (why a row got its label): class balance and one contribution a function make the posterior, exactly, whatever the model."""
    model = fit_statistics(from_votes(L, 3), 3, algorithm=algorithm, abstain=[reading] * L.shape[1])
    if model.algorithm == "majority-vote":  # nothing to learn from these votes: shares of the vote, as below
        return
    P = posterior(model, L)
    for row, p in zip(L, P, strict=True):
        joint = np.log(model.class_balance) + contributions(model, row).sum(axis=0)
        np.testing.assert_allclose(joint - np.logaddexp.reduce(joint), np.log(p), atol=1e-9)


def test_contributions_to_majority_vote_are_shares():
    model = fit_statistics(from_votes([[0, 1, 1, -1]], 3), 3, algorithm="majority-vote")
    shares = contributions(model, [0, 1, 1, -1])
    np.testing.assert_allclose(shares.sum(axis=0), posterior(model, [[0, 1, 1, -1]])[0])
    np.testing.assert_array_equal(shares[3], [0, 0, 0])
    np.testing.assert_array_equal(contributions(model, [-1] * 4), np.zeros((4, 3)))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_accuracies_and_weights_rank_the_functions(algorithm):
    """C3: the accuracy of every LF is estimated without gold."""
    data = independent(5000, 8, (0.6, 0.4), seed=1)
    model = fit_statistics(from_votes(data.L), 2, algorithm=algorithm)
    assert np.corrcoef(estimated_accuracy(model), data.accuracies)[0, 1] > 0.95
    if algorithm == "majority-vote":
        np.testing.assert_array_equal(weights(model), np.ones(8))
    else:
        assert np.corrcoef(weights(model), np.log(data.accuracies / (1 - data.accuracies)))[0, 1] > 0.9


def test_weights_of_the_weighted_vote_are_log_odds():
    data = independent(2000, 6, (0.4, 0.3, 0.3), seed=1)
    model = fit_statistics(from_votes(data.L), 3, algorithm="weighted-vote")
    np.testing.assert_allclose(weights(model), np.log(2 * model.accuracies / (1 - model.accuracies)))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_fallback_votes_with_its_declared_accuracy(algorithm):
    """F1: rows that only a fallback votes on get its declared accuracy against the posterior given that all abstained."""
    model = fit_statistics(from_votes(independent(500, 5, (0.5, 0.5), seed=0).L), 2, algorithm=algorithm, class_balance=[0.5, 0.5])
    abstained = posterior(model, np.full((1, 5), -1))[0]
    P = fallback_posterior(model, [[0, -1], [1, 0], [-1, -1]], np.array([0.8, 0.6]))
    first = abstained * [0.8, 0.2]
    second = abstained * [0.2 * 0.6, 0.8 * 0.4]
    np.testing.assert_allclose(P, [first / first.sum(), second / second.sum(), abstained])


@settings(max_examples=40, deadline=None)
@given(label_matrices(), st.sampled_from(get_args(AlgorithmArgument)))
def test_json_keeps_every_bit(L, algorithm):
    """X16: a model read back labels with the same bytes."""
    model = fit_statistics(from_votes(L, 3), 3, algorithm=algorithm, seed=7)
    text = json.dumps(to_dict(model), allow_nan=False)
    again = from_dict(json.loads(text))
    assert json.dumps(to_dict(again), allow_nan=False) == text
    np.testing.assert_array_equal(posterior(again, L), posterior(model, L))
    np.testing.assert_array_equal(again.accuracies, model.accuracies)
    np.testing.assert_array_equal(again.accuracy_intervals, model.accuracy_intervals)


def written(**changes):
    return to_dict(fit_statistics(from_votes([[0, 1], [1, 1]]), 2)) | changes


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (written(formatVersion=FORMAT_VERSION + 1), "written by a newer Labelplane: upgrade"),
        (written(formatVersion=None), f"this version reads format {FORMAT_VERSION}"),
        ({}, "format None"),
        ({"formatVersion": FORMAT_VERSION}, "has no field 'accuracies'"),
        (written(logWeights=[[1.0]]), r"logWeights has shape \(1, 1\)"),
        (written(logWeights="x"), "cannot be read"),
        (written(algorithm="pickle"), "unknown algorithm 'pickle'"),
        (written(accuracyIntervals=[[0.1, 0.2]]), "accuracyIntervals has not one pair for each function"),
        (written(abstain=["missing", "maybe"]), "unknown reading"),
        (written(classBalance=[1.0, 0.0]), "not finite"),
    ],
)
def test_what_is_not_a_model_is_a_clear_error(data, message):
    with pytest.raises(ModelFormatError, match=message):
        from_dict(data)
