"""Gold as evidence: a fit that takes rows with a known class at their word, and probabilities that never come from a fit that has seen the row's class.

    statistics of the other rows --with_known(rows, classes)--> statistics that a fit learns from, what is known being a constant of its M step
        all classes known                       ->  the model that serves
        the classes of one fold taken out       ->  the model that scores that fold, its rows being rows of unknown class      (`folds` times)

Known rows are kept whole: no sample, and no merge, loses one. They need not be drawn at random as long as what decided which rows are known is in
the votes: then the likelihood of the votes and the known classes is the same (Little & Rubin 2002, "Statistical Analysis with Missing Data", section 6.2:
missing at random), and inclusion probabilities, which scores need, play no part here.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from labeljob.calibration.folds import FOLDS, stratified_folds
from labeljob.label_model.fitting.fit import fit_statistics
from labeljob.label_model.model import FittedLabelModel, posterior
from labeljob.label_model.statistics.patterns import distinct
from labeljob.label_model.statistics.vote_statistics import VoteStatistics, add_totals, reduce_votes, totals_of
from labeljob.votes import ABSTAIN, BoolArray, FloatArray, IntArray, Votes, VotesError, validate_gold, validate_votes

Fit: TypeAlias = Callable[[VoteStatistics], FittedLabelModel]


def with_known(statistics: VoteStatistics, rows: Votes, classes: IntArray) -> VoteStatistics:
    """The statistics of more rows, whose classes are known; the inputs are not changed.

    Args:
        rows: [n_known, n_functions], votes and outcomes of side columns as in `statistics`, which are of other rows.
        classes: int64 [n_known], the class or -1.
    Raises:
        VotesError: other functions; or some rows of the statistics are known already.
    """
    if statistics.functions != rows.shape[1]:
        raise VotesError(f"statistics of {statistics.functions} and rows of {rows.shape[1]} labeling functions cannot be put together")
    if statistics.told is not None:
        raise VotesError("some rows of the statistics are known already: add all that is known at once")
    if not len(rows):
        return statistics
    wide = np.result_type(statistics.patterns, rows) == np.int16
    together, counts = distinct(np.column_stack([classes, rows]).astype(np.int16), int(max(classes.max(), rows.max())) + 2)
    apart: Votes = together[:, 1:].copy() if wide else together[:, 1:].astype(np.int8)
    known = VoteStatistics(apart, counts, None, None, statistics.budget)
    totals = None if statistics.totals is None else add_totals(statistics.totals, totals_of(known), statistics.budget)
    patterns: Votes = np.concatenate([statistics.patterns, known.patterns])
    numbers = np.concatenate([statistics.counts, counts])
    return VoteStatistics(patterns, numbers, statistics.sample, totals, statistics.budget, together[:, 0].astype(np.int64))


def fold_models(statistics: VoteStatistics, rows: Votes, classes: IntArray, folds: IntArray, fit: Fit) -> dict[int, FittedLabelModel]:
    """For each fold, the model fitted without its classes.

    Args:
        statistics: of the rows of unknown class. rows, classes: as of `with_known`. folds: int64 [n_known].
    """
    return {fold: fit(with_known(statistics, rows, np.where(folds == fold, ABSTAIN, classes))) for fold in np.unique(folds).tolist()}


def part_known(votes: Votes, classes: IntArray) -> VoteStatistics:
    """The statistics of a bare matrix of which some classes are known, int64 [n_rows], -1 where not."""
    known = classes != ABSTAIN
    return with_known(reduce_votes(votes[~known]), votes[known], classes[known])


def cross_fitted_proba(L: Any, gold: Any, cardinality: int, *, seed: int = 0, **arguments: Any) -> FloatArray:
    """What a fit with gold says of each gold row when it has not seen that row's class, float64 [n_rows, n_classes]; NaN where no class is known.

    Args:
        L: [n_rows, n_functions]. gold: [n_rows], -1 unknown. seed: of the folds, which hold each class evenly. arguments: of `fit_statistics`.
    """
    votes = validate_votes(L, cardinality)
    known: BoolArray = validate_gold(gold, votes.shape[0], cardinality) != ABSTAIN
    classes, rows = validate_gold(gold, votes.shape[0], cardinality)[known], votes[known]
    folds = stratified_folds(np.random.default_rng(seed).permutation(len(rows)), classes, FOLDS)
    others = reduce_votes(votes[~known])

    def fit(statistics: VoteStatistics) -> FittedLabelModel:
        return fit_statistics(statistics, cardinality, seed=seed, **arguments)

    said = np.empty((len(rows), cardinality))
    for fold, model in fold_models(others, rows, classes, folds, fit).items():
        said[folds == fold] = posterior(model, rows[folds == fold])
    probabilities = np.full((len(votes), cardinality), np.nan)
    probabilities[known] = said
    return probabilities
