"""Many classes and many functions: one weight a function, because confusions of 1,000 classes by 2,000 functions would be 2e9 rates.

    log p(class k | row)  =  log balance_k  +  sum of the weights of the functions that vote for k        w = log(a (K - 1) / (1 - a))

Accuracies come from pairwise agreement, as in `generative`: agreement beyond chance of a pair is u_i u_j, fitted by least squares. The sums over pairs
that a step needs are sums over rows, so that neither the pairs nor rows x functions x classes are ever held: with S_k the sum of u over a row's
votes for k and T over all of its votes, what the others say of a vote for k is (K (S_k - u_i) - (T - u_i)) / (K - 1).

Every abstain is missing here, wrong classes are alike, and functions count as independent.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from labeljob.label_model.algorithms.moments import PSEUDO_PAIRS, SUREST, accuracy_of, advantage
from labeljob.label_model.algorithms.weighted_vote import PRIOR_ADVANTAGE, PRIOR_VOTES
from labeljob.label_model.fitting.notes import adversarial_note, no_gain_note
from labeljob.label_model.fitting.selection import Abstain, Algorithm
from labeljob.label_model.model import FittedLabelModel
from labeljob.label_model.statistics.sums import class_sums, entries_of
from labeljob.label_model.statistics.vote_statistics import VoteStatistics
from labeljob.votes import ABSTAIN, FloatArray, IntArray

BUDGET = 1 << 23  # floats of one table of rates, functions x (1 + classes) x classes: 64 MiB
ALGORITHMS = ("auto", "one-coin", "majority-vote")
SETTLED = 1e-5
LEAST_POOLED = 0.05
BALANCE_ROWS = 1.0
NOTED_PATTERNS = 1024


@dataclass(frozen=True)
class Sums:
    """Over pairs: `beyond` is sum_j rows_ij M_ij u_j and `squares` sum_j rows_ij u_j^2, float64 [n_functions]."""

    beyond: FloatArray
    squares: FloatArray


def is_needed(functions: int, classes: int) -> bool:
    """Whether a table of rates is above BUDGET."""
    return functions * (1 + classes) * classes > BUDGET


def check_algorithm(algorithm: str, functions: int, classes: int) -> None:
    """ValueError for an algorithm that needs a table of rates."""
    if algorithm not in ALGORITHMS:
        rates = functions * (1 + classes) * classes
        raise ValueError(
            f"{algorithm} would have {rates:.2g} rates for {functions} functions and {classes} classes; above {BUDGET:,} use one of {', '.join(ALGORITHMS)}"
        )


def fit(
    statistics: VoteStatistics, classes: int, algorithm: str, balance: FloatArray | None, prior_accuracy: float | None, max_iterations: int, seed: int
) -> FittedLabelModel:
    """The model; see the module's docstring."""
    check_algorithm(algorithm, statistics.functions, classes)
    votes = _votes(statistics)
    majority = algorithm == "majority-vote" or not votes.any()
    found, iterations, converged = matched(statistics, classes, prior_accuracy, max_iterations) if votes.any() else (np.zeros(len(votes)), 0, True)
    accuracy = accuracy_of(found, classes)
    shares = np.full(classes, 1 / classes) if majority else _balance(statistics, classes, found, votes)
    coins = np.ones(len(votes)) if majority else np.log(accuracy * (classes - 1) / (1 - accuracy))
    name: Algorithm = "majority-vote" if majority else "one-coin"
    missing: Abstain = "missing"
    return FittedLabelModel(
        algorithm=name,
        reason="ManyClasses",
        why=f"{statistics.functions} functions and {classes} classes: a table of rates would be above {BUDGET:,} numbers, so one weight a function",
        class_balance=shares if balance is None else balance.copy(),
        log_weights=np.empty((0, 0, 0)),
        abstain=(missing,) * statistics.functions,
        accuracies=np.where(votes > 0, accuracy, np.nan),
        iterations=iterations,
        converged=converged,
        seed=seed,
        noted=("every abstain is read as missing", *(() if majority else _notes(statistics, accuracy, votes, coins, classes))),
        coins=coins,
    )


def _notes(statistics: VoteStatistics, accuracy: FloatArray, votes: FloatArray, coins: FloatArray, classes: int) -> tuple[str, ...]:
    """What the votes cannot support; the labels are compared with majority vote's on about NOTED_PATTERNS patterns."""
    chosen = slice(None, None, -(-len(statistics.counts) // NOTED_PATTERNS) or 1)
    patterns, counts = statistics.patterns[chosen], statistics.counts[chosen] * (statistics.patterns[chosen] != ABSTAIN).any(axis=1)
    tallies, label = class_sums(patterns, np.ones(len(coins)), classes), class_sums(patterns, coins, classes).argmax(axis=1)
    best = tallies[np.arange(len(label)), label] >= tallies.max(axis=1)
    return (*adversarial_note(accuracy, votes, classes), *no_gain_note(float(best @ counts) / max(float(counts.sum()), 1.0)))


def matched(statistics: VoteStatistics, classes: int, prior_accuracy: float | None, max_iterations: int) -> tuple[FloatArray, int, bool]:
    """(advantages float64 [n_functions], iterations, converged): as `generative.matched`, on sums over rows."""
    alike = _sums(statistics, classes, np.ones(statistics.functions))
    prior = PRIOR_VOTES * PRIOR_ADVANTAGE**2
    pooled = float(np.sqrt(np.clip((alike.beyond.sum() + prior) / (alike.squares.sum() + PRIOR_VOTES), LEAST_POOLED**2, SUREST**2)))
    pooled = pooled if prior_accuracy is None else advantage(prior_accuracy, classes)
    found, moved, iterations = np.full(statistics.functions, pooled), np.inf, 0
    while moved > SETTLED and iterations < max_iterations:
        sums = _sums(statistics, classes, found)
        wanted = (sums.beyond + PSEUDO_PAIRS * pooled**3) / (sums.squares + PSEUDO_PAIRS * pooled**2)
        after = (found + np.clip(wanted, -SUREST / (classes - 1), SUREST)) / 2
        moved, found, iterations = float(np.abs(after - found).max()), after, iterations + 1
    return found, iterations, moved <= SETTLED


def _sums(statistics: VoteStatistics, classes: int, u: FloatArray) -> Sums:
    functions = len(u)
    beyond, squares = np.zeros(functions), np.zeros(functions)
    for rows, columns, named, counts in _chunks(statistics, classes):
        key, weight, times = rows * classes + named, u[columns], counts[rows]
        total = partial(np.bincount, rows, minlength=len(counts))
        same = np.bincount(key, weights=weight)[key] - weight
        others = total(weights=weight)[rows] - weight
        beyond += np.bincount(columns, weights=times * (classes * same - others) / (classes - 1), minlength=functions)
        squares += np.bincount(columns, weights=times * (total(weights=weight**2)[rows] - weight**2), minlength=functions)
    return Sums(beyond, squares)


def _balance(statistics: VoteStatistics, classes: int, u: FloatArray, votes: FloatArray) -> FloatArray:
    """Class balance from first moments, as `moments.balance_of_votes`, float64 [n_classes]."""
    told = np.zeros(classes)
    covered = 0.0
    for rows, columns, named, counts in _chunks(statistics, classes):
        told += np.bincount(named, weights=u[columns] * counts[rows], minlength=classes)
        covered += float(counts[np.unique(rows)].sum())
    information = max(float(votes @ u**2), 1e-9)
    shares = np.clip(1 / classes + (told - float(votes @ u) / classes) / information, 0, 1)
    rows_of = shares / max(float(shares.sum()), 1e-9) * covered + BALANCE_ROWS
    return np.asarray(rows_of / rows_of.sum())


def _votes(statistics: VoteStatistics) -> FloatArray:
    """Votes of each function, float64 [n_functions]."""
    total = np.zeros(statistics.functions)
    for rows, columns, _, counts in _chunks(statistics, 1):
        total += np.bincount(columns, weights=counts[rows], minlength=statistics.functions)
    return total


def _chunks(statistics: VoteStatistics, classes: int) -> Iterator[tuple[IntArray, IntArray, IntArray, FloatArray]]:
    """(row, function, class of every vote; counts of the rows) of a part of the patterns; rows count from 0 in each part."""
    for part, rows, columns, named in entries_of(statistics.patterns, classes):
        yield rows, columns, named, statistics.counts[part].astype(np.float64)
