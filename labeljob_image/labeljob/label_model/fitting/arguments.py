"""What a fit may be asked: every argument that cannot be is refused before anything is computed, and named."""

from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from labeljob.contract.algorithms import AlgorithmChoice
from labeljob.label_model.model import FittedLabelModel
from labeljob.label_model.statistics.vote_statistics import VoteStatistics
from labeljob.votes import EmptyVotesError, FloatArray, IntArray, VotesError

AlgorithmArgument: TypeAlias = AlgorithmChoice
ALGORITHMS = get_args(AlgorithmArgument)
TAKES_NO_GOLD = ("majority-vote", "generative", "triplet")  # which learn nothing, or from moments of the votes alone
QuestionAlgorithm: TypeAlias = Literal["discounted-dawid-skene"]  # of a multi-label set's classes: two answers; not offered by name
AbstainArgument: TypeAlias = Literal["auto", "evidence", "missing"]
READINGS: tuple[AbstainArgument, ...] = get_args(AbstainArgument)


def check_arguments(statistics: VoteStatistics, cardinality: int, algorithm: str, max_iterations: int, tolerance: float) -> None:
    require_statistics(statistics)
    if cardinality < 2:
        raise ValueError(f"a label model needs at least 2 classes; got cardinality {cardinality}")
    if algorithm not in ALGORITHMS and not (cardinality == 2 and algorithm in get_args(QuestionAlgorithm)):
        raise ValueError(f"unknown algorithm {algorithm!r}: use one of {', '.join(ALGORITHMS)}")
    if max_iterations < 1 or not tolerance >= 0:
        raise ValueError(f"maxIterations is at least 1 and tolerance at least 0; got {max_iterations} and {tolerance}")
    if statistics.rows == 0:
        raise EmptyVotesError("the label matrix has no rows, so there is nothing to fit")
    if not statistics.within(cardinality):
        raise VotesError(f"there is a vote for class {statistics.classes - 1}, which is not one of {cardinality} classes (0 to {cardinality - 1})")


def require_statistics(statistics: Any) -> None:
    """TypeError for what is no vote statistics, as a label matrix is not."""
    if not isinstance(statistics, VoteStatistics):
        raise TypeError(f"this takes vote statistics; got {type(statistics).__name__}: make them of a label matrix with from_votes(L)")


def check_class_balance(class_balance: Any, cardinality: int) -> FloatArray | None:
    """The class balance as float64 [n_classes], None when it is to be learned; ValueError names the class whose share cannot be."""
    if class_balance is None or (isinstance(class_balance, str) and class_balance == "auto"):
        return None
    if isinstance(class_balance, str):
        raise ValueError(f"class_balance is {class_balance!r}: use auto, or one share for each class")
    try:
        balance = np.array(class_balance, dtype=np.float64)
    except (TypeError, ValueError):
        given = type(class_balance).__name__
        raise ValueError(f"class_balance is a list of {cardinality} shares in the order of the classes, as [0.3, 0.7]; got {given}") from None
    if balance.shape != (cardinality,):
        raise ValueError(f"class_balance has one share for each of {cardinality} classes; got shape {balance.shape}")
    wrong = np.flatnonzero(~(balance > 0) | ~np.isfinite(balance))
    if wrong.size:
        raise ValueError(f"class_balance[{wrong[0]}] is {balance[wrong[0]]:g}: the share of class {wrong[0]} must be above 0")
    if abs(balance.sum() - 1) > 1e-6:
        raise ValueError(f"class_balance sums to {balance.sum():g}; the shares of all classes sum to 1")
    return np.asarray(balance / balance.sum())


def check_prior_accuracy(prior_accuracy: float | None, cardinality: int) -> float | None:
    """The prior accuracy. ValueError when it is not better than random, or certain."""
    if prior_accuracy is not None and not 1 / cardinality < prior_accuracy < 1:
        raise ValueError(
            f"priorAccuracy is {prior_accuracy:g}: with {cardinality} classes it lies between {1 / cardinality:.3g} (a guess) and 1, both excluded;"
            " functions that are mostly wrong cannot be told from mostly right ones that name the other class"
        )
    return prior_accuracy


def check_known(known: IntArray | None, algorithm: str, cardinality: int, compact: bool) -> None:
    """VotesError for a known class that is none of the classes; ValueError where an algorithm (or a model of one weight a function) cannot learn from it."""
    if known is None:
        return
    if int(known.max()) >= cardinality:
        raise VotesError(f"a row is known to be of class {int(known.max())}, which is not one of {cardinality} classes (0 to {cardinality - 1})")
    if algorithm in TAKES_NO_GOLD or compact:
        name = algorithm if algorithm in TAKES_NO_GOLD else "a model of one weight a function"
        raise ValueError(f"{name} does not learn from known classes: use another algorithm, or leave gold out of the fit and score with it")


def check_start(start: FittedLabelModel | None, statistics: VoteStatistics, cardinality: int) -> None:
    """ValueError when the model to start from is of other functions or classes."""
    if start is not None and (start.functions, start.cardinality) != (statistics.functions, cardinality):
        raise ValueError(
            f"start is a model of {start.functions} labeling functions and {start.cardinality} classes; these votes have {statistics.functions} and"
            f" {cardinality}: fit without a start when functions or classes change"
        )
