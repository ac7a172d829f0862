"""What a fit does with rows whose class is known: calibrate and score with them, and where asked to learn from them, or take the class balance from them (M8, X11).

    gold scores:      one model          -> P of gold rows           -> calibration, cross-fitted -> scores
    gold teaches:     (as evidence, or the class balance)
                      a model each fold -> P by the one that has
                      not seen the row's class                     -> calibration, cross-fitted -> scores
                      one model of all gold, which serves, with the calibrator of all of these P

Either way no row is scored by a model or a calibrator that has seen its class. Of a fit that learned, the rows that tune the calibrator of a fold
are read by models that have seen that fold: its gold moves them by what one fold moves a fit, and the few numbers of a calibrator by less.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from labeljob.calibration import NONE, Calibration, Calibrator, GoldRows, calibrate, shuffled
from labeljob.calibration.folds import stratified_folds
from labeljob.contract.calibration import CalibrationChoice
from labeljob.frozen_calibration import FrozenCalibration, freeze, id_keys
from labeljob.gold import Matched
from labeljob.held_out import label_by_fold
from labeljob.label_model import FittedLabelModel, VoteStatistics, with_known
from labeljob.label_model.side.soft_votes import Levels
from labeljob.labelled import Labelled, Voters, label_votes
from labeljob.votes import ABSTAIN, IntArray, Votes

GoldFit = Callable[[VoteStatistics, Matched], FittedLabelModel]  # of statistics, and of the gold whose class balance may be taken
NO_GOLD = "there is no goldData, so nothing says how honest the probabilities are; functions that copy each other make them too sure"


@dataclass(frozen=True, eq=False)
class GoldVotes:
    """The rows whose class is known.

    Attributes:
        ids: [n_gold], ascending. votes: int8 [n_gold, n_functions]. levels: int16 [n_gold, n_soft], None where the set has no soft votes.
        gold: what is known of them.
    """

    ids: pa.Array
    votes: Votes
    levels: Levels | None
    gold: Matched


@dataclass(frozen=True, eq=False)
class Fitted:
    """The model that serves.

    Attributes:
        statistics: of all rows. scorers: by fold, the model that has not seen the gold of that fold; none where gold taught nothing.
        fold: int64 [n_gold].
    """

    model: FittedLabelModel
    statistics: VoteStatistics
    scorers: dict[int, FittedLabelModel] = field(default_factory=dict)
    fold: IntArray = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    @property
    def taught(self) -> bool:
        """Whether the model learned from gold."""
        return bool(self.scorers)


def fit_with_gold(statistics: VoteStatistics, rows: Votes, known: GoldVotes, seed: int, fit: GoldFit) -> Fitted:
    """One fit on all gold, and one without each fold. Where the first finds nothing to learn (majority vote), gold goes on to score it.

    Args:
        statistics: of the rows without gold. rows: those with gold, as `statistics` takes them.
    """
    classes = known.gold.classes
    every = with_known(statistics, rows, classes)
    model = fit(every, known.gold)
    if model.algorithm == "majority-vote" or not len(rows):
        return Fitted(model, every)
    fold = _folds(known, seed)
    others = {number: with_known(statistics, rows, np.where(fold == number, ABSTAIN, classes)) for number in np.unique(fold).tolist()}
    return Fitted(model, every, {number: fit(of, known.gold.part(fold != number)) for number, of in others.items()}, fold)


def fit_on_balance(statistics: VoteStatistics, known: GoldVotes, seed: int, fit: GoldFit) -> Fitted:
    """One fit with the class balance of all gold, and one with that of the others for each fold; majority vote, whose labels need none, goes on to be scored.

    Args:
        statistics: of all rows.
    """
    model = fit(statistics, known.gold)
    if model.algorithm == "majority-vote":
        return Fitted(model, statistics)
    fold = _folds(known, seed)
    return Fitted(model, statistics, {number: fit(statistics, known.gold.part(fold != number)) for number in np.unique(fold).tolist()}, fold)


def _folds(known: GoldVotes, seed: int) -> IntArray:
    return stratified_folds(shuffled(id_keys(known.ids), seed).outer, known.gold.classes)


@dataclass(frozen=True, eq=False)
class Calibrated:
    """The calibration, and gold rows as they are labelled without it and with it, each by a model and a calibrator that have not seen its class."""

    calibration: Calibration
    frozen: FrozenCalibration
    before: Labelled
    after: Labelled


def calibrated(fitted: Fitted, voters: Voters, known: GoldVotes, choice: CalibrationChoice, seed: int, *, has_gold: bool) -> Calibrated:
    """Tuned on covered gold rows; the folds depend on ids and seed alone."""
    before = _labelled(fitted, voters, known, NONE, {})
    covered, gold = before.covered, known.gold.part(before.covered)
    ids = known.ids.filter(pa.array(covered))
    rows = GoldRows(before.probabilities[covered], gold.classes, gold.weights, shuffled(id_keys(ids), seed))
    if fitted.taught:
        rows = replace(rows, fold=fitted.fold[covered])
    found = calibrate(rows, choice) if has_gold or choice == "none" else Calibration(NONE, choice, NO_GOLD)
    frozen = FrozenCalibration(found.calibrator) if fitted.taught else freeze(found, ids)
    folds = dict(enumerate(found.fold_calibrators))
    if fitted.taught:
        return Calibrated(found, frozen, before, _labelled(fitted, voters, known, found.calibrator, folds))
    after = label_votes(fitted.model, voters, known.votes, known.levels, found.calibrator)
    of_folds = {number: (fitted.model, calibrator) for number, calibrator in folds.items()}
    return Calibrated(found, frozen, before, label_by_fold(after, voters, known.votes, known.levels, frozen.folds(known.ids), of_folds))


def _labelled(fitted: Fitted, voters: Voters, known: GoldVotes, calibrator: Calibrator, folds: dict[int, Calibrator]) -> Labelled:
    """Gold rows, each by the model that has not seen its class, and by the calibrator of its fold (`calibrator` where it has none)."""
    labelled = label_votes(fitted.model, voters, known.votes, known.levels, calibrator)
    of_folds = {number: (model, folds.get(number, calibrator)) for number, model in fitted.scorers.items()}
    return label_by_fold(labelled, voters, known.votes, known.levels, fitted.fold, of_folds)
