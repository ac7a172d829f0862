"""A label model as one JSON file that says when it was changed; never pickle, so that opening a file runs nothing."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from labeljob.calibration import NONE, CalibrationFormatError, Calibrator
from labeljob.calibration import from_dict as calibrator_from
from labeljob.calibration import to_dict as calibrator_to
from labeljob.contract.digests import canonical_json, digest_of
from labeljob.io.durable import replace_file
from labeljob.label_model.model import FittedLabelModel
from labeljob.label_model.serialization import ModelFormatError, from_dict, to_dict
from labeljob.votes import FloatArray

KIND = "labelplane label model"
FILE_VERSION = 2  # 1 had no calibrator
PICKLE = b"\x80"


def write_model(path: str | Path, model: FittedLabelModel, rates: FloatArray, seed: int, calibrator: Calibrator) -> None:
    """Write the file, all of it or nothing. `rates` as `outcome_rates`; `seed` is that of the tie breaks."""
    content = {
        "kind": KIND,
        "fileVersion": FILE_VERSION,
        "seed": seed,
        "model": to_dict(model),
        "outcomeRates": rates.tolist(),
        "calibrator": calibrator_to(calibrator),
    }
    replace_file(Path(path), canonical_json(content | {"sha256": digest_of(content)}) + b"\n")


def read_model(path: str | Path) -> tuple[FittedLabelModel, FloatArray, int, Calibrator]:
    """(model, rates, seed, calibrator) of a file that `write_model` wrote.

    Raises:
        ModelFormatError: a pickle, no such file of ours, a newer format, or content that was changed. FileNotFoundError.
    """
    content = dict(_content(Path(path)))
    version = content.get("fileVersion")
    if isinstance(version, int) and version > FILE_VERSION:
        raise ModelFormatError(f"{path}: a label model file of format {version}, written by a newer Labelplane: upgrade to read it")
    stated = content.pop("sha256", None)
    if stated != digest_of(content):
        raise ModelFormatError(f"{path}: the content does not have the SHA-256 that the file states: it was changed or cut off; save the model again")
    model = from_dict(content["model"])
    rates = np.array(content["outcomeRates"], dtype=np.float64)
    if rates.shape != (model.functions, 1 + model.cardinality):
        raise ModelFormatError(f"{path}: outcomeRates has shape {rates.shape}")
    return model, rates, int(content["seed"]), _calibrator(content, model.cardinality, path)


def _calibrator(content: Mapping[str, Any], classes: int, path: str | Path) -> Calibrator:
    if content.get("fileVersion") == 1:
        return NONE
    try:
        return calibrator_from(content.get("calibrator", {}), classes)
    except CalibrationFormatError as wrong:
        raise ModelFormatError(f"{path}: {wrong}") from None


def _content(path: Path) -> Mapping[str, Any]:
    data = path.read_bytes()
    if data.startswith(PICKLE):
        raise ModelFormatError(f"{path}: this is a pickle, as Snorkel's LabelModel.save writes; opening one can run any code, so it is not read: fit again on L")
    try:
        content = json.loads(data)
    except ValueError:
        raise ModelFormatError(f"{path}: is not JSON: it was cut off, or is no label model file") from None
    if not isinstance(content, dict) or content.get("kind") != KIND:
        raise ModelFormatError(f"{path}: is not a label model file; LabelModel.save writes one")
    return content
