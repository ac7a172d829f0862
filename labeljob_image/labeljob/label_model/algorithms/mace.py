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
from labeljob.label_model.em.mixture import Propensity, Step, run
from labeljob.label_model.fitting.committee import Fitted
from labeljob.label_model.fitting.fits import COIN_VOTES, Bench
from labeljob.label_model.fitting.observed import Observed
from labeljob.label_model.model import Member
from labeljob.label_model.statistics.histograms import outcome_counts
from labeljob.votes import FloatArray

FIRST, INNER = 200, 10  # rounds on which votes are spam, for each on which class a row is: they cost nothing beside it
SPAM_VOTES = 2.0  # pseudo-votes of a spamming distribution at the pool's shares


@dataclass(frozen=True)
class Mace:
    """The model and its priors.

    Attributes:
        competent, spam: pseudo-votes of a function, that name the class because it knows and that do not.
        balance: float64 [n_classes] when given.
    """

    observed: Observed
    propensity: Propensity
    competent: float
    spam: float
    balance: FloatArray | None

    def m_step(self, states: FloatArray, before: Step | None) -> Step:
        """States are the classes; `parameters` is theta, xi side by side, float64 [n_functions, 1 + n_classes]."""
        expected = states * self.observed.counts
        votes = outcome_counts(self.observed.packed, expected)[:, 1:, :]
        theta, xi = self._split(before)
        right, cast = np.einsum("jkk->jk", votes), votes.sum(axis=2)
        for _ in range(INNER if before else FIRST):
            theta, xi = self._told_apart(right, cast, theta, xi)
        return self._step(theta, xi, expected, votes)

    def _told_apart(self, right: FloatArray, cast: FloatArray, theta: FloatArray, xi: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(theta, xi) after one round of EM on which votes are spam, given the expected right votes and votes, float64 [n_functions, n_classes]."""
        knowing = right * theta[:, None] / (theta[:, None] + (1 - theta[:, None]) * xi)
        spamming = cast - knowing
        known, spam = knowing.sum(axis=1) + self.competent, spamming.sum(axis=1) + self.spam
        drawn = spamming + SPAM_VOTES * self.observed.shares
        return np.clip(known / (known + spam), FLOOR, 1 - FLOOR), drawn / drawn.sum(axis=1, keepdims=True)

    def _split(self, before: Step | None) -> tuple[FloatArray, FloatArray]:
        if before is not None:
            return before.parameters[:, 0], before.parameters[:, 1:]
        functions = len(self.observed.vote_rates)
        return np.full(functions, self.competent / (self.competent + self.spam)), np.tile(self.observed.shares, (functions, 1))

    def _step(self, theta: FloatArray, xi: FloatArray, expected: FloatArray, votes: FloatArray) -> Step:
        classes = xi.shape[1]
        named = (1 - theta)[:, None, None] * np.repeat(xi[:, :, None], classes, axis=2)
        diagonal = np.arange(classes)
        named[:, diagonal, diagonal] += theta[:, None]
        voting, silent, density = self.propensity.learned(votes.sum(axis=1), expected.sum(axis=1))
        weights = np.concatenate([silent[:, None, :], np.log(np.maximum(named, FLOOR)) + voting[:, None, :]], axis=1)
        log_balance, of_balance = balance_step(self.observed, expected, self.propensity, self.balance)
        density += of_balance + float(self.competent * np.log(theta).sum() + self.spam * np.log1p(-theta).sum())
        density += float((SPAM_VOTES * self.observed.shares * np.log(xi)).sum())
        return Step(log_balance, weights, density, np.concatenate([theta[:, None], xi], axis=1))


def balance_step(observed: Observed, expected: FloatArray, propensity: Propensity, given: FloatArray | None) -> tuple[FloatArray, float]:
    """(log balance float64 [n_classes], log prior density) from expected rows of each class, float64 [n_classes, n_patterns]."""
    if given is not None:
        return np.log(given), 0.0
    covered = np.ones(len(observed.counts), dtype=bool) if propensity.evidence.any() else observed.covered > 0
    rows = expected[:, covered].sum(axis=1) + BALANCE_ROWS
    log_balance = np.log(rows / rows.sum())
    return log_balance, BALANCE_ROWS * float(log_balance.sum())


def propensity_of(bench: Bench) -> Propensity:
    """Pseudo-rows of a coin: a function's own rate of voting, whatever the class."""
    base = coin_structure(bench.observed, bench.evidence, np.ones(len(bench.evidence)), bench.pooled, COIN_VOTES)
    return Propensity(bench.evidence, base.voting, base.abstaining)


def fit(bench: Bench) -> Fitted:
    """The model, from a majority vote."""
    competence = np.clip((bench.classes * bench.pooled - 1) / (bench.classes - 1), 0.05, 0.95)
    model = Mace(bench.observed, propensity_of(bench), COIN_VOTES * competence, COIN_VOTES * (1 - competence), bench.balance)
    classes = np.arange(bench.classes)
    ended = run(bench.observed, model, bench.begin(np.ones(len(bench.evidence))), classes, bench.max_iterations, bench.tolerance)
    member = Member("mace", 1.0, ended.step.log_prior, ended.step.log_weights, classes)
    return Fitted(member, ended.states, len(ended.trace), ended.converged)
