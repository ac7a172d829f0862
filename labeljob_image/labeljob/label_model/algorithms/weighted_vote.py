"""Weighted majority vote: each vote counts by the log-odds of its function's agreement with the majority of the others.

The rule w = log(a (K - 1) / (1 - a)) is the optimal weight of an independent voter of accuracy a (Nitzan & Paroush 1982; for K
classes Berend & Kontorovich 2015). Accuracy is not observed; agreement with the leave-one-out majority stands in for it, shrunk
towards the pooled agreement so that a function with few overlapping votes is neither trusted nor damned.
"""

import numpy as np
import numpy.typing as npt

from labeljob.label_model.statistics.histograms import outcome_counts_by_state
from labeljob.label_model.statistics.packing import PackedVotes
from labeljob.label_model.statistics.weighted_votes import WeightedVotes, weigh
from labeljob.votes import BoolArray, FloatArray, Votes

SHRINKAGE = 10.0  # pseudo-votes at the pooled agreement
PRIOR_ADVANTAGE = 0.4  # before any evidence a vote is right with probability (1 + PRIOR_ADVANTAGE * (K - 1)) / K: 0.7 for two classes
PRIOR_VOTES = 20.0  # weight of that belief in the pooled agreement
MOST_ADVANTAGE = 0.95  # that a fit starts with
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
    weights = np.empty((len(accuracies), 1 + classes, classes))
    weights[:] = np.log((1 - accuracies) / (classes - 1))[:, None, None]
    weights[:, 0, :] = 0.0
    np.einsum("jkk->jk", weights[:, 1:])[:] = np.log(accuracies)[:, None]
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
    leader, credit, total = _standing(rows.packed.tallies)
    lone = total == 1  # nobody to compare with: counted as a state of its own
    credit *= rows.counts
    credit[lone], leader[lone] = rows.counts[lone], classes
    by_leader = outcome_counts_by_state(rows.packed, credit, leader, 1 + classes)[:, 1:]
    return np.einsum("jkk->j", by_leader[:, :, :classes]), rows.outcomes[:, 1:].sum(axis=1) - by_leader[:, :, classes].sum(axis=1)


def _standing(tallies: FloatArray) -> tuple[npt.NDArray[np.intp], FloatArray, FloatArray]:
    """(leading class; 1 where it leads by two or more, 1/t in a t-fold tie once it has a vote less, else 0; all votes), [n_rows] each.

    Args:
        tallies: float64 [n_classes, n_rows].
    """
    if len(tallies) == 2:
        lead = tallies[0] - tallies[1]
        return (lead < 0).astype(np.intp), np.minimum(np.abs(lead, out=lead), 2.0) / 2, tallies[0] + tallies[1]
    leader, first, second = np.zeros(tallies.shape[1], dtype=np.intp), tallies[0].copy(), np.full(tallies.shape[1], -1.0)
    for k, votes in enumerate(tallies[1:], start=1):
        np.copyto(leader, k, where=votes > first)
        np.maximum(second, np.minimum(votes, first), out=second)
        np.maximum(first, votes, out=first)
    margin = first - second
    behind = np.zeros(tallies.shape[1])
    for votes in tallies:
        behind += votes == first - 1
    return leader, np.where(margin >= 2, 1.0, np.where(margin == 1, 1.0 / (1.0 + behind), 0.0)), tallies.sum(axis=0)


def shrunk_accuracies(agreeing: FloatArray, comparable: FloatArray, classes: int, one_sided: BoolArray, pooled: float) -> FloatArray:
    """Agreement of each function, shrunk towards the pooled accuracy, float64 [n_functions]; above random, below 1.

    How often a one-sided function agrees says how common its class is among the other votes, not how right it is: it gets the pooled
    agreement (one_sided: bool [n_functions]).
    """
    least = (1 + LEAST_ADVANTAGE * (classes - 1)) / classes
    own = np.maximum((agreeing + SHRINKAGE * pooled) / (comparable + SHRINKAGE), least)
    return np.where(one_sided, max(pooled, least), own)


def sharpened(accuracies: FloatArray, votes: FloatArray, tallies: FloatArray, counts: FloatArray) -> FloatArray:
    """Accuracies to start from: `shrunk_accuracies` as they would be beside the class instead of the others' plurality, float64 [n_functions].

    The plurality errs, which scales every function's advantage u over chance by about the same factor. How often two votes on a row agree,
    beyond chance, is the mean of u_i u_j (`moments`), and that gives the factor.

    Args:
        votes: float64 [n_functions], votes of each. tallies: float64 [n_classes, n_patterns]; counts: float64 [n_patterns].
    """
    classes, total, agreeing = len(tallies), tallies.sum(axis=0), (tallies * tallies).sum(axis=0)
    pairs = float((counts * (total * (total - 1))).sum())
    advantage = (accuracies * classes - 1) / (classes - 1)
    mean = float((advantage * votes).sum()) / max(float(votes.sum()), 1.0)
    beyond = ((float((counts * (agreeing - total)).sum()) / pairs) * classes - 1) / (classes - 1) if pairs > 0 else 0.0
    if beyond <= 0 or mean <= 0:
        return accuracies
    advantage = np.clip(advantage * (beyond**0.5 / mean), LEAST_ADVANTAGE, MOST_ADVANTAGE)
    return np.asarray((advantage * (classes - 1) + 1) / classes)


def pooled_agreement(agreeing: FloatArray, comparable: FloatArray, classes: int) -> float:
    """Agreement of a vote with the others' plurality over all functions, with PRIOR_VOTES votes of prior accuracy."""
    return float((agreeing.sum() + PRIOR_VOTES * prior_accuracy(classes)) / (comparable.sum() + PRIOR_VOTES))
