"""Votes that come in batches, reduced as they come."""

import numpy as np

from labeljob.label_model.statistics.hashing import Keys
from labeljob.label_model.statistics.sampling import Budget
from labeljob.label_model.statistics.vote_statistics import DEFAULT_BUDGET, VoteStatistics, empty, merge, reduce_votes
from labeljob.votes import Votes, validate_votes

BLOCK_ROWS = 1 << 16  # a merge costs about as much as so many rows


class VoteReducer:
    """The statistics of batches of rows with ids; it keeps at most BLOCK_ROWS rows and a batch beside the statistics."""

    def __init__(self, functions: int, cardinality: int, budget: Budget = DEFAULT_BUDGET) -> None:
        self._cardinality = cardinality
        self._statistics = empty(functions, budget)
        self._waiting: list[tuple[Votes, Keys]] = []

    def add(self, votes: Votes, ids: Keys) -> None:
        """Add votes, [n_rows, n_functions] as `validate_votes` takes, with the hashes of their ids, uint64 [n_rows]."""
        self._waiting.append((validate_votes(votes, self._cardinality), ids))
        if sum(len(part) for part, _ in self._waiting) >= BLOCK_ROWS:
            self._reduce()

    def statistics(self) -> VoteStatistics:
        """Of all rows so far."""
        self._reduce()
        return self._statistics

    def _reduce(self) -> None:
        if self._waiting:
            votes, ids = (np.concatenate(parts) for parts in zip(*self._waiting, strict=True))
            self._waiting = []
            self._statistics = merge(self._statistics, reduce_votes(votes, ids, self._statistics.budget))
