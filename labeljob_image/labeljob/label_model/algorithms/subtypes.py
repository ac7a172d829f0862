"""Subtypes: every class is a mixture of kinds of rows, and functions err alike on the rows of a kind. Bayesian, by variational inference.

    p(row) = sum_k tau_k sum_t pi_kt prod_j v_jkt(vote_j)        v_jkt ~ Dirichlet,  pi_k ~ Dirichlet,  tau ~ Dirichlet

EBCC of Li, Rubinstein & Cohn (2019), "Exploiting Worker Correlation for Label Aggregation in Crowdsourcing", ICML; one subtype a class is
IBCC of Kim & Ghahramani (2012). Correlation between functions that comes from hard rows is what the subtypes are. Added here: the Dirichlet
prior of a function's votes on a subtype also holds POOLED pseudo-votes at what all functions vote on it, so that a function with few votes
is read as its peers are; and where an abstain is *evidence*, a rate of voting on each kind of rows, with a Beta prior at the function's own rate.

Subtypes start at random, by a hash of the seed and the row's votes that knows functions and classes by their numbers of votes alone: another
order of rows, functions or classes starts in the same place.
"""

from dataclasses import dataclass

import numpy as np

from labeljob.label_model.algorithms.latent_class import PROPENSITY_ROWS
from labeljob.label_model.em.known_rows import clamp
from labeljob.label_model.fitting.observed import Observed
from labeljob.label_model.statistics.hashing import Keys, scrambled
from labeljob.votes import ABSTAIN, BoolArray, FloatArray, IntArray

SUBTYPES = 3
RIGHT, WRONG = 4.0, 1.0  # pseudo-votes of a function on each subtype, for its class and for every other
POOLED = 5.0
SUBTYPE_ROWS = 0.1  # concentration of the subtypes of a class: below 1, few are used
BALANCE_ROWS = 1.0
SETTLED = 1e-3
SMALLEST = 1e-6  # pseudo-rows, of a function that always or never votes


@dataclass(frozen=True)
class Subtypes:
    """Expected log parameters.

    Attributes:
        log_prior: float64 [n_states]. log_weights: float64 [n_functions, 1 + n_classes, n_states]. classes: int64 [n_states].
        posterior: of the patterns' classes, float64 [n_classes, n_patterns].
        right, cast: float64 [n_functions], expected right votes and votes.
    """

    log_prior: FloatArray
    log_weights: FloatArray
    classes: IntArray
    posterior: FloatArray
    right: FloatArray
    cast: FloatArray
    iterations: int
    converged: bool


def run(
    observed: Observed,
    start: FloatArray,
    discount: FloatArray,
    evidence: BoolArray,
    balance: FloatArray | None,
    max_iterations: int,
    seed: int,
    subtypes: int = SUBTYPES,
) -> Subtypes:
    """Variational inference from `start` (float64 [n_classes, n_patterns]) until no probability of a pattern moves by SETTLED.

    `evidence`: bool [n_functions], whose abstain is. `balance`: as for `latent_class`.
    """
    classes, patterns = start.shape
    of_class = np.repeat(np.arange(classes), subtypes)
    nothing, alike, rows = np.zeros(patterns), np.full(classes, 1 / classes), observed.counts if evidence.any() else observed.covered
    split = first_split(observed, seed, subtypes)
    states, _ = clamp((start[:, None, :] * split).reshape(classes * subtypes, patterns), nothing, observed.known, of_class, alike)
    moved, iterations = np.inf, 0
    while moved > SETTLED and iterations < max_iterations:
        counts = observed.outcome_counts(states * rows)
        log_prior, votes = _expected_logs(counts[:, 1:], states @ rows, of_class, discount)
        log_prior = log_prior if balance is None else _with_balance(log_prior, balance)
        log_weights = np.concatenate([np.zeros_like(votes[:, :1]), votes], axis=1)
        if evidence.any():
            log_weights[evidence] += _expected_propensities(counts[evidence], observed.vote_rates[evidence], discount[evidence])
        after, _ = clamp(_normalised(observed.log_sums(log_weights) + log_prior[:, None]), nothing, observed.known, of_class, alike)
        moved, states, iterations = float(np.abs(after - states).max()), after, iterations + 1
    posterior = states.reshape(classes, subtypes, patterns).sum(axis=1)
    right = counts[:, 1 + of_class, np.arange(len(of_class))].sum(axis=1)
    return Subtypes(log_prior, log_weights, of_class.astype(np.int64), posterior, right, counts[:, 1:].sum(axis=(1, 2)), iterations, moved <= SETTLED)


def first_split(observed: Observed, seed: int, subtypes: int) -> FloatArray:
    """Shares of the subtypes of each class on each pattern, float64 [n_classes, n_subtypes, n_patterns]: Dirichlet(1, ..., 1), by hash.

    Functions and classes are known by their votes: a class by the multiset of its numbers of votes, a function by its numbers for such classes.
    """
    classes, patterns = pattern_keys(observed)
    uniform = [(scrambled(patterns + classes[:, None], (seed << 8) + kind) >> np.uint64(11)) + 0.5 for kind in range(subtypes)]
    drawn = -np.log(np.stack(uniform, axis=1) / 2.0**53)
    return np.asarray(drawn / drawn.sum(axis=1, keepdims=True))


def pattern_keys(observed: Observed) -> tuple[Keys, Keys]:
    """(of the classes uint64 [n_classes], of the patterns uint64 [n_patterns]): a renamed class and a pattern in another order keep their keys."""
    counts = np.rint(observed.outcome_counts(observed.counts[None])[:, 1:, 0]).astype(np.uint64)
    votes = np.where(counts.any(axis=1, keepdims=True), scrambled(counts), np.uint64(0))  # who never votes changes nothing
    classes = scrambled(votes.sum(axis=0, dtype=np.uint64))
    votes = scrambled(votes + classes)
    functions = scrambled(votes.sum(axis=1, dtype=np.uint64))
    outcomes = np.concatenate([np.zeros((len(votes), 1), dtype=np.uint64), scrambled(votes + functions[:, None])], axis=1)
    patterns = np.zeros(len(observed.counts), dtype=np.uint64)
    for of_outcome, column in zip(outcomes, observed.patterns.T, strict=True):
        patterns += of_outcome.take(column.astype(np.intp) - ABSTAIN)
    return classes, patterns


def _expected_logs(counts: FloatArray, rows: FloatArray, of_class: IntArray, discount: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(log prior [n_states], log votes [n_functions, n_classes, n_states]): expectations under the Dirichlet posteriors, Li et al. (2019), section 3.2."""
    classes = counts.shape[1]
    subtypes = len(of_class) // classes
    own = np.where(np.arange(classes)[:, None] == of_class, RIGHT, WRONG)
    pool = (counts * discount[:, None, None]).sum(axis=0) + 2 * own
    shape = counts + own + POOLED * pool / pool.sum(axis=0)
    votes = (digamma(shape) - digamma(shape.sum(axis=1, keepdims=True))) * discount[:, None, None]
    kinds = rows.reshape(classes, subtypes) + SUBTYPE_ROWS / subtypes
    balance = rows.reshape(classes, subtypes).sum(axis=1) + BALANCE_ROWS
    prior = digamma(kinds) - digamma(kinds.sum(axis=1, keepdims=True)) + (digamma(balance) - digamma(balance.sum()))[:, None]
    return prior.ravel(), votes


def _expected_propensities(counts: FloatArray, rates: FloatArray, discount: FloatArray) -> FloatArray:
    """Expected log probability of not voting and of voting, float64 [n_functions, 1 + n_classes, n_states], under Beta posteriors.

    Args:
        counts: float64 [n_functions, 1 + n_classes, n_states], expected rows of each outcome. rates: float64 [n_functions], share of rows it votes on.
    """
    silent = counts[:, 0] + (1 - rates)[:, None] * PROPENSITY_ROWS + SMALLEST
    voting = counts[:, 1:].sum(axis=1) + rates[:, None] * PROPENSITY_ROWS + SMALLEST
    both = np.stack([silent, *[voting] * (counts.shape[1] - 1)], axis=1)
    return np.asarray((digamma(both) - digamma(silent + voting)[:, None]) * discount[:, None, None])


def _with_balance(log_prior: FloatArray, balance: FloatArray) -> FloatArray:
    """The same kinds of rows in classes of the given balance, float64 [n_classes]."""
    kinds = np.exp(log_prior).reshape(len(balance), -1)
    return np.asarray(np.log(kinds / kinds.sum(axis=1, keepdims=True) * balance[:, None]).ravel())


def _normalised(joint: FloatArray) -> FloatArray:
    scaled = np.exp(joint - joint.max(axis=0))
    return np.asarray(scaled / scaled.sum(axis=0))


def digamma(x: FloatArray | float) -> FloatArray:
    """Derivative of log gamma for positive x: eight steps of recurrence, then the asymptotic series (Abramowitz & Stegun 6.3.5, 6.3.18); error below 1e-12 of max(1, |value|)."""
    value = np.asarray(x, dtype=np.float64)
    steps = sum(1 / (value + k) for k in range(8))
    shifted = value + 8
    inverse = 1 / (shifted * shifted)
    series = inverse * (1 / 12 - inverse * (1 / 120 - inverse * (1 / 252 - inverse * (1 / 240 - inverse / 132))))
    return np.asarray(np.log(shifted) - 0.5 / shifted - series - steps)
