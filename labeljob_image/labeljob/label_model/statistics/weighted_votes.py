"""Vote patterns with their numbers of rows, packed and counted once: what every fit reads."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from labeljob.label_model.statistics.histograms import outcome_counts
from labeljob.label_model.statistics.packing import PackedVotes, pack
from labeljob.votes import FloatArray, Votes

PART, MANY_PARTS = 2048, 8  # a part of the patterns has at least so many, and there is one where there are so many times as many


@dataclass(frozen=True, eq=False)
class WeightedVotes:
    """Packed patterns and how often each occurs.

    Attributes:
        packed: n_rows patterns. counts: float64 [n_rows]. outcomes: float64 [n_functions, n_outcomes], rows of each outcome.
    """

    packed: PackedVotes
    counts: FloatArray
    outcomes: FloatArray
    _spaced: "dict[int, WeightedVotes]" = field(default_factory=dict, repr=False)

    @cached_property
    def total(self) -> float:
        """Rows, with repetition."""
        return float(self.counts.sum())

    @cached_property
    def part(self) -> "WeightedVotes":
        """Evenly spaced rows that stand for all; all where they are few."""
        return self if self.packed.rows <= MANY_PARTS * PART else self.spaced(self.packed.rows // MANY_PARTS)

    def spaced(self, most: int) -> "WeightedVotes":
        """At most so many evenly spaced rows that stand for all, a repeated pattern as often as it falls on the grid; made once."""
        if self.packed.rows <= most:
            return self
        if most not in self._spaced:
            self._spaced[most] = self._on_grid(most)
        return self._spaced[most]

    def _on_grid(self, most: int) -> "WeightedVotes":
        grid = np.floor(np.cumsum(self.counts) * (most / self.total) + 0.5)
        hits = np.diff(grid, prepend=0.0)
        chosen = np.flatnonzero(hits)
        hits = hits[chosen]
        return self.take(chosen, hits * (self.total / hits.sum()))

    def covered(self) -> "WeightedVotes":
        """Without the rows nobody votes on: left out where they are many, of no weight where they are few."""
        covered = self.packed.covered
        missing = np.flatnonzero(~covered)
        if 10 * len(missing) > len(covered):
            return self.take(covered)
        if not len(missing):
            return self
        counts, outcomes = self.counts.copy(), self.outcomes.copy()
        outcomes[:, 0] -= counts[missing].sum()
        counts[missing] = 0.0
        return WeightedVotes(self.packed, counts, outcomes)

    def take(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.intp], counts: FloatArray | None = None) -> "WeightedVotes":
        """Some of the rows, with other counts (float64, of those rows) when given."""
        return weigh(self.packed.take(rows), self.counts[rows] if counts is None else counts)


def weigh(patterns: Votes | PackedVotes | WeightedVotes, counts: FloatArray, outcomes: int = 0) -> WeightedVotes:
    """Pack and count once what every fit reads; `outcomes` is that of votes that are not packed yet."""
    if isinstance(patterns, WeightedVotes):
        return patterns
    packed = patterns if isinstance(patterns, PackedVotes) else pack(patterns, outcomes)
    return WeightedVotes(packed, counts, outcome_counts(packed, counts[None])[:, :, 0])
