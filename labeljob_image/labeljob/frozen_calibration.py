"""Calibration as a model version keeps it (calibration.json): the calibrator, and which gold row which of the folds' calibrators has not seen.

A LabelJob may be scored on the gold that tuned its model. It then labels these rows, for the score alone, with the calibrator of their fold.
Rows are known by a hash of their id.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from labeljob.calibration.calibrators import NONE, Calibrator
from labeljob.calibration.selection import Calibration
from labeljob.calibration.serialization import CalibrationFormatError, from_dict, to_dict
from labeljob.gold_scores import ClassScore, Estimate, GoldScores
from labeljob.scores import Reliability
from labeljob.votes import IntArray

UNSEEN = -1


@dataclass(frozen=True, eq=False)
class FrozenCalibration:
    """What a version needs to calibrate, and to be scored honestly.

    Attributes:
        calibrator: of all gold rows. fold_calibrators: each fitted without one fold.
        fold_of: hash of the id of each gold row -> its fold.
    """

    calibrator: Calibrator = NONE
    fold_calibrators: tuple[Calibrator, ...] = ()
    fold_of: Mapping[str, int] = field(default_factory=dict)

    def folds(self, ids: pa.Array) -> IntArray:
        """The fold of each row, int64 [n_rows]; UNSEEN (-1) for rows that tuned nothing."""
        return np.array([self.fold_of.get(key, UNSEEN) for key in id_hashes(ids)], dtype=np.int64)


def freeze(calibration: Calibration, ids: pa.Array) -> FrozenCalibration:
    """`ids` are those of the gold rows that `calibration` was made of, in their order."""
    fold_of = dict(zip(id_hashes(ids), calibration.fold.tolist(), strict=True)) if calibration.fold_calibrators else {}
    return FrozenCalibration(calibration.calibrator, calibration.fold_calibrators, fold_of)


def id_keys(ids: pa.Array) -> list[bytes]:
    """Each id as bytes."""
    return [str(value).encode() for value in ids.to_pylist()]


def id_hash(key: bytes) -> str:
    """What stands for an id in a version: ids themselves may be private."""
    return hashlib.blake2b(key, digest_size=12).hexdigest()


def id_hashes(ids: pa.Array) -> list[str]:
    """What stands for each id in a version's files."""
    return [id_hash(key) for key in id_keys(ids)]


def to_file(frozen: FrozenCalibration, calibration: Calibration, before: GoldScores, after: GoldScores) -> dict[str, Any]:
    """JSON data: what labelling needs, and for people the candidates and the scores `before` calibration and, cross-fitted, `after` it."""
    losses = {
        name: {"logLoss": _number(one.log_loss), "excess": _number(one.excess), "standardError": _number(one.error)}
        for name, one in calibration.candidates.items()
    }
    return {
        "calibrator": to_dict(frozen.calibrator),
        "foldCalibrators": [to_dict(one) for one in frozen.fold_calibrators],
        "foldOf": dict(frozen.fold_of),
        "requested": calibration.requested,
        "why": calibration.why,
        "goldRows": calibration.gold_rows,
        "candidates": losses,
        "scores": {"uncalibrated": scores_data(before), "crossFitted": scores_data(after)},
    }


def from_file(data: Mapping[str, Any], classes: int) -> FrozenCalibration:
    """What `to_file` wrote. CalibrationFormatError: a newer format, or it cannot be that."""
    try:
        calibrator, parts, fold_of = data["calibrator"], data["foldCalibrators"], dict(data["foldOf"])
        if not all(0 <= fold < len(parts) for fold in fold_of.values()):
            raise CalibrationFormatError("the calibration cannot be read: a fold without a calibrator")
    except (KeyError, TypeError, ValueError) as wrong:
        raise CalibrationFormatError(f"the calibration cannot be read: {wrong}") from None
    return FrozenCalibration(from_dict(calibrator, classes), tuple(from_dict(part, classes) for part in parts), fold_of)


def scores_data(found: GoldScores) -> dict[str, Any]:
    """Scores as JSON data."""
    whole = {"precision": found.precision, "recall": found.recall, "brier": found.brier, "logLoss": found.log_loss, "ece": found.ece}
    return {name: _estimate(one) for name, one in whole.items()} | {"classes": [_of_class(one) for one in found.classes], "reliability": _curve(found.reliability)}


def _of_class(one: ClassScore) -> dict[str, Any]:
    numbers = {"brier": _number(one.brier), "logLoss": _number(one.log_loss), "ece": _number(one.ece)}
    return {"rows": one.rows, "precision": _estimate(one.precision), "recall": _estimate(one.recall), **numbers, "reliability": _curve(one.reliability)}


def _curve(curve: Reliability) -> list[list[float | None]]:
    """(probability, share that is right, effective rows) of each bin that holds any."""
    return [[_number(value) for value in point] for point in zip(curve.confidence.tolist(), curve.accuracy.tolist(), curve.rows.tolist(), strict=True)]


def _estimate(one: Estimate) -> dict[str, float | None]:
    return {"value": _number(one.value), "low": _number(one.low), "high": _number(one.high)}


def _number(value: float) -> float | None:
    """Nine decimals, null for NaN."""
    return None if math.isnan(value) else round(value, 9)
