"""Subtypes: every class is a mixture of kinds of rows, and functions err alike on the rows of a kind. Bayesian, by variational inference.

    p(row) = sum_k tau_k sum_t pi_kt prod_j v_jkt(vote_j)        v_jkt ~ Dirichlet,  pi_k ~ Dirichlet,  tau ~ Dirichlet

EBCC of Li, Rubinstein & Cohn (2019), "Exploiting Worker Correlation for Label Aggregation in Crowdsourcing", ICML; one subtype a class is
IBCC of Kim & Ghahramani (2012). Correlation between functions that comes from hard rows is what the subtypes are. Added here: the Dirichlet
prior of a function's votes on a subtype also holds POOLED pseudo-votes at what all functions vote on it, so that a function with few votes
is read as its peers are. Subtypes start at random, from the given seed.
"""

from dataclasses import dataclass

import numpy as np

from labeljob.label_model.known_rows import clamp
from labeljob.label_model.observed import Observed
from labeljob.votes import FloatArray, IntArray

SUBTYPES = 3
RIGHT, WRONG = 4.0, 1.0  # pseudo-votes of a function on each subtype, for its class and for every other
POOLED = 5.0
SUBTYPE_ROWS = 0.1  # concentration of the subtypes of a class: below 1, few are used
BALANCE_ROWS = 1.0
SETTLED = 1e-3


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
    observed: Observed, start: FloatArray, discount: FloatArray, balance: FloatArray | None, max_iterations: int, seed: int, subtypes: int = SUBTYPES
) -> Subtypes:
    """Variational inference from `start` (float64 [n_classes, n_patterns]) until no probability of a pattern moves by SETTLED. `balance`: as for `latent_class`."""
    classes, patterns = start.shape
    of_class = np.repeat(np.arange(classes), subtypes)
    split = np.random.default_rng(seed).dirichlet(np.ones(subtypes), (classes, patterns)).transpose(0, 2, 1)
    nothing, alike = np.zeros(patterns), np.full(classes, 1 / classes)
    states, _ = clamp((start[:, None, :] * split).reshape(classes * subtypes, patterns), nothing, observed.known, of_class, alike)
    moved, iterations = np.inf, 0
    while moved > SETTLED and iterations < max_iterations:
        counts = observed.outcome_counts(states * observed.covered)[:, 1:, :]
        log_prior, votes = _expected_logs(counts, states @ observed.covered, of_class, discount)
        log_prior = log_prior if balance is None else _with_balance(log_prior, balance)
        log_weights = np.concatenate([np.zeros_like(votes[:, :1]), votes], axis=1)
        after, _ = clamp(_normalised(observed.log_sums(log_weights) + log_prior[:, None]), nothing, observed.known, of_class, alike)
        moved, states, iterations = float(np.abs(after - states).max()), after, iterations + 1
    posterior = states.reshape(classes, subtypes, patterns).sum(axis=1)
    right = counts[:, of_class, np.arange(len(of_class))].sum(axis=1)
    return Subtypes(log_prior, log_weights, of_class.astype(np.int64), posterior, right, counts.sum(axis=(1, 2)), iterations, moved <= SETTLED)


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
