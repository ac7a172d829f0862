"""EM for the outcomes of side columns, given what the ordinary votes say.

How often each outcome occurs given the class is learned as a confusion is (Dawid & Skene 1979, equation 2.3, with Dirichlet priors), with
p(class | votes) held. The prior's centre is what an outcome says by itself, worth PRIOR_ROWS rows of each class: with few rows a teacher is
taken at its word, with many only as far as the functions bear it out. A teacher whose levels are as common in one class as in another gets
weight 0; one that is too sure, or sure of the wrong class, is read for what it means.

Partial votes whose silence is missing have a flat likelihood; they weigh as much as they agree with the ordinary votes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labeljob.label_model.algorithms.weighted_vote import prior_accuracy
from labeljob.label_model.em.known_rows import clamp, start_at
from labeljob.label_model.side.side_tables import Outcomes, SideColumn, named_classes
from labeljob.votes import ABSTAIN, FloatArray, IntArray, Votes

PRIOR_ROWS = 20.0
BALANCE_ROWS = 1.0
AGREEMENT_VOTES = 20.0  # pseudo-votes at prior accuracy, of a column whose weight is its agreement
ODDS = 4.0  # before any evidence, how much likelier a partial vote is on rows of its classes
SMALLEST = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True, eq=False)
class Problem:
    """What EM is asked to solve.

    Attributes:
        prior: float64 [n_classes, n_patterns], log p(class | votes). outcomes: int16 [n_patterns, n_side_columns]. counts: float64 [n_patterns].
        centres: of each column float64 [n_outcomes, n_classes], P(outcome | class) before any evidence.
        held: of each column its log weights where they are not learned, else None.
        discounts: float64 [n_side_columns].
        only: there are no ordinary votes, so that the class balance is learned here.
        known: int64 [n_patterns], the known class or -1.
    """

    prior: FloatArray
    outcomes: Outcomes
    counts: FloatArray
    centres: tuple[FloatArray, ...]
    held: tuple[FloatArray | None, ...]
    discounts: FloatArray
    only: bool = False
    known: IntArray | None = None


def make_problem(probabilities: FloatArray, covered: FloatArray, outcomes: Outcomes, counts: FloatArray, columns: Sequence[SideColumn]) -> Problem:
    """EM for `columns`, nothing discounted.

    Args:
        probabilities: float64 [n_patterns, n_classes], by the ordinary votes. covered: float64 [n_patterns], counts where there are any, else 0.
    """
    of_each = list(zip(columns, outcomes.T, strict=True))
    return Problem(
        np.log(np.maximum(probabilities, SMALLEST)).T,
        outcomes,
        counts,
        tuple(_centre(column, of, counts) for column, of in of_each),
        tuple(None if column.soft or not column.votes.all() else _agreement_weights(column, of, probabilities, covered) for column, of in of_each),
        np.ones(len(columns)),
    )


def _centre(column: SideColumn, outcomes: Votes, counts: FloatArray) -> FloatArray:
    """P(outcome | class) if outcomes mean what they state, float64 [n_outcomes, n_classes]: Bayes' rule on their observed shares.

    A partial vote states no probability: it is taken for ODDS times likelier on rows of its classes.
    """
    known = outcomes != ABSTAIN
    seen = np.bincount(outcomes[known], weights=counts[known], minlength=len(column.stated)) + 1 / len(column.stated)
    if column.soft:
        mass = column.stated * seen[:, None]
        return np.asarray(mass / mass.sum(axis=0))
    odds = np.where(named_classes(column.stated) & column.votes[:, None], ODDS, 1.0)
    mass = odds / odds.mean(axis=1, keepdims=True) * (seen / seen.sum())[:, None]
    if not column.votes.all():
        mass[-1] = np.maximum(1 - mass[:-1].sum(axis=0), seen[-1] / seen.sum() / 2)
    return np.asarray(mass / mass.sum(axis=0))


def _agreement_weights(column: SideColumn, outcomes: Votes, probabilities: FloatArray, covered: FloatArray) -> FloatArray:
    """Log weights, float64 [n_outcomes, n_classes], of votes that are right as often as they agree with the ordinary ones (`probabilities`).

    Right and wrong are spread evenly over the classes inside and outside a set.
    """
    named, classes = named_classes(column.stated), column.stated.shape[1]
    size = named.sum(axis=1, keepdims=True)
    chance = float(size.mean()) / classes
    before = chance + (prior_accuracy(classes) - 1 / classes) / (1 - 1 / classes) * (1 - chance)
    rows = covered * (outcomes != ABSTAIN)
    right = float((probabilities * named[outcomes]).sum(axis=1) @ rows)
    accuracy = (right + AGREEMENT_VOTES * before) / (float(rows.sum()) + AGREEMENT_VOTES)
    return np.asarray(np.where(named, np.log(accuracy / size), np.log((1 - accuracy) / np.maximum(classes - size, 1))))


def learned(problem: Problem, expected: FloatArray, rounds: int, tolerance: float) -> tuple[list[FloatArray], FloatArray]:
    """(log tables, posterior of the rows) by EM from `expected`, a posterior float64 [n_classes, n_patterns], or from what known rows teach."""
    before, tables, expected = -np.inf, list[FloatArray](), start_at(expected, problem.known)
    if problem.known is not None:
        known_rows = expected * (problem.counts * (problem.known != ABSTAIN))
        expected, _ = _e_step(problem, _tables(problem, known_rows), expected)
    for _ in range(rounds):
        tables = _tables(problem, expected * problem.counts)
        expected, evidence = _e_step(problem, tables, expected)
        objective = float(evidence @ problem.counts)
        objective += sum(PRIOR_ROWS * float((centre * table).sum()) for centre, table in zip(problem.centres, tables, strict=True))
        if objective - before <= tolerance * float(problem.counts.sum()):
            break
        before = objective
    return tables, expected


def _e_step(problem: Problem, tables: Sequence[FloatArray], expected: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(posterior of the rows, log p(row) float64 [n_patterns]); the class balance, where it is learned here, is that of `expected`."""
    joint = _prior(problem, expected) + sum_tables_of(tables, problem.outcomes)
    top = joint.max(axis=0)
    scaled = np.exp(joint - top)
    total = scaled.sum(axis=0)
    classes = np.arange(len(expected))
    return clamp(scaled / total, top + np.log(total), problem.known, classes, np.ones(len(classes)))


def by_centres(problem: Problem) -> FloatArray:
    """Classes of the rows if every outcome means what it states, float64 [n_classes, n_patterns]."""
    joint = problem.prior + sum_tables_of([np.log(np.maximum(centre, SMALLEST)) for centre in problem.centres], problem.outcomes)
    scaled = np.exp(joint - joint.max(axis=0))
    return np.asarray(scaled / scaled.sum(axis=0))


def balance_of_rows(expected: FloatArray, counts: FloatArray) -> FloatArray:
    """Class balance of a posterior float64 [n_classes, n_patterns], BALANCE_ROWS rows added to each class; float64 [n_classes]."""
    rows = expected @ counts + BALANCE_ROWS
    return np.asarray(rows / rows.sum())


def _prior(problem: Problem, expected: FloatArray) -> FloatArray:
    return np.log(balance_of_rows(expected, problem.counts))[:, None] if problem.only else problem.prior


def _tables(problem: Problem, rows: FloatArray) -> list[FloatArray]:
    """The most probable log tables given expected rows, float64 [n_classes, n_patterns]; discounted."""
    found = []
    for of, centre, held, discount in zip(problem.outcomes.T, problem.centres, problem.held, problem.discounts, strict=True):
        found.append((_m_step(of, rows, centre) if held is None else held) * discount)
    return found


def _m_step(outcomes: Votes, rows: FloatArray, centre: FloatArray) -> FloatArray:
    """log P(outcome | class), float64 [n_outcomes, n_classes], from expected rows, float64 [n_classes, n_patterns]."""
    known = outcomes != ABSTAIN
    seen = np.stack([np.bincount(outcomes[known], weights=of_class[known], minlength=len(centre)) for of_class in rows], axis=1)
    mass = seen + PRIOR_ROWS * centre
    return np.asarray(np.log(mass) - np.log(mass.sum(axis=0)))


def sum_tables_of(tables: Sequence[FloatArray], outcomes: Outcomes) -> FloatArray:
    """Log weight of each row's outcomes, float64 [n_classes, n_rows]; in column order, so that a row's last bit depends on no other row."""
    total = np.zeros((tables[0].shape[1], len(outcomes)))
    for table, of in zip(tables, outcomes.T, strict=True):
        padded = np.vstack([table, np.zeros((1, table.shape[1]))])  # the last line stands for -1
        for k, weights in enumerate(padded.T):
            total[k] += weights.take(of)
    return total
