"""`mace`: a vote is either the class or spam.

Hovy, Berg-Kirkpatrick, Vaswani & Hovy (2013), "Learning Whom to Trust with MACE", NAACL: with its *competence* theta_j function j names the class, else
it draws a vote from its *spamming* distribution xi_j, whatever the class:

    P(vote of j = v | class k)  =  theta_j 1(v = k) + (1 - theta_j) xi_j(v)

A function that always says the same is recognised as spam, one that is wrong more often than a coin is not: competence is never negative.
Given its parameters the model is log-linear. EM on distinct patterns, maximum a posteriori: competence has pseudo-votes at the pooled one,
spam pseudo-votes at the pool's shares, where the paper has vague priors and random restarts. Added here: a learned class balance, and where an
abstain is evidence a rate of voting given the class.
"""

from dataclasses import dataclass

import numpy as np

from labeljob.label_model.algorithms.latent_class import BALANCE_ROWS, FLOOR, coin_structure
from labeljob.label_model.em.expectation import Expected
from labeljob.label_model.em.mixture import MOST_LOGIT, Propensity, Step, run
from labeljob.label_model.em.state_expectation import StateExpectation
from labeljob.label_model.fitting.fits import COIN_VOTES, Bench
from labeljob.label_model.fitting.members import Fitted
from labeljob.label_model.model import Member
from labeljob.votes import FloatArray, IntArray

FIRST, INNER = 200, 10  # rounds on which votes are spam, for each on which class a row is: they cost nothing beside it
SPAM_VOTES = 2.0  # pseudo-votes of a spamming distribution at the pool's shares


@dataclass(frozen=True)
class Mace:
    """The model and its priors.

    Attributes:
        shares: float64 [n_classes], of all votes.
        competent, spam: pseudo-votes of a function, that name the class because it knows and that do not.
        balance: float64 [n_classes] when given.
    """

    shares: FloatArray
    propensity: Propensity
    competent: float
    spam: float
    balance: FloatArray | None

    def m_step(self, expected: Expected, before: FloatArray | None) -> FloatArray:
        """Log-odds of theta, log xi, log balance, log-odds of voting, one after another; states are the classes."""
        votes = expected.outcomes[:, 1:, :]
        theta, xi = self._first() if before is None else self._parts(before)[:2]
        right, cast = np.einsum("jkk->jk", votes), votes.sum(axis=2)
        for _ in range(FIRST if before is None else INNER):
            theta, xi = self._told_apart(right, cast, theta, xi)
        rows = expected.rows + BALANCE_ROWS
        odds = self.propensity.learned(votes.sum(axis=1), expected.rows)
        return np.concatenate([np.log(theta) - np.log1p(-theta), np.log(xi).ravel(), np.log(rows / rows.sum()), odds.ravel()])

    def _told_apart(self, right: FloatArray, cast: FloatArray, theta: FloatArray, xi: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(theta, xi) after one round of EM on which votes are spam, given the expected right votes and votes, float64 [n_functions, n_classes]."""
        knowing = right * theta[:, None] / (theta[:, None] + (1 - theta[:, None]) * xi)
        spamming = cast - knowing
        known, spam = knowing.sum(axis=1) + self.competent, spamming.sum(axis=1) + self.spam
        drawn = spamming + SPAM_VOTES * self.shares
        return np.clip(known / (known + spam), FLOOR, 1 - FLOOR), drawn / drawn.sum(axis=1, keepdims=True)

    def _first(self) -> tuple[FloatArray, FloatArray]:
        functions = len(self.propensity.evidence)
        return np.full(functions, self.competent / (self.competent + self.spam)), np.tile(self.shares, (functions, 1))

    def _parts(self, parameters: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """(theta float64 [n_functions], xi float64 [n_functions, n_classes], log balance float64 [n_classes], log-odds of voting as xi)."""
        functions, classes = len(self.propensity.evidence), len(self.shares)
        logit, log_xi, log_balance, odds = np.split(parameters, np.cumsum([functions, functions * classes, classes]))
        xi = np.exp(log_xi.reshape(functions, classes))
        theta = np.clip(1 / (1 + np.exp(-np.clip(logit, -MOST_LOGIT, MOST_LOGIT))), FLOOR, 1 - FLOOR)
        return theta, xi / xi.sum(axis=1, keepdims=True), log_balance - np.logaddexp.reduce(log_balance), odds.reshape(functions, classes)

    def step(self, parameters: FloatArray) -> Step:
        """As `Mixture`."""
        theta, xi, log_balance, odds = self._parts(parameters)
        named = (1 - theta)[:, None, None] * np.repeat(xi[:, :, None], xi.shape[1], axis=2)
        diagonal = np.arange(xi.shape[1])
        named[:, diagonal, diagonal] += theta[:, None]
        voting, silent, density = self.propensity.read(odds)
        weights = np.concatenate([silent[:, None, :], np.log(np.maximum(named, FLOOR)) + voting[:, None, :]], axis=1)
        density += float(self.competent * np.log(theta).sum() + self.spam * np.log1p(-theta).sum())
        density += float((SPAM_VOTES * self.shares * np.log(xi)).sum())
        if self.balance is not None:
            return Step(np.log(self.balance), weights, density)
        return Step(log_balance, weights, density + BALANCE_ROWS * float(log_balance.sum()))


def propensity_of(bench: Bench) -> Propensity:
    """Pseudo-rows of a coin: a function's own rate of voting, whatever the class."""
    base = coin_structure(bench.observed, bench.evidence, np.ones(len(bench.evidence)), bench.pooled, COIN_VOTES)
    return Propensity(bench.evidence, base.voting, base.abstaining)


def fit(bench: Bench) -> Fitted:
    """The model, from a majority vote."""
    competence = np.clip((bench.classes * bench.pooled - 1) / (bench.classes - 1), 0.05, 0.95)
    model = Mace(bench.observed.shares, propensity_of(bench), COIN_VOTES * competence, COIN_VOTES * (1 - competence), bench.balance)
    classes = np.arange(bench.classes)
    start, expectation = bench.begin(np.ones(len(bench.evidence))), expectation_of(bench, classes)
    ended = run(expectation, model, expectation.of_states(lambda part: start[:, part]), bench.max_iterations, bench.tolerance)
    member = Member("mace", 1.0, ended.step.log_prior, ended.step.log_weights, classes)
    return Fitted(member, expectation.classes(member.log_prior, member.log_weights), ended.iterations, ended.converged)


def expectation_of(bench: Bench, of_state: IntArray) -> StateExpectation:
    """E steps over the rows that say something: all where an abstain is evidence, else the covered ones."""
    return StateExpectation(bench.observed, bench.observed.counts if bench.evidence.any() else bench.observed.covered, of_state)
