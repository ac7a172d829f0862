"""The E step of two states where most possible rows occur: on the grid of all of them, whose sums need neither look-ups nor histograms.

A row's log-odds are a sum of one value for each unit (see `vote_codes`), so that those of all possible rows are an outer sum; and how often a
unit's number occurs is a sum over the axes of the other units.
"""

import numpy as np

from labeljob.label_model.em.expectation import Expected, expected_of
from labeljob.label_model.statistics.histograms import by_unit
from labeljob.label_model.statistics.packing import BYTE, LARGEST_LOG_ODDS, PackedVotes, unit_sums
from labeljob.label_model.statistics.weighted_votes import WeightedVotes
from labeljob.votes import FloatArray

SHARE = 4  # times the patterns above the possible ones, the grid is quicker


def is_dense(packed: PackedVotes, states: int) -> bool:
    """Whether the grid is the quicker way."""
    return states == 2 and 0 < packed.layout.numbers <= SHARE * packed.rows


class GridExpectation:
    """As `expectation.Expectation`, of two states."""

    def __init__(self, rows: WeightedVotes) -> None:
        packed, layout = rows.packed, rows.packed.layout
        self.rows = rows
        self.strides = [layout.outcomes ** max((unit + 1) * layout.width - layout.columns, 0) for unit in range(layout.units)]  # columns beyond the last are 0
        self.shape = tuple(layout.size // stride for stride in self.strides)
        units = packed.codes
        if layout.paired:
            units = np.stack([packed.codes & (BYTE - 1), packed.codes >> 8], axis=1).reshape(-1, packed.rows)[: layout.units]
        numbers = np.zeros(packed.rows, dtype=np.intp)
        for unit, stride, size in zip(units, self.strides, self.shape, strict=True):
            numbers *= size
            numbers += unit // stride
        self.counts = np.bincount(numbers, rows.counts, layout.numbers)  # a pattern may come twice: of rows that are known, and of others
        self.odds, self.weights = np.empty(self.shape), np.empty(self.shape)

    def of(self, log_prior: FloatArray, log_weights: FloatArray) -> tuple[Expected, float]:
        """Expected rows of each state, and the log likelihood of all rows in nats; see `Expectation.of`."""
        layout = self.rows.packed.layout
        tables = unit_sums(log_weights[:, :, :1] - log_weights[:, :, 1:], layout)[:, :, 0]
        tables[0] += log_prior[0] - log_prior[1]
        parts = [table[::stride] for table, stride in zip(tables, self.strides, strict=True)]
        if sum(float(np.abs(part).max()) for part in parts) <= LARGEST_LOG_ODDS:
            ratio = self._outer(np.multiply, [np.exp(part) for part in parts])
        else:
            odds = self._outer(np.add, parts)
            ratio = np.exp(np.clip(odds, -LARGEST_LOG_ODDS, LARGEST_LOG_ODDS, out=odds), out=odds)
        ratio += 1.0
        weights = np.divide(self.counts, ratio, out=self.weights.reshape(-1))
        likelihood = float(self.counts @ np.log(ratio, out=ratio)) + float((self.rows.outcomes * log_weights[:, :, 1]).sum()) + self.rows.total * float(log_prior[1])
        units = np.zeros((layout.units, 1, layout.size))
        for unit, marginal in enumerate(self._marginals()):
            units[unit, 0, :: self.strides[unit]] = marginal
        return expected_of(self.rows, np.array([float(weights.sum())]), by_unit(layout, units)), likelihood

    def _outer(self, combine: np.ufunc, parts: list[FloatArray]) -> FloatArray:
        """Of all combinations of the parts' entries, float64 [n_numbers]; in a buffer."""
        rest = parts[0]
        for part in parts[1:-1]:
            rest = combine.outer(rest, part)
        if len(parts) == 1:
            np.copyto(self.odds, rest)
        else:
            combine.outer(rest, parts[-1], out=self.odds)
        return self.odds.reshape(-1)

    def _marginals(self) -> list[FloatArray]:
        """Expected rows of the second state for each number of each unit."""
        left, found = self.weights, list[FloatArray]()
        for _ in self.shape[1:]:
            found.append(left.reshape(len(left), -1).sum(axis=1))
            left = left.sum(axis=0)
        return [*found, left]
