"""Calibration: probabilities made honest with gold, and scored on rows that tuned nothing (M8, X11, X18).

    uncalibrated P of gold rows --calibrate--> Calibration (method, why, fold by fold)
    P --calibrated_where--> P'                 to_dict / from_dict (JSON)

`calibrators` are the maps, `fitting` fits them, `folds` deals out rows, `selection` chooses and cross-fits. Arrays alone: what a version keeps,
with hashes of its gold ids, is `labeljob.frozen_calibration`.
"""

from labeljob.calibration.calibrators import NONE, Calibrator, calibrated, calibrated_where
from labeljob.calibration.folds import shuffled
from labeljob.calibration.selection import Calibration, GoldRows, calibrate
from labeljob.calibration.serialization import CalibrationFormatError, from_dict, to_dict

__all__ = [
    "NONE",
    "Calibration",
    "CalibrationFormatError",
    "Calibrator",
    "GoldRows",
    "calibrate",
    "calibrated",
    "calibrated_where",
    "from_dict",
    "shuffled",
    "to_dict",
]
