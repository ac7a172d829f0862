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
from labeljob.label_model.serialization import FORMAT_VERSION, ModelFormatError, from_dict, to_dict
from labeljob.votes import FloatArray

KIND = "labelplane label model"
FILE_VERSION = 2  # 1 had no calibrator
READABLE = (1, FILE_VERSION)
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
        ModelFormatError: a pickle or a folder, no such file of ours, a newer format, or content that was changed or is malformed. FileNotFoundError.
    """
    content = dict(_content(Path(path)))
    _check_versions(content, path)
    stated = content.pop("sha256", None)
    if stated != digest_of(content):
        raise ModelFormatError(f"{path}: the content does not have the SHA-256 that the file states: it was changed or cut off; save the model again")
    try:
        model, rates, seed = from_dict(content["model"]), np.array(content["outcomeRates"], dtype=np.float64), int(content["seed"])
    except ModelFormatError as wrong:
        raise ModelFormatError(f"{path}: {wrong}") from None
    except KeyError as missing:
        raise ModelFormatError(f"{path}: the file has no field {missing}: save the model again") from None
    except (TypeError, ValueError) as wrong:
        raise ModelFormatError(f"{path}: outcomeRates or seed cannot be read ({wrong}): save the model again") from None
    if rates.shape != (model.functions, 1 + model.cardinality):
        raise ModelFormatError(f"{path}: outcomeRates has shape {rates.shape}, and the model needs {(model.functions, 1 + model.cardinality)}")
    return model, rates, seed, _calibrator(content, model.cardinality, path)


def _check_versions(content: Mapping[str, Any], path: str | Path) -> None:
    """ModelFormatError for a format of the file, or of the model in it, that this version does not read; before the digest, which a newer one may define anew."""
    version, model = content.get("fileVersion"), content.get("model")
    if _is_newer(version, FILE_VERSION) or (isinstance(model, Mapping) and _is_newer(model.get("formatVersion"), FORMAT_VERSION)):
        found = version if _is_newer(version, FILE_VERSION) else f"{version} with a model of format {model['formatVersion']}"  # type: ignore[index]
        raise ModelFormatError(f"{path}: a label model file of format {found}, written by a newer Labelplane: upgrade to read it")
    if version not in READABLE or isinstance(version, bool):
        raise ModelFormatError(f"{path}: fileVersion is {version!r}, and this version reads {' and '.join(map(str, READABLE))}: save the model again")


def _is_newer(version: Any, known: int) -> bool:
    return isinstance(version, int) and version > known


def _calibrator(content: Mapping[str, Any], classes: int, path: str | Path) -> Calibrator:
    if content.get("fileVersion") == 1:
        return NONE
    try:
        return calibrator_from(content.get("calibrator", {}), classes)
    except CalibrationFormatError as wrong:
        raise ModelFormatError(f"{path}: {wrong}") from None


def _content(path: Path) -> Mapping[str, Any]:
    if path.is_dir():
        raise ModelFormatError(f"{path}: is a folder: name the file that LabelModel.save wrote")
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
