"""Levels: some rows set off more rules than others, whatever their class, and each class is a mixture of such levels of firing.

    p(row) = sum_k pi_k sum_h lambda_h|k prod_j p_j(outcome_j | k, h) ^ d_j        p_j(v | k, h) ~ a_j(v | k) b_j(v is a vote | h)

A latent-class model with a random effect: Qu, Tan & Kutner (1996), "Random effects models in latent class analysis for evaluating accuracy of
diagnostic tests", Biometrics 52, with a few support points in place of their normal density, and b_j free for each function. Long texts, say,
hold more of every keyword. A model without levels takes such rows for a class of their own, and its labels then have little to do with the votes.

The M step fits a and b by iterative proportional scaling (Darroch & Ratcliff 1972), which never lowers the likelihood; so the penalised objective
never falls. Pseudo-rows at the function's own rates, the odds of a right vote raised, keep every rate off 0 and tell classes from levels; they are
fixed before EM starts. Where an abstain is missing, a function's votes depend on the class alone.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from labeljob.label_model.algorithms.latent_class import FLOOR
from labeljob.label_model.em.expectation import Expected
from labeljob.label_model.em.hidden_states import HiddenStates, climb
from labeljob.label_model.em.mixture import Step
from labeljob.label_model.em.state_expectation import StateExpectation
from labeljob.label_model.fitting.observed import Observed
from labeljob.votes import ABSTAIN, BoolArray, FloatArray

LEVELS = 3
LOWEST, HIGHEST = -1.2, 2.4  # where the levels start, in standard deviations of the number of votes of a row
APART = 1e-3  # least weight of a level where EM starts
PRIOR_ROWS, PRIOR_ODDS = 10.0, 4.0  # pseudo-rows of each class, and how much more often a rule votes for a class on rows of that class
STATE_ROWS = 1.0  # pseudo-rows of each class and level
CYCLES = 4  # of proportional scaling in an M step


@dataclass(frozen=True)
class Assumed:
    """What is fixed before EM starts.

    Attributes:
        rows: float64 [n_functions, 1 + n_classes, n_classes, n_levels], pseudo-rows of each outcome.
        evidence: bool [n_functions]. discount: float64 [n_functions]. balance: float64 [n_classes] when given.
    """

    rows: FloatArray
    evidence: BoolArray
    discount: FloatArray
    balance: FloatArray | None


@dataclass(frozen=True)
class Factors:
    """a: float64 [n_functions, 1 + n_classes, n_classes], of an outcome and a class; b: float64 [n_functions, 2, n_levels], of silence or a vote and a level."""

    a: FloatArray
    b: FloatArray

    def probabilities(self) -> FloatArray:
        """Of each outcome, float64 [n_functions, 1 + n_classes, n_classes, n_levels]."""
        found = np.empty((*self.a.shape, self.b.shape[2]))
        np.multiply(self.a[:, :1, :, None], self.b[:, :1, None, :], out=found[:, :1])
        np.multiply(self.a[:, 1:, :, None], self.b[:, 1:, None, :], out=found[:, 1:])
        np.maximum(found, FLOOR**2, out=found)
        return np.asarray(found / found.sum(axis=1, keepdims=True))


def run(
    observed: Observed,
    start: FloatArray,
    discount: FloatArray,
    evidence: BoolArray,
    balance: FloatArray | None,
    max_iterations: int,
    tolerance: float,
) -> HiddenStates:
    """EM from `start`, a posterior of the classes float64 [n_classes, n_patterns], until the objective rises by at most `tolerance` nats a row."""
    of_class = np.repeat(np.arange(len(start)), LEVELS)
    expectation = StateExpectation(observed, observed.counts, of_class)
    level = first_levels(observed, evidence)
    expected = expectation.of_states(lambda part: (start[:, None, part] * level(part)).reshape(len(of_class), -1))
    assumed = assumed_of(observed, expected, discount, evidence, balance)
    factors = Factors(assumed.rows.sum(axis=3), np.ones((len(discount), 2, LEVELS)))

    def step_of(expected: Expected) -> Step:
        nonlocal factors
        rows = expected.outcomes.reshape(assumed.rows.shape) + assumed.rows
        factors = scaled(factors, rows, evidence)
        return step_at(assumed, rows, expected.rows.reshape(len(start), LEVELS) + STATE_ROWS, factors)

    return climb(expectation, expected, step_of, max_iterations, tolerance)


def first_levels(observed: Observed, evidence: BoolArray) -> Callable[[slice], FloatArray]:
    """Share of each level in a slice of the patterns, float64 [n_levels, n_patterns], by how many of the rules fire."""
    fired = (observed.patterns[:, evidence] != ABSTAIN).sum(axis=1)
    weights = observed.counts / observed.counts.sum()
    mean = float(fired @ weights)
    deviation = max(float(np.sqrt((fired - mean) ** 2 @ weights)), FLOOR)
    centres, width = np.linspace(LOWEST, HIGHEST, LEVELS)[:, None], 3.0 / LEVELS

    def shares(part: slice) -> FloatArray:
        near = np.exp(-(((fired[part] - mean) / deviation - centres) ** 2) / (2 * width**2)) + APART
        return np.asarray(near / near.sum(axis=0))

    return shares


def assumed_of(observed: Observed, first: Expected, discount: FloatArray, evidence: BoolArray, balance: FloatArray | None) -> Assumed:
    """PRIOR_ROWS of each class at the function's own rates, shared among the levels as the rows are where EM starts (`first`)."""
    rates = np.maximum(first.outcomes.sum(axis=2), FLOOR)
    rates[:, 1:] += observed.shares / 2
    centre = np.repeat(rates[:, :, None], observed.classes, axis=2)
    diagonal = np.arange(observed.classes)
    centre[:, 1 + diagonal, diagonal] *= PRIOR_ODDS
    levels = first.rows.reshape(observed.classes, -1).sum(axis=0)
    rows = PRIOR_ROWS * centre / centre.sum(axis=1, keepdims=True)
    return Assumed(rows[..., None] * (levels / levels.sum()), evidence, discount, balance)


def step_at(assumed: Assumed, rows: FloatArray, of_states: FloatArray, factors: Factors) -> Step:
    """The most probable parameters at these factors; rows: float64 as of `Assumed.rows`, of_states: float64 [n_classes, n_levels], both expected with their pseudo-rows."""
    log = np.log(factors.probabilities())
    silent = ~assumed.evidence
    votes = rows[silent, 1:].sum(axis=3, keepdims=True)
    log[silent, 1:] = np.log(votes / votes.sum(axis=1, keepdims=True))
    log[silent, 0] = 0.0
    density = float(assumed.discount @ (assumed.rows * log).sum(axis=(1, 2, 3)))
    shares = of_states / of_states.sum() if assumed.balance is None else of_states / of_states.sum(axis=1, keepdims=True) * assumed.balance[:, None]
    density += STATE_ROWS * float(np.log(shares).sum())
    log *= assumed.discount[:, None, None, None]
    return Step(np.log(shares).ravel(), log.reshape(*log.shape[:2], -1), density)


def scaled(factors: Factors, rows: FloatArray, evidence: BoolArray) -> Factors:
    """Iterative proportional scaling to rows of (outcome, class) and of (vote or not, level), float64 as of `Assumed.rows`."""
    a, b, rows = factors.a[evidence], factors.b[evidence], rows[evidence]
    outcomes, all_rows = rows.sum(axis=3), rows.sum(axis=1, keepdims=True)
    votes = _votes(rows)
    for _ in range(CYCLES):
        a = a * outcomes / (Factors(a, b).probabilities() * all_rows).sum(axis=3)
        b = b * votes / _votes(Factors(a, b).probabilities() * all_rows)
    result = Factors(factors.a.copy(), factors.b.copy())
    result.a[evidence], result.b[evidence] = a, b
    return result


def _votes(rows: FloatArray) -> FloatArray:
    """Rows without and with a vote on each level, float64 [n_functions, 2, n_levels]."""
    of_outcome = rows.sum(axis=2)
    return np.stack([of_outcome[:, 0], of_outcome[:, 1:].sum(axis=1)], axis=1)
