"""Calibration of each class by itself, as a model version keeps it (calibration.json); see `labeljob.calibration` and `frozen_calibration`.

Each class has a calibrator of its binary probabilities, chosen and cross-fitted on the same gold rows, with folds of its own: they are spread
evenly over rows with and without the class. A row that tuned them is scored, class by class, by the calibrators that have not seen it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from labeljob.calibration import NONE, Calibration, CalibrationFormatError, Calibrator, GoldRows, calibrate, calibrated, from_dict, shuffled, to_dict
from labeljob.contract.calibration import CalibrationChoice, CalibrationRecord
from labeljob.contract.multi_label import BY_CLASS
from labeljob.frozen_calibration import UNSEEN, id_hash, id_keys, scores_data
from labeljob.gold_scores import GoldScores
from labeljob.multi_label.gold import MatchedSets
from labeljob.votes import FloatArray

Folds = npt.NDArray[np.int8]  # [n_rows, n_classes], UNSEEN (-1) where a row tuned nothing


@dataclass(frozen=True, eq=False)
class SetCalibration:
    """What a version needs to calibrate, and to be scored honestly.

    Attributes:
        calibrators: one a class, of all gold rows. fold_calibrators: of each class, those fitted without one fold; none where it is not calibrated.
        seen: hash of the id of each gold row -> its line in `folds`, int8 [n_gold, n_classes].
    """

    calibrators: tuple[Calibrator, ...]
    fold_calibrators: tuple[tuple[Calibrator, ...], ...]
    seen: Mapping[str, int] = field(default_factory=dict)
    folds: Folds = field(default_factory=lambda: np.empty((0, 0), dtype=np.int8))

    def applied(self, P: FloatArray) -> FloatArray:
        """Calibrated probabilities of covered rows, float64 [n_rows, n_classes]."""
        return _by_column(P, lambda k, p: calibrated(self.calibrators[k], p))

    def held_out(self, P: FloatArray, ids: pa.Array) -> FloatArray:
        """As `applied`, each probability by a calibrator that was not tuned on its row."""
        lines = np.array([self.seen.get(id_hash(key), UNSEEN) for key in id_keys(ids)], dtype=np.int64)
        result = self.applied(P)
        for k, calibrators in enumerate(self.fold_calibrators):
            fold = np.where(lines >= 0, self.folds[lines, k] if len(self.folds) else UNSEEN, UNSEEN)
            for number, calibrator in enumerate(calibrators):
                rows = np.flatnonzero(fold == number)
                result[rows, k] = calibrated(calibrator, _binary(P[rows, k]))[:, 1]
        return result


def uncalibrated(classes: int) -> SetCalibration:
    """Probabilities stay as they are."""
    return SetCalibration((NONE,) * classes, ((),) * classes)


def _by_column(P: FloatArray, of: Any) -> FloatArray:
    return np.column_stack([of(k, _binary(p))[:, 1] for k, p in enumerate(P.T)]) if P.shape[1] else P


def _binary(p: FloatArray) -> FloatArray:
    return np.column_stack([1 - p, p])


def calibrate_sets(P: FloatArray, gold: MatchedSets, ids: pa.Array, requested: CalibrationChoice, seed: int) -> tuple[SetCalibration, tuple[Calibration, ...]]:
    """Choose, fit and cross-fit for each class.

    Args:
        P: float64 [n_rows, n_classes], uncalibrated, of covered gold rows; gold, ids: of these, in order of id.
    """
    keys = id_keys(ids)
    order = shuffled(keys, seed)
    found = tuple(calibrate(GoldRows(_binary(p), of.astype(np.int64), gold.weights, order), requested) for p, of in zip(P.T, gold.labels.T, strict=True))
    tuned = any(one.fold_calibrators for one in found)
    folds = np.column_stack([one.fold if one.fold_calibrators else np.full(len(P), UNSEEN) for one in found]).astype(np.int8)
    seen = {id_hash(key): line for line, key in enumerate(keys)} if tuned else {}
    return SetCalibration(tuple(one.calibrator for one in found), tuple(one.fold_calibrators for one in found), seen, folds if tuned else folds[:0]), found


def record_of(found: Sequence[Calibration], classes: Sequence[str], why: str | None = None) -> CalibrationRecord:
    """How the probabilities of a version were calibrated, in a sentence; `why` where nothing was tried."""
    methods = {one.method for one in found}
    rows = max((one.gold_rows for one in found), default=0)
    words = why or "; ".join(f"{method}: {', '.join(name for name, one in zip(classes, found, strict=True) if one.method == method)}" for method in sorted(methods))
    if why is None and methods == {"none"}:
        words = found[0].why
    return CalibrationRecord(method=methods.pop() if len(methods) == 1 else BY_CLASS, gold_rows=rows, why=words)


def to_file(frozen: SetCalibration, found: Sequence[Calibration], classes: Sequence[str], before: GoldScores, after: GoldScores) -> dict[str, Any]:
    """JSON data: what labelling needs, and for people why, and the scores `before` calibration and, cross-fitted, `after` it."""
    each = {
        name: {"calibrator": to_dict(one), "foldCalibrators": [to_dict(part) for part in parts], "requested": made.requested, "why": made.why, "goldRows": made.gold_rows}
        for name, one, parts, made in zip(classes, frozen.calibrators, frozen.fold_calibrators, found, strict=True)
    }
    ids = sorted(frozen.seen, key=lambda key: frozen.seen[key])
    return {"byClass": each, "ids": ids, "folds": frozen.folds.tolist(), "scores": {"uncalibrated": scores_data(before), "crossFitted": scores_data(after)}}


def from_file(data: Mapping[str, Any], classes: Sequence[str]) -> SetCalibration:
    """What `to_file` wrote. CalibrationFormatError: a newer format, or it cannot be that."""
    try:
        each, ids = [data["byClass"][name] for name in classes], list(data["ids"])
        folds = np.array(data["folds"], dtype=np.int8).reshape(len(ids), len(classes))
        calibrators = tuple(from_dict(one["calibrator"], 2) for one in each)
        parts = tuple(tuple(from_dict(part, 2) for part in one["foldCalibrators"]) for one in each)
    except (KeyError, TypeError, ValueError) as wrong:
        if isinstance(wrong, CalibrationFormatError):
            raise
        raise CalibrationFormatError(f"the calibration cannot be read: {wrong}") from None
    if any((folds[:, k] >= len(part)).any() for k, part in enumerate(parts)):
        raise CalibrationFormatError("the calibration cannot be read: a fold without a calibrator")
    return SetCalibration(calibrators, parts, {key: line for line, key in enumerate(ids)}, folds)
