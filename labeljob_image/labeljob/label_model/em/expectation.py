"""The E step of a mixture over the same vote patterns again and again: in chunks that stay in the cache, in buffers that are made once.

    log weights -> tables, one value (or one a state) for each number of a bin -> look-ups, added or multiplied -> histograms of posteriors

With more than two states likelihoods are multiplied as they are, each table scaled so that its largest is 1, as long as no row can underflow;
else they are added as logarithms.
"""

from dataclasses import dataclass

import numpy as np

from labeljob.label_model.posteriors import normalised
from labeljob.label_model.statistics.histograms import add_histograms, by_function, empty_histograms
from labeljob.label_model.statistics.packing import (
    BYTE,
    LARGEST_LOG_ODDS,
    PackedVotes,
    RowSums,
    bin_tables,
    exponentiate,
    scaled_likelihoods,
    sum_tables,
    tables_of_bins,
    unit_sums,
)
from labeljob.label_model.statistics.vote_codes import chunk_rows
from labeljob.label_model.statistics.weighted_votes import WeightedVotes
from labeljob.votes import FloatArray


@dataclass(frozen=True)
class Expected:
    """What the M step needs of the rows.

    Attributes:
        outcomes: float64 [n_functions, n_outcomes, n_states], expected rows of each outcome and state. rows: float64 [n_states].
    """

    outcomes: FloatArray
    rows: FloatArray


class Expectation:
    """E steps over `rows` for a mixture of `states`."""

    def __init__(self, rows: WeightedVotes, states: int) -> None:
        packed, layout = rows.packed, rows.packed.layout
        self.rows, self.states, self.bins = rows, states, rows.packed.bins
        self.chunk = max(min(chunk_rows(layout.columns, states), packed.rows), 1)
        shape = (self.chunk,) if states == 2 else (self.chunk, states)
        self.total, self.value = np.empty(shape), np.empty(shape)
        self.weights, self.spare = np.empty((states, self.chunk)), np.empty(self.chunk)
        self.both = np.zeros((layout.units // 2, layout.size, BYTE)) if packed.joint else np.empty(0)

    def of(self, log_prior: FloatArray, log_weights: FloatArray) -> tuple[Expected, float]:
        """Expected rows of each state, and the log likelihood of all rows in nats.

        Args:
            log_prior: float64 [n_states]; log_weights: float64 [n_functions, n_outcomes, n_states], log likelihoods.
        """
        two = self.states == 2
        likelihood = self._load_two(log_prior, log_weights) if two else self._load_many(log_prior, log_weights)
        histograms = empty_histograms(self.rows.packed, self.states - 1)
        for start in range(0, self.rows.packed.rows, self.chunk):
            part = slice(start, start + self.chunk)
            weights, more = self._two(part) if two else self._many(part) if self.tables else self._many_logs(part, log_prior)
            likelihood += more
            add_histograms(self.rows.packed, part, weights, histograms)
        return expected_of(self.rows, histograms[0].sum(axis=1), by_function(self.rows.packed, histograms)), likelihood

    def _load_two(self, log_prior: FloatArray, log_weights: FloatArray) -> float:
        """Of two states only the log-odds y of the first matter: p(row) = p(row, second state) (1 + e^y). The first factor's log, of all rows."""
        units = unit_sums(log_weights[:, :, :1] - log_weights[:, :, 1:], self.rows.packed.layout)[:, :, 0]
        units[0] += log_prior[0] - log_prior[1]
        self.combine = np.multiply if exponentiate(units) else np.add
        self.tables = tables_of_bins(self.rows.packed, units, self.both, self.combine)
        return float(np.vdot(self.rows.outcomes, log_weights[:, :, 1])) + self.rows.total * float(log_prior[1])

    def _load_many(self, log_prior: FloatArray, log_weights: FloatArray) -> float:
        """Tables of likelihoods, scaled; the log of the scale is returned, of all rows. None where they might underflow."""
        packed, self.tables = self.rows.packed, list[FloatArray]()
        scaled = None if packed.joint else scaled_likelihoods(unit_sums(log_weights, packed.layout), log_prior)
        if scaled is not None:
            self.tables = list(scaled[0])
            return self.rows.total * scaled[1]
        self.sums = RowSums(packed.layout, self.states, self.chunk, joint=False).load(log_weights)
        return 0.0

    def _two(self, part: slice) -> tuple[FloatArray, float]:
        counts = self.rows.counts[part]
        ratio, value = self.total[: len(counts)], self.value[: len(counts)]
        self.tables[0].take(self.bins[0][part], out=ratio, mode="clip")  # in range by construction: `clip` only leaves out the check
        for bins, table in zip(self.bins[1:], self.tables[1:], strict=True):
            self.combine(ratio, table.take(bins[part], out=value, mode="clip"), out=ratio)
        if self.combine is np.add:
            np.clip(ratio, -LARGEST_LOG_ODDS, LARGEST_LOG_ODDS, out=ratio)
            np.exp(ratio, out=ratio)
        ratio += 1.0
        weights = np.divide(counts, ratio, out=self.weights[1, : len(counts)])
        return weights[None], float(counts @ np.log(ratio, out=ratio))

    def _many(self, part: slice) -> tuple[FloatArray, float]:
        counts = self.rows.counts[part]
        rows, value = self.total[: len(counts)], self.value[: len(counts)]
        self.tables[0].take(self.bins[0][part], axis=0, out=rows, mode="clip")
        for bins, table in zip(self.bins[1:], self.tables[1:], strict=True):
            rows *= table.take(bins[part], axis=0, out=value, mode="clip")
        joint, total = self.weights[:, : len(counts)], self.spare[: len(counts)]
        joint[:] = rows.T
        joint.sum(axis=0, out=total)
        later = joint[1:]
        later *= counts / total
        return later, float(counts @ np.log(total, out=total))

    def _many_logs(self, part: slice, log_prior: FloatArray) -> tuple[FloatArray, float]:
        counts = self.rows.counts[part]
        joint, total = self.weights[:, : len(counts)], self.spare[: len(counts)]
        np.add(self.sums.of(self.rows.packed.codes[:, part])[0].T, log_prior[:, None], out=joint)
        top = joint.max(axis=0)
        joint -= top
        np.exp(joint, out=joint)
        joint.sum(axis=0, out=total)
        joint *= counts / total
        return joint[1:], float(counts @ top) + float(counts @ np.log(total, out=total))


def expected_of(rows: WeightedVotes, later: FloatArray, of_later: FloatArray) -> Expected:
    """What is in none of the later states is in the first.

    Args:
        later: float64 [n_states - 1]; of_later: float64 [n_functions, n_outcomes, n_states - 1].
    """
    outcomes, every = np.empty((*of_later.shape[:2], 1 + len(later))), np.empty(1 + len(later))
    outcomes[:, :, 1:], every[1:] = of_later, later
    np.maximum(rows.outcomes - (of_later[:, :, 0] if len(later) == 1 else of_later.sum(axis=2)), 0.0, out=outcomes[:, :, 0])
    every[0] = max(rows.total - float(later.sum()), 0.0)
    return Expected(outcomes, every)


def class_posterior(packed: PackedVotes, log_prior: FloatArray, log_weights: FloatArray) -> FloatArray:
    """Posterior of every pattern once EM has ended, float64 [n_states, n_rows]; arguments as of `Expectation.of`."""
    if len(log_prior) != 2:
        return normalised(sum_tables(packed, log_weights) + log_prior[:, None])
    tables = bin_tables(packed, log_weights[:, :, :1] - log_weights[:, :, 1:])
    odds = tables[0].take(packed.bins[0])
    for bins, table in zip(packed.bins[1:], tables[1:], strict=True):
        odds += table.take(bins)
    posterior = np.empty((2, packed.rows))
    odds += log_prior[0] - log_prior[1]
    np.clip(odds, -LARGEST_LOG_ODDS, LARGEST_LOG_ODDS, out=odds)
    np.divide(1.0, np.exp(odds, out=odds) + 1.0, out=posterior[1])
    np.multiply(odds, posterior[1], out=posterior[0])
    return posterior
