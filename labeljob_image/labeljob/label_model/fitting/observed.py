"""Distinct rows as EM reads them: by packed codes where functions vote often, by the votes alone where they seldom do.

Both give the same two sums: `log_sums`, of every row's outcomes, and `outcome_counts`, of every function's. A sum runs in a fixed order, so
equal votes give equal bits, on any number of threads.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from labeljob.label_model.statistics import histograms
from labeljob.label_model.statistics.packing import PackedVotes, sum_tables
from labeljob.label_model.statistics.vote_codes import layout_of
from labeljob.label_model.statistics.vote_statistics import VoteStatistics, weighted_patterns
from labeljob.votes import ABSTAIN, FloatArray, IntArray, Votes

SELDOM = 1.0  # votes for each look-up of a row, below which the votes alone are quicker


@dataclass(frozen=True)
class Observed:
    """Patterns and their numbers of rows.

    Attributes:
        patterns: int8 [n_patterns, n_functions]. counts: float64 [n_patterns].
        covered: float64 [n_patterns], counts of the rows that somebody votes on or whose class is known, else 0.
        vote_rates: float64 [n_functions], share of rows a function votes on. shares: float64 [n_classes], of all votes, all positive.
        packed: the patterns in codes.
        known: int64 [n_patterns], the class of the pattern's rows, or -1; None when no class is known.
    """

    patterns: Votes
    counts: FloatArray
    covered: FloatArray
    vote_rates: FloatArray
    shares: FloatArray
    packed: PackedVotes
    known: IntArray | None = None

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.shares)

    @cached_property
    def seldom(self) -> bool:
        """Whether votes are few enough to be added one by one."""
        units = layout_of(self.patterns.shape[1], 1 + self.classes).units
        return bool(np.count_nonzero(self.patterns != ABSTAIN) < SELDOM * units * self.patterns.shape[0])

    @cached_property
    def cast(self) -> tuple[IntArray, IntArray]:
        """(row, function * n_classes + class) of every vote, int64 each."""
        rows, functions = np.nonzero(self.patterns != ABSTAIN)
        return rows, functions * self.classes + self.patterns[rows, functions]

    def part(self, rows: slice) -> "Observed":
        """Some of the patterns."""
        known = None if self.known is None else self.known[rows]
        return replace(
            self, patterns=self.patterns[rows], counts=self.counts[rows], covered=self.covered[rows], packed=self.packed.take(rows), known=known
        )

    def log_sums(self, log_weights: FloatArray) -> FloatArray:
        """Sum of the log weights of each row's outcomes, float64 [n_states, n_patterns]; log_weights: float64 [n_functions, 1 + n_classes, n_states]."""
        if not self.seldom:
            return sum_tables(self.packed, log_weights)
        rows, places = self.cast
        silent = log_weights[:, 0, :]
        votes = (log_weights[:, 1:, :] - silent[:, None, :]).reshape(-1, log_weights.shape[2])
        total = np.empty((log_weights.shape[2], len(self.counts)))
        for state, base in enumerate(silent.sum(axis=0)):
            total[state] = np.bincount(rows, weights=votes[places, state], minlength=len(self.counts)) + base
        return total

    def outcome_counts(self, row_weights: FloatArray) -> FloatArray:
        """Weighted numbers of every function's outcomes, float64 [n_functions, 1 + n_classes, n_states]; row_weights: float64 [n_states, n_patterns]."""
        if not self.seldom:
            return histograms.outcome_counts(self.packed, row_weights)
        rows, places = self.cast
        functions = self.patterns.shape[1]
        counts = np.empty((functions, 1 + self.classes, len(row_weights)))
        for state, weights in enumerate(row_weights):
            votes = np.bincount(places, weights=weights[rows], minlength=functions * self.classes).reshape(functions, self.classes)
            counts[:, 1:, state] = votes
            counts[:, 0, state] = weights.sum() - votes.sum(axis=1)
        return counts


def observe(statistics: VoteStatistics, vote_counts: Any) -> Observed:
    """What EM reads of statistics; vote_counts: float64 [n_functions, n_classes]."""
    rows, shares, known = weighted_patterns(statistics, 1 + vote_counts.shape[1]), vote_counts.sum(axis=0) + 1, statistics.known
    covered = rows.counts * (rows.packed.covered if known is None else rows.packed.covered | (known != ABSTAIN))
    return Observed(statistics.patterns, rows.counts, covered, vote_counts.sum(axis=1) / rows.counts.sum(), shares / shares.sum(), rows.packed, known)
