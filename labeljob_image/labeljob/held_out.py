"""Labels of gold rows for scoring: each by a calibrator that was not tuned on it, so that a score is never of rows already seen (M8, X11)."""

import pyarrow as pa

from labeljob.frozen_calibration import FrozenCalibration
from labeljob.gold import Gold, Matched
from labeljob.label_model import FittedLabelModel
from labeljob.label_model.soft_votes import Levels
from labeljob.labelled import Labelled, Voters, label_votes
from labeljob.votes import BoolArray, Votes

PARTS = ("probabilities", "labels", "confidence", "weight", "covered")


def of_rows(levels: Levels | None, chosen: BoolArray) -> Levels | None:
    """The levels of the chosen rows (bool [n_rows])."""
    return None if levels is None else levels[chosen]


def label_held_out(model: FittedLabelModel, voters: Voters, votes: Votes, levels: Levels | None, ids: pa.Array, calibration: FrozenCalibration) -> Labelled:
    """As `label_votes`, with the calibrator of its fold for a row that tuned the calibration; votes is int8 [n_rows, n_functions]."""
    labelled = label_votes(model, voters, votes, levels, calibration.calibrator)
    fold = calibration.folds(ids)
    for number, calibrator in enumerate(calibration.fold_calibrators):
        chosen = fold == number
        again = label_votes(model, voters, votes[chosen], of_rows(levels, chosen), calibrator)
        for name in PARTS:
            getattr(labelled, name)[chosen] = getattr(again, name)
    return labelled


def judged(
    model: FittedLabelModel, voters: Voters, votes: Votes, levels: Levels | None, ids: pa.Array, calibration: FrozenCalibration, gold: Gold
) -> tuple[Labelled, Matched]:
    """The rows whose class is known, held out, and what is known of them."""
    matched = gold.match(ids)
    known = matched.known
    return label_held_out(model, voters, votes[known], of_rows(levels, known), ids.filter(pa.array(known)), calibration), matched.part(known)
