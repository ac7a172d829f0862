"""From votes to labelled rows: the label model, calibrated, where functions vote, declared accuracies where only fallbacks do (DESIGN §3)."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from labeljob.ballots import ordinary, outcomes, partial_sets, side_columns
from labeljob.calibration import Calibrator, calibrated_where
from labeljob.contract.function_set import FunctionSet
from labeljob.label_model import FittedLabelModel, VoteReducer, posterior
from labeljob.label_model.side.side_model import side_posterior
from labeljob.label_model.side.side_tables import SideColumn
from labeljob.label_model.side.soft_votes import Levels
from labeljob.scores import confidence, labels_from_probabilities, training_weight
from labeljob.votes import ABSTAIN, BoolArray, FloatArray, IntArray, Votes, covered_rows

FALLBACK_ACCURACY = 0.6


@dataclass(frozen=True)
class Voters:
    """The enabled functions as the columns of votes.

    Attributes:
        names: in function order.
        fallback: bool [n_functions].
        accuracies: float64 [n_functions], as declared; only meaningful for fallbacks.
        sets: bool [n_functions, n_classes], the classes of a partial vote. side: the side columns; see `ballots`.
    """

    names: tuple[str, ...]
    fallback: BoolArray
    accuracies: FloatArray
    sets: BoolArray
    side: tuple[SideColumn, ...]

    @cached_property
    def regular(self) -> IntArray:
        """Columns of the functions that are no fallbacks, int64."""
        return np.flatnonzero(~self.fallback)


def voters_of(function_set: FunctionSet) -> Voters:
    """The columns that votes on this set have."""
    functions = function_set.enabled_functions
    return Voters(
        names=tuple(function.name for function in functions),
        fallback=np.array([function.is_fallback for function in functions], dtype=bool),
        accuracies=np.array([FALLBACK_ACCURACY if function.accuracy is None else function.accuracy for function in functions]),
        sets=partial_sets(function_set),
        side=side_columns(function_set),
    )


def reducer_of(voters: Voters) -> VoteReducer:
    """What reduces the rows of `reduced_rows` to statistics."""
    classes = voters.sets.shape[1]
    return VoteReducer(max(len(voters.regular) + len(voters.side), 1), max([classes, *(len(column.stated) for column in voters.side)]))


def reduced_rows(voters: Voters, votes: Votes, levels: Levels | None) -> Votes:
    """Rows as statistics take them, [n_rows, n_regular + n_side_columns]: ordinary votes of the functions that are no fallbacks, then outcomes."""
    regular = votes[:, voters.regular]
    return np.column_stack([ordinary(regular), outcomes(voters.side, regular, levels)]).astype(np.int16) if voters.side else regular


@dataclass(frozen=True)
class Labelled:
    """What is said of each row.

    Attributes:
        probabilities: float64 [n_rows, n_classes].
        labels: int64 [n_rows]; -1 for null: a tie, or nobody voted.
        confidence, weight: float64 [n_rows].
        covered: bool [n_rows], a function that is no fallback voted.
    """

    probabilities: FloatArray
    labels: IntArray
    confidence: FloatArray
    weight: FloatArray
    covered: BoolArray


def label_votes(model: FittedLabelModel, voters: Voters, votes: Votes, levels: Levels | None, calibrator: Calibrator) -> Labelled:
    """Label rows; the answer for a row does not depend on the rows around it.

    Args:
        votes: int8 [n_rows, n_functions], fallbacks included. levels: int16 [n_rows, n_soft], of the soft votes; None where the set has none.
        calibrator: of covered rows; the others keep the posterior given that all abstained, updated by fallbacks.
    """
    regular = votes[:, voters.regular]
    covered = covered_rows(regular)
    probabilities = side_posterior(model, ordinary(regular), outcomes(voters.side, regular, levels)) if model.side else posterior(model, regular)
    probabilities = calibrated_where(calibrator, probabilities, covered)
    by_fallback = ~covered & covered_rows(votes)
    probabilities[by_fallback] = with_fallbacks(probabilities[by_fallback], votes[by_fallback], voters)
    labels = labels_from_probabilities(probabilities)
    labels[~covered & ~by_fallback] = ABSTAIN
    return Labelled(probabilities, labels, confidence(probabilities), training_weight(probabilities, covered), covered)


def with_fallbacks(prior: FloatArray, votes: Votes, voters: Voters) -> FloatArray:
    """Posterior of rows on which only fallbacks vote.

    Args:
        prior: float64 [n_rows, n_classes], the model's posterior given that all abstained.
        votes: int8 [n_rows, n_functions].
    Returns:
        prior x product over voting fallbacks of (a where the class is voted for, else (1 - a) / (K - 1)), normalised.
    """
    classes = prior.shape[1]
    joint = np.log(np.maximum(prior, np.finfo(np.float64).tiny))
    for column in np.flatnonzero(voters.fallback):
        accuracy, voted = voters.accuracies[column], votes[:, column]
        weights = np.full((classes + 1, classes), np.log((1 - accuracy) / (classes - 1)))
        weights[np.arange(classes), np.arange(classes)] = np.log(accuracy)
        weights[ABSTAIN] = 0.0  # the last line stands for an abstain
        joint = joint + weights[voted]
    scaled = np.exp(joint - joint.max(axis=1, keepdims=True, initial=-np.inf))
    total = np.zeros(len(scaled))
    for of_class in scaled.T:  # in class order: the same last bit for any number of rows
        total += of_class
    return np.asarray(scaled / total[:, None])
