"""Soft votes: a weak teacher's probabilities, cut into a bounded number of *levels* so that their statistics merge.

    P = [0.07, 0.81, 0.12]  ->  level (likeliest class 1, second class 2, confidence in [0.8, 0.9))

A level is an outcome like any other: how often it occurs given the class is learned (`side`), so a teacher is believed as far as the other
functions bear it out, whatever it says of itself. The levels are fixed beforehand and do not depend on the data: any sharding counts the
same. Up to RUNNER_UP_CLASSES classes a level also names the second class.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from labeljob.votes import ABSTAIN, INT8_CLASSES, BoolArray, FloatArray, IntArray, VotesError

EDGES = (0.35, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.995)  # of the likeliest class's probability
BINS = len(EDGES) + 1
RUNNER_UP_CLASSES = 10
SUM_TOLERANCE = 0.01  # a row's probabilities sum to 1 within this, and are then scaled to do so exactly
TIE = 1e-9
CHUNK_ROWS = 1 << 16

Levels: TypeAlias = npt.NDArray[np.int16]  # -1: the teacher says nothing


@dataclass(frozen=True)
class Grid:
    """The levels for a number of classes: (likeliest class, second class where it counts, confidence bin), in this order."""

    classes: int

    def __post_init__(self) -> None:
        if not 2 <= self.classes <= INT8_CLASSES:
            raise ValueError(f"soft votes need 2 to {INT8_CLASSES} classes; got {self.classes}")

    @property
    def seconds(self) -> int:
        """How many second classes are told apart for each likeliest one."""
        return self.classes - 1 if self.classes <= RUNNER_UP_CLASSES else 1

    @property
    def size(self) -> int:
        """Number of levels."""
        return self.classes * self.seconds * BINS

    def likeliest(self) -> IntArray:
        """The likeliest class of each level, int64 [n_levels]."""
        return np.arange(self.size) // (self.seconds * BINS)

    def named(self) -> BoolArray:
        """The class that each level votes for, bool [n_levels, n_classes]."""
        return np.asarray(self.likeliest()[:, None] == np.arange(self.classes))

    def stated(self) -> FloatArray:
        """What a level says of the classes, float64 [n_levels, n_classes]: the middle of its bin; the second class half-way between its least
        and its largest possible share, the others alike."""
        K, first = self.classes, self.likeliest()
        low = np.maximum(np.array([1 / K, *EDGES]), 1 / K)
        high = np.maximum(np.array([*EDGES, 1.0]), 1 / K)
        top = ((low + high) / 2)[np.arange(self.size) % BINS]
        rest = np.repeat(((1 - top) / (K - 1))[:, None], K, axis=1)
        if self.seconds > 1:
            second = np.arange(self.size) // BINS % self.seconds
            second = second + (second >= first)
            share = ((1 - top) / (K - 1) + np.minimum(top, 1 - top)) / 2
            rest[:] = ((1 - top - share) / (K - 2))[:, None]
            rest[np.arange(self.size), second] = share
        rest[np.arange(self.size), first] = top
        return rest

    def bounds(self, level: int) -> tuple[float, float]:
        """The confidence that a level stands for: at least the first, below the second (1 belongs to the last)."""
        b = level % BINS
        return (max(1 / self.classes, EDGES[b - 1]) if b else 1 / self.classes), (EDGES[b] if b < len(EDGES) else 1.0)


def validate_soft_votes(P: Any, rows: int, classes: int) -> FloatArray:
    """Soft votes in their canonical form, float64 [n_rows, n_teachers, n_classes], rows scaled to sum to 1; NaN where a teacher says nothing.

    Args:
        P: [n_rows, n_teachers, n_classes], or [n_rows, n_classes] for one teacher; all NaN where it abstains.
    Raises:
        VotesError: another shape; part of a vector is NaN; a probability outside [0, 1]; a sum that is not 1 within 0.01. It names the row.
    """
    soft = np.asarray(P, dtype=np.float64)
    soft = soft[:, None, :] if soft.ndim == 2 else soft
    if soft.ndim != 3 or soft.shape[0] != rows or soft.shape[2] != classes:
        raise VotesError(f"soft votes are [n_rows, n_teachers, n_classes], here [{rows}, n, {classes}]; got shape {np.shape(P)}")
    wrong = wrong_vectors(soft)
    if wrong.any():
        row, teacher = np.argwhere(wrong)[0]
        raise VotesError(
            f"teacher {teacher} says {soft[row, teacher].tolist()} of row {row}: probabilities lie in [0, 1] and sum to 1 (within {SUM_TOLERANCE}); all NaN abstains"
        )
    return np.asarray(soft / np.where(np.isnan(soft).all(axis=2), 1.0, soft.sum(axis=2))[:, :, None])


def wrong_vectors(soft: FloatArray) -> BoolArray:
    """Vectors that are no probabilities (the last axis) and no abstain either, which is all NaN."""
    abstains = np.asarray(np.isnan(soft).all(axis=-1))
    fine = (soft >= 0).all(axis=-1) & (soft <= 1).all(axis=-1) & (np.abs(soft.sum(axis=-1) - 1) <= SUM_TOLERANCE)
    return np.asarray(~np.asarray(fine) & ~abstains)


def levels_of(soft: FloatArray, grid: Grid) -> Levels:
    """The level of each vector, int16 of the shape without its last axis; -1 for NaN, and where the likeliest classes tie (within 1e-9)."""
    flat = soft.reshape(-1, grid.classes)
    levels = np.empty(len(flat), dtype=np.int16)
    for start in range(0, len(flat), CHUNK_ROWS):
        levels[start : start + CHUNK_ROWS] = _levels(flat[start : start + CHUNK_ROWS], grid)
    return levels.reshape(soft.shape[:-1])


def _levels(vectors: FloatArray, grid: Grid) -> Levels:
    rows, says = np.arange(len(vectors)), np.asarray(~np.isnan(vectors).any(axis=1))
    vectors = np.where(says[:, None], vectors, 0.0)
    first = vectors.argmax(axis=1)
    top = vectors[rows, first]
    others = vectors.copy()
    others[rows, first] = -1.0
    second = others.argmax(axis=1)
    says &= top - others[rows, second] > TIE
    place = (second - (second > first)) if grid.seconds > 1 else np.zeros_like(second)
    level = (first * grid.seconds + place) * BINS + np.searchsorted(np.array(EDGES), top, side="right")
    return np.where(says, level, ABSTAIN).astype(np.int16)


def votes_of_levels(levels: Levels, grid: Grid) -> npt.NDArray[np.int8]:
    """The teacher's likeliest class, int8; -1 where it says nothing."""
    likeliest = np.append(grid.likeliest(), ABSTAIN).astype(np.int8)
    return np.asarray(likeliest[levels])
