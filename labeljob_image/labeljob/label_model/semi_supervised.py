"""Gold as evidence: a fit that takes rows with a known class at their word, and scores that never come from rows it was fitted on.

    rows [code, votes ...]   code: -1 unknown, else class * FOLDS + fold   ->  one `VoteStatistics`, merged like any other
        all codes known                    ->  the model that serves
        the codes of one fold taken out    ->  the model that scores that fold            (FOLDS times)

The fold of a row is given by whoever knows its identity, so that every shard, order and rerun gives the same folds.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from labeljob.label_model.model import FittedLabelModel, posterior
from labeljob.label_model.side import fit_with_side
from labeljob.label_model.side_tables import SideColumn
from labeljob.label_model.statistics import VoteStatistics, from_votes
from labeljob.votes import ABSTAIN, FloatArray, IntArray, Votes, validate_gold, validate_votes

FOLDS = 5


def with_codes(rows: Votes, gold: IntArray, folds: IntArray) -> VoteStatistics:
    """Statistics of rows [votes, outcomes of side columns] that keep apart what is known.

    Args:
        gold: int64 [n_rows], the class or -1. folds: int64 [n_rows], 0 to FOLDS - 1; of no account where gold is -1.
    """
    codes = np.where(gold == ABSTAIN, ABSTAIN, gold * FOLDS + folds)
    return from_votes(np.column_stack([codes, rows]))


def split(statistics: VoteStatistics) -> tuple[VoteStatistics, IntArray, IntArray]:
    """(statistics without the codes, known class int64 [n_patterns], fold int64 [n_patterns]); -1 where nothing is known."""
    codes = statistics.patterns[:, 0].astype(np.int64)
    rows = statistics.patterns[:, 1:]
    narrow = rows.astype(np.int8) if rows.max(initial=0) < 127 else rows
    return VoteStatistics(narrow, statistics.counts), np.where(codes < 0, ABSTAIN, codes // FOLDS), np.where(codes < 0, ABSTAIN, codes % FOLDS)


Fit = Callable[[VoteStatistics, IntArray | None], FittedLabelModel]


def fit_of(functions: int, columns: Sequence[SideColumn], cardinality: int, **arguments: Any) -> Fit:
    """`fit_with_side` with everything but the statistics and the known classes."""
    return lambda statistics, known: fit_with_side(statistics, functions, columns, cardinality, known=known, **arguments)


def fold_models(statistics: VoteStatistics, fit: Fit) -> Iterator[tuple[int, FittedLabelModel]]:
    """(fold, the model fitted without the gold of that fold) for each fold that has any; its rows stay, as rows of unknown class."""
    rows, known, folds = split(statistics)
    for fold in np.unique(folds[folds != ABSTAIN]).tolist():
        yield fold, fit(rows, np.where(folds == fold, ABSTAIN, known))


def cross_fitted_proba(L: Any, gold: Any, cardinality: int, *, seed: int = 0, **arguments: Any) -> FloatArray:
    """What a fit with gold says of each gold row when it has not seen that row's gold, float64 [n_rows, n_classes]; NaN where there is none.

    Args:
        L: [n_rows, n_functions]. gold: [n_rows], -1 unknown. seed: of the folds, which hold each class evenly. arguments: of `fit_statistics`.
    """
    votes = validate_votes(L, cardinality)
    known = validate_gold(gold, votes.shape[0], cardinality)
    shuffled = np.random.default_rng(seed).permutation(len(known))
    order = shuffled[np.argsort(known[shuffled], kind="stable")]
    folds = np.empty(len(known), dtype=np.int64)
    folds[order] = np.arange(len(known)) % FOLDS
    probabilities = np.full((len(known), cardinality), np.nan)
    for fold, model in fold_models(with_codes(votes, known, folds), fit_of(votes.shape[1], (), cardinality, seed=seed, **arguments)):
        rows = (known != ABSTAIN) & (folds == fold)
        probabilities[rows] = posterior(model, votes[rows])
    return probabilities
