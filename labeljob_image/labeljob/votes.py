"""The label matrix `L` and its error bits.

`L` is int8 [n_rows, n_functions] (int16 above 127 classes): a class index, or ABSTAIN (-1). Nothing else is a vote.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from labeljob.sparse import dense, is_sparse

ABSTAIN = -1
PARTIAL = -2  # in votes of a function set only: the function voted for its `labels`, or against its `notLabel`; never in a label matrix
INT8_CLASSES, MOST_CLASSES = 127, 32767  # of an int8 and of an int16 matrix
BLOCK_BYTES = 1 << 18  # of a matrix wider than int8 that is checked and narrowed while it is in the cache

Votes: TypeAlias = npt.NDArray[np.int8] | npt.NDArray[np.int16]
FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]


class VotesError(ValueError):
    """The label matrix cannot be used; the message names the row and column, or the shape."""


class EmptyVotesError(VotesError):
    """There are no rows, so there is no share to compute and nothing to fit."""


@dataclass(frozen=True)
class VoteBatch:
    """The votes on a batch of rows and where evaluating a labeling function failed.

    A failed evaluation is an abstain with its error bit set: a failure is counted, never silently an abstain.

    Attributes:
        votes: int8 [n_rows, n_functions]: a class index, ABSTAIN, or PARTIAL; a soft vote by its likeliest class.
        errors: bool [n_rows, n_functions]; True only where `votes` is ABSTAIN.
        levels: int16 [n_rows, n_soft], the level of each soft vote in function order, -1 for none; None where the set has no soft function.
    """

    votes: Votes
    errors: BoolArray
    levels: npt.NDArray[np.int16] | None = None

    def __post_init__(self) -> None:
        if self.votes.shape != self.errors.shape:
            raise VotesError(f"votes and errors differ in shape: {self.votes.shape} and {self.errors.shape}")
        voted_with_error = self.errors & (self.votes != ABSTAIN)
        if voted_with_error.any():
            row, column = _first(voted_with_error)
            raise VotesError(f"row {row}, column {column} has a vote and an error: a failed evaluation abstains")


def validate_votes(L: Any, cardinality: int | None = None) -> Votes:
    """The label matrix in its canonical form; the input is not changed (and not copied when it already has that form).

    Args:
        L: [n_rows, n_functions] of whole numbers: -1 to abstain, else a class index. Any integer type; floats when whole. Or a
            sparse matrix of the votes alone: what is not stored is an abstain, what is stored a class index (see `labeljob.sparse`).
        cardinality: number of classes; when given, a larger class index is refused.
    Returns:
        int8 [n_rows, n_functions], C-contiguous; int16 when there are more than 127 classes. There may be no rows.
    Raises:
        VotesError: wrong shape or type, NaN or None, a negative other than -1, or a class index that does not exist.
    """
    matrix = _as_integers(_array(L))
    if cardinality is not None and cardinality <= INT8_CLASSES and matrix.itemsize > 1 and matrix.nbytes > BLOCK_BYTES:
        narrow, lowest, highest = _narrowed(matrix)
    else:
        narrow, lowest, highest = matrix, int(matrix.min(initial=0)), int(matrix.max(initial=0))
    _refuse(matrix, matrix < ABSTAIN if lowest < ABSTAIN else None, "is negative: -1 is the only abstain")
    beyond = matrix >= cardinality if cardinality is not None and highest >= cardinality else None
    _refuse(matrix, beyond, f"is not one of {cardinality} classes (0 to {(cardinality or 0) - 1})")
    classes = cardinality if cardinality is not None else highest + 1
    if classes > MOST_CLASSES:
        raise VotesError(f"{classes} classes: at most {MOST_CLASSES} fit a label matrix")
    if classes <= INT8_CLASSES:
        return np.ascontiguousarray(narrow, dtype=np.int8)
    return np.ascontiguousarray(matrix, dtype=np.int16)


def _narrowed(matrix: npt.NDArray[np.integer[Any]]) -> tuple[npt.NDArray[np.integer[Any]], int, int]:
    """(int8 copy, which is right where no vote is beyond int8; lowest vote, at most 0; highest, at least 0): a wide matrix is read from memory once."""
    narrow: npt.NDArray[np.integer[Any]] = np.empty(matrix.shape, dtype=np.int8)
    lowest = highest = 0
    rows = max(BLOCK_BYTES // (matrix.itemsize * matrix.shape[1]), 1)
    for start in range(0, len(matrix), rows):
        block = matrix[start : start + rows]
        lowest, highest = min(lowest, int(block.min())), max(highest, int(block.max()))
        np.copyto(narrow[start : start + rows], block, casting="unsafe")
    return narrow, lowest, highest


def unread_votes(L: Any, cardinality: int) -> tuple[Votes, bool]:
    """(as `validate_votes`, whether votes have been looked at): not those of an int8 matrix, when what reads it first checks them in passing.

    Raises:
        VotesError: as `validate_votes`, where votes were looked at; else only for a wrong shape.
    """
    if isinstance(L, np.ndarray) and L.dtype == np.int8 and cardinality <= INT8_CLASSES:
        return np.ascontiguousarray(_as_integers(L)), False
    return validate_votes(L, cardinality), True


def _array(L: Any) -> npt.NDArray[Any]:
    if not is_sparse(L):
        return np.asarray(L)
    try:
        return dense(L)
    except ValueError as error:
        raise VotesError(str(error)) from None


def validate_gold(
    Y: Any, rows: int | None = None, cardinality: int | None = None, *, named: str = "gold", beside: str = "the label matrix has"
) -> IntArray:
    """Gold labels in their canonical form, int64 [n_rows]; -1 where the class is not known.

    Args:
        Y: [n_rows] or [n_rows, 1] of class indices or -1, integers or whole floats.
        rows, cardinality: how many rows and classes there are, when known.
        named, beside: what errors call the labels, and what has so many rows.
    Raises:
        VotesError: another length, NaN, a fraction, a negative other than -1, or a class index that does not exist; it names the row.
    """
    gold = np.asarray(Y)
    gold = gold[:, 0] if gold.ndim == 2 and gold.shape[1] == 1 else gold
    if gold.ndim != 1 or (rows is not None and len(gold) != rows):
        expected = "" if rows is None else f", but {beside} {rows} rows"
        raise VotesError(f"{named} has shape {gold.shape}{expected}")
    try:
        numbers = gold.astype(np.float64)
    except (TypeError, ValueError):
        remedy = "map names to indices, as pd.Series(Y).map({'ham': 0, 'spam': 1}).fillna(-1)"
        raise VotesError(f"{named} holds class indices or -1; got values of {gold.dtype}: {remedy}") from None
    wrong = ~(numbers >= ABSTAIN) | (numbers != np.floor(numbers)) | (numbers >= (np.inf if cardinality is None else cardinality))
    if wrong.any():
        row = int(np.argmax(wrong))
        remedy = ": fillna(-1) says that no class is known" if np.isnan(numbers[row]) else ""
        label = "gold label" if named == "gold" else "label"
        raise VotesError(f"the {label} of row {row} is {gold[row]}, which is not one of {'the' if cardinality is None else cardinality} classes or -1{remedy}")
    return numbers.astype(np.int64)


def _as_integers(matrix: npt.NDArray[Any]) -> npt.NDArray[np.integer[Any]]:
    if matrix.ndim != 2 or matrix.shape[1] == 0:
        raise VotesError(f"a label matrix has two axes, [n_rows, n_functions >= 1]; got shape {matrix.shape}")
    if matrix.dtype.kind == "O":
        matrix = _from_objects(matrix)
    if matrix.dtype.kind == "f":
        _refuse(matrix, np.isnan(matrix), "is not a vote: use -1 to abstain")
        _refuse(matrix, matrix != np.floor(matrix), "is not a whole number: votes are class indices")
        _refuse(matrix, np.abs(matrix) > MOST_CLASSES, "is not a class index")
        matrix = matrix.astype(np.int64)
    if matrix.dtype.kind not in "iu":
        raise VotesError(f"votes are class indices or -1; got an array of {matrix.dtype}")
    return matrix


def _from_objects(matrix: npt.NDArray[np.object_]) -> npt.NDArray[np.float64]:
    numbers = np.frompyfunc(lambda vote: isinstance(vote, int | float | np.integer | np.floating) and not isinstance(vote, bool), 1, 1)
    _refuse(matrix, ~numbers(matrix).astype(bool), "is not a vote: use -1 to abstain")
    return matrix.astype(np.float64)


def _refuse(matrix: npt.NDArray[Any], offending: BoolArray | None, why: str) -> None:
    if offending is not None and offending.any():
        row, column = _first(offending)
        raise VotesError(f"the vote at row {row}, column {column} is {matrix[row, column]}, which {why}")


def _first(flags: BoolArray) -> tuple[int, int]:
    row, column = np.unravel_index(int(np.argmax(flags)), flags.shape)
    return int(row), int(column)


def require_rows(votes: Votes) -> None:
    """Raises EmptyVotesError when there are no rows."""
    if votes.shape[0] == 0:
        raise EmptyVotesError("the label matrix has no rows")


def covered_rows(votes: Votes) -> BoolArray:
    """Rows with at least one vote, as bool [n_rows]."""
    covered: BoolArray = (votes != ABSTAIN).any(axis=1)
    return covered


def conflicting_rows(votes: Votes) -> BoolArray:
    """Rows whose votes name at least two classes, as bool [n_rows]."""
    highest = votes.max(axis=1, initial=ABSTAIN)
    lowest = np.where(votes == ABSTAIN, np.iinfo(votes.dtype).max, votes).min(axis=1, initial=np.iinfo(votes.dtype).max)
    conflicting: BoolArray = lowest < highest
    return conflicting


def coverage(votes: Votes) -> FloatArray:
    """Share of rows each labeling function votes on.

    Args:
        votes: int8 [n_rows, n_functions]; ABSTAIN (-1) or a class index.
    Returns:
        float64 [n_functions], each in [0, 1].
    Raises:
        EmptyVotesError: there are no rows.
    """
    return _share_of_rows(votes, votes != ABSTAIN)


def overlaps(votes: Votes) -> FloatArray:
    """Share of rows on which a labeling function and at least one other vote.

    Args, Returns, Raises: as `coverage`.
    """
    voted = votes != ABSTAIN
    return _share_of_rows(votes, voted & (voted.sum(axis=1, keepdims=True) > 1))


def conflicts(votes: Votes) -> FloatArray:
    """Share of rows on which a labeling function votes and at least one other names a different class.

    Args, Returns, Raises: as `coverage`.
    """
    return _share_of_rows(votes, (votes != ABSTAIN) & conflicting_rows(votes)[:, None])


def polarity(votes: Votes) -> list[list[int]]:
    """The classes each labeling function votes for, ascending; empty for one that never votes."""
    present = [np.unique(votes[:, j]) for j in range(votes.shape[1])]
    return [[int(vote) for vote in values if vote != ABSTAIN] for values in present]


def error_rates(batch: VoteBatch) -> FloatArray:
    """Errors ÷ rows evaluated for each labeling function, float64 [n_functions]; EmptyVotesError without rows."""
    return _share_of_rows(batch.votes, batch.errors)


def _share_of_rows(votes: Votes, flags: BoolArray) -> FloatArray:
    require_rows(votes)
    share: FloatArray = flags.mean(axis=0, dtype=np.float64)
    return share
