"""Dawid-Skene: every function has a confusion, every row a hidden class, fitted by EM.

    p(row) = sum_k  pi_k  prod_j  theta_j(outcome_j | k)

Dawid & Skene (1979), "Maximum Likelihood Estimation of Observer Error-Rates Using the EM Algorithm", equations 2.3 to 2.5; here the
maximum a posteriori version with Dirichlet priors, in log space, on distinct vote patterns. The outcomes of a function whose abstain is
*evidence* are abstain and the classes; of one whose abstain is *missing*, the classes alone (an abstain drops out of the product).

The guard against flipped and collapsed solutions is the start and the prior, which says that functions are better than random on average:
its centre multiplies a function's own vote rates by `odds` where vote and class agree, worth `votes` pseudo-votes for each class. EM starts
at that centre, which is a majority vote with equal weights. `fitting` also compares where EM ends with the majority vote.

A function that votes for one class only and whose abstain is missing has a flat likelihood: what it votes follows from it voting at all.
Its confusion is *held* at the start instead of being learned.
"""

from dataclasses import dataclass

import numpy as np

from labeljob.label_model.acceleration import Anderson
from labeljob.label_model.expectation import Expectation, Expected
from labeljob.label_model.packing import PackedVotes, WeightedVotes, outcome_counts, sum_tables, weigh
from labeljob.votes import BoolArray, FloatArray, Votes

BALANCE_ROWS = 1.0  # pseudo-rows for each class in a learned class balance
FLOOR = 1e-9  # smallest prior rate of an outcome, so that no probability is ever zero
PART, MANY_TERMS = 2048, 1 << 18  # at least so many patterns are fitted first where a round over all adds up so many numbers
PART_TOLERANCE = 1e-3  # nats a row at which that is enough
ROUNDING = 1e-12  # relative: an objective that is lower by less is not lower
LEAST_LOG = -700.0  # nats below the likeliest that a mixture of steps may put an outcome


@dataclass(frozen=True)
class Prior:
    """Dirichlet pseudo-counts (alpha - 1).

    Attributes:
        confusion: float64 [n_functions, 1 + n_classes, n_classes]; 0 for the abstain outcome where abstain is missing.
        balance: float64 [n_classes].
    """

    confusion: FloatArray
    balance: FloatArray


@dataclass(frozen=True)
class Parameters:
    """Log probabilities.

    Attributes:
        log_balance: float64 [n_classes].
        log_confusion: float64 [n_functions, 1 + n_classes, n_classes]: of outcome (0 is abstain) given class; 0 where abstain is missing.
    """

    log_balance: FloatArray
    log_confusion: FloatArray


@dataclass(frozen=True)
class EmResult:
    """Where EM ended.

    Attributes:
        rows: float64 [n_classes], expected rows of each class at the last E step that was kept, of those whose class is not known.
        iterations: E steps. trace: the penalised log likelihood in nats at those that were kept; it never falls.
    """

    parameters: Parameters
    rows: FloatArray
    iterations: int
    converged: bool
    trace: tuple[float, ...]


def make_prior(patterns: Votes | PackedVotes | WeightedVotes, counts: FloatArray, evidence: BoolArray, classes: int, odds: float, votes: float) -> Prior:
    """The better-than-random prior of the module's docstring.

    Args:
        patterns: int8 [n_patterns, n_functions], or packed; counts: float64 [n_patterns]; evidence: bool [n_functions].
        odds: how much likelier a vote is when it names the class; votes: pseudo-votes of each function for each class.
    """
    observed = weigh(patterns, counts, 1 + classes).outcomes
    cast = observed[:, 1:].sum(axis=1)
    pooled = (observed[:, 1:].sum(axis=0) + 1) / (cast.sum() + classes)
    rates = observed + np.concatenate([[0.0], pooled])
    rates[~evidence, 0] = 0.0
    rates = np.maximum(rates / rates.sum(axis=1, keepdims=True), FLOOR)
    centre = np.repeat(rates[:, :, None], classes, axis=2)
    diagonal = np.arange(classes)
    centre[:, 1 + diagonal, diagonal] *= odds
    centre[~evidence, 0, :] = 0.0
    centre /= centre.sum(axis=1, keepdims=True)
    vote_rate = rates[:, 1:].sum(axis=1)
    return Prior(centre * (votes / vote_rate)[:, None, None], np.full(classes, BALANCE_ROWS))


def log_joint(packed: PackedVotes, parameters: Parameters) -> FloatArray:
    """log p(class, row) in nats, float64 [n_classes, n_rows]."""
    return sum_tables(packed, parameters.log_confusion) + parameters.log_balance[:, None]


def e_step(packed: PackedVotes, parameters: Parameters) -> tuple[FloatArray, FloatArray]:
    """(posterior float64 [n_classes, n_rows], log p(row) float64 [n_rows]); Dawid & Skene 2.5."""
    joint = log_joint(packed, parameters)
    top = joint.max(axis=0)
    joint -= top
    np.exp(joint, out=joint)
    total = np.zeros_like(top)
    for of_class in joint:  # class by class: the order of the sum, and so the last bit, is the same for any number of rows
        total += of_class
    joint /= total
    return joint, top + np.log(total)


def m_step(packed: PackedVotes, expected: FloatArray, problem: "Problem") -> Parameters:
    """The most probable parameters given expected rows of each class; Dawid & Skene 2.3 and 2.4 with pseudo-counts.

    Args:
        expected: float64 [n_classes, n_rows], posterior times the pattern's count.
    """
    return maximise(Expected(outcome_counts(packed, expected), expected.sum(axis=1)), problem)


def maximise(expected: Expected, problem: "Problem") -> Parameters:
    """The most probable parameters; see `m_step`."""
    prior, start = problem.prior, problem.start
    mass = np.where(prior.confusion > 0, expected.outcomes + prior.confusion, 0.0)
    log_confusion = np.where(problem.held[:, None, None], start.log_confusion, _log_shares(mass))
    if problem.balance_is_given:
        return Parameters(start.log_balance, log_confusion)
    rows = expected.rows + prior.balance
    return Parameters(np.log(rows / rows.sum()), log_confusion)


def _log_shares(mass: FloatArray) -> FloatArray:
    """log of the shares along the outcome axis; 0 where an outcome does not exist (mass 0)."""
    exists = mass > 0
    return np.where(exists, np.log(np.where(exists, mass, 1.0)) - np.log(mass.sum(axis=1, keepdims=True)), 0.0)


@dataclass(frozen=True)
class Problem:
    """What EM is asked to solve.

    Attributes:
        prior: pseudo-counts.
        start: first parameters; also the values of what is held or given.
        held: bool [n_functions], confusions that stay at the start.
        balance_is_given: the class balance stays at the start.
    """

    prior: Prior
    start: Parameters
    held: BoolArray
    balance_is_given: bool


def make_problem(prior: Prior, balance: FloatArray, balance_is_given: bool, held: BoolArray, held_weights: FloatArray) -> Problem:
    """EM from the prior's centre and `balance` (float64 [n_classes]), with `held_weights` (as log_confusion) where `held`."""
    log_confusion = np.where(held[:, None, None], held_weights, _log_shares(prior.confusion))
    return Problem(prior, Parameters(np.log(balance), log_confusion), held, balance_is_given)


def log_prior_density(parameters: Parameters, problem: Problem) -> float:
    """log prior density of what is learned, up to a constant, in nats."""
    learned = ~problem.held[:, None, None]
    value = float((problem.prior.confusion * parameters.log_confusion * learned).sum())
    return value if problem.balance_is_given else value + float(problem.prior.balance @ parameters.log_balance)


def run_em(
    patterns: Votes | PackedVotes | WeightedVotes, counts: FloatArray, problem: Problem, max_iterations: int, tolerance: float, known: Expected | None = None
) -> EmResult:
    """EM until a round raises the (expected) objective by at most `tolerance` nats a row, or `max_iterations`; with 0 it takes them all.

    Many patterns are first fitted by a part of them, to start near the end; what is reported is of the rounds over all. Inputs are not
    changed.

    Args:
        patterns: int8 [n_patterns, n_functions], or packed; counts: float64 [n_patterns].
        known: what further rows say whose class is known: a constant of every M step.
    """
    rows = weigh(patterns, counts, problem.prior.confusion.shape[1])
    start = problem.start
    if rows.packed.rows > 2 * PART and rows.packed.rows * start.log_confusion[:, 0].size > MANY_TERMS:
        start = _climb(_part(rows), start, problem, max_iterations, max(tolerance, PART_TOLERANCE), known).parameters
    return _climb(rows, start, problem, max_iterations, tolerance, known)


def _part(rows: WeightedVotes) -> WeightedVotes:
    """Evenly spaced rows that stand for all, a repeated pattern as often as it falls on the grid."""
    grid = np.floor(np.cumsum(rows.counts) * (max(PART, rows.packed.rows // 8) / rows.total) + 0.5)
    hits = np.diff(grid, prepend=0.0)
    chosen = hits > 0
    return rows.take(chosen, hits[chosen] * (rows.total / hits.sum()))


def _climb(rows: WeightedVotes, start: Parameters, problem: Problem, max_iterations: int, tolerance: float, known: Expected | None) -> EmResult:
    """Rounds of EM, mixed with earlier ones (`acceleration`); a mixture that lowers the objective is dropped for the plain step."""
    here, plain, mixer = start, None, Anderson()
    found, trace, converged, iterations = np.zeros(0), list[float](), False, 0
    expectation, least = Expectation(rows, len(start.log_balance)), tolerance * (rows.total + (0.0 if known is None else float(known.rows.sum())))
    while not converged and iterations < max_iterations:
        iterations += 1
        expected, likelihood = expectation.of(here.log_balance, here.log_confusion)
        objective, among = likelihood + log_prior_density(here, problem), expected.rows
        if known is not None:
            expected = Expected(expected.outcomes + known.outcomes, expected.rows + known.rows)
            objective += log_likelihood_of_known(here, known)
        if plain is not None and objective < trace[-1] - ROUNDING * abs(trace[-1]):
            here, plain = plain, None
            mixer.forget()
            continue
        step, found = maximise(expected, problem), among
        converged = tolerance > 0 and expected_rise(here, step, expected, problem) <= least
        trace.append(objective)
        mixed = None if converged else mixer.propose(_as_vector(here), _as_vector(step))
        here, plain = (step, None) if mixed is None else (_as_parameters(mixed, problem), step)
    return EmResult(plain or here, found, iterations, converged, tuple(trace))


def log_likelihood_of_known(parameters: Parameters, known: Expected) -> float:
    """log p(class, row) in nats of rows whose class is known, summed."""
    return float((known.outcomes * parameters.log_confusion).sum()) + float(known.rows @ parameters.log_balance)


def expected_rise(here: Parameters, step: Parameters, expected: Expected, problem: Problem) -> float:
    """By how much the M step raises the expected objective, in nats; the objective itself rises by at least that."""
    mass = (expected.outcomes + problem.prior.confusion) * ~problem.held[:, None, None]
    rise = float((mass * (step.log_confusion - here.log_confusion)).sum())
    return rise + float((expected.rows + problem.prior.balance) @ (step.log_balance - here.log_balance))


def _as_vector(parameters: Parameters) -> FloatArray:
    return np.concatenate([parameters.log_balance, parameters.log_confusion.ravel()])


def _as_parameters(vector: FloatArray, problem: Problem) -> Parameters:
    """The parameters of a mixture: distributions again, and what is held or given as it was."""
    start, classes = problem.start, len(problem.start.log_balance)
    balance, confusion = vector[:classes], vector[classes:].reshape(start.log_confusion.shape)
    top = confusion.max(axis=1, keepdims=True)
    exists = problem.prior.confusion > 0
    shares = _log_shares(np.where(exists, np.exp(np.maximum(confusion - top, LEAST_LOG)), 0.0))
    log_confusion = np.where(problem.held[:, None, None], start.log_confusion, shares)
    if problem.balance_is_given:
        return Parameters(start.log_balance, log_confusion)
    rows = np.exp(np.maximum(balance - balance.max(), LEAST_LOG))
    return Parameters(np.log(rows / rows.sum()), log_confusion)
