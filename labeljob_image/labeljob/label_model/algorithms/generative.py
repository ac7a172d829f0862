"""`generative`: rates of every outcome given the class, matched to second moments by least squares. No gradient and no likelihood.

The label model of Ratner, Hancock, Dunnmon, Sala, Pandey & Re (2019), "Training Complex Models with Multi-Task Weak Supervision", AAAI (MeTaL, and
Snorkel's `LabelModel`): what two functions do together is explained by the class alone, their equation 2,

    P(outcome of i, outcome of j)  =  sum_y balance_y mu_i(. | y) mu_j(. | y)

There the moments are matched by descending a gradient from an assumed accuracy, for an assumed class balance; here by alternating least squares in
closed form. The outcomes of a function whose abstain is *evidence* are abstain and the classes, so that how often it votes may depend on the class;
of one whose abstain is *missing* the classes, and only rows on which it votes count. Moments are weighted by rows / (what chance would give),
the inverse of their sampling variance. With q_j = balance mu_j / rate_j, the class as j alone tells it, a step is a regression of what i does
on what the others tell, over the rows on which i and j are both read:

    mu_i  =  sum_rows 1(outcome of i) sum_{j != i} q_j   ( sum_{j != i} rows_ij E[ q_j q_j' ] )^-1

**Class balance.** One accuracy a function first: agreement beyond chance is u_i u_j (`moments`), fitted by least squares too; first moments then
give the balance.
**Guard.** Second moments leave open a rotation of three classes or more, and the sign of u. All starts better than random, at the pooled accuracy;
a ridge ties mu to it (for rules to the better-than-random prior of Dawid-Skene).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from labeljob.label_model.algorithms.latent_class import FLOOR
from labeljob.label_model.algorithms.moments import PSEUDO_PAIRS, Agreement, accuracy_of, agreement_of, balance_of_votes, bounded, fitted, sided
from labeljob.label_model.algorithms.weighted_vote import one_coin_log_weights
from labeljob.label_model.fitting.fits import CONFUSION_VOTES, Bench
from labeljob.label_model.fitting.members import Fitted
from labeljob.label_model.statistics.histograms import outcome_counts
from labeljob.label_model.statistics.packing import sum_tables
from labeljob.votes import ABSTAIN, FloatArray, IntArray

SETTLED = 1e-6
RIDGE = 0.03  # weight of the prior in a step, as a share of the mean information of the others
HALVINGS = 30  # of a step
ROUNDS = 30  # steps of class-conditional rates


def fit(bench: Bench) -> Fitted:
    """The model; see the module's docstring."""
    agreement = agreement_of(bench)
    advantages, iterations, converged = matched(agreement, bench.max_iterations)
    advantages = np.where(sided(bench), agreement.pooled, advantages)
    balance = balance_of_votes(bench, advantages)
    coins = one_coin_log_weights(accuracy_of(advantages, bench.classes), bench.classes)
    rates = np.maximum(class_conditional(bench, balance), FLOOR)
    weights = np.where((sided(bench) & ~bench.evidence)[:, None, None], coins, np.log(rates))
    weights[~bench.evidence, 0] = 0.0
    return fitted("generative", bench, balance, weights, iterations, converged)


def matched(agreement: Agreement, max_iterations: int) -> tuple[FloatArray, int, bool]:
    """(advantages float64 [n_functions], iterations, converged): least squares from all functions alike, shrunk to the pooled advantage.

    Every step goes towards where each function would be best if the others stayed: half of the way, or the part of it at which `misfit` falls, because
    two functions that turn at once can swing for ever.
    """
    found, moved, iterations = np.full(len(agreement.rows), agreement.pooled), np.inf, 0
    weighted, prior = agreement.rows * agreement.beyond, PSEUDO_PAIRS * agreement.pooled**2
    while moved > SETTLED and iterations < max_iterations:
        wanted = (weighted @ found + prior * agreement.pooled) / (agreement.rows @ found**2 + prior)
        step, before = (bounded(wanted, agreement) - found) / 2, misfit(agreement, found)
        for _ in range(HALVINGS):
            if misfit(agreement, found + step) <= before:
                break
            step = step / 2
        moved, found, iterations = float(np.abs(step).max()), found + step, iterations + 1
    return found, iterations, moved <= SETTLED


def misfit(agreement: Agreement, advantages: FloatArray) -> float:
    """What `matched` makes least: squared distances of moments, by rows, and of advantages from the pooled one, by pseudo-pairs."""
    distance = agreement.beyond - np.outer(advantages, advantages)
    prior = PSEUDO_PAIRS * agreement.pooled**2 * ((advantages - agreement.pooled) ** 2).sum()
    return float((agreement.rows * distance**2).sum() / 2 + prior)


def class_conditional(bench: Bench, balance: FloatArray) -> FloatArray:
    """P(outcome | class), float64 [n_functions, 1 + n_classes, n_classes], matched to the moments; 0 for an abstain that is missing."""
    prior = _pseudo_counts(bench)
    centre = prior / np.maximum(prior.sum(axis=1, keepdims=True), FLOOR)
    moments = _moments(bench)
    found: FloatArray = centre
    for _ in range(ROUNDS):
        stepped = _step(moments, found, centre, balance)
        mass = np.maximum(stepped, 0) * balance * np.diag(moments.together)[:, None, None] + prior
        found = (found + mass / np.maximum(mass.sum(axis=1, keepdims=True), FLOOR)) / 2  # full steps of all would swing: too sure, too unsure
    return found


def _pseudo_counts(bench: Bench) -> FloatArray:
    """Pseudo-rows of each outcome given the class: the prior of rules where abstain is evidence, the pooled coin where it is missing."""
    rules = bench.rule_structure(np.ones(len(bench.evidence)))
    of_rules = np.concatenate([rules.abstaining[:, None, :], rules.prior], axis=1)
    of_coins = np.exp(one_coin_log_weights(np.full(len(bench.evidence), bench.pooled), bench.classes)) * CONFUSION_VOTES
    of_coins[:, 0] = 0.0
    return np.where(bench.evidence[:, None, None], of_rules, of_coins)


@dataclass(frozen=True)
class Moments:
    """What functions do, alone and in pairs.

    Attributes:
        outcomes: float64 [n_functions, 1 + n_classes], rows of each outcome.
        together: float64 [n_functions, n_functions], rows on which both are read.
        beside: of numbers float64 [n_functions, n_outcomes, n], what those of the other functions' outcomes sum to beside each outcome, of its size.
    """

    outcomes: FloatArray
    together: FloatArray
    beside: Callable[[FloatArray], FloatArray]


def _moments(bench: Bench) -> Moments:
    """Of all rows where their pairs were counted by class, else of the patterns."""
    totals, packed, counts = bench.statistics.totals, bench.observed.packed, bench.observed.counts
    outcomes = np.column_stack([counts.sum() - bench.votes, bench.vote_counts])
    if totals is not None and totals.pairs is not None and totals.pairs.by_class is not None:
        pairs = _outcome_pairs(totals.pairs.by_class, outcomes)
        read = np.concatenate([bench.evidence[:, None], np.ones_like(bench.vote_counts)], axis=1)
        together = np.einsum("io,iojp,jp->ij", read, pairs, read)
        single = pairs * ~np.eye(len(outcomes), dtype=bool)[:, None, :, None]
        return Moments(outcomes, together, lambda told: np.tensordot(single, told, 2))
    flags = np.where(bench.evidence[None, :], True, bench.statistics.patterns != ABSTAIN).astype(np.float64)
    observed = outcome_counts(packed, counts[None, :])
    return Moments(
        observed[:, :, 0],
        np.asarray((flags * counts[:, None]).T @ flags),
        lambda told: outcome_counts(packed, sum_tables(packed, told) * counts) - observed * told,
    )


def _outcome_pairs(by_class: IntArray, outcomes: FloatArray) -> FloatArray:
    """Rows of every two outcomes, abstains among them, float64 [n_functions, n_outcomes, n_functions, n_outcomes], from those of every two votes."""
    functions, named = by_class.shape[:2]
    pairs = np.zeros((functions, outcomes.shape[1], functions, outcomes.shape[1]))
    pairs[:, 1 : 1 + named, :, 1 : 1 + named] = by_class
    pairs[:, 0, :, 1:] = outcomes[None, :, 1:] - pairs[:, 1:, :, 1:].sum(axis=1)
    pairs[:, 1:, :, 0] = pairs[:, 0, :, 1:].transpose(1, 2, 0)
    pairs[:, 0, :, 0] = outcomes[None, :, 0] - pairs[:, 1:, :, 0].sum(axis=1)
    return pairs


def _step(moments: Moments, rates: FloatArray, centre: FloatArray, balance: FloatArray) -> FloatArray:
    """One regression for every function at once, float64 [n_functions, 1 + n_classes, n_classes]; see the module's docstring."""
    K, together = len(balance), moments.together
    marginal = rates @ balance
    told = rates * balance / np.maximum(marginal, FLOOR)[:, :, None]
    beside = moments.beside(told) * (marginal > 0)[:, :, None]
    own = np.einsum("jo,joa,job->jab", marginal, told, told)
    others = together - np.diag(np.diag(together))
    information = np.einsum("ij,jab->iab", others, own)
    ridge = (RIDGE * np.trace(information, axis1=1, axis2=2) / K + FLOOR)[:, None, None] * np.eye(K)
    return np.asarray(np.linalg.solve(information + ridge, (beside + centre @ ridge).transpose(0, 2, 1)).transpose(0, 2, 1))
