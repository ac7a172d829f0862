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

from dataclasses import dataclass

import numpy as np

from labeljob.label_model.algorithms.mace import propensity_of
from labeljob.label_model.em.mixture import Propensity, Step, run
from labeljob.label_model.fitting.committee import Fitted
from labeljob.label_model.fitting.fits import Bench
from labeljob.label_model.fitting.observed import Observed
from labeljob.label_model.model import Member
from labeljob.label_model.statistics.histograms import outcome_counts
from labeljob.votes import FloatArray

EASES = np.array([0.1, 0.5, 1.0, 1.6])  # beta; 1 is what the pooled accuracy is like
EASE_ROWS = np.array([1.0, 4.0, 8.0, 4.0])  # pseudo-rows of each ease, a rough log-normal as in the paper
PRECISION = 1.0  # of the normal prior of an ability around the pooled one, as in the paper
NEWTON = 30
FARTHEST_ABILITY = 8.0


@dataclass(frozen=True)
class Glad:
    """The model and its priors. `ability`: the prior's mean, log-odds of the pooled accuracy over chance. balance: float64 [n_classes]."""

    observed: Observed
    propensity: Propensity
    ability: float
    balance: FloatArray

    def m_step(self, states: FloatArray, before: Step | None) -> Step:
        """States are (class, ease), class first; `parameters` are the abilities, float64 [n_functions]."""
        eases, patterns = len(EASES), states.shape[1]
        classes = len(states) // eases
        votes = outcome_counts(self.observed.packed, states * self.observed.counts)[:, 1:, :]
        votes = votes.reshape(len(votes), classes, classes, eases)
        right = np.einsum("jkke->je", votes)
        wrong = votes.sum(axis=(1, 2)) - right
        start = np.full(len(right), self.ability) if before is None else before.parameters
        ability = climbed(right, wrong, start, self.ability, classes)
        expected = (states * self.observed.counts).reshape(classes, eases, patterns)
        return self._step(ability, expected, votes.sum(axis=(1, 3)))

    def _step(self, ability: FloatArray, expected: FloatArray, votes: FloatArray) -> Step:
        """Args: expected: float64 [n_classes, n_eases, n_patterns] rows; votes: float64 [n_functions, n_classes], expected on rows of a class."""
        classes, eases = expected.shape[:2]
        log_right, log_wrong = _log_votes(ability, classes)
        voting, silent, density = self.propensity.learned(votes, expected.sum(axis=(1, 2)))
        weights = np.empty((len(ability), 1 + classes, classes, eases))
        weights[:, 0] = silent[:, :, None]
        weights[:, 1:] = log_wrong[:, None, None, :] + voting[:, None, :, None]
        diagonal = np.arange(classes)
        weights[:, 1 + diagonal, diagonal] += (log_right - log_wrong)[:, None, :]
        rows = expected.sum(axis=(0, 2)) + EASE_ROWS
        log_eases = np.log(rows / rows.sum())
        density += float(EASE_ROWS @ log_eases) - PRECISION / 2 * float(((ability - self.ability) ** 2).sum())
        prior = (np.log(self.balance)[:, None] + log_eases).ravel()
        return Step(prior, weights.reshape(len(ability), 1 + classes, classes * eases), density, ability)


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
    """The model, from a majority vote on rows of every ease."""
    classes, eases = bench.classes, len(EASES)
    pooled = float(np.clip(bench.pooled, (1 + 0.05 * (classes - 1)) / classes, 0.99))
    balance = bench.majority_balance if bench.balance is None else bench.balance
    model = Glad(bench.observed, propensity_of(bench), float(np.log(pooled * (classes - 1) / (1 - pooled))), balance)
    start = bench.begin(np.ones(len(bench.evidence)))[:, None, :] * (EASE_ROWS / EASE_ROWS.sum())[:, None]
    of_class = np.repeat(np.arange(classes), eases)
    ended = run(bench.observed, model, start.reshape(classes * eases, -1), of_class, bench.max_iterations, bench.tolerance)
    member = Member("glad", 1.0, ended.step.log_prior, ended.step.log_weights, of_class)
    return Fitted(member, ended.states.reshape(classes, eases, -1).sum(axis=1), len(ended.trace), ended.converged)
