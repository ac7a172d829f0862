"""`glad`: some rows are harder than others, and a good function is hurt less by it.

Whitehill, Ruvolo, Wu, Bergsma & Movellan (2009), "Whose Vote Should Count More: Optimal Integration of Labels from Labelers of Unknown Expertise",
NIPS: a vote of function j on row i is right with probability sigma(alpha_j beta_i), equation 1, with *ability* alpha (below 0 for one that is
worse than random) and *ease* beta > 0. For K classes here 1 / (1 + (K - 1) exp(-alpha_j beta_i)), which is theirs for two classes and chance at
alpha beta = 0 for any number; a wrong vote names every other class alike.

There every row has an ease of its own, climbed by gradient, which a row with three votes cannot tell. Here ease is one of a few values, a
hidden state beside the class with learned shares, so that EM is exact and a new row needs no fit: its ease is summed over. The class balance is not
learned, as theirs is not: rows of one class can always be read as hard rows of the other. It is that of majority vote unless given. Added: where an
abstain is evidence, a rate of voting given the class.
"""

from dataclasses import dataclass, replace

import numpy as np

from labeljob.label_model.algorithms.mace import expectation_of, propensity_of
from labeljob.label_model.em.expectation import Expected
from labeljob.label_model.em.mixture import Propensity, Step, run
from labeljob.label_model.fitting.fits import Bench
from labeljob.label_model.fitting.members import Fitted
from labeljob.label_model.model import Member
from labeljob.label_model.statistics.vote_statistics import spaced
from labeljob.votes import FloatArray

EASES = np.array([0.1, 0.5, 1.0, 1.6])  # beta; 1 is what the pooled accuracy is like
EASE_ROWS = np.array([1.0, 4.0, 8.0, 4.0])  # pseudo-rows of each ease, a rough log-normal as in the paper
PRECISION = 1.0  # of the normal prior of an ability around the pooled one, as in the paper
NEWTON = 30
FARTHEST_ABILITY = 8.0
PATTERNS = 1 << 14  # evenly spaced, that stand for more: abilities and shares of eases are few


@dataclass(frozen=True)
class Glad:
    """The model and its priors. `ability`: the prior's mean, log-odds of the pooled accuracy over chance. balance: float64 [n_classes]."""

    propensity: Propensity
    ability: float
    balance: FloatArray

    def m_step(self, expected: Expected, before: FloatArray | None) -> FloatArray:
        """Abilities, log shares of the eases, log-odds of voting, one after another; states are (class, ease), class first."""
        eases, classes = len(EASES), len(self.balance)
        votes = expected.outcomes[:, 1:, :].reshape(-1, classes, classes, eases)
        right = np.einsum("jkke->je", votes)
        wrong = votes.sum(axis=(1, 2)) - right
        start = np.full(len(right), self.ability) if before is None else self._parts(before)[0]
        rows = expected.rows.reshape(classes, eases)
        shares = np.log(rows.sum(axis=0) + EASE_ROWS)
        ability = climbed(right, wrong, start, self.ability, classes)
        return np.concatenate([ability, shares - np.log(np.exp(shares).sum()), self.propensity.learned(votes.sum(axis=(1, 3)), rows.sum(axis=1)).ravel()])

    def _parts(self, parameters: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """(abilities float64 [n_functions], log shares of the eases, log-odds of voting float64 [n_functions, n_classes])."""
        functions = len(self.propensity.evidence)
        ability, shares, odds = np.split(parameters, [functions, functions + len(EASES)])
        return np.clip(ability, -FARTHEST_ABILITY, FARTHEST_ABILITY), shares - np.logaddexp.reduce(shares), odds.reshape(functions, -1)

    def step(self, parameters: FloatArray) -> Step:
        """As `Mixture`."""
        ability, log_eases, odds = self._parts(parameters)
        classes, eases = len(self.balance), len(EASES)
        log_right, log_wrong = _log_votes(ability, classes)
        voting, silent, density = self.propensity.read(odds)
        weights = np.empty((len(ability), 1 + classes, classes, eases))
        weights[:, 0] = silent[:, :, None]
        weights[:, 1:] = log_wrong[:, None, None, :] + voting[:, None, :, None]
        diagonal = np.arange(classes)
        weights[:, 1 + diagonal, diagonal] += (log_right - log_wrong)[:, None, :]
        density += float(EASE_ROWS @ log_eases) - PRECISION / 2 * float(((ability - self.ability) ** 2).sum())
        prior = (np.log(self.balance)[:, None] + log_eases).ravel()
        return Step(prior, weights.reshape(len(ability), 1 + classes, classes * eases), density)


def _log_votes(ability: FloatArray, classes: int) -> tuple[FloatArray, FloatArray]:
    """log probability of the right vote and of each wrong one, float64 [n_functions, n_eases]."""
    odds = np.outer(ability, EASES)
    total = np.logaddexp(odds, np.log(classes - 1))
    return odds - total, -total


def climbed(right: FloatArray, wrong: FloatArray, start: FloatArray, centre: float, classes: int) -> FloatArray:
    """The most probable ability of each function, float64 [n_functions]: damped Newton steps on a concave function of one number.

    Args:
        right, wrong: float64 [n_functions, n_eases], expected votes. start: float64 [n_functions]; the answer is not worse than it.
    """
    ability = start
    for _ in range(NEWTON):
        chance = np.exp(_log_votes(ability, classes)[0])
        slope = (right - (right + wrong) * chance) @ EASES - PRECISION * (ability - centre)
        bend = ((right + wrong) * chance * (1 - chance)) @ EASES**2 + PRECISION
        ability = np.clip(ability + np.clip(slope / bend, -1, 1), -FARTHEST_ABILITY, FARTHEST_ABILITY)
    better = _objective(right, wrong, ability, centre, classes) >= _objective(right, wrong, start, centre, classes)
    return np.where(better, ability, start)


def _objective(right: FloatArray, wrong: FloatArray, ability: FloatArray, centre: float, classes: int) -> FloatArray:
    log_right, log_wrong = _log_votes(ability, classes)
    return np.asarray((right * log_right + wrong * log_wrong).sum(axis=1) - PRECISION / 2 * (ability - centre) ** 2)


def fit(bench: Bench) -> Fitted:
    """The model, from a majority vote on rows of every ease; of many patterns PATTERNS stand for all, unless some classes are known."""
    classes, eases = bench.classes, len(EASES)
    pooled = float(np.clip(bench.pooled, (1 + 0.05 * (classes - 1)) / classes, 0.99))
    balance = bench.majority_balance if bench.balance is None else bench.balance
    model = Glad(propensity_of(bench), float(np.log(pooled * (classes - 1) / (1 - pooled))), balance)
    of_class, shares = np.repeat(np.arange(classes), eases), (EASE_ROWS / EASE_ROWS.sum())[:, None]
    part = bench if bench.observed.known is not None else replace(bench, statistics=spaced(bench.statistics, PATTERNS))
    start, expectation = part.begin(np.ones(len(bench.evidence))), expectation_of(part, of_class)
    first = expectation.of_states(lambda rows: np.asarray((start[:, None, rows] * shares).reshape(classes * eases, -1)))
    ended = run(expectation, model, first, bench.max_iterations, bench.tolerance)
    member = Member("glad", 1.0, ended.step.log_prior, ended.step.log_weights, of_class)
    posterior = expectation_of(bench, of_class).classes(member.log_prior, member.log_weights)
    return Fitted(member, posterior, ended.iterations, ended.converged)
