"""Second moments of votes: what two functions that vote on the same row say of each other's accuracy, without any guess of the class.

For functions that are independent given the class, right with accuracy a and wrong evenly, let u = (K a - 1) / (K - 1) be the *advantage*
over chance: 0 at chance, 1 when always right, below 0 when worse than random. Then, whatever the class balance,

    (K P(i and j agree | both vote) - 1) / (K - 1)  =  u_i u_j

so that agreement beyond chance is a matrix of rank one but for its diagonal. `generative` fits it by least squares, `triplet` solves it three
functions at a time. The sign of u as a whole is not in the moments: the guard "better than random on average" gives it.
"""

from dataclasses import dataclass

import numpy as np

from labeljob.label_model.algorithms.latent_class import FLOOR
from labeljob.label_model.algorithms.weighted_vote import one_coin_log_weights
from labeljob.label_model.fitting.fits import SMOOTHING, Bench
from labeljob.label_model.fitting.members import Fitted
from labeljob.label_model.fitting.selection import one_sided
from labeljob.label_model.model import Member
from labeljob.label_model.statistics.packing import sum_tables
from labeljob.votes import ABSTAIN, BoolArray, FloatArray

CHUNK = 1 << 14
SUREST = 0.98  # largest advantage a function is believed to have
PSEUDO_PAIRS = 10.0  # pairs of votes at the pooled advantage


@dataclass(frozen=True)
class Agreement:
    """Agreement beyond chance.

    Attributes:
        beyond: float64 [n_functions, n_functions], (K agreement - 1) / (K - 1); 0 where a pair is not compared and on the diagonal.
        rows: float64 [n_functions, n_functions], rows on which both vote; 0 likewise.
        pooled: advantage of a vote before anything is known of its function. lowest: that of a function which is always wrong.
    """

    beyond: FloatArray
    rows: FloatArray
    pooled: float
    lowest: float


def agreement_of(bench: Bench) -> Agreement:
    """Of every pair of functions that name several classes; how often one-sided ones agree says which class they name, not how right they are."""
    K, (together, agreeing) = bench.classes, _pairs(bench)
    usable = ~one_sided(bench.vote_counts)
    compared = np.logical_and.outer(usable, usable) & ~np.eye(len(together), dtype=bool) & (together > 0)
    rows = np.where(compared, together, 0.0)
    beyond = np.where(compared, (K * agreeing / np.maximum(together, 1.0) - 1) / (K - 1), 0.0)
    return Agreement(beyond, rows, advantage(bench.pooled, K), -1 / (K - 1))


def _pairs(bench: Bench) -> tuple[FloatArray, FloatArray]:
    """Rows on which both functions vote, and vote alike, float64 [n_functions, n_functions]: of all rows, or where their pairs were not counted of the sample."""
    totals = bench.statistics.totals
    if totals is not None and totals.pairs is not None:
        return totals.pairs.both.astype(np.float64), totals.pairs.agree.astype(np.float64)
    patterns, counts = bench.statistics.patterns, bench.observed.counts
    together, agreeing = np.zeros((patterns.shape[1],) * 2), np.zeros((patterns.shape[1],) * 2)
    for start in range(0, len(counts), CHUNK):
        chunk, weight = patterns[start : start + CHUNK], counts[start : start + CHUNK, None]
        voted = (chunk != ABSTAIN).astype(np.float64)
        together += (voted * weight).T @ voted
        for k in range(bench.classes):
            named = (chunk == k).astype(np.float64)
            agreeing += (named * weight).T @ named
    return together, agreeing


def advantage(accuracy: float, classes: int) -> float:
    """(K a - 1) / (K - 1)."""
    return (classes * accuracy - 1) / (classes - 1)


def accuracy_of(advantages: FloatArray, classes: int) -> FloatArray:
    """The accuracy of each advantage, float64 [n_functions], strictly between 0 and 1."""
    return np.clip((1 + advantages * (classes - 1)) / classes, FLOOR, 1 - FLOOR)


def bounded(advantages: FloatArray, agreement: Agreement) -> FloatArray:
    """Within what accuracies can be."""
    return np.clip(advantages, SUREST * agreement.lowest, SUREST)


def balance_of_votes(bench: Bench, advantages: FloatArray) -> FloatArray:
    """Class balance from first moments, float64 [n_classes]: a function votes for k on 1/K + u (balance_k - 1/K) of the rows that it votes on.

    Least squares over functions that name several classes and whose abstain is missing, weighted by their votes; the given balance if there is
    one, a majority vote's where no function says.
    """
    if bench.balance is not None:
        return bench.balance
    voting = ~one_sided(bench.vote_counts) & ~bench.evidence & (bench.votes > 0)
    information = float((bench.votes * advantages**2)[voting].sum())
    if information <= 0:
        return bench.majority_balance
    beyond = (bench.vote_counts - bench.votes[:, None] / bench.classes)[voting]
    found = np.clip(1 / bench.classes + (advantages[voting] @ beyond) / information, 0, 1)
    rows = found / found.sum() * bench.observed.covered.sum() + SMOOTHING
    return np.asarray(rows / rows.sum())


def rule_rates(structure_counts: FloatArray, found: FloatArray, balance: FloatArray, rows: float) -> FloatArray:
    """P(outcome | class) from moments and pseudo-counts, both float64 [n_functions, 1 + n_classes, n_classes]; sums to 1 over outcomes."""
    mass = np.maximum(found, 0) * balance * rows + structure_counts
    return np.asarray(np.maximum(mass / mass.sum(axis=1, keepdims=True), FLOOR))


def pseudo_counts(bench: Bench) -> FloatArray:
    """Pseudo-rows of each outcome given the class, float64 [n_functions, 1 + n_classes, n_classes]: votes are likelier on rows of their class."""
    structure = bench.rule_structure(np.ones(len(bench.evidence)))
    return np.concatenate([structure.abstaining[:, None, :], structure.prior], axis=1)


def weights_of(bench: Bench, advantages: FloatArray, rates: FloatArray | None) -> FloatArray:
    """log p(outcome | class): `rates` for functions whose abstain is evidence, a coin for the others."""
    coins = one_coin_log_weights(accuracy_of(advantages, bench.classes), bench.classes)
    return coins if rates is None else np.where(bench.evidence[:, None, None], np.log(rates), coins)


def fitted(name: str, bench: Bench, balance: FloatArray, weights: FloatArray, iterations: int, converged: bool) -> Fitted:
    """A log-linear model as a member."""
    joint = sum_tables(bench.observed.packed, weights) + np.log(balance)[:, None]
    posterior = np.exp(joint - joint.max(axis=0))
    member = Member(name, 1.0, np.log(balance), weights, np.arange(bench.classes))
    return Fitted(member, posterior / posterior.sum(axis=0), iterations, converged)


def sided(bench: Bench) -> BoolArray:
    """Functions that name one class only, bool [n_functions]."""
    return one_sided(bench.vote_counts)
