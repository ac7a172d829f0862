"""Scores of probabilities against gold, with ties in expectation, and paired differences.

P is float64 [n, K]; gold int64 [n]. All functions take rows that have gold; a row that t classes share scores 1/t.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from labeljob.scores import TIE, calibration_error, log_loss
from labeljob.votes import ABSTAIN, BoolArray, FloatArray, IntArray

Z95 = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Scores:
    """Scores on the covered rows with gold.

    Attributes:
        rows: how many they are.
        accuracy: ties count 1/t. difference, low, high: accuracy minus majority vote's, and its paired 95 % interval.
        log_loss: nats a row, p clipped to 1e-15. ece: expected calibration error, 10 bins.
        f1, f1_all, average_precision: of class 1 where there are two classes, else NaN; `f1_all` is over all rows with gold, where a row
            nobody votes on is labelled 0.
        invalid: rows whose probabilities are not finite; they score as uniform.
    """

    rows: int
    accuracy: float
    difference: float
    low: float
    high: float
    log_loss: float
    ece: float
    f1: float
    f1_all: float
    average_precision: float
    invalid: int


def score(P: FloatArray, gold: IntArray, covered: BoolArray, majority_hits: FloatArray) -> Scores:
    """All scores; `majority_hits` is float64 [covered rows with gold], `expected_hits` of majority vote."""
    use = covered & (gold != ABSTAIN)
    P, invalid = _repaired(P[use])
    labels = gold[use]
    hits = expected_hits(P, labels)
    difference, low, high = paired_interval(hits, majority_hits)
    two = P.shape[1] == 2
    missed = int(np.count_nonzero(~covered & (gold == 1)))
    return Scores(
        rows=len(labels),
        accuracy=float(hits.mean()),
        difference=difference,
        low=low,
        high=high,
        log_loss=log_loss(P, labels),
        ece=calibration_error(P, labels, np.ones(len(labels), dtype=np.bool_)),
        f1=f1(P, labels) if two else math.nan,
        f1_all=f1(P, labels, missed) if two else math.nan,
        average_precision=average_precision(P[:, 1], labels == 1) if two else math.nan,
        invalid=invalid,
    )


def _repaired(P: FloatArray) -> tuple[FloatArray, int]:
    bad = np.asarray(~np.isfinite(P).all(axis=1))
    return np.where(bad[:, None], 1 / P.shape[1], P), int(np.count_nonzero(bad))


def shares(P: FloatArray) -> FloatArray:
    """Probability of each label when ties (within 1e-9) are broken at random, float64 [n, K]."""
    tied = P.max(axis=1, keepdims=True, initial=0.0) - TIE < P
    return np.asarray(tied / np.count_nonzero(tied, axis=1)[:, None])


def expected_hits(P: FloatArray, gold: IntArray) -> FloatArray:
    """1 for a right label, 1/t for one of t tied classes, float64 [n]."""
    return np.asarray(shares(P)[np.arange(len(gold)), gold])


def f1(P: FloatArray, gold: IntArray, missed: int = 0) -> float:
    """F1 of class 1, ties in expectation; `missed` more rows of that class were labelled otherwise. NaN without any such row."""
    positive = shares(P)[:, 1]
    right, whole = float(positive[gold == 1].sum()), float(positive.sum() + np.count_nonzero(gold == 1) + missed)
    return 2 * right / whole if whole else math.nan


def average_precision(ranking: FloatArray, positive: BoolArray) -> float:
    """Sum of precision times the rise in recall over distinct values of `ranking` (rounded to 1e-9), descending; NaN without positives."""
    if not positive.any():
        return math.nan
    _, group = np.unique(-np.round(ranking, 9), return_inverse=True)
    found = np.bincount(group, weights=positive)
    precision = found.cumsum() / np.bincount(group).cumsum()
    return float(precision @ found / found.sum())


def paired_interval(hits: FloatArray, other: FloatArray) -> tuple[float, float, float]:
    """Mean of hits - other, and its 95 % interval from the spread of the rows' differences."""
    difference = hits - other
    mean, half = float(difference.mean()), Z95 * float(difference.std()) / math.sqrt(len(difference))
    return mean, mean - half, mean + half
