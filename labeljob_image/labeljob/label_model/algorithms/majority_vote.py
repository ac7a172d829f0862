"""Soft majority vote, and the tallies that other models start from. Everything works on distinct patterns, class axis first."""

import numpy as np

from labeljob.label_model.statistics.packing import PackedVotes, one_each, pack, sum_tables
from labeljob.votes import BoolArray, FloatArray, Votes


def tally(patterns: Votes | PackedVotes, classes: int, functions: BoolArray | None = None) -> FloatArray:
    """Votes for each class, float64 [n_classes, n_rows].

    Args:
        patterns: int8 [n_rows, n_functions] or the same packed. functions: bool [n_functions], whose votes count; None for all.
    """
    packed = patterns if isinstance(patterns, PackedVotes) else pack(patterns, 1 + classes)
    if functions is None or functions.all():
        return packed.tallies
    return sum_tables(packed, one_each(packed.layout.columns, classes) * functions[:, None, None])


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


def class_shares(patterns: Votes | PackedVotes, counts: FloatArray, classes: int, functions: BoolArray | None = None, smoothing: float = 10.0) -> FloatArray:
    """Class balance by soft majority vote over covered rows.

    Args:
        patterns, functions: as `tally`; counts: float64 [n_patterns]; smoothing: pseudo-rows for each class.
    Returns:
        float64 [n_classes], all positive; uniform when nobody votes.
    """
    tallies = tally(patterns, classes, functions)
    expected = tallies @ (counts / np.maximum(tallies.sum(axis=0), 1)) + smoothing
    balance: FloatArray = expected / expected.sum()
    return balance
