"""The E step of a mixture whose hidden states are of classes, in bounded memory: what `mace`, `glad` and `subtypes` share.

Nothing of size states x patterns is ever held: patterns are read in chunks, and of each chunk only sums are kept.
"""

from collections.abc import Callable
from functools import cached_property

import numpy as np

from labeljob.label_model.em.expectation import Expectation, Expected
from labeljob.label_model.em.known_rows import clamp
from labeljob.label_model.fitting.observed import Observed
from labeljob.label_model.statistics.weighted_votes import weigh
from labeljob.votes import FloatArray, IntArray

CELLS = 1 << 17  # states x patterns of a chunk


class StateExpectation:
    """E steps for states of the classes `of_state`, int64 [n_states]; a pattern weighs `rows`, float64 [n_patterns]."""

    def __init__(self, observed: Observed, rows: FloatArray, of_state: IntArray) -> None:
        self.observed, self.rows, self.of_state = observed, rows, of_state
        self.total = float(rows.sum())

    @cached_property
    def _quick(self) -> Expectation | None:
        """Where every class is hidden, and votes are not so few that they are quicker added one by one."""
        observed = self.observed
        return None if observed.known is not None or observed.seldom else Expectation(weigh(observed.packed, self.rows), len(self.of_state))

    @cached_property
    def _parts(self) -> list[tuple[slice, Observed]]:
        patterns, size = len(self.rows), max(CELLS // len(self.of_state), 1)
        return [(slice(start, start + size), self.observed.part(slice(start, start + size))) for start in range(0, patterns, size)]

    def of(self, log_prior: FloatArray, log_weights: FloatArray) -> tuple[Expected, float]:
        """Expected rows of each state and outcome, and the log likelihood of all rows in nats; arguments as of `Expectation.of`."""
        if self._quick is not None:
            return self._quick.of(log_prior, log_weights)
        found, likelihood = self._nothing(), 0.0
        for part, among in self._parts:
            states, evidence = self._posterior(among, log_prior, log_weights)
            likelihood += float(evidence @ self.rows[part])
            found = _added(found, among, states * self.rows[part])
        return found, likelihood

    def of_states(self, posterior: Callable[[slice], FloatArray]) -> Expected:
        """Expected rows under a given posterior of the states, float64 [n_states, n_patterns] of a slice of the patterns; known classes are taken in."""
        found = self._nothing()
        for part, among in self._parts:
            states, _ = clamp(posterior(part), self.rows[part], among.known, self.of_state, among.shares)
            found = _added(found, among, states * self.rows[part])
        return found

    def classes(self, log_prior: FloatArray, log_weights: FloatArray) -> FloatArray:
        """Posterior of the patterns' classes, float64 [n_classes, n_patterns]."""
        found = np.zeros((self.observed.classes, len(self.rows)))
        for part, among in self._parts:
            states, _ = self._posterior(among, log_prior, log_weights)
            for of_state, k in zip(states, self.of_state, strict=True):
                found[k, part] += of_state
        return found

    def _nothing(self) -> Expected:
        functions, states = self.observed.patterns.shape[1], len(self.of_state)
        return Expected(np.zeros((functions, 1 + self.observed.classes, states)), np.zeros(states))

    def _posterior(self, among: Observed, log_prior: FloatArray, log_weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(posterior of the states float64 [n_states, n_patterns], log p(row) and its known class float64 [n_patterns])."""
        joint = among.log_sums(log_weights) + log_prior[:, None]
        top = joint.max(axis=0)
        scaled = np.exp(joint - top)
        total = scaled.sum(axis=0)
        return clamp(scaled / total, top + np.log(total), among.known, self.of_state, among.shares)


def _added(found: Expected, among: Observed, weights: FloatArray) -> Expected:
    return Expected(found.outcomes + among.outcome_counts(weights), found.rows + weights.sum(axis=1))
