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
a ridge ties mu to it (for rules to the better-than-random prior of Dawid-Skene); and the steps are few.
"""

import numpy as np

from labeljob.label_model.algorithms.latent_class import FLOOR
from labeljob.label_model.algorithms.moments import PSEUDO_PAIRS, Agreement, accuracy_of, agreement_of, balance_of_votes, bounded, fitted, sided
from labeljob.label_model.algorithms.weighted_vote import one_coin_log_weights
from labeljob.label_model.fitting.committee import Fitted
from labeljob.label_model.fitting.fits import CONFUSION_VOTES, Bench
from labeljob.label_model.statistics.packing import outcome_counts, sum_tables
from labeljob.votes import ABSTAIN, BoolArray, FloatArray

SETTLED = 1e-6
RIDGE = 0.1  # weight of the prior in a step, as a share of the mean information of the others
HALVINGS = 30  # of a step
ROUNDS = 10  # steps of class-conditional rates


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
    read = np.where(bench.evidence[None, :], True, bench.statistics.patterns != ABSTAIN)
    together = _together(read, bench.observed.counts)
    found: FloatArray = centre
    for _ in range(ROUNDS):
        stepped = _step(bench, found, centre, balance, together)
        mass = np.maximum(stepped, 0) * balance * np.diag(together)[:, None, None] + prior
        found = mass / np.maximum(mass.sum(axis=1, keepdims=True), FLOOR)
    return found


def _pseudo_counts(bench: Bench) -> FloatArray:
    """Pseudo-rows of each outcome given the class: the prior of rules where abstain is evidence, the pooled coin where it is missing."""
    rules = bench.rule_structure(np.ones(len(bench.evidence)))
    of_rules = np.concatenate([rules.abstaining[:, None, :], rules.prior], axis=1)
    of_coins = np.exp(one_coin_log_weights(np.full(len(bench.evidence), bench.pooled), bench.classes)) * CONFUSION_VOTES
    of_coins[:, 0] = 0.0
    return np.where(bench.evidence[:, None, None], of_rules, of_coins)


def _together(read: BoolArray, counts: FloatArray) -> FloatArray:
    """Rows on which both functions are read, float64 [n_functions, n_functions]."""
    flags = read.astype(np.float64)
    return np.asarray((flags * counts[:, None]).T @ flags)


def _step(bench: Bench, rates: FloatArray, centre: FloatArray, balance: FloatArray, together: FloatArray) -> FloatArray:
    """One regression for every function at once, float64 [n_functions, 1 + n_classes, n_classes]; see the module's docstring."""
    packed, counts, K = bench.observed.packed, bench.observed.counts, bench.classes
    marginal = rates @ balance
    told = rates * balance / np.maximum(marginal, FLOOR)[:, :, None]
    observed = outcome_counts(packed, counts[None, :]) * (marginal > 0)[:, :, None]
    beside = outcome_counts(packed, sum_tables(packed, told) * counts) - observed * told
    beside *= (marginal > 0)[:, :, None]
    own = np.einsum("jo,joa,job->jab", marginal, told, told)
    others = together - np.diag(np.diag(together))
    information = np.einsum("ij,jab->iab", others, own)
    ridge = (RIDGE * np.trace(information, axis1=1, axis2=2) / K + FLOOR)[:, None, None] * np.eye(K)
    return np.asarray(np.linalg.solve(information + ridge, (beside + centre @ ridge).transpose(0, 2, 1)).transpose(0, 2, 1))
