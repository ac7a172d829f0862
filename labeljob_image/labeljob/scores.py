"""Labels from probabilities, and scores against gold. Pure functions of arrays.

Notation: P is float64 [n_rows, n_classes], rows sum to 1; a label or gold is int64, -1 for null. A ratio without rows is NaN (null in a
result), never an error and never 0. What is over covered rows only (mean confidence, calibration, conflict) takes `covered`. Where gold was
drawn with unequal probabilities, `weights` is 1 / probability, float64 [n_rows] > 0: scores are then Hajek's weighted ratios, those of the
rows that gold was drawn from. A row of weight 2 counts as two rows.
"""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from labeljob.votes import ABSTAIN, BoolArray, FloatArray, IntArray, Votes, conflicting_rows, covered_rows

TIE = 1e-9
SMALLEST = 1e-15  # probabilities are clipped to this before a logarithm, so that log loss is finite
Z95 = NormalDist().inv_cdf(0.975)
BINS = 10


def labels_from_probabilities(P: FloatArray) -> IntArray:
    """The most probable class, int64 [n_rows]; -1 where another class is within 1e-9."""
    if P.shape[0] == 0:
        return np.empty(0, dtype=np.int64)
    tied = np.count_nonzero(P.max(axis=1, keepdims=True) - TIE < P, axis=1) > 1
    return np.where(tied, ABSTAIN, P.argmax(axis=1)).astype(np.int64)


def confidence(P: FloatArray) -> FloatArray:
    """max p of each row, float64 [n_rows]."""
    return np.asarray(P.max(axis=1, initial=0.0))


def training_weight(P: FloatArray, covered: BoolArray) -> FloatArray:
    """(K max p - 1) / (K - 1): 0 for a uniform row, 1 for a certain one; 0 where no function voted. float64 [n_rows] in [0, 1]."""
    classes = P.shape[1]
    return np.where(covered, np.clip((classes * confidence(P) - 1) / (classes - 1), 0.0, 1.0), 0.0)


def mean_confidence(P: FloatArray, covered: BoolArray) -> float:
    """Mean of max p over covered rows; NaN without any."""
    return _mean(confidence(P)[covered])


def coverage_rate(votes: Votes) -> float:
    """Covered rows ÷ rows; NaN without rows."""
    return _mean(covered_rows(votes))


def conflict_rate(votes: Votes) -> float:
    """Rows whose votes name two classes or more ÷ covered rows; NaN without covered rows."""
    return _mean(conflicting_rows(votes)[covered_rows(votes)])


def _mean(values: Any, weights: FloatArray | None = None) -> float:
    if not len(values):
        return float("nan")
    return float(np.mean(values)) if weights is None else float(weights @ values / weights.sum())


def _part(weights: FloatArray | None, chosen: BoolArray) -> FloatArray | None:
    return None if weights is None else weights[chosen]


@dataclass(frozen=True)
class ClassScores:
    """Precision and recall on the rows that have gold.

    Attributes:
        correct, predicted, support: [n_classes]: rows labelled so and right, rows labelled so, rows with that gold; int64, or the sums of
            weights, float64.
        precision, recall: float64 [n_classes]; NaN where the denominator is 0.
        macro_precision, macro_recall: means over the classes with gold; a class never predicted counts as precision 0. NaN without gold.
        accuracy: right labels ÷ rows with gold; a null label is wrong.
    """

    correct: IntArray | FloatArray
    predicted: IntArray | FloatArray
    support: IntArray | FloatArray
    precision: FloatArray
    recall: FloatArray
    macro_precision: float
    macro_recall: float
    accuracy: float


def class_scores(labels: IntArray, gold: IntArray, cardinality: int, weights: FloatArray | None = None) -> ClassScores:
    """Precision and recall for each class. A null label (-1) is a recall miss and no prediction; rows with gold -1 are left out."""
    known = gold != ABSTAIN
    labels, gold, weights = labels[known], gold[known], _part(weights, known)
    hits, said = labels == gold, labels != ABSTAIN
    correct = np.bincount(gold[hits], weights=_part(weights, hits), minlength=cardinality)
    predicted = np.bincount(labels[said], weights=_part(weights, said), minlength=cardinality)
    support = np.bincount(gold, weights=weights, minlength=cardinality)
    precision, recall = _ratio(correct, predicted), _ratio(correct, support)
    present = support > 0
    return ClassScores(
        correct=correct,
        predicted=predicted,
        support=support,
        precision=precision,
        recall=recall,
        macro_precision=_mean(np.nan_to_num(precision[present])),
        macro_recall=_mean(recall[present]),
        accuracy=_mean(hits, weights),
    )


def _ratio(part: IntArray | FloatArray, whole: IntArray | FloatArray) -> FloatArray:
    return np.asarray(np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0))


def wilson_interval(share: FloatArray, trials: IntArray | FloatArray) -> tuple[FloatArray, FloatArray]:
    """(low, high) of the 95 % interval (Wilson 1927) of each share of `trials` > 0; float64 [n] each."""
    z2 = Z95 * Z95
    centre = share + z2 / (2 * trials)
    spread = Z95 * np.sqrt(share * (1 - share) / trials + z2 / (4 * trials * trials))
    return (centre - spread) / (1 + z2 / trials), (centre + spread) / (1 + z2 / trials)


def lower_bound(successes: int, trials: int) -> float:
    """Lower end of the 95 % Wilson interval of a share; NaN without trials. Gates compare this."""
    if trials == 0:
        return float("nan")
    low, _ = wilson_interval(np.array([successes / trials]), np.array([trials]))
    return float(low[0]) if successes else 0.0


def brier(P: FloatArray, gold: IntArray, weights: FloatArray | None = None) -> float:
    """Mean over rows with gold of the squared distance between p and the gold class (Brier 1950): 0 best, 2 worst; NaN without gold."""
    known = gold != ABSTAIN
    return _mean(brier_of_rows(P[known], gold[known]), _part(weights, known))


def brier_of_rows(P: FloatArray, gold: IntArray) -> FloatArray:
    """Squared distance of each row, float64 [n_rows]; every row has gold."""
    own = P[np.arange(len(gold)), gold]
    return np.asarray((P * P).sum(axis=1) - 2 * own + 1)


def log_loss(P: FloatArray, gold: IntArray, weights: FloatArray | None = None) -> float:
    """Mean over rows with gold of -log p(gold class), in nats, p clipped to 1e-15; NaN without gold."""
    known = gold != ABSTAIN
    return _mean(log_loss_of_rows(P[known], gold[known]), _part(weights, known))


def log_loss_of_rows(P: FloatArray, gold: IntArray) -> FloatArray:
    """-log p(gold class) of each row, float64 [n_rows] in nats; every row has gold."""
    return np.asarray(-np.log(np.maximum(P[np.arange(len(gold)), gold], SMALLEST)))


@dataclass(frozen=True)
class Reliability:
    """One point for each confidence bin that has rows, ascending.

    Attributes:
        confidence: float64 [n_points], mean max p of the bin.
        accuracy: float64 [n_points], share of its rows whose most probable class is the gold one.
        rows: [n_points], int64; or the sums of weights, float64.
    """

    confidence: FloatArray
    accuracy: FloatArray
    rows: IntArray | FloatArray


def reliability_curve(P: FloatArray, gold: IntArray, covered: BoolArray, bins: int = BINS, weights: FloatArray | None = None) -> Reliability:
    """Confidence against accuracy in bins of equal width over (0, 1], on covered rows with gold; a t-fold tie that holds gold is 1/t."""
    use = (gold != ABSTAIN) & covered
    return _curve(confidence(P[use]), expected_hits(P[use], gold[use]), bins, _part(weights, use))


def class_reliability(P: FloatArray, gold: IntArray, covered: BoolArray, k: int, bins: int = BINS, weights: FloatArray | None = None) -> Reliability:
    """The probability of class k against the share of rows that are of class k, as `reliability_curve`."""
    use = (gold != ABSTAIN) & covered
    return _curve(P[use, k], (gold[use] == k).astype(np.float64), bins, _part(weights, use))


def bin_of(p: FloatArray, bins: int = BINS) -> IntArray:
    """Index of the bin of equal width over (0, 1] that p lies in, int64; 0 is in the first."""
    return np.clip(np.ceil(p * bins).astype(np.int64) - 1, 0, bins - 1)


def _curve(p: FloatArray, right: FloatArray, bins: int, weights: FloatArray | None) -> Reliability:
    index, each = bin_of(p, bins), np.ones(len(p)) if weights is None else weights
    rows = np.bincount(index, weights=weights, minlength=bins)
    filled = rows > 0
    mean_p = np.bincount(index, weights=p * each, minlength=bins)[filled] / rows[filled]
    share = np.bincount(index, weights=right * each, minlength=bins)[filled] / rows[filled]
    return Reliability(mean_p, share, rows[filled])


def expected_hits(P: FloatArray, gold: IntArray) -> FloatArray:
    """1 where gold is the most probable class, 1/t where it is one of t that tie, else 0; float64 [n_rows]."""
    tied = P.max(axis=1, keepdims=True, initial=0.0) - TIE < P
    return np.asarray(tied[np.arange(len(gold)), gold] / np.maximum(np.count_nonzero(tied, axis=1), 1))


def calibration_error(P: FloatArray, gold: IntArray, covered: BoolArray, bins: int = BINS, weights: FloatArray | None = None) -> float:
    """Expected calibration error (Naeini et al. 2015): mean |confidence - accuracy| over bins, weighted by rows; NaN without rows."""
    return curve_error(reliability_curve(P, gold, covered, bins, weights))


def curve_error(curve: Reliability) -> float:
    """Mean distance of a curve from the diagonal, weighted by rows; NaN without rows."""
    if curve.rows.sum() == 0:
        return float("nan")
    return float(np.abs(curve.confidence - curve.accuracy) @ curve.rows / curve.rows.sum())
