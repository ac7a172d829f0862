"""Gold rows of a bare label matrix, as calibration takes them."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from labeljob.calibration import Calibration, GoldRows, shuffled
from labeljob.gold_scores import GoldScores, gold_scores
from labeljob.scores import labels_from_probabilities
from labeljob.votes import ABSTAIN, BoolArray, FloatArray, IntArray, Votes, covered_rows


@dataclass(frozen=True, eq=False)
class Judged:
    """Rows whose class is known.

    Attributes:
        P: float64 [n_rows, n_classes], uncalibrated; gold: int64 [n_rows]; covered: bool [n_rows]; weights: float64 [n_rows], None if equal.
        rows: the covered ones.
    """

    P: FloatArray
    gold: IntArray
    covered: BoolArray
    weights: FloatArray | None
    rows: GoldRows


def rows_of(votes: Votes, P: FloatArray, gold: IntArray, sample_weight: Any, seed: int) -> Judged:
    """The rows with gold (not -1). Folds go by a row's votes, class and occurrence number: the order of the rows does not matter.

    Raises:
        ValueError: sample_weight has another length, or a weight is not above 0 and finite.
    """
    known = gold != ABSTAIN
    weights = None if sample_weight is None else _weights(sample_weight, len(gold))[known]
    votes, P, gold = votes[known], P[known], gold[known]
    covered = covered_rows(votes)
    each = np.ones(len(gold)) if weights is None else weights
    rows = GoldRows(P[covered], gold[covered], each[covered], shuffled(_keys(votes[covered], gold[covered]), seed))
    return Judged(P, gold, covered, weights, rows)


def held_out_scores(judged: Judged, calibration: Calibration) -> GoldScores:
    """Scores of all rows with gold, covered ones calibrated without themselves."""
    P = judged.P.copy()
    P[judged.covered] = calibration.cross_fitted(P[judged.covered])
    labels = np.where(judged.covered, labels_from_probabilities(P), ABSTAIN)
    return gold_scores(P, labels, judged.covered, judged.gold, judged.weights)


def _weights(given: Any, rows: int) -> FloatArray:
    weights = np.asarray(given, dtype=np.float64)
    if weights.shape != (rows,):
        raise ValueError(f"sample_weight has shape {weights.shape}; L has {rows} rows")
    if not (np.isfinite(weights) & (weights > 0)).all():
        raise ValueError("sample_weight must be above 0 and finite: it is 1 / the probability with which a row was drawn")
    return weights


def _keys(votes: Votes, gold: IntArray) -> list[bytes]:
    seen: Counter[bytes] = Counter()
    keys = []
    for row, known in zip(np.ascontiguousarray(votes), gold.tolist(), strict=True):
        key = row.tobytes() + b"/%d" % known
        keys.append(key + b"/%d" % seen[key])
        seen[key] += 1
    return keys
