"""A calibrator as plain JSON data and back, to the last bit; never pickle."""

from collections.abc import Mapping
from typing import Any, get_args

import numpy as np

from labeljob.calibration.calibrators import Calibrator, Curve
from labeljob.contract.calibration import CalibrationMethod
from labeljob.votes import FloatArray

FORMAT_VERSION = 1


class CalibrationFormatError(ValueError):
    """The data is not a calibrator that this version can read; the message says what is wrong."""


def to_dict(calibrator: Calibrator) -> dict[str, Any]:
    """JSON-compatible data."""
    return {
        "formatVersion": FORMAT_VERSION,
        "method": calibrator.method,
        "slope": calibrator.slope,
        "offsets": calibrator.offsets.tolist(),
        "curves": [{"logOdds": curve.log_odds.tolist(), "probability": curve.probability.tolist()} for curve in calibrator.curves],
    }


def from_dict(data: Mapping[str, Any], classes: int) -> Calibrator:
    """The calibrator that `to_dict` wrote, for so many classes.

    Raises:
        CalibrationFormatError: a newer format, a missing field, or values that cannot be a calibrator.
    """
    if not isinstance(data, Mapping):
        raise CalibrationFormatError(f"the calibration is {type(data).__name__}, and no object")
    version = data.get("formatVersion")
    if version != FORMAT_VERSION:
        newer = isinstance(version, int) and version > FORMAT_VERSION
        hint = "written by a newer Labelplane: upgrade to read it" if newer else f"this version reads format {FORMAT_VERSION}"
        raise CalibrationFormatError(f"calibration of format {version!r}: {hint}")
    try:
        curves = tuple(Curve(_floats(curve["logOdds"]), _floats(curve["probability"])) for curve in data["curves"])
        calibrator = Calibrator(data["method"], float(data["slope"]), _floats(data["offsets"]), curves)
    except (KeyError, TypeError, ValueError) as wrong:
        raise CalibrationFormatError(f"the calibration cannot be read: {wrong!r}") from None
    _check(calibrator, classes)
    return calibrator


def _floats(values: Any) -> FloatArray:
    return np.array(values, dtype=np.float64)


def _check(calibrator: Calibrator, classes: int) -> None:
    method, offsets, curves = calibrator.method, calibrator.offsets, calibrator.curves
    problems = (
        (method not in get_args(CalibrationMethod), f"unknown method {method!r}"),
        (not np.isfinite(calibrator.slope) or calibrator.slope <= 0, f"slope {calibrator.slope}"),
        (offsets.shape != (classes * (method == "sigmoid"),) or not np.isfinite(offsets).all(), f"offsets of shape {offsets.shape}"),
        (len(curves) != classes * (method == "isotonic"), f"{len(curves)} curves for {classes} classes"),
        (not all(_is_a_curve(curve) for curve in curves), "a curve that does not ascend within (0, 1)"),
    )
    for wrong, message in problems:
        if wrong:
            raise CalibrationFormatError(f"the calibration cannot be read: {message}")


def _is_a_curve(curve: Curve) -> bool:
    places, shares = curve.log_odds, curve.probability
    if places.ndim != 1 or places.size == 0 or shares.shape != places.shape or not np.isfinite(places).all():
        return False
    return bool((np.diff(places) > 0).all() and (np.diff(shares) >= 0).all() and (shares > 0).all() and (shares < 1).all())
