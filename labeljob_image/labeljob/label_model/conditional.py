"""What a fitted model says each function does, given the true class."""

import numpy as np

from labeljob.label_model.algorithms.weighted_vote import one_coin_log_weights, prior_accuracy
from labeljob.label_model.model import FittedLabelModel
from labeljob.label_model.statistics.vote_statistics import VoteStatistics, vote_counts
from labeljob.votes import FloatArray


def outcome_rates(statistics: VoteStatistics, cardinality: int) -> FloatArray:
    """How often each function abstains (0) and votes for each class (1 + class), float64 [n_functions, 1 + n_classes]; rows sum to 1."""
    votes = vote_counts(statistics, cardinality)
    return np.concatenate([statistics.rows - votes.sum(axis=1, keepdims=True), votes], axis=1) / statistics.rows


def conditional_probabilities(model: FittedLabelModel, rates: FloatArray) -> FloatArray:
    """P(outcome | class), float64 [n_functions, 1 + n_classes, n_classes]: [j, 0, y] abstains, [j, 1 + c, y] votes c; sums to 1 over outcomes.

    Where the model takes an abstain for evidence, all of it is the model's. Where it takes it for missing, the model only says what a
    *vote* is given the class; how often the function votes is then its share of rows in the fit, the same for every class.

    Args:
        rates: float64 [n_functions, 1 + n_classes], as `outcome_rates` of the statistics that were fitted.
    Raises:
        ValueError: so many classes and functions that the model has no such table (see `compact`).
    """
    if model.coins is not None:
        raise ValueError(f"{model.functions} functions and {model.cardinality} classes: P(outcome | class) would not fit in memory; see model.accuracies")
    log_weights = model.log_weights
    if model.algorithm == "majority-vote":
        known = np.where(np.isnan(model.accuracies), prior_accuracy(model.cardinality), model.accuracies)
        log_weights = one_coin_log_weights(known, model.cardinality)
    outcomes = np.exp(log_weights)
    outcomes[:, 1:][:, rates[:, 1:].sum(axis=0) == 0] = 0.0  # classes that nobody voted for
    evidence = np.array([reading == "evidence" for reading in model.abstain]) & (model.algorithm not in ("majority-vote", "weighted-vote"))
    outcomes[~evidence, 0] = 0.0
    total = outcomes.sum(axis=1, keepdims=True)
    shares = np.divide(outcomes, total, out=np.zeros_like(outcomes), where=total > 0)
    voting = np.where(evidence, 1.0, 1.0 - rates[:, 0])[:, None, None]
    result: FloatArray = shares * voting
    result[:, 0] += 1.0 - result.sum(axis=1)
    return np.maximum(result, 0.0)
