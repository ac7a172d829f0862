"""Votes packed into small integers, so that likelihoods are table look-ups and sufficient statistics are histograms.

A digit is vote + 1 (abstain is 0) and the base is the number of outcomes. The columns of a *group* make one code below TABLE_SIZE.
Nothing of size rows x functions x classes is ever made. All sums of a row run over groups in a fixed order: the answer for a row
does not depend on the rows around it, to the last bit.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from labeljob.votes import FloatArray, Votes

TABLE_SIZE = 4096
CHUNK_ROWS = 1 << 14
EXACT = float(1 << 53)  # integers up to here are exact in float64

Codes: TypeAlias = npt.NDArray[np.uint16]


@dataclass(frozen=True)
class PackedVotes:
    """Codes of each group.

    Attributes:
        codes: uint16 [n_groups, n_rows].
        outcomes: number of outcomes of a function: abstain and the classes.
        groups: column slices, in order.
    """

    codes: Codes
    outcomes: int
    groups: tuple[slice, ...]


def split_columns(columns: int, base: int, limit: float) -> tuple[slice, ...]:
    """Consecutive column slices of equal width such that base ** width <= limit (width at least 1)."""
    width = 1
    while width < columns and float(base) ** (width + 1) <= limit:
        width += 1
    return tuple(slice(start, min(start + width, columns)) for start in range(0, columns, width))


def place_values(columns: int, base: int, groups: tuple[slice, ...]) -> FloatArray:
    """float64 [n_columns, n_groups] such that digits @ place_values are the codes; the first column weighs most."""
    values = np.zeros((columns, len(groups)))
    for index, group in enumerate(groups):
        width = group.stop - group.start
        values[group, index] = float(base) ** np.arange(width - 1, -1, -1)
    return values


def pack(votes: Votes, outcomes: int) -> PackedVotes:
    """Codes of `votes` (int8 [n_rows, n_functions], each vote < outcomes - 1) for table look-ups."""
    rows, columns = votes.shape
    groups = split_columns(columns, outcomes, TABLE_SIZE)
    values = place_values(columns, outcomes, groups).astype(np.float32)  # codes < 2 ** 24: exact
    codes = np.empty((len(groups), rows), dtype=np.uint16)
    for start in range(0, rows, CHUNK_ROWS):
        digits = votes[start : start + CHUNK_ROWS].astype(np.float32) + np.float32(1)
        codes[:, start : start + CHUNK_ROWS] = (digits @ values).T
    return PackedVotes(codes, outcomes, groups)


def sum_tables(packed: PackedVotes, log_weights: FloatArray) -> FloatArray:
    """Sum over functions of the log weight of each row's outcome.

    Args:
        packed: n_rows rows of n_functions functions.
        log_weights: float64 [n_functions, n_outcomes, n_classes], in nats.
    Returns:
        float64 [n_classes, n_rows].
    """
    classes = log_weights.shape[2]
    total = np.zeros((classes, packed.codes.shape[1]))
    for codes, group in zip(packed.codes, packed.groups, strict=True):
        table = _outer_sum(log_weights[group])
        for k in range(classes):
            total[k] += table[k].take(codes)
    return total


def _outer_sum(weights: FloatArray) -> FloatArray:
    """float64 [n_classes, n_outcomes ** width]: the sum of one outcome of each of the group's functions."""
    classes = weights.shape[2]
    table = np.zeros((classes, 1))
    for column in weights:
        table = (table[:, :, None] + column.T[:, None, :]).reshape(classes, -1)
    return table


def outcome_counts(packed: PackedVotes, row_weights: FloatArray) -> FloatArray:
    """Weighted histogram of every function's outcomes.

    Args:
        packed: n_rows rows of n_functions functions.
        row_weights: float64 [n_classes, n_rows], expected rows of each class.
    Returns:
        float64 [n_functions, n_outcomes, n_classes].
    """
    outcomes, columns = packed.outcomes, packed.groups[-1].stop
    counts = np.empty((columns, outcomes, row_weights.shape[0]))
    for codes, group in zip(packed.codes, packed.groups, strict=True):
        width = group.stop - group.start
        for k, weights in enumerate(row_weights):
            histogram = np.bincount(codes, weights=weights, minlength=outcomes**width).reshape((outcomes,) * width)
            for axis in range(width):
                others = tuple(other for other in range(width) if other != axis)
                counts[group.start + axis, :, k] = histogram.sum(axis=others)
    return counts
