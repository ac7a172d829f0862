"""From votes to label sets: the probability of each class, calibrated, and what is said of the row as a whole.

    labels      the classes above 1/2, in class order; none of a row that nobody votes on
    confidence  mean over classes of max(p, 1 - p): the share of the classes that the labels are expected to be right about
    weight      2 confidence - 1, the mean over classes of a binary row's training weight; 0 where nobody votes
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from labeljob.label_model.model import FittedLabelModel, posterior
from labeljob.label_model.side.side_model import side_posterior
from labeljob.label_model.side.soft_votes import Levels
from labeljob.labelled import Voters
from labeljob.multi_label.calibration import SetCalibration
from labeljob.multi_label.tasks import Task
from labeljob.scores import TIE
from labeljob.votes import BoolArray, FloatArray, Votes, covered_rows

SMALLEST = float(np.finfo(np.float64).tiny)
PARTS = ("probabilities", "labels", "known", "confidence", "weight", "covered")


@dataclass(frozen=True)
class LabelledSets:
    """What is said of each row.

    Attributes:
        probabilities: float64 [n_rows, n_classes], of each class by itself; rows need not sum to 1.
        labels: bool [n_rows, n_classes]; all False where `known` is False.
        known: bool [n_rows], whether the row has labels at all: a function votes on it, be it a fallback.
        confidence, weight: float64 [n_rows]; covered: bool [n_rows], a function that is no fallback votes.
    """

    probabilities: FloatArray
    labels: BoolArray
    known: BoolArray
    confidence: FloatArray
    weight: FloatArray
    covered: BoolArray

    def part(self, chosen: BoolArray) -> "LabelledSets":
        """Some of the rows."""
        return LabelledSets(*(getattr(self, name)[chosen] for name in PARTS))


def label_sets(
    models: Sequence[FittedLabelModel],
    tasks: Sequence[Task],
    voters: Voters,
    votes: Votes,
    levels: Levels | None,
    calibration: SetCalibration,
    held_out: pa.Array | None = None,
) -> LabelledSets:
    """Label rows; the answer for a row does not depend on the rows around it.

    Args:
        votes: int8 [n_rows, n_functions], fallbacks included. calibration: of covered rows; the others keep the posterior given silence, updated
            by fallbacks. held_out: ids of the rows, when none may be labelled by a calibrator that was tuned on it.
    """
    covered = covered_rows(votes[:, voters.regular])
    P = np.column_stack([task_posterior(model, task, votes, levels) for model, task in zip(models, tasks, strict=True)])
    if covered.any():
        P[covered] = calibration.applied(P[covered]) if held_out is None else calibration.held_out(P[covered], held_out.filter(pa.array(covered)))
    by_fallback = ~covered & covered_rows(votes)
    P[by_fallback] = with_fallbacks(P[by_fallback], votes[by_fallback], voters)
    return of_probabilities(P, covered, covered | by_fallback)


def of_probabilities(P: FloatArray, covered: BoolArray, known: BoolArray) -> LabelledSets:
    """Labels, confidence and weight of probabilities float64 [n_rows, n_classes]."""
    confidence = np.zeros(len(P))
    for p in P.T:  # in class order: the same last bit for any number of rows
        confidence += np.maximum(p, 1 - p)
    confidence /= P.shape[1]
    weight = np.where(covered, np.clip(2 * confidence - 1, 0.0, 1.0), 0.0)
    return LabelledSets(P, (P > 0.5 + TIE) & known[:, None], known, confidence, weight, covered)


def task_posterior(model: FittedLabelModel, task: Task, votes: Votes, levels: Levels | None) -> FloatArray:
    """Probability that each row has the class, float64 [n_rows]."""
    answers, outcomes = task.ballots(votes, levels, silence_answers=model.algorithm != "majority-vote")
    P = side_posterior(model, answers, outcomes) if model.side else posterior(model, answers)
    return np.ascontiguousarray(P[:, 1])


def with_fallbacks(prior: FloatArray, votes: Votes, voters: Voters) -> FloatArray:
    """The probabilities of rows on which only fallbacks vote: each raises the odds of the class that it names by those of its declared accuracy."""
    odds = np.log(np.maximum(prior, SMALLEST)) - np.log(np.maximum(1 - prior, SMALLEST))
    for column in np.flatnonzero(voters.fallback):
        accuracy = voters.accuracies[column]
        rows = np.flatnonzero(votes[:, column] >= 0)
        odds[rows, votes[rows, column]] += np.log(accuracy) - np.log(1 - accuracy)
    return np.asarray(1 / (1 + np.exp(-odds)))
