"""`one-coin` fitted alone: one accuracy a function, wrong classes alike, on packed vote patterns. The same model as the coins of `latent_class`
(see there), without discounts and uninformative rows, which a committee may want and which would make each round slower.

Ghosh, Kale & McAfee (2011), "Who Moderates the Moderators? Crowdsourcing Abuse Detection in User-Generated Content", EC; Dawid & Skene
(1979) with one parameter a function. Where an abstain is evidence, a rate of voting given the class is learned beside it.
"""

from dataclasses import dataclass

import numpy as np

from labeljob.label_model import climbing, majority_vote
from labeljob.label_model.committee import Fitted
from labeljob.label_model.expectation import Expected, class_posterior
from labeljob.label_model.fits import COIN_VOTES, Bench
from labeljob.label_model.latent_class import BALANCE_ROWS, FLOOR, PROPENSITY_ROWS
from labeljob.label_model.model import Member
from labeljob.label_model.packing import outcome_counts
from labeljob.label_model.statistics import weighted_patterns
from labeljob.label_model.weighted_vote import one_coin_log_weights, sharpened
from labeljob.label_model.weighted_votes import WeightedVotes
from labeljob.votes import BoolArray, FloatArray

JUDGED = 1 << 14  # at most so many patterns, evenly spaced, are compared with majority vote
LARGEST_LOGIT = 20.0  # of an accuracy or a rate that rounds were mixed to; FLOOR is 20.7


@dataclass(frozen=True)
class Coins(climbing.Parameters):
    """Accuracies float64 [n_functions], and probabilities of voting given the class, float64 [n_functions, n_classes]."""

    accuracy: FloatArray
    propensity: FloatArray


@dataclass(frozen=True)
class Problem:
    """What EM is asked to solve; see `climbing.Problem`.

    Attributes:
        evidence: bool [n_functions]. right, wrong: pseudo-votes of a function.
        voting, abstaining: float64 [n_functions, n_classes], pseudo-rows of each class on which it votes and does not.
        first: accuracies and class balance to start from. balance_is_given: whether that balance stays.
    """

    evidence: BoolArray
    right: float
    wrong: float
    voting: FloatArray
    abstaining: FloatArray
    first: tuple[FloatArray, FloatArray]
    balance_is_given: bool

    @property
    def start(self) -> Coins:
        """Each function votes as often whatever the class."""
        accuracy, balance = self.first
        return self._coins(np.log(balance), accuracy, self.voting / (self.voting + self.abstaining))

    def maximise(self, expected: Expected) -> Coins:
        """The most probable coins given expected rows."""
        votes = expected.outcomes[:, 1:]
        by_class = votes.sum(axis=1)
        right, cast = np.einsum("jkk->j", votes), by_class.sum(axis=1)
        accuracy = (right + self.right) / (cast + (self.right + self.wrong))
        rate = (by_class + self.voting) / (expected.rows + PROPENSITY_ROWS) if self.evidence.any() else self.voting
        return self._coins(self._log_balance(expected.rows + BALANCE_ROWS), accuracy, rate)

    def log_density(self, parameters: Coins) -> float:
        """Beta priors of accuracies and rates, Dirichlet of the class balance, up to a constant, in nats."""
        accuracy, rate, classes = parameters.accuracy, parameters.propensity, len(parameters.log_balance)
        value = float((self.right * np.log(accuracy) + self.wrong * np.log((1 - accuracy) / (classes - 1))).sum())
        if self.evidence.any():
            part = self.voting * np.log(rate) + self.abstaining * np.log1p(-rate)
            value += float(part[self.evidence].sum())
        return value if self.balance_is_given else value + BALANCE_ROWS * float(parameters.log_balance.sum())

    def vector(self, parameters: Coins) -> FloatArray:
        """Log balance and log-odds side by side."""
        odds = parameters.accuracy / (1 - parameters.accuracy)
        rates = parameters.propensity[self.evidence].ravel()
        return np.concatenate([parameters.log_balance, np.log(odds), np.log(rates / (1 - rates))])

    def parameters(self, vector: FloatArray) -> Coins:
        """The coins of a mixture."""
        classes, functions = len(self.first[1]), len(self.evidence)
        shares = 1 / (1 + np.exp(-np.clip(vector[classes:], -LARGEST_LOGIT, LARGEST_LOGIT)))
        rate = self.voting / (self.voting + self.abstaining)
        rate[self.evidence] = shares[functions:].reshape(-1, classes)
        return self._coins(self._log_balance(np.exp(vector[:classes] - vector[:classes].max())), shares[:functions], rate)

    def _log_balance(self, rows: FloatArray) -> FloatArray:
        return np.log(self.first[1] if self.balance_is_given else rows / rows.sum())

    def _coins(self, log_balance: FloatArray, accuracy: FloatArray, rate: FloatArray) -> Coins:
        accuracy = np.clip(accuracy, FLOOR, 1 - FLOOR)
        weights = one_coin_log_weights(accuracy, len(log_balance))
        if self.evidence.any():
            rate = np.clip(rate, FLOOR, 1 - FLOOR)
            weights[self.evidence, 0] = np.log1p(-rate[self.evidence])
            weights[self.evidence, 1:] += np.log(rate[self.evidence])[:, None, :]
        return Coins(log_balance, weights, accuracy, rate)


def fit(bench: Bench) -> Fitted:
    """The model, from the functions' agreement with one another, or from what an earlier model says."""
    rows = weighted_patterns(bench.statistics, 1 + bench.classes)
    asked, part = (rows, rows.part) if bench.evidence.any() else (rows.covered(), rows.part.covered())
    problem = _problem(bench, part)
    if bench.warm is not None:
        said = bench.begin(np.ones(len(bench.evidence))) * bench.observed.counts
        begun = problem.maximise(Expected(outcome_counts(rows.packed, said), said.sum(axis=1)))
        problem = _Begun(**vars(problem), begun=begun)
    ended = climbing.run_em(asked, asked.counts, problem, bench.max_iterations, bench.tolerance, part)
    log_prior, weights = ended.parameters.log_balance, ended.parameters.log_confusion
    assert ended.expected is not None  # noqa: S101 at least one iteration
    right, every = np.einsum("jkk->j", ended.expected.outcomes[:, 1:]), -(-rows.packed.rows // JUDGED)
    judged = rows.packed if every == 1 else rows.packed.take(slice(None, None, every))
    member = Member("coin", 1.0, log_prior, weights, np.arange(bench.classes))
    return Fitted(member, class_posterior(judged, log_prior, weights), ended.iterations, ended.converged, right, every)


def _problem(bench: Bench, rows: WeightedVotes) -> Problem:
    """The priors of `latent_class.coin_structure`."""
    balance = majority_vote.class_shares(rows.packed, rows.counts, bench.classes) if bench.balance is None else bench.balance
    voting = np.repeat(bench.observed.vote_rates[:, None] * PROPENSITY_ROWS, bench.classes, axis=1)
    right = COIN_VOTES * bench.pooled
    accuracies = sharpened(bench.accuracies, bench.votes, rows.packed.tallies, rows.counts)
    return Problem(bench.evidence, right, COIN_VOTES - right, voting, PROPENSITY_ROWS - voting, (accuracies, balance), bench.balance is not None)


@dataclass(frozen=True)
class _Begun(Problem):
    """A problem with a start of its own."""

    begun: Coins

    @property
    def start(self) -> Coins:
        return self.begun
