"""`VoteStatistics`: all that a fit needs to know of a label matrix, small and mergeable.

    shard 0: L0 -> from_votes --.
    shard 1: L1 -> from_votes ---+-- merge (associative, commutative, identity `empty`) --> fit
    shard 2: L2 -> from_votes --'

The statistics are the distinct vote patterns with their numbers of rows, in lexicographic order: the same for any order of the rows
and any sharding. Memory grows with distinct patterns, not rows. When patterns exceed a memory budget, a second form (co-vote counts
and a sample of rows) takes their place behind the same two functions; `distinct_patterns` is the one place that has to know.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from labeljob.label_model.packing import CHUNK_ROWS, EXACT, place_values, split_columns
from labeljob.votes import ABSTAIN, FloatArray, IntArray, Votes, VotesError, validate_votes

DENSE_CODES = 1 << 20  # below this many possible patterns, count them in a table instead of sorting


@dataclass(frozen=True, eq=False)
class VoteStatistics:
    """Distinct vote patterns and their numbers of rows.

    Attributes:
        patterns: int8 [n_patterns, n_functions] (int16 above 127 classes), lexicographically ascending, no duplicates.
        counts: int64 [n_patterns], each at least 1.
    """

    patterns: Votes
    counts: IntArray

    @property
    def rows(self) -> int:
        """Number of rows of the label matrix."""
        return int(self.counts.sum())

    @property
    def functions(self) -> int:
        """Number of labeling functions."""
        return int(self.patterns.shape[1])

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, VoteStatistics)
            and np.array_equal(self.patterns, other.patterns)
            and np.array_equal(self.counts, other.counts)
        )

    __hash__ = None  # type: ignore[assignment]


def empty(functions: int) -> VoteStatistics:
    """The statistics of no rows: the identity of `merge`."""
    return VoteStatistics(np.empty((0, functions), dtype=np.int8), np.empty(0, dtype=np.int64))


def from_votes(L: Any, cardinality: int | None = None) -> VoteStatistics:
    """The statistics of a label matrix; see `validate_votes` for what it accepts and raises."""
    votes = validate_votes(L, cardinality)
    return distinct_patterns(votes, np.ones(votes.shape[0], dtype=np.int64))


def merge(a: VoteStatistics, b: VoteStatistics) -> VoteStatistics:
    """The statistics of the rows of both. VotesError when the numbers of functions differ."""
    if a.functions != b.functions:
        raise VotesError(f"statistics of {a.functions} and of {b.functions} labeling functions cannot be merged")
    return distinct_patterns(np.concatenate([a.patterns, b.patterns]), np.concatenate([a.counts, b.counts]))


def merge_all(parts: Iterable[VoteStatistics], functions: int) -> VoteStatistics:
    """`merge` over any number of parts."""
    return reduce(merge, parts, empty(functions))


def distinct_patterns(votes: Votes, weights: IntArray) -> VoteStatistics:
    """Distinct rows of `votes` with the sum of their weights, in canonical order."""
    if votes.shape[0] == 0:
        return VoteStatistics(votes, weights)
    base = int(votes.max()) + 2
    words = split_columns(votes.shape[1], base, EXACT)
    codes = _codes(votes, base, words)
    if len(words) == 1 and base ** votes.shape[1] <= DENSE_CODES:
        return _count_dense(codes[0].astype(np.int64), base, votes, weights)
    return _count_sorted(codes, votes, weights)


def _codes(votes: Votes, base: int, words: tuple[slice, ...]) -> FloatArray:
    """float64 [n_words, n_rows], exact whole numbers that sort as the rows do."""
    values = place_values(votes.shape[1], base, words)
    codes = np.empty((len(words), votes.shape[0]))
    for start in range(0, votes.shape[0], CHUNK_ROWS):
        digits = votes[start : start + CHUNK_ROWS].astype(np.float64) - ABSTAIN
        codes[:, start : start + CHUNK_ROWS] = (digits @ values).T
    return codes


def _count_dense(codes: IntArray, base: int, votes: Votes, weights: IntArray) -> VoteStatistics:
    columns = votes.shape[1]
    totals = np.bincount(codes, weights=weights, minlength=1)  # float64: exact below 2 ** 53 rows
    present = np.flatnonzero(totals)
    digits = present[:, None] // base ** np.arange(columns - 1, -1, -1) % base
    return VoteStatistics((digits + ABSTAIN).astype(votes.dtype), totals[present].astype(np.int64))


def _count_sorted(codes: FloatArray, votes: Votes, weights: IntArray) -> VoteStatistics:
    order = np.argsort(codes[0]) if len(codes) == 1 else np.lexsort(codes[::-1])
    changed = np.zeros(len(order), dtype=bool)
    changed[0] = True
    for word in codes:
        ordered = word[order]
        changed[1:] |= ordered[1:] != ordered[:-1]
    starts = np.flatnonzero(changed)
    return VoteStatistics(votes[order[starts]], np.add.reduceat(weights[order], starts))
