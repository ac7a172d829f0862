"""Weighted majority vote: each vote counts by the log-odds of its function's agreement with the majority of the others.

The rule w = log(a (K - 1) / (1 - a)) is the optimal weight of an independent voter of accuracy a (Nitzan & Paroush 1982; for K
classes Berend & Kontorovich 2015). Accuracy is not observed; agreement with the leave-one-out majority stands in for it, shrunk
towards the pooled agreement so that a function with few overlapping votes is neither trusted nor damned.
"""

import numpy as np

from labeljob.label_model.majority_vote import tally
from labeljob.label_model.packing import PackedVotes, outcome_counts, pack
from labeljob.votes import BoolArray, FloatArray, Votes

SHRINKAGE = 10.0  # pseudo-votes at the pooled agreement
PRIOR_ADVANTAGE = 0.4  # before any evidence a vote is right with probability (1 + PRIOR_ADVANTAGE * (K - 1)) / K: 0.7 for two classes
PRIOR_VOTES = 20.0  # weight of that belief in the pooled agreement
LEAST_ADVANTAGE = 0.05  # a vote never counts against the class that it names; recognising that is left to a confusion
PATTERNS = 1 << 17  # `selection` compares rates on at most about this many patterns, evenly spaced in canonical order


def prior_accuracy(classes: int) -> float:
    """Accuracy assumed of a function before any evidence: better than random."""
    return (1 + PRIOR_ADVANTAGE * (classes - 1)) / classes


def one_coin_log_weights(accuracies: FloatArray, classes: int) -> FloatArray:
    """Log likelihood of each outcome when a vote is right with the given accuracy and errors are spread evenly.

    Args:
        accuracies: float64 [n_functions], strictly between 0 and 1.
    Returns:
        float64 [n_functions, 1 + n_classes, n_classes] in nats; outcome 0 (abstain) says nothing.
    """
    wrong = np.log((1 - accuracies) / (classes - 1))
    weights = np.repeat(wrong, (1 + classes) * classes).reshape(len(accuracies), 1 + classes, classes)
    weights[:, 0, :] = 0.0
    diagonal = np.arange(classes)
    weights[:, 1 + diagonal, diagonal] = np.log(accuracies)[:, None]
    return weights


def agreement(patterns: Votes | PackedVotes, counts: FloatArray, classes: int) -> tuple[FloatArray, FloatArray]:
    """How often each function votes with the plurality of the others; a t-fold tie that includes its vote counts 1/t.

    Without its own vote only a class that leads alone can still lead, by a margin of two alone and by one in a tie with the next.

    Args:
        patterns: int8 [n_patterns, n_functions], or packed; counts: float64 [n_patterns].
    Returns:
        (agreeing, comparable): float64 [n_functions] each, weighted rows; comparable rows have another vote.
    """
    packed = patterns if isinstance(patterns, PackedVotes) else pack(patterns, 1 + classes)
    tallies = tally(packed, classes)
    weights = np.empty((1 + classes, packed.rows))
    beside = counts * (tallies.sum(axis=0) > 1)
    first = tallies.max(axis=0)
    runner_up = np.where(tallies < first, tallies, -1.0).max(axis=0)  # -1: all lead
    ties = np.count_nonzero(tallies == runner_up, axis=0) + 1
    credit = beside * np.where(first - runner_up >= 2, 1.0, 1.0 / ties)
    credit[np.count_nonzero(tallies == first, axis=0) > 1] = 0.0
    weights[0] = beside
    np.multiply(tallies == first, credit, out=weights[1:])
    outcomes = outcome_counts(packed, weights)
    return np.einsum("jkk->j", outcomes[:, 1:, 1:]), outcomes[:, 1:, 0].sum(axis=1)


def shrunk_accuracies(agreeing: FloatArray, comparable: FloatArray, classes: int, one_sided: BoolArray) -> FloatArray:
    """Agreement of each function, shrunk towards the pooled one, float64 [n_functions]; above random, below 1.

    How often a one-sided function agrees says how common its class is among the other votes, not how right it is: it gets the pooled
    agreement (one_sided: bool [n_functions]).
    """
    pooled = pooled_agreement(agreeing, comparable, classes)
    least = (1 + LEAST_ADVANTAGE * (classes - 1)) / classes
    own = np.maximum((agreeing + SHRINKAGE * pooled) / (comparable + SHRINKAGE), least)
    return np.where(one_sided, max(pooled, least), own)


def pooled_agreement(agreeing: FloatArray, comparable: FloatArray, classes: int) -> float:
    """Agreement of a vote with the others' plurality over all functions, with PRIOR_VOTES votes of prior accuracy."""
    return float((agreeing.sum() + PRIOR_VOTES * prior_accuracy(classes)) / (comparable.sum() + PRIOR_VOTES))
