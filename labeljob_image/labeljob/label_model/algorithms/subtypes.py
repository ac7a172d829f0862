"""Subtypes: every class is a mixture of kinds of rows, and functions err alike on the rows of a kind. Bayesian, by variational inference.

    p(row) = sum_k tau_k sum_t pi_kt prod_j v_jkt(vote_j)        v_jkt ~ Dirichlet,  pi_k ~ Dirichlet,  tau ~ Dirichlet

EBCC of Li, Rubinstein & Cohn (2019), "Exploiting Worker Correlation for Label Aggregation in Crowdsourcing", ICML; one subtype a class is
IBCC of Kim & Ghahramani (2012). Correlation between functions that comes from hard rows is what the subtypes are. Added here: the Dirichlet
prior of a function's votes on a class also holds POOLED pseudo-votes at what all functions vote on it by the posterior that is started from, so that
a function with few votes is read as its peers are; and where an abstain is *evidence*, a rate of voting on each kind of rows, with a Beta prior at the
function's own rate. Every prior is fixed before inference starts, and the bound on the evidence (ELBO) that it climbs never falls; a discounted
function's part of it carries its discount.

Subtypes start at random, by a hash of the seed and the row's votes that knows functions and classes by the ranks of their numbers of votes alone:
another order of rows, functions or classes starts in the same place, and so do the same rows twice over, or a few rows more.
"""

from dataclasses import dataclass

import numpy as np

from labeljob.label_model.algorithms.latent_class import PROPENSITY_ROWS
from labeljob.label_model.em.expectation import Expected
from labeljob.label_model.em.gamma import divergence, expected_logs
from labeljob.label_model.em.hidden_states import HiddenStates, climb
from labeljob.label_model.em.mixture import Step
from labeljob.label_model.em.state_expectation import StateExpectation
from labeljob.label_model.fitting.observed import Observed
from labeljob.label_model.statistics.hashing import Keys, scrambled
from labeljob.votes import ABSTAIN, BoolArray, FloatArray, IntArray

SUBTYPES = 3
RIGHT, WRONG = 4.0, 1.0  # pseudo-votes of a function on each subtype, for its class and for every other
POOLED = 5.0
SUBTYPE_ROWS = 0.1  # concentration of the subtypes of a class: below 1, few are used
BALANCE_ROWS = 1.0
SMALLEST = 1e-6  # pseudo-rows, of a function that always or never votes


@dataclass(frozen=True)
class Prior:
    """Fixed before inference starts.

    Attributes:
        of_class: int64 [n_states], class of a state. votes: float64 [n_classes, n_states], pseudo-votes of every function.
        voting, silent: float64 [n_functions], pseudo-rows on every state. evidence: bool [n_functions]. discount: float64 [n_functions].
        balance: float64 [n_classes] when given.
    """

    of_class: IntArray
    votes: FloatArray
    voting: FloatArray
    silent: FloatArray
    evidence: BoolArray
    discount: FloatArray
    balance: FloatArray | None


def run(
    observed: Observed,
    start: FloatArray,
    discount: FloatArray,
    evidence: BoolArray,
    balance: FloatArray | None,
    max_iterations: int,
    tolerance: float,
    seed: int,
    subtypes: int = SUBTYPES,
) -> HiddenStates:
    """Variational inference from `start` (float64 [n_classes, n_patterns]) until the bound rises by at most `tolerance` nats a row.

    `evidence`: bool [n_functions], whose abstain is. `balance`: as for `latent_class`.
    """
    of_class = np.repeat(np.arange(len(start)), subtypes)
    expectation = StateExpectation(observed, observed.counts if evidence.any() else observed.covered, of_class)
    keys = pattern_keys(observed)

    def first(part: slice) -> FloatArray:
        return np.asarray((start[:, None, part] * first_split(keys[0], keys[1][part], seed, subtypes)).reshape(len(of_class), -1))

    expected = expectation.of_states(first)
    prior = prior_of(observed, expected, of_class, discount, evidence, balance)
    finish = np.asarray if balance is None else lambda log_prior: _with_balance(log_prior, balance)
    return climb(expectation, expected, lambda expected: beliefs_of(prior, expected), max_iterations, tolerance, finish)


def prior_of(
    observed: Observed, first: Expected, of_class: IntArray, discount: FloatArray, evidence: BoolArray, balance: FloatArray | None
) -> Prior:
    """`first`: expected rows where inference starts; what all functions vote on a class is the same for its subtypes."""
    classes = first.outcomes.shape[1] - 1
    own = np.where(np.arange(classes)[:, None] == of_class, RIGHT, WRONG)
    pool = (first.outcomes[:, 1:] * discount[:, None, None]).sum(axis=0) + 2 * own
    pool = pool.reshape(classes, classes, -1).sum(axis=2)[:, of_class]
    voting, silent = (rates * PROPENSITY_ROWS + SMALLEST for rates in (observed.vote_rates, 1 - observed.vote_rates))
    return Prior(of_class, own + POOLED * pool / pool.sum(axis=0), voting, silent, evidence, discount, balance)


def beliefs_of(prior: Prior, expected: Expected) -> Step:
    """Expectations under the Dirichlet posteriors given expected rows, Li et al. (2019), section 3.2; their log density is minus the distance from the prior."""
    votes, classes = expected.outcomes[:, 1:], len(prior.votes)
    shape = votes + prior.votes
    log_weights = np.concatenate([np.zeros_like(votes[:, :1]), expected_logs(shape, 1)], axis=1)
    far = float(prior.discount @ divergence(shape, prior.votes[None], 1).sum(axis=1))
    if prior.evidence.any():
        both = np.stack([expected.outcomes[:, 0], votes.sum(axis=1)], axis=1)[prior.evidence]
        pseudo = np.broadcast_to(np.stack([prior.silent, prior.voting], axis=1)[prior.evidence][:, :, None], both.shape)
        rates = expected_logs(both + pseudo, 1)
        log_weights[prior.evidence] += np.concatenate([rates[:, :1], np.repeat(rates[:, 1:], classes, axis=1)], axis=1)
        far += float(prior.discount[prior.evidence] @ divergence(both + pseudo, pseudo, 1).sum(axis=1))
    log_prior, of_kinds = _kinds(prior, expected.rows.reshape(classes, -1))
    return Step(log_prior, log_weights * prior.discount[:, None, None], -(far + of_kinds))


def _kinds(prior: Prior, rows: FloatArray) -> tuple[FloatArray, float]:
    """(expected log shares of the states float64 [n_states], divergence from the prior) given expected rows, float64 [n_classes, n_subtypes]."""
    few = np.full_like(rows, SUBTYPE_ROWS / rows.shape[1])
    log_kinds, far = expected_logs(rows + few, 1), float(divergence(rows + few, few, 1).sum())
    if prior.balance is not None:
        return (log_kinds + np.log(prior.balance)[:, None]).ravel(), far
    one = np.full(len(rows), BALANCE_ROWS)
    balance = rows.sum(axis=1) + one
    return (log_kinds + expected_logs(balance, 0)[:, None]).ravel(), far + float(divergence(balance, one, 0))


def first_split(classes: Keys, patterns: Keys, seed: int, subtypes: int) -> FloatArray:
    """Shares of the subtypes of each class on each pattern, float64 [n_classes, n_subtypes, n_patterns]: Dirichlet(1, ..., 1), by hash of `pattern_keys`."""
    uniform = [(scrambled(patterns + classes[:, None], (seed << 8) + kind) >> np.uint64(11)) + 0.5 for kind in range(subtypes)]
    drawn = -np.log(np.stack(uniform, axis=1) / 2.0**53)
    return np.asarray(drawn / drawn.sum(axis=1, keepdims=True))


def pattern_keys(observed: Observed) -> tuple[Keys, Keys]:
    """(of the classes uint64 [n_classes], of the patterns uint64 [n_patterns]): a renamed class and a pattern in another order keep their keys.

    A class is known by the multiset of the ranks of its numbers of votes, a function by its ranks for such classes; equal numbers have one rank.
    """
    counts = np.rint(observed.outcome_counts(observed.counts[None])[:, 1:, 0])
    ranks = np.where(counts > 0, np.searchsorted(np.unique(counts[counts > 0]), counts) + 1, 0).astype(np.uint64)
    votes = np.where(ranks.any(axis=1, keepdims=True), scrambled(ranks), np.uint64(0))  # who never votes changes nothing
    classes = scrambled(votes.sum(axis=0, dtype=np.uint64))
    votes = scrambled(votes + classes)
    functions = scrambled(votes.sum(axis=1, dtype=np.uint64))
    outcomes = np.concatenate([np.zeros((len(votes), 1), dtype=np.uint64), scrambled(votes + functions[:, None])], axis=1)
    patterns = np.zeros(len(observed.counts), dtype=np.uint64)
    for of_outcome, column in zip(outcomes, observed.patterns.T, strict=True):
        patterns += of_outcome.take(column.astype(np.intp) - ABSTAIN)
    return classes, patterns


def _with_balance(log_prior: FloatArray, balance: FloatArray) -> FloatArray:
    """The same kinds of rows in classes of the given balance, float64 [n_classes]."""
    kinds = np.exp(log_prior).reshape(len(balance), -1)
    return np.asarray(np.log(kinds / kinds.sum(axis=1, keepdims=True) * balance[:, None]).ravel())
