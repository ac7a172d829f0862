"""The E step of a mixture over the same vote patterns again and again: in chunks that stay in the cache, in buffers that are made once."""

from dataclasses import dataclass

import numpy as np

from labeljob.label_model.packing import RowSums, WeightedVotes, add_histograms, by_function, empty_histograms
from labeljob.label_model.posteriors import LARGEST_LOG_ODDS
from labeljob.label_model.vote_codes import chunk_rows
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
        packed = rows.packed
        self.rows, self.states = rows, states
        self.chunk = max(min(chunk_rows(packed.layout.columns, states), packed.rows), 1)
        self.sums = RowSums(packed.layout, 1 if states == 2 else states, self.chunk, joint=packed.joint and states == 2)
        self.weights = np.empty((states, self.chunk))
        self.spare = np.empty(self.chunk)

    def of(self, log_prior: FloatArray, log_weights: FloatArray) -> tuple[Expected, float]:
        """Expected rows of each state, and the log likelihood of all rows in nats.

        Args:
            log_prior: float64 [n_states]; log_weights: float64 [n_functions, n_outcomes, n_states], log likelihoods.
        """
        two = self.states == 2
        self.sums.load(log_weights[:, :, :1] - log_weights[:, :, 1:] if two else log_weights)
        histograms = empty_histograms(self.rows.packed, self.states - 1)
        later, likelihood = np.zeros(self.states - 1), 0.0
        for start in range(0, self.rows.packed.rows, self.chunk):
            part = slice(start, start + self.chunk)
            weights, more = self._two(part, log_prior) if two else self._many(part, log_prior)
            likelihood += more
            later += weights.sum(axis=1)
            add_histograms(self.rows.packed, part, weights, histograms)
        if two:
            likelihood += float((self.rows.outcomes * log_weights[:, :, 0]).sum()) + self.rows.total * float(log_prior[0])
        return self._expected(later, by_function(self.rows.packed, histograms)), likelihood

    def _two(self, part: slice, log_prior: FloatArray) -> tuple[FloatArray, float]:
        """Of two states only the log-odds y of the first matter: p(row) = p(row, first state) (1 + e^-y); all but the first factor here."""
        counts = self.rows.counts[part]
        odds = self.sums.of(self.rows.packed.codes[:, part])[0]
        odds += log_prior[0] - log_prior[1]
        if max(-odds.min(initial=0), odds.max(initial=0)) > LARGEST_LOG_ODDS:
            np.clip(odds, -LARGEST_LOG_ODDS, LARGEST_LOG_ODDS, out=odds)
        likelihood = -float(counts @ odds)  # log(1 + e^-y) = log(1 + e^y) - y
        ratio = np.exp(odds, out=odds)
        ratio += 1.0
        weights = np.divide(counts, ratio, out=self.weights[1, : len(counts)])
        return weights[None], likelihood + float(counts @ np.log(ratio, out=ratio))

    def _many(self, part: slice, log_prior: FloatArray) -> tuple[FloatArray, float]:
        counts = self.rows.counts[part]
        joint, total = self.weights[:, : len(counts)], self.spare[: len(counts)]
        np.add(self.sums.of(self.rows.packed.codes[:, part])[0].T, log_prior[:, None], out=joint)
        top = joint.max(axis=0)
        joint -= top
        np.exp(joint, out=joint)
        joint.sum(axis=0, out=total)
        joint *= counts / total
        return joint[1:], float(counts @ top) + float(counts @ np.log(total, out=total))

    def _expected(self, later: FloatArray, of_later: FloatArray) -> Expected:
        """What is in none of the later states is in the first."""
        first = np.maximum(self.rows.outcomes - of_later.sum(axis=2), 0.0)
        return Expected(np.concatenate([first[:, :, None], of_later], axis=2), np.append(max(self.rows.total - later.sum(), 0.0), later))

