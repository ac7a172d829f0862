"""The likeliest classes of each row, and what is left for all others: for label sets too large to look at, or to hold, in full."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from labeljob.label_model.model import FittedLabelModel, posterior, votes_of
from labeljob.votes import FloatArray, IntArray

CELLS = 1 << 20  # probabilities held at a time


@dataclass(frozen=True)
class Top:
    """The k likeliest classes of each row.

    Attributes:
        classes: int64 [n_rows, k], likeliest first; of equal ones the smaller index.
        probabilities: float64 [n_rows, k], theirs.
        remainder: float64 [n_rows], of all other classes together; a row of `probabilities` and its remainder sum to 1.
    """

    classes: IntArray
    probabilities: FloatArray
    remainder: FloatArray


def posterior_top(model: FittedLabelModel, L: Any, k: int) -> Top:
    """As `posterior`, but only the k likeliest classes; memory grows with rows x k, not with rows x classes.

    Raises:
        ValueError: k is not from 1 to the number of classes. VotesError: as `posterior`.
    """
    if not 1 <= k <= model.cardinality:
        raise ValueError(f"k is {k}: the model has {model.cardinality} classes, so ask for 1 to {model.cardinality}")
    votes = votes_of(model, L)
    rows, size = votes.shape[0], max(1, CELLS // model.cardinality)
    top = Top(np.empty((rows, k), dtype=np.int64), np.empty((rows, k)), np.empty(rows))
    for start in range(0, rows, size):
        part = slice(start, start + size)
        P = posterior(model, votes[part])
        order = np.argsort(-P, axis=1, kind="stable")
        top.classes[part] = order[:, :k]
        top.probabilities[part] = np.take_along_axis(P, order[:, :k], axis=1)
        top.remainder[part] = np.take_along_axis(P, order[:, k:], axis=1).sum(axis=1)
    return top
