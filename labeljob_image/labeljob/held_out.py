"""Labels of gold rows for scoring: each by a model and a calibrator that have not seen its class, so that a score is never of rows already seen (M8, X11).

A version knows by hash the gold rows that its model learned from (`useGold: fit`): they score nothing but the fit itself, fold by fold.
"""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from labeljob.calibration import Calibrator
from labeljob.frozen_calibration import FrozenCalibration, id_hashes
from labeljob.gold import Gold, Matched
from labeljob.label_model import FittedLabelModel
from labeljob.label_model.side.soft_votes import Levels
from labeljob.labelled import Labelled, Voters, label_votes
from labeljob.votes import BoolArray, IntArray, Votes

PARTS = ("probabilities", "labels", "confidence", "weight", "covered")


def of_rows(levels: Levels | None, chosen: BoolArray) -> Levels | None:
    """The levels of the chosen rows (bool [n_rows])."""
    return None if levels is None else levels[chosen]


def label_held_out(model: FittedLabelModel, voters: Voters, votes: Votes, levels: Levels | None, ids: pa.Array, calibration: FrozenCalibration) -> Labelled:
    """As `label_votes`, with the calibrator of its fold for a row that tuned the calibration; votes is int8 [n_rows, n_functions]."""
    of_folds = {number: (model, calibrator) for number, calibrator in enumerate(calibration.fold_calibrators)}
    return label_by_fold(label_votes(model, voters, votes, levels, calibration.calibrator), voters, votes, levels, calibration.folds(ids), of_folds)


def label_by_fold(
    labelled: Labelled, voters: Voters, votes: Votes, levels: Levels | None, fold: IntArray, of_folds: Mapping[int, tuple[FittedLabelModel, Calibrator]]
) -> Labelled:
    """`labelled`, its rows in a fold (int64 [n_rows]) labelled by the model and the calibrator of that fold instead."""
    for number, (model, calibrator) in of_folds.items():
        chosen = fold == number
        again = label_votes(model, voters, votes[chosen], of_rows(levels, chosen), calibrator)
        for name in PARTS:
            getattr(labelled, name)[chosen] = getattr(again, name)
    return labelled


def not_taught(gold: Gold, taught: frozenset[str]) -> Gold:
    """Gold without the rows that a model has learned from (`id_hashes` of their ids)."""
    if not taught:
        return gold
    return gold.part(np.array([key not in taught for key in id_hashes(gold.ids)], dtype=bool))


def judged(
    model: FittedLabelModel, voters: Voters, votes: Votes, levels: Levels | None, ids: pa.Array, calibration: FrozenCalibration, gold: Gold
) -> tuple[Labelled, Matched]:
    """The rows whose class is known, held out, and what is known of them."""
    matched = gold.match(ids)
    known = matched.known
    return label_held_out(model, voters, votes[known], of_rows(levels, known), ids.filter(pa.array(known)), calibration), matched.part(known)
