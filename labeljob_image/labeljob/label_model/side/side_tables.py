"""Functions whose outcomes are more than a vote for one class, soft votes and partial votes: what they say, and what a fitted model knows of them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labeljob.label_model.side.soft_votes import Grid
from labeljob.votes import BoolArray, FloatArray

Outcomes = npt.NDArray[np.int16]  # [n_rows, n_side_columns]; -1 says nothing


@dataclass(frozen=True, eq=False)
class SideColumn:
    """A function whose outcomes are more than a vote for one class.

    Attributes:
        function: its column in the label matrix.
        soft: its outcomes are levels, and it also votes for the likeliest class.
        stated: float64 [n_outcomes, n_classes], what each outcome says of the classes; rows sum to 1.
        votes: bool [n_outcomes]; False for a silence that is evidence.
    """

    function: int
    soft: bool
    stated: FloatArray
    votes: BoolArray


def soft_column(function: int, classes: int) -> SideColumn:
    """A teacher's levels. Its outcomes are those of `levels_of`; silence is missing."""
    stated = Grid(classes).stated()
    return SideColumn(function, True, stated, np.ones(len(stated), dtype=bool))


def partial_column(function: int, sets: BoolArray, *, evidence: bool) -> SideColumn:
    """Votes for sets of classes, bool [n_sets, n_classes]. Outcome i is the i-th set; where silence is evidence that is one more outcome, the last."""
    stated = sets / sets.sum(axis=1, keepdims=True)
    if evidence:
        stated = np.vstack([stated, np.full(sets.shape[1], 1 / sets.shape[1])])
    return SideColumn(function, False, stated, np.arange(len(stated)) < len(sets))


@dataclass(frozen=True, eq=False)
class SideTable:
    """The outcomes of one function.

    Attributes:
        function: its column in the label matrix. soft: its outcomes are levels, and that column holds their likeliest class.
        log_weights: float64 [n_outcomes, n_classes], log likelihood (nats) of an outcome given the class; discounted as the function is.
        stated: float64 [n_outcomes, n_classes], what an outcome says of the classes by itself; rows sum to 1.
        votes: bool [n_outcomes], whether it is a vote; silence that is evidence is none.
        weight: how much an outcome that is a vote counts, in nats: by how much it raises the classes it names over the others, on average;
            NaN where the column also votes for single classes, which the label model weighs.
    """

    function: int
    soft: bool
    log_weights: FloatArray
    stated: FloatArray
    votes: BoolArray
    weight: float

    def __post_init__(self) -> None:
        for array in (self.log_weights, self.stated, self.votes):
            array.setflags(write=False)


def named_classes(stated: FloatArray) -> BoolArray:
    """The classes that each outcome names, bool [n_outcomes, n_classes]: those it gives the largest share."""
    return np.asarray(stated >= stated.max(axis=1, keepdims=True) - 1e-12)
