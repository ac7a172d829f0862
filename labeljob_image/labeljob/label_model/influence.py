"""What each function does to the labels of a whole set: the answer without it, from vote patterns, without a fit and without the rows.

The parameters of the others stay. "Without it" means that it was never asked: its vote, and its abstain where that is evidence, drop out of the
posterior (leave-one-out of a product of likelihoods is exact for every member; a committee averages its members' answers).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from labeljob.label_model.contributions import classes_of, members_of
from labeljob.label_model.fitting.arguments import require_statistics
from labeljob.label_model.model import COMPACT_CELLS, FittedLabelModel, posterior, posterior_of_sums, require_model, votes_of
from labeljob.label_model.side.side_model import beside_tables, side_posterior, silenced, voters_of_rows
from labeljob.label_model.statistics.packing import PackedVotes, pack, sum_tables
from labeljob.label_model.statistics.sums import class_sums
from labeljob.label_model.statistics.vote_statistics import VoteStatistics
from labeljob.label_model.tie_breaks import labels_of
from labeljob.votes import ABSTAIN, BoolArray, EmptyVotesError, FloatArray, IntArray, Votes, VotesError

PATTERNS = 1 << 14  # measured on at most about this many patterns, evenly spaced in canonical order; exact up to there


@dataclass(frozen=True)
class Influence:
    """Of every function, over all rows.

    Attributes:
        flips: float64 [n_functions], share of rows whose label is another one without the function; a tie and a row that nobody else votes on
            have no label.
        shift: float64 [n_functions], mean total variation between a row's probabilities with and without it, in [0, 1].
        cast: float64 [n_functions], share of the covered rows that it says something on.
        followed: float64 [n_functions], share of the rows it votes on whose label is its vote; NaN of no rows.
        covered: share of rows that somebody says something on.
    """

    flips: FloatArray
    shift: FloatArray
    cast: FloatArray
    followed: FloatArray
    covered: float


def influence(model: FittedLabelModel, statistics: VoteStatistics) -> Influence:
    """How much labels and probabilities change without each function.

    Args:
        statistics: of the rows to be labelled, which need not be those of the fit; of a model with side columns, of rows [votes, outcomes] as
            `side.fit_with_side` takes them.
    Raises:
        EmptyVotesError: there are no rows. VotesError: other functions or classes than the model's. TypeError: a label matrix, or a `LabelModel`.
    """
    require_model(model)
    require_statistics(statistics)
    if statistics.rows == 0:
        raise EmptyVotesError("the label matrix has no rows, so there is nothing to change")
    some = thinned(model, statistics)
    counts = some.counts / some.counts.sum()
    if model.side:
        return _beside(model, some.patterns, counts)
    patterns = votes_of(model, some.patterns)
    before, voting = posterior(model, patterns), np.count_nonzero(patterns != ABSTAIN, axis=1)
    labels, joints = _labels(before, voting), _joints(model, patterns)
    flips, shift = np.zeros(model.functions), np.zeros(model.functions)
    for j in range(model.functions):
        rows = _touched(model, patterns[:, j], j)
        after = _without(model, patterns[rows], j, [joint[:, rows] for joint in joints])
        left = voting[rows] - (patterns[rows, j] != ABSTAIN)
        flips[j] = counts[rows] @ (_labels(after, left) != labels[rows])
        shift[j] = counts[rows] @ np.abs(after - before[rows]).sum(axis=1) / 2
    return Influence(flips, shift, *_heard(patterns, patterns != ABSTAIN, labels, counts))


def thinned(model: FittedLabelModel, statistics: VoteStatistics) -> VoteStatistics:
    """The patterns that `influence` looks at, which holds nothing of the others."""
    most = PATTERNS if model.coins is None else max(1, COMPACT_CELLS // model.cardinality)
    step = -(-len(statistics.counts) // most) or 1
    kept, some = statistics.kept, slice(None, None, step)
    if step > 1:
        kept = kept.take(some) if isinstance(kept, PackedVotes) else kept[some].copy()
    return VoteStatistics(kept, statistics.counts[some].copy() if step > 1 else statistics.counts, None, None, statistics.budget)


def _beside(model: FittedLabelModel, patterns: Votes, counts: FloatArray) -> Influence:
    """As `influence`, where soft and partial votes stand beside ordinary ones: a function takes its side column with it."""
    if patterns.shape[1] != model.functions + len(model.side):
        raise VotesError(f"the model was fitted on {model.functions} functions and {len(model.side)} side columns; got {patterns.shape[1]} columns")
    votes, outcomes = votes_of(model, patterns[:, : model.functions]), patterns[:, model.functions :].astype(np.int16)
    spoke = voters_of_rows(model, votes, outcomes)
    before, voting = side_posterior(model, votes, outcomes), np.count_nonzero(spoke, axis=1)
    labels = _labels(before, voting)
    flips, shift = np.zeros(model.functions), np.zeros(model.functions)
    for j, after in enumerate(left_out(model, patterns)):
        flips[j] = counts @ (_labels(after, voting - spoke[:, j]) != labels)
        shift[j] = counts @ np.abs(after - before).sum(axis=1) / 2
    return Influence(flips, shift, *_heard(votes, spoke, labels, counts))


def left_out(model: FittedLabelModel, rows: Votes) -> Iterator[FloatArray]:
    """The posterior had a function not been asked, float64 [n_rows, n_classes], for each function in turn.

    Args:
        rows: [n_rows, n_functions + n_side_columns], votes and outcomes of side columns.
    """
    votes, outcomes = votes_of(model, rows[:, : model.functions]), rows[:, model.functions :].astype(np.int16)
    if not model.side:
        joints = _joints(model, votes)
        yield from (_without(model, votes, j, joints) for j in range(model.functions))
        return
    alone = silenced(votes, model.side)
    joints = _joints(model, alone)
    for j in range(model.functions):
        others = np.where([table.function == j for table in model.side], np.int16(ABSTAIN), outcomes)
        if model.algorithm == "majority-vote":
            yield side_posterior(model, np.where(np.arange(model.functions) == j, ABSTAIN, votes), others)
        else:
            yield beside_tables(model, _without(model, alone, j, joints), others)


def _heard(votes: Votes, spoke: BoolArray, labels: IntArray, counts: FloatArray) -> tuple[FloatArray, FloatArray, float]:
    """`cast`, `followed` and `covered` of patterns; spoke: bool [n_patterns, n_functions]; counts sum to 1."""
    covered, voted = float(counts @ spoke.any(axis=1)), counts @ (votes != ABSTAIN)
    right = counts @ ((votes == labels[:, None]) & (votes != ABSTAIN))
    followed = np.divide(right, voted, out=np.full(len(voted), np.nan), where=voted > 0)
    return np.asarray(counts @ spoke / covered) if covered else np.zeros(len(voted)), followed, covered


def _labels(P: FloatArray, voting: IntArray) -> IntArray:
    return labels_of(P, voting > 0, "abstain", 0)


def _joints(model: FittedLabelModel, patterns: Votes) -> list[FloatArray]:
    """Log joint of the states of each member, float64 [n_states, n_patterns]; none for majority vote; sums of votes of a model with `coins`."""
    if model.coins is not None:
        return [class_sums(patterns, model.coins, model.cardinality).T]
    if model.algorithm == "majority-vote":
        return []
    packed = pack(patterns, 1 + model.cardinality)
    return [sum_tables(packed, member.log_weights) + member.log_prior[:, None] for member in members_of(model)]


def _touched(model: FittedLabelModel, votes: Votes, j: int) -> IntArray:
    """Patterns that the function says something on: those with its vote, and all where an abstain of its counts."""
    counts_abstain = model.algorithm != "majority-vote" and model.coins is None and any(np.ptp(member.log_weights[j, 0]) > 0 for member in members_of(model))
    return np.arange(len(votes)) if counts_abstain else np.flatnonzero(votes != ABSTAIN)


def _without(model: FittedLabelModel, patterns: Votes, j: int, joints: list[FloatArray]) -> FloatArray:
    """The posterior of the patterns had function j not been asked, float64 [n_patterns, n_classes]."""
    if model.coins is not None:
        named = patterns[:, j] == np.arange(model.cardinality)[:, None]
        return posterior_of_sums(model, joints[0] - named * model.coins[j]).T
    if not joints:
        asked = patterns.copy()
        asked[:, j] = ABSTAIN
        return posterior(model, asked)
    outcomes = patterns[:, j].astype(np.int64) - ABSTAIN
    total = np.zeros((len(patterns), model.cardinality))
    for member, joint in zip(members_of(model), joints, strict=True):
        total += member.share * classes_of(member, joint.T - member.log_weights[j, outcomes], model.cardinality)
    return total

