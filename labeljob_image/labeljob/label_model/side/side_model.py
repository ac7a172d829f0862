"""Soft and partial votes as evidence: tables of their outcomes beside a label model of the ordinary votes.

    votes for one class  ->  any algorithm  ->  p(class | votes) --.
                                                                    x--> posterior ~ p(class | votes) prod_c T_c(outcome_c | class) ^ d_c
    levels of soft votes, sets of partial votes (*side columns*) --'

The label model is fitted first, on the functions alone where LEAST_FUNCTIONS of them overlap; where fewer do, soft votes take part in it as
votes for their likeliest class, and are taken back afterwards. Then EM learns for each side column how often
each outcome occurs given the class, with p(class | votes) held (`side_em`). Teachers that repeat one another, or a function, and partial votes
that repeat one another, are discounted as in `dependence`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from labeljob.label_model.algorithms import weighted_vote
from labeljob.label_model.algorithms.majority_vote import tally
from labeljob.label_model.fitting.arguments import AbstainArgument
from labeljob.label_model.fitting.dependence import Sample, discount_of, raw_discount, residual_pairs, sample_of
from labeljob.label_model.fitting.fit import fit_statistics
from labeljob.label_model.fitting.selection import LEAST_FUNCTIONS
from labeljob.label_model.model import FittedLabelModel, posterior
from labeljob.label_model.side.side_em import SMALLEST, Problem, balance_of_rows, by_centres, learned, make_problem, sum_tables_of
from labeljob.label_model.side.side_tables import Outcomes, SideColumn, SideTable, named_classes
from labeljob.label_model.statistics.patterns import distinct
from labeljob.label_model.statistics.vote_statistics import VoteStatistics
from labeljob.votes import ABSTAIN, BoolArray, FloatArray, IntArray, Votes

DISCOUNT_ROUNDS = 4


def fit_with_side(
    statistics: VoteStatistics, functions: int, columns: Sequence[SideColumn], cardinality: int, abstain: Sequence[AbstainArgument] | None = None, **arguments: Any
) -> FittedLabelModel:
    """Fit a label model and the tables of its side columns.

    Args:
        statistics: of rows [votes of `functions` functions, outcomes of the side columns]: soft votes by their likeliest class, partial ones -1.
        columns: the side columns, in the order of their outcomes.
        abstain: as of `fit_statistics`; a side column's is missing in the label matrix.
        arguments: others of `fit_statistics`.
    Raises:
        As `fit_statistics`.
    """
    if not columns:
        return fit_statistics(statistics, cardinality, abstain=abstain, **arguments)
    votes: Votes = statistics.patterns[:, :functions].copy()
    outcomes = statistics.patterns[:, functions:].astype(np.int16)
    ordinary = _grouped(votes, statistics)
    readings = _readings(functions, columns, abstain)
    if _enough(silenced(votes, columns), statistics.weights, cardinality):
        ordinary = _grouped(silenced(votes, columns), statistics)
    base = fit_statistics(ordinary, cardinality, abstain=readings, **arguments)
    if base.algorithm == "majority-vote" and arguments.get("algorithm", "auto") == "auto":
        votes_alone = fit_statistics(ordinary, cardinality, abstain=readings, **(arguments | {"algorithm": "weighted-vote"}))
        base = replace(votes_alone, reason=base.reason, why=f"{base.why}: weighted vote beside soft or partial votes")
    return _with_tables(base, votes, outcomes, statistics, columns, arguments)


def _grouped(votes: Votes, statistics: VoteStatistics) -> VoteStatistics:
    """Statistics of other votes on the rows of `statistics`, each pattern with its rows, apart for each known class."""
    rows = np.maximum(np.rint(statistics.weights), 1).astype(np.int64)
    known, outcomes = statistics.known, int(votes.max(initial=ABSTAIN)) + 2
    if known is None:
        return VoteStatistics(*distinct(votes, outcomes, rows), None, None, statistics.budget)
    together, counts = distinct(np.column_stack([known, votes]).astype(np.int16), max(int(known.max()) + 2, outcomes), rows)
    apart: Votes = together[:, 1:].copy()
    return VoteStatistics(apart.astype(np.int8) if votes.dtype == np.int8 else apart, counts, None, None, statistics.budget, together[:, 0].astype(np.int64))


def _enough(votes: Votes, counts: FloatArray, classes: int) -> bool:
    """Whether the functions can be told apart without the teachers."""
    _, comparable = weighted_vote.agreement(votes, counts, classes)
    return bool(np.count_nonzero(comparable) >= LEAST_FUNCTIONS)


def _readings(functions: int, columns: Sequence[SideColumn], abstain: Sequence[AbstainArgument] | None) -> list[AbstainArgument]:
    readings: list[AbstainArgument] = list(abstain) if abstain is not None else ["auto"] * functions
    for column in columns:
        readings[column.function] = "missing"
    return readings


def _with_tables(
    base: FittedLabelModel, votes: Votes, outcomes: Outcomes, statistics: VoteStatistics, columns: Sequence[SideColumn], arguments: dict[str, Any]
) -> FittedLabelModel:
    counts = statistics.weights
    if base.algorithm == "majority-vote":
        tables, expected = [np.log(np.maximum(column.stated, SMALLEST)) for column in columns], None
    else:
        ordinary = silenced(votes, columns)
        problem = make_problem(posterior(base, ordinary), counts * (ordinary != ABSTAIN).any(axis=1), outcomes, counts, columns)
        problem = replace(problem, known=statistics.known, only=arguments.get("class_balance") is None and not (votes != ABSTAIN).any())
        tables, expected, base = _discounted(base, problem, votes, columns, arguments.get("max_iterations", 100), arguments.get("tolerance", 1e-6))
    side = tuple(_table(base, column, weights, of, counts) for column, weights, of in zip(columns, tables, outcomes.T, strict=True))
    accuracies, log_weights = base.accuracies.copy(), base.log_weights.copy()
    for column, table, of in zip(columns, side, outcomes.T, strict=True):
        if not np.isnan(table.weight) and expected is not None:
            accuracies[column.function] = _accuracy(table, of, counts, expected)
        if column.soft:
            log_weights[column.function, 1:] = _by_class(table)
    return replace(base, accuracies=accuracies, log_weights=log_weights, side=side)


def silenced(votes: Votes, columns: Sequence[SideColumn | SideTable]) -> Votes:
    """The label matrix without the soft votes' likeliest classes."""
    silenced = votes.copy()
    silenced[:, [column.function for column in columns if column.soft]] = ABSTAIN
    return silenced


@dataclass(frozen=True)
class _Group:
    """Side columns that are compared with one another: `places` among the columns, `members` among the functions of `sample`, in the same order."""

    places: IntArray
    members: IntArray
    sample: Sample
    classes: int
    evidence: BoolArray


def _groups(base: FittedLabelModel, problem: Problem, votes: Votes, columns: Sequence[SideColumn]) -> list[_Group]:
    """Teachers beside all functions by their likeliest class; partial votes beside one another by when, and for what, they are cast."""
    counts, groups = np.maximum(np.rint(problem.counts), 1).astype(np.int64), list[_Group]()
    soft = np.array([column.soft for column in columns])
    if soft.any():
        sample = sample_of(VoteStatistics(votes, counts, None, None))
        teachers = np.array([column.function for column in columns if column.soft])
        groups.append(_Group(np.flatnonzero(soft), teachers, sample, base.cardinality, np.array([reading == "evidence" for reading in base.abstain])))
    if np.count_nonzero(~soft) > 1:
        places = np.flatnonzero(~soft)
        cast = [np.where(np.append(columns[c].votes, False)[problem.outcomes[:, c]], problem.outcomes[:, c], ABSTAIN) for c in places.tolist()]
        sample = sample_of(VoteStatistics(np.stack(cast, axis=1).astype(np.int16), counts, None, None))
        groups.append(_Group(places, np.arange(len(places)), sample, int(sample.patterns.max(initial=0)) + 1, np.ones(len(places), dtype=bool)))
    return groups


def _discounted(
    base: FittedLabelModel, problem: Problem, votes: Votes, columns: Sequence[SideColumn], rounds: int, tolerance: float
) -> tuple[list[FloatArray], FloatArray, FittedLabelModel]:
    """(log tables, posterior of the rows, model with the discounts): first by raw correlation, then by what the class leaves unexplained."""
    groups = _groups(base, problem, votes, columns)
    found = [raw_discount(group.sample, group.classes, group.evidence) for group in groups]
    expected, discounts = by_centres(problem) if problem.only else posterior(base, votes).T, np.ones(len(columns))
    for _ in range(DISCOUNT_ROUNDS if groups else 1):
        for group, discount in zip(groups, found, strict=True):
            discounts[group.places] = discount[group.members]
        tables, expected = learned(replace(problem, discounts=discounts.copy()), expected, rounds, tolerance)
        found = [
            np.sqrt(before * discount_of(residual_pairs(group.sample, expected[:, group.sample.chosen], group.classes, group.evidence), before))
            for group, before in zip(groups, found, strict=True)
        ]
    if groups:
        known = np.ones(base.functions) if base.discounts is None else base.discounts.copy()
        for column, counts_as in zip(columns, discounts.tolist(), strict=True):
            if column.soft or not (votes[:, column.function] != ABSTAIN).any():
                known[column.function] = counts_as
        base = replace(base, discounts=known)
    return tables, expected, replace(base, class_balance=balance_of_rows(expected, problem.counts)) if problem.only else base


def _table(base: FittedLabelModel, column: SideColumn, log_weights: FloatArray, outcomes: Votes, counts: FloatArray) -> SideTable:
    known = outcomes != ABSTAIN
    seen = np.bincount(outcomes[known], weights=counts[known], minlength=len(column.stated)) * column.votes
    named = named_classes(column.stated)
    inside = (log_weights * named).sum(axis=1) / named.sum(axis=1)
    outside = (log_weights * ~named).sum(axis=1) / np.maximum((~named).sum(axis=1), 1)
    weight = 1.0 if base.algorithm == "majority-vote" else float((inside - outside) @ seen / max(seen.sum(), 1.0))
    if not column.soft and not np.isnan(base.accuracies[column.function]):
        weight = np.nan
    return SideTable(column.function, column.soft, log_weights.copy(), column.stated.copy(), column.votes.copy(), weight)


def _accuracy(table: SideTable, outcomes: Votes, counts: FloatArray, expected: FloatArray) -> float:
    """Expected share of votes that name the class; NaN of no votes."""
    voted = np.append(table.votes, False)[outcomes]
    right = (expected * named_classes(table.stated)[outcomes].T).sum(axis=0)
    return float(right[voted] @ counts[voted] / counts[voted].sum()) if voted.any() else np.nan


def _by_class(table: SideTable) -> FloatArray:
    """log P(likeliest class of the level | class), float64 [n_classes, n_classes]."""
    named = named_classes(table.stated).T.astype(np.float64)
    return np.asarray(np.log(np.maximum(named @ np.exp(table.log_weights), SMALLEST)))


def side_posterior(model: FittedLabelModel, L: Any, outcomes: Outcomes) -> FloatArray:
    """Probability of each class for each row, from votes and the outcomes of the side columns.

    Majority vote counts what an outcome states as shares of one vote; every other model multiplies by the learned tables.

    Args:
        L: [n_rows, n_functions], as `fit_with_side` had it; what it holds where a vote is soft is not looked at.
        outcomes: int16 [n_rows, n_side_columns].
    Returns:
        float64 [n_rows, n_classes]; the answer for a row does not depend on the other rows, to the last bit.
    """
    votes = silenced(np.asarray(L), model.side)
    if model.algorithm == "majority-vote":
        return _shares(model, votes, outcomes)
    return beside_tables(model, posterior(model, votes), outcomes)


def beside_tables(model: FittedLabelModel, probabilities: FloatArray, outcomes: Outcomes) -> FloatArray:
    """Probabilities by the ordinary votes, float64 [n_rows, n_classes], times what the side columns' outcomes say, likewise; normalised."""
    joint = np.log(np.maximum(probabilities, SMALLEST)).T + sum_tables_of([table.log_weights for table in model.side], outcomes)
    scaled = np.exp(joint - joint.max(axis=0, initial=-np.inf))
    total = np.zeros(scaled.shape[1])
    for of_class in scaled:
        total += of_class
    return np.asarray((scaled / total).T)


def voters_of_rows(model: FittedLabelModel, votes: Votes, outcomes: Outcomes) -> BoolArray:
    """Who says something on a row, bool [n_rows, n_functions]: a vote, or an outcome of a side column that is one."""
    spoke = np.asarray(votes != ABSTAIN)
    for table, of in zip(model.side, outcomes.T, strict=True):
        spoke[:, table.function] |= np.append(table.votes, False)[of]
    return spoke


def _shares(model: FittedLabelModel, votes: Votes, outcomes: Outcomes) -> FloatArray:
    said = [table.stated * table.votes[:, None] for table in model.side]
    shares = tally(votes, model.cardinality) + sum_tables_of(said, outcomes)
    total = np.zeros(shares.shape[1])
    for of_class in shares:
        total += of_class
    return np.where(total > 0, shares / np.where(total > 0, total, 1), model.class_balance[:, None]).T


def side_contributions(model: FittedLabelModel, outcomes: Any) -> FloatArray:
    """What the side columns of one row add to the log probability of each class (nats), float64 [n_functions, n_classes]; 0 for other functions.

    Args:
        outcomes: int16 [n_side_columns]. Majority vote: shares before they are divided by the number of votes.
    """
    added = np.zeros((model.functions, model.cardinality))
    for table, outcome in zip(model.side, np.asarray(outcomes), strict=True):
        if outcome != ABSTAIN:
            values = table.stated * table.votes[:, None] if model.algorithm == "majority-vote" else table.log_weights
            added[table.function] = values[outcome]
    return added
