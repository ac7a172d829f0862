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

from labeljob.label_model.known_rows import clamp
from labeljob.label_model.packing import PackedVotes, outcome_counts, pack, sum_tables
from labeljob.votes import BoolArray, FloatArray, IntArray, Votes

BALANCE_ROWS = 1.0  # pseudo-rows for each class in a learned class balance
FLOOR = 1e-9  # smallest prior rate of an outcome, so that no probability is ever zero


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
    """Where EM ended. `trace` is the penalised log likelihood in nats, one value for each iteration; it never falls."""

    parameters: Parameters
    iterations: int
    converged: bool
    trace: tuple[float, ...]


def make_prior(patterns: Votes, counts: FloatArray, evidence: BoolArray, classes: int, odds: float, votes: float) -> Prior:
    """The better-than-random prior of the module's docstring.

    Args:
        patterns: int8 [n_patterns, n_functions]; counts: float64 [n_patterns]; evidence: bool [n_functions].
        odds: how much likelier a vote is when it names the class; votes: pseudo-votes of each function for each class.
    """
    everyone = np.broadcast_to(counts, (1, len(counts)))
    observed = outcome_counts(pack(patterns, 1 + classes), everyone)[:, :, 0]
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


def log_normaliser(joint: FloatArray) -> FloatArray:
    """log-sum-exp over classes, float64 [n_rows], from float64 [n_classes, n_rows]."""
    top = joint.max(axis=0)
    total = np.zeros_like(top)
    for of_class in joint:  # class by class: the order of the sum, and so the last bit, is the same for any number of rows
        total += np.exp(of_class - top)
    normaliser: FloatArray = top + np.log(total)
    return normaliser


def e_step(packed: PackedVotes, parameters: Parameters) -> tuple[FloatArray, FloatArray]:
    """(posterior float64 [n_classes, n_rows], log p(row) float64 [n_rows]); Dawid & Skene 2.5."""
    joint = log_joint(packed, parameters)
    evidence = log_normaliser(joint)
    return np.exp(joint - evidence), evidence


def m_step(packed: PackedVotes, expected: FloatArray, problem: "Problem") -> Parameters:
    """The most probable parameters given expected rows of each class; Dawid & Skene 2.3 and 2.4 with pseudo-counts.

    Args:
        expected: float64 [n_classes, n_rows], posterior times the pattern's count.
    """
    prior, start = problem.prior, problem.start
    mass = np.where(prior.confusion > 0, outcome_counts(packed, expected) + prior.confusion, 0.0)
    log_confusion = np.where(problem.held[:, None, None], start.log_confusion, _log_shares(mass))
    if problem.balance_is_given:
        return Parameters(start.log_balance, log_confusion)
    rows = expected.sum(axis=1) + prior.balance
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
    patterns: Votes, counts: FloatArray, problem: Problem, max_iterations: int, tolerance: float, known: IntArray | None = None
) -> EmResult:
    """EM until the objective rises by at most `tolerance` nats a row, or `max_iterations`. Inputs are not changed.

    Args:
        patterns: int8 [n_patterns, n_functions]; counts: float64 [n_patterns]; known: as of `known_rows.clamp`.
    """
    classes = np.arange(problem.prior.confusion.shape[2])
    packed = pack(patterns, problem.prior.confusion.shape[1])
    parameters, trace, converged = problem.start, list[float](), False
    if known is not None and (known != -1).any():  # what the known rows alone teach: votes that mislead most of the time must not choose the start
        parameters = m_step(packed, (classes[:, None] == known) * counts, problem)
    while not converged and len(trace) < max_iterations:
        posterior, evidence = clamp(*e_step(packed, parameters), known, classes, np.exp(parameters.log_balance))
        trace.append(float(evidence @ counts) + log_prior_density(parameters, problem))
        converged = len(trace) > 1 and trace[-1] - trace[-2] <= tolerance * float(counts.sum())
        if not converged:
            parameters = m_step(packed, posterior * counts, problem)
    return EmResult(parameters, len(trace), converged, tuple(trace))
