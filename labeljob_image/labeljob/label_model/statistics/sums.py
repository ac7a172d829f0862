"""Sums of weights of a row's votes for each class, from the votes that are there: for so many classes that tables of outcomes do not fit."""

from collections.abc import Iterator

import numpy as np

from labeljob.votes import ABSTAIN, FloatArray, IntArray, Votes

CELLS = 1 << 20  # votes, and rows x classes, of one part


def entries_of(votes: Votes, classes: int) -> Iterator[tuple[slice, IntArray, IntArray, IntArray]]:
    """(rows of a part; row in the part, function and class of every vote there: int64), rows and then functions ascending."""
    size = max(1, CELLS // max(votes.shape[1], classes))
    for start in range(0, votes.shape[0], size):
        part = slice(start, start + size)
        rows, columns = np.nonzero(votes[part] != ABSTAIN)
        yield part, rows, columns, votes[part][rows, columns].astype(np.int64)


def class_sums(votes: Votes, weights: FloatArray, classes: int) -> FloatArray:
    """Sum of the weights of the functions that vote for each class, float64 [n_rows, n_classes]; one row's does not depend on the others."""
    sums = np.empty((votes.shape[0], classes))
    for part, rows, columns, named in entries_of(votes, classes):
        here = sums[part]
        here[:] = np.bincount(rows * classes + named, weights=weights[columns], minlength=here.size).reshape(here.shape)
    return sums
