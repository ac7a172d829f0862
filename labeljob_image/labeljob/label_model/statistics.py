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

from labeljob.label_model.patterns import distinct
from labeljob.votes import ABSTAIN, IntArray, Votes, VotesError, validate_votes


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
    return distinct_patterns(votes)


def merge(a: VoteStatistics, b: VoteStatistics) -> VoteStatistics:
    """The statistics of the rows of both. VotesError when the numbers of functions differ."""
    if a.functions != b.functions:
        raise VotesError(f"statistics of {a.functions} and of {b.functions} labeling functions cannot be merged")
    return distinct_patterns(np.concatenate([a.patterns, b.patterns]), np.concatenate([a.counts, b.counts]))


def merge_all(parts: Iterable[VoteStatistics], functions: int) -> VoteStatistics:
    """`merge` over any number of parts."""
    return reduce(merge, parts, empty(functions))


def distinct_patterns(votes: Votes, weights: IntArray | None = None) -> VoteStatistics:
    """Distinct rows of `votes` with the sum of their weights, in canonical order."""
    return VoteStatistics(*distinct(votes, int(votes.max(initial=ABSTAIN)) + 2, weights))
