"""`one-coin` fitted alone: one accuracy a function, wrong classes alike, on packed vote patterns. The same model as the coins of `latent_class`
(see there), without discounts and uninformative rows, which a committee may want and which would make each round slower.

Ghosh, Kale & McAfee (2011), "Who Moderates the Moderators? Crowdsourcing Abuse Detection in User-Generated Content", EC; Dawid & Skene
(1979) with one parameter a function. Where an abstain is evidence, a rate of voting given the class is learned beside it.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from labeljob.label_model.algorithms import majority_vote
from labeljob.label_model.algorithms.latent_class import BALANCE_ROWS, FLOOR, PROPENSITY_ROWS
from labeljob.label_model.algorithms.vote_pairs import balance_of_votes
from labeljob.label_model.em import climbing
from labeljob.label_model.em.expectation import Expected
from labeljob.label_model.em.grid import is_dense
from labeljob.label_model.fitting.fits import COIN_VOTES, Bench
from labeljob.label_model.fitting.members import Fitted
from labeljob.label_model.fitting.notes import Judged
from labeljob.label_model.fitting.selection import one_sided
from labeljob.label_model.model import Member
from labeljob.label_model.statistics.histograms import outcome_counts
from labeljob.label_model.statistics.vote_statistics import weighted_patterns
from labeljob.label_model.statistics.weighted_votes import WeightedVotes
from labeljob.votes import BoolArray, FloatArray

FITTED = 1 << 14  # patterns; more do not tell one accuracy a function better by enough to wait for
JUDGED = 1 << 14  # at most so many patterns, evenly spaced, are compared with majority vote
LARGEST_LOGIT = 20.0  # of an accuracy or a rate that rounds were mixed to; FLOOR is 20.7


@dataclass(frozen=True)
class Coins(climbing.Parameters):
    """Accuracies float64 [n_functions], probabilities of voting given the class, float64 [n_functions, n_classes].

    Attributes:
        logs: float64 [2, n_functions], of the accuracy, and of the probability of each wrong class.
    """

    accuracy: FloatArray
    propensity: FloatArray
    logs: FloatArray


@dataclass(frozen=True)
class Problem:
    """What EM is asked to solve; see `climbing.Problem`.

    Attributes:
        evidence: bool [n_functions]. right, wrong: pseudo-votes of a function.
        voting, abstaining: float64 [n_functions, n_classes], pseudo-rows of each class on which it votes and does not.
        first: accuracies and class balance to start from. balance_is_given: whether that balance stays.
        begun: where to start instead.
    """

    evidence: BoolArray
    right: float
    wrong: float
    voting: FloatArray
    abstaining: FloatArray
    first: tuple[FloatArray, FloatArray]
    balance_is_given: bool
    begun: Coins | None = None

    @cached_property
    def any_evidence(self) -> bool:
        """Whether some rates of voting are learned."""
        return bool(self.evidence.any())

    @cached_property
    def heard(self) -> BoolArray | slice:
        """The functions whose abstain is evidence, as an index."""
        return slice(None) if self.evidence.all() else self.evidence

    @property
    def start(self) -> Coins:
        """`begun`, else coins whose functions vote as often whatever the class."""
        if self.begun is not None:
            return self.begun
        accuracy, balance = self.first
        return self._coins(np.log(balance), accuracy, self.voting / PROPENSITY_ROWS)

    def maximise(self, expected: Expected) -> Coins:
        """The most probable coins given expected rows."""
        right, cast = right_and_cast(expected)
        accuracy = (right + self.right) / (cast + (self.right + self.wrong))
        rate = self.voting
        if self.any_evidence:
            rate = (expected.outcomes[:, 1:].sum(axis=1) + self.voting) / (expected.rows + PROPENSITY_ROWS)
        return self._coins(self._log_balance(expected.rows + BALANCE_ROWS), accuracy, rate)

    def log_density(self, parameters: Coins) -> float:
        """Beta priors of accuracies and rates, Dirichlet of the class balance, up to a constant, in nats."""
        value = self.right * float(parameters.logs[0].sum()) + self.wrong * float(parameters.logs[1].sum())
        if self.any_evidence:
            rate = parameters.propensity
            part = self.voting * np.log(rate) + self.abstaining * np.log1p(-rate)
            value += float(part[self.heard].sum())
        return value if self.balance_is_given else value + BALANCE_ROWS * float(parameters.log_balance.sum())

    def vector(self, parameters: Coins) -> FloatArray:
        """Log balance and log-odds side by side."""
        accuracy = parameters.logs[0] - parameters.logs[1] - np.log(len(parameters.log_balance) - 1)
        if not self.any_evidence:
            return np.concatenate([parameters.log_balance, accuracy])
        rates = parameters.propensity[self.heard].ravel()
        return np.concatenate([parameters.log_balance, accuracy, np.log(rates / (1 - rates))])

    def parameters(self, vector: FloatArray) -> Coins:
        """The coins of a mixture."""
        classes, functions = len(self.first[1]), len(self.evidence)
        shares = 1 / (1 + np.exp(-np.minimum(np.maximum(vector[classes:], -LARGEST_LOGIT), LARGEST_LOGIT)))
        rate = self.voting / PROPENSITY_ROWS
        if self.any_evidence:
            rate[self.heard] = shares[functions:].reshape(-1, classes)
        return self._coins(self._log_balance(np.exp(vector[:classes] - vector[:classes].max())), shares[:functions], rate)

    def _log_balance(self, rows: FloatArray) -> FloatArray:
        return np.log(self.first[1] if self.balance_is_given else rows / rows.sum())

    def _coins(self, log_balance: FloatArray, accuracy: FloatArray, rate: FloatArray) -> Coins:
        classes = len(log_balance)
        accuracy = np.minimum(np.maximum(accuracy, FLOOR), 1 - FLOOR)
        logs = np.empty((2, len(accuracy)))
        logs[0] = accuracy
        np.subtract(1.0, accuracy, out=logs[1])
        logs[1] /= classes - 1
        np.log(logs, out=logs)
        weights = np.empty((len(accuracy), 1 + classes, classes))
        weights[:] = logs[1][:, None, None]
        weights[:, 0] = 0.0
        weights.reshape(len(accuracy), -1)[:, classes :: classes + 1] = logs[0][:, None]  # of each class's own votes
        if self.any_evidence:
            rate = np.minimum(np.maximum(rate, FLOOR), 1 - FLOOR)
            heard = rate[self.heard]
            weights[self.heard, 0] = np.log1p(-heard)
            weights[self.heard, 1:] += np.log(heard)[:, None, :]
        return Coins(log_balance, weights, accuracy, rate, logs)


def fit(bench: Bench) -> Fitted:
    """The model, from how often votes agree with one another, or from what an earlier model says."""
    rows = weighted_patterns(bench.statistics, 1 + bench.classes)
    asked = sample_of(rows)
    asked = asked if bench.evidence.any() else asked.covered()
    problem = _problem(bench, rows)
    if bench.warm is not None:
        said = bench.begin(np.ones(len(bench.evidence))) * rows.counts
        begun = problem.maximise(Expected(outcome_counts(rows.packed, said), said.sum(axis=1)))
        problem = replace(problem, begun=begun)
    ended = climbing.run_em(asked, asked.counts, problem, bench.max_iterations, bench.tolerance)
    assert ended.expected is not None  # noqa: S101 at least one iteration
    every = slice(None, None, -(-rows.packed.rows // JUDGED))
    right, cast = right_and_cast(ended.expected)
    right = right * bench.votes / np.maximum(cast, FLOOR)  # of all rows, where only some were fitted
    member = Member("coin", 1.0, ended.parameters.log_balance, ended.parameters.log_confusion, np.arange(bench.classes))
    return Fitted(member, None, ended.iterations, ended.converged, right, Judged(rows.packed.take(every), rows.counts[every].copy()))


def right_and_cast(expected: Expected) -> tuple[FloatArray, FloatArray]:
    """(right votes, votes) of each function, float64 [n_functions] each."""
    classes = len(expected.rows)
    votes = expected.outcomes.reshape(len(expected.outcomes), -1)[:, classes:]
    return votes[:, :: classes + 1].sum(axis=1), votes.sum(axis=1)


def sample_of(rows: WeightedVotes) -> WeightedVotes:
    """The rows that are fitted: all of them, or evenly spaced ones that stand for all."""
    return rows if is_dense(rows.packed, rows.packed.outcomes - 1) else rows.spaced(FITTED)


def _problem(bench: Bench, rows: WeightedVotes) -> Problem:
    """The priors of `latent_class.coin_structure`."""
    balance = balance_of_votes(bench.vote_counts, bench.accuracies, one_sided(bench.vote_counts)) if bench.balance is None else bench.balance
    if balance is None:
        balance = majority_vote.class_shares(rows.packed, rows.counts, bench.classes)
    voting = np.empty(bench.vote_counts.shape)
    voting[:] = (bench.votes * (PROPENSITY_ROWS / rows.total))[:, None]
    right = COIN_VOTES * bench.pooled
    accuracies = np.where(bench.votes > 0, bench.accuracies, bench.pooled)  # where a function that never votes also ends
    return Problem(bench.evidence, right, COIN_VOTES - right, voting, PROPENSITY_ROWS - voting, (accuracies, balance), bench.balance is not None)
