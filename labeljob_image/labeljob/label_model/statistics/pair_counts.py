"""How often two functions vote on the same row, and agree: the second-order counts of a label matrix, exact and in bounded memory."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labeljob.votes import ABSTAIN, IntArray, Votes

BLOCK_BYTES = 1 << 22  # of the indicators of a block of rows
EXACT = 1 << 24  # whole numbers below are exact in float32


@dataclass(frozen=True, eq=False)
class PairCounts:
    """Rows on which two functions do something.

    Attributes:
        both: int64 [n_functions, n_functions], both vote. agree: both vote, and the same.
        by_class: int64 [n_functions, n_classes, n_functions, n_classes], the one votes this class and the other that; None where so many
            numbers do not fit the budget.
    """

    both: IntArray
    agree: IntArray
    by_class: IntArray | None

    @property
    def nbytes(self) -> int:
        """Bytes of all counts."""
        return self.both.nbytes + self.agree.nbytes + (0 if self.by_class is None else self.by_class.nbytes)


def fits_by_class(functions: int, classes: int, most_bytes: int) -> bool:
    """Whether counts by class stay within `most_bytes`."""
    return 8 * (functions * classes) ** 2 + 16 * functions**2 <= most_bytes


def count_pairs(votes: Votes, weights: IntArray, classes: int, most_bytes: int) -> PairCounts | None:
    """The pair counts of rows; None where not even `both` and `agree` fit `most_bytes`.

    Args:
        votes: int8 or int16 [n_rows, n_functions], below `classes`; weights: int64 [n_rows].
    """
    functions = votes.shape[1]
    if 16 * functions**2 > most_bytes:
        return None
    if fits_by_class(functions, classes, most_bytes):
        named = np.arange(classes, dtype=votes.dtype)
        flat = _products(votes, weights, lambda block: (block[:, :, None] == named).reshape(len(block), functions * classes))
        by_class = flat.reshape(functions, classes, functions, classes)
        return PairCounts(by_class.sum(axis=(1, 3)), np.einsum("ikjk->ij", by_class), by_class)
    both = _products(votes, weights, lambda block: block != ABSTAIN)
    agree = np.zeros_like(both)
    for k in range(classes):
        agree += _products(votes, weights, lambda block, k=k: block == k)  # type: ignore[misc]
    return PairCounts(both, agree, None)


def _products(votes: Votes, weights: IntArray, indicators: Callable[[Votes], npt.NDArray[np.bool_]]) -> IntArray:
    """Weighted sums of products of `indicators` (bool [n_rows, n] of a block of rows), int64 [n, n]."""
    n = indicators(votes[:0]).shape[1]
    total = np.zeros((n, n), dtype=np.int64)
    rows = max(BLOCK_BYTES // (4 * n), 1)
    for start in range(0, len(votes), rows):
        times = weights[start : start + rows]
        kind: Any = np.float32 if times.sum() < EXACT else np.float64
        block = indicators(votes[start : start + rows]).astype(kind)
        total += (block.T @ (block * times.astype(kind)[:, None])).astype(np.int64)
    return total


def add_pairs(a: PairCounts | None, b: PairCounts | None, classes: int, most_bytes: int) -> PairCounts | None:
    """The pair counts of the rows of both, for `classes` classes: at least as many as either has."""
    if a is None or b is None:
        return None
    both, agree, functions = a.both + b.both, a.agree + b.agree, len(a.both)
    if a.by_class is None or b.by_class is None or not fits_by_class(functions, classes, most_bytes):
        return PairCounts(both, agree, None)
    by_class = np.zeros((functions, classes, functions, classes), dtype=np.int64)
    for part in (a.by_class, b.by_class):
        by_class[:, : part.shape[1], :, : part.shape[1]] += part
    return PairCounts(both, agree, by_class)
