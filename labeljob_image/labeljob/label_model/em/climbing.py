"""EM on packed vote patterns for models whose hidden states are the classes: the loop that `dawid_skene` and `one_coin` share.

Many patterns are first fitted by a part of them, rounds are mixed (`acceleration`), and the penalised objective never falls.
"""

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np

from labeljob.label_model.em.acceleration import Anderson
from labeljob.label_model.em.expectation import Expectation, Expected
from labeljob.label_model.em.grid import GridExpectation, is_dense
from labeljob.label_model.statistics.packing import PackedVotes
from labeljob.label_model.statistics.weighted_votes import WeightedVotes, weigh
from labeljob.votes import FloatArray, Votes

PART_TOLERANCE = 1e-3  # nats a row at which a part of the patterns is fitted well enough to start from
ROUNDING = 1e-12  # relative: an objective that is lower by less is not lower


@dataclass(frozen=True)
class Parameters:
    """Log probabilities.

    Attributes:
        log_balance: float64 [n_classes].
        log_confusion: float64 [n_functions, 1 + n_classes, n_classes]: of outcome (0 is abstain) given class; 0 where abstain is missing.
    """

    log_balance: FloatArray
    log_confusion: FloatArray


P = TypeVar("P", bound=Parameters)


class Problem(Protocol[P]):
    """What EM is asked to solve. Its priors are fixed before EM starts."""

    @property
    def start(self) -> P:
        """First parameters."""

    def maximise(self, expected: Expected) -> P:
        """The M step: the most probable parameters given expected rows."""

    def log_density(self, parameters: P) -> float:
        """Of the prior, up to a constant, in nats."""

    def vector(self, parameters: P) -> FloatArray:
        """The parameters as free numbers, float64 [n], which may be mixed."""

    def parameters(self, vector: FloatArray) -> P:
        """Of any vector; what is held or given as it was."""


@dataclass(frozen=True)
class EmResult(Generic[P]):
    """Where EM ended.

    Attributes:
        expected: rows of each class, and of each outcome, at the last E step that was kept, of those whose class is not known; None when none was.
        iterations: E steps. trace: the penalised log likelihood in nats at those that were kept; it never falls.
    """

    parameters: P
    expected: Expected | None
    iterations: int
    converged: bool
    trace: tuple[float, ...]

    @property
    def rows(self) -> FloatArray:
        """Expected rows of each class, float64 [n_classes]."""
        return np.zeros(0) if self.expected is None else self.expected.rows


def run_em(
    patterns: Votes | PackedVotes | WeightedVotes,
    counts: FloatArray,
    problem: Problem[P],
    max_iterations: int,
    tolerance: float,
    part: WeightedVotes | None = None,
    known: Expected | None = None,
) -> EmResult[P]:
    """EM until a further round is expected to raise the objective by at most `tolerance` nats a row (`next_rise`), or `max_iterations`; with 0 it takes them all.

    Many patterns are first fitted by a part of them, to start near the end; what is reported is of the rounds over all. Inputs are not
    changed.

    Args:
        patterns: int8 [n_patterns, n_functions], or packed; counts: float64 [n_patterns]. part: of the patterns, when it is known.
        known: what further rows say whose class is known: a constant of every M step.
    """
    start = problem.start
    rows = weigh(patterns, counts, start.log_confusion.shape[1])
    part = rows if is_dense(rows.packed, len(start.log_balance)) else rows.part if part is None else part
    if part.packed.rows < rows.packed.rows:
        start = _climb(part, start, problem, max_iterations, max(tolerance, PART_TOLERANCE), known).parameters
    return _climb(rows, start, problem, max_iterations, tolerance, known)


def _climb(rows: WeightedVotes, start: P, problem: Problem[P], max_iterations: int, tolerance: float, known: Expected | None) -> EmResult[P]:
    """Rounds of EM, mixed with earlier ones (`acceleration`); a mixture that lowers the objective is dropped for the plain step."""
    here, plain, mixer, found = start, None, Anderson(), None
    vector, density = problem.vector(here), problem.log_density(here)
    trace, converged, iterations, rise = list[float](), False, 0, 0.0
    states, least = len(start.log_balance), tolerance * (rows.total + (0.0 if known is None else float(known.rows.sum())))
    expectation = GridExpectation(rows) if is_dense(rows.packed, states) else Expectation(rows, states)
    while not converged and iterations < max_iterations:
        iterations += 1
        among, likelihood = expectation.of(here.log_balance, here.log_confusion)
        expected = among
        if known is not None:
            expected = Expected(among.outcomes + known.outcomes, among.rows + known.rows)
            likelihood += log_likelihood_of_known(here, known)
        if plain is not None and likelihood + density < trace[-1] - ROUNDING * abs(trace[-1]):
            here, plain = plain, None
            vector, density = problem.vector(here), problem.log_density(here)
            mixer.forget()
            continue
        step, found = problem.maximise(expected), among
        of_step = problem.log_density(step)
        rise, before = expected_rise(here, step, expected) + of_step - density, rise
        converged = tolerance > 0 and next_rise(rise, before) <= least
        trace.append(likelihood + density)
        here, plain, density = step, None, of_step
        if not converged:
            after = problem.vector(step)
            mixed = mixer.propose(vector, after)
            vector = after
            if mixed is not None:
                here, plain = problem.parameters(mixed), step
                vector, density = problem.vector(here), problem.log_density(here)
    return EmResult(plain or here, found, iterations, converged, tuple(trace))


def next_rise(rise: float, before: float) -> float:
    """What a further round can be expected to raise the objective by, in nats, after rounds that raised it by `before` and by `rise`.

    Rises fall geometrically, first faster than later: the next one is taken to fall by the square root of the last fall.
    """
    return rise * min(rise / before, 1.0) ** 0.5 if rise > 0 and before > 0 else rise


def log_likelihood_of_known(parameters: Parameters, known: Expected) -> float:
    """log p(class, row) in nats of rows whose class is known, summed."""
    return float((known.outcomes * parameters.log_confusion).sum()) + float(known.rows @ parameters.log_balance)


def expected_rise(here: Parameters, step: Parameters, expected: Expected) -> float:
    """By how much the M step raises the expected log likelihood, in nats."""
    rise = float(np.vdot(expected.outcomes, step.log_confusion - here.log_confusion))
    return rise + float(expected.rows @ (step.log_balance - here.log_balance))
