"""Dawid-Skene: every function has a confusion, every row a hidden class, fitted by EM.

    p(row) = sum_k  pi_k  prod_j  theta_j(outcome_j | k)

Dawid & Skene (1979), "Maximum Likelihood Estimation of Observer Error-Rates Using the EM Algorithm", equations 2.3 to 2.5; here the
maximum a posteriori version with Dirichlet priors, in log space, on distinct vote patterns. The outcomes of a function whose abstain is
*evidence* are abstain and the classes; of one whose abstain is *missing*, the classes alone (an abstain drops out of the product).

The guard against flipped and collapsed solutions is the start and the prior, which says that functions are better than random on average:
its centre multiplies a function's own vote rates by `odds` where vote and class agree, worth `votes` pseudo-votes for each class. EM starts
at that centre, with the odds of each function's agreement with the others, none below chance. `fitting` also compares where EM ends with the
majority vote.

A function that votes for one class only and whose abstain is missing has a flat likelihood: what it votes follows from it voting at all.
Its confusion is *held* at the start instead of being learned.
"""

from dataclasses import dataclass

import numpy as np

from labeljob.label_model.em.climbing import Parameters
from labeljob.label_model.em.expectation import Expected
from labeljob.label_model.statistics.histograms import outcome_counts
from labeljob.label_model.statistics.packing import PackedVotes, sum_tables
from labeljob.label_model.statistics.weighted_votes import WeightedVotes, weigh
from labeljob.votes import BoolArray, FloatArray, Votes

BALANCE_ROWS = 1.0  # pseudo-rows for each class in a learned class balance
FLOOR = 1e-9  # smallest prior rate of an outcome, so that no probability is ever zero
ODDS = (1.5, 20.0)  # bounds of the better-than-random odds that agreement gives
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


def odds_of(accuracy: FloatArray | float, classes: int) -> FloatArray:
    """Of a right vote over any one wrong vote, within ODDS."""
    return np.asarray(np.clip(accuracy * (classes - 1) / np.maximum(1 - accuracy, 1e-9), *ODDS))


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
    return problem.maximise(Expected(outcome_counts(packed, expected), expected.sum(axis=1)))


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

    def maximise(self, expected: Expected) -> Parameters:
        """The most probable parameters; see `m_step`."""
        mass = np.where(self.prior.confusion > 0, expected.outcomes + self.prior.confusion, 0.0)
        return self._distributions(expected.rows + self.prior.balance, _log_shares(mass))

    def log_density(self, parameters: Parameters) -> float:
        """log prior density of what is learned, up to a constant, in nats."""
        learned = ~self.held[:, None, None]
        value = float((self.prior.confusion * parameters.log_confusion * learned).sum())
        return value if self.balance_is_given else value + float(self.prior.balance @ parameters.log_balance)

    def vector(self, parameters: Parameters) -> FloatArray:
        """Log balance and log confusions side by side."""
        return np.concatenate([parameters.log_balance, parameters.log_confusion.ravel()])

    def parameters(self, vector: FloatArray) -> Parameters:
        """The parameters of a mixture: distributions again."""
        balance, confusion = vector[: len(self.start.log_balance)], vector[len(self.start.log_balance) :].reshape(self.start.log_confusion.shape)
        top = confusion.max(axis=1, keepdims=True)
        exists = self.prior.confusion > 0
        shares = _log_shares(np.where(exists, np.exp(np.maximum(confusion - top, LEAST_LOG)), 0.0))
        return self._distributions(np.exp(np.maximum(balance - balance.max(), LEAST_LOG)), shares)

    def _distributions(self, rows: FloatArray, log_confusion: FloatArray) -> Parameters:
        """With what is held or given as it was; rows: float64 [n_classes]."""
        log_balance = self.start.log_balance if self.balance_is_given else np.log(rows / rows.sum())
        if self.held.any():
            log_confusion = np.where(self.held[:, None, None], self.start.log_confusion, log_confusion)
        return Parameters(log_balance, log_confusion)


def make_problem(
    prior: Prior, balance: FloatArray, balance_is_given: bool, held: BoolArray, held_weights: FloatArray, surer: FloatArray | float = 1.0
) -> Problem:
    """EM from the prior's centre and `balance` (float64 [n_classes]), with `held_weights` (as log_confusion) where `held`.

    Args:
        surer: float64 [n_functions], times the prior's odds that a vote names the class, to start nearer to what each function is like.
    """
    first, diagonal = prior.confusion.copy(), np.arange(len(balance))
    first[:, 1 + diagonal, diagonal] *= np.reshape(surer, (-1, 1))
    log_confusion = np.where(held[:, None, None], held_weights, _log_shares(first))
    return Problem(prior, Parameters(np.log(balance), log_confusion), held, balance_is_given)
