"""Soft majority vote, and the tallies that other models start from. Everything works on distinct patterns, class axis first."""

import numpy as np

from labeljob.votes import FloatArray, Votes


def tally(patterns: Votes, classes: int) -> FloatArray:
    """Votes for each class, float64 [n_classes, n_rows], from int8 [n_rows, n_functions]."""
    counts = np.empty((classes, patterns.shape[0]))
    for k in range(classes):
        counts[k] = np.count_nonzero(patterns == k, axis=1)
    return counts


def vote_shares(tallies: FloatArray, uncovered: FloatArray) -> FloatArray:
    """Share of a row's votes for each class: tied classes get equal probability.

    Args:
        tallies: float64 [n_classes, n_rows].
        uncovered: float64 [n_classes], the answer where nobody votes.
    Returns:
        float64 [n_classes, n_rows]; columns sum to 1.
    """
    total = tallies.sum(axis=0)
    return np.where(total > 0, tallies / np.maximum(total, 1), uncovered[:, None])


def class_shares(patterns: Votes, counts: FloatArray, classes: int, smoothing: float = 10.0) -> FloatArray:
    """Class balance by soft majority vote over covered rows.

    Args:
        patterns: int8 [n_patterns, n_functions]; counts: float64 [n_patterns]; smoothing: pseudo-rows for each class.
    Returns:
        float64 [n_classes], all positive; uniform when nobody votes.
    """
    tallies = tally(patterns, classes)
    weights = counts * (tallies.sum(axis=0) > 0)
    expected = vote_shares(tallies, np.full(classes, 1 / classes)) @ weights + smoothing
    balance: FloatArray = expected / expected.sum()
    return balance
