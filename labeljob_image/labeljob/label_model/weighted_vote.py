"""Weighted majority vote: each vote counts by the log-odds of its function's agreement with the majority of the others.

The rule w = log(a (K - 1) / (1 - a)) is the optimal weight of an independent voter of accuracy a (Nitzan & Paroush 1982; for K
classes Berend & Kontorovich 2015). Accuracy is not observed; agreement with the leave-one-out majority stands in for it, shrunk
towards the pooled agreement so that a function with few overlapping votes is neither trusted nor damned.
"""

import numpy as np
import numpy.typing as npt

from labeljob.label_model.packing import PackedVotes, WeightedVotes, outcome_counts_by_state, weigh
from labeljob.votes import BoolArray, FloatArray, IntArray, Votes

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


def agreement(patterns: Votes | PackedVotes | WeightedVotes, counts: FloatArray, classes: int) -> tuple[FloatArray, FloatArray]:
    """How often each function votes with the plurality of the others; a t-fold tie that includes its vote counts 1/t.

    Without its own vote only a class that leads alone can still lead, by a margin of two alone and by one in a tie with the next.

    Args:
        patterns: int8 [n_patterns, n_functions], or packed; counts: float64 [n_patterns].
    Returns:
        (agreeing, comparable): float64 [n_functions] each, weighted rows; comparable rows have another vote.
    """
    rows = weigh(patterns, counts, 1 + classes)
    leader, margin, runners_up, total = _standing(rows.packed.tallies)
    lone = total == 1  # nobody to compare with: counted as a state of its own
    credit = rows.counts * np.where(margin >= 2, 1.0, np.where(margin == 1, 1.0 / (1.0 + runners_up), 0.0))
    credit[lone], leader[lone] = rows.counts[lone], classes
    by_leader = outcome_counts_by_state(rows.packed, credit, leader, 1 + classes)[:, 1:]
    return np.einsum("jkk->j", by_leader[:, :, :classes]), rows.outcomes[:, 1:].sum(axis=1) - by_leader[:, :, classes].sum(axis=1)


def _standing(tallies: FloatArray) -> tuple[npt.NDArray[np.intp], FloatArray, IntArray, FloatArray]:
    """(leading class, its lead over the next, classes that are one vote behind it, all votes), [n_rows] each, from [n_classes, n_rows]."""
    leader, first, second = np.zeros(tallies.shape[1], dtype=np.intp), tallies[0].copy(), np.full(tallies.shape[1], -1.0)
    for k, votes in enumerate(tallies[1:], start=1):
        ahead = votes > first
        np.maximum(second, np.minimum(votes, first), out=second)
        np.maximum(first, votes, out=first)
        leader[ahead] = k
    return leader, first - second, np.count_nonzero(tallies == first - 1, axis=0), tallies.sum(axis=0)


def shrunk_accuracies(agreeing: FloatArray, comparable: FloatArray, classes: int, one_sided: BoolArray, pooled: float) -> FloatArray:
    """Agreement of each function, shrunk towards the pooled accuracy, float64 [n_functions]; above random, below 1.

    How often a one-sided function agrees says how common its class is among the other votes, not how right it is: it gets the pooled
    agreement (one_sided: bool [n_functions]).
    """
    least = (1 + LEAST_ADVANTAGE * (classes - 1)) / classes
    own = np.maximum((agreeing + SHRINKAGE * pooled) / (comparable + SHRINKAGE), least)
    return np.where(one_sided, max(pooled, least), own)


def pooled_agreement(agreeing: FloatArray, comparable: FloatArray, classes: int) -> float:
    """Agreement of a vote with the others' plurality over all functions, with PRIOR_VOTES votes of prior accuracy."""
    return float((agreeing.sum() + PRIOR_VOTES * prior_accuracy(classes)) / (comparable.sum() + PRIOR_VOTES))
