"""What a model version holds, as files and back: all that labelling needs, frozen when it was fitted (F6)."""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from labeljob.ballots import side_columns
from labeljob.calibration import CalibrationFormatError
from labeljob.contract.digests import canonical_json
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.inputs import ModelInput
from labeljob.contract.reasons import JobReason
from labeljob.contract.result import FunctionColumns
from labeljob.drift.reference import Reference, vote_rates
from labeljob.errors import JobError
from labeljob.figures import FunctionCounts, RunFigures
from labeljob.frozen_calibration import FrozenCalibration
from labeljob.frozen_calibration import from_file as calibration_from
from labeljob.input_voters import with_inputs
from labeljob.label_model import FittedLabelModel, ModelFormatError, from_dict, to_dict
from labeljob.labeling_functions.identity import LookupData, function_set_digest
from labeljob.labeling_functions.lookups import from_arrow, to_arrow

TAUGHT = "taught.json"
INPUTS = "inputs.json"


@dataclass(frozen=True)
class VotingSet:
    """All that is needed to vote: functions, their lookup tables by name, the models that vote beside them, the code of `python` functions, and the id of
    the key that hashes columns."""

    function_set: FunctionSet
    lookups: Mapping[str, LookupData]
    inputs: tuple["InputModel", ...] = ()
    code: Mapping[str, str] = field(default_factory=dict)
    key_id: str | None = None


@dataclass(frozen=True)
class ModelArtifact:
    """The frozen functions, their lookup tables by function name, the label model, its calibration, and figures of the fit.

    `declared` is the set as it was declared; `function_set` has the `inputs` as functions, too (`input_voters`): all that votes, in order.
    `code`: digest of the code of each `python` function. `taught`: hashed ids of the gold rows that the model learned from, which therefore score none of its labels.
    `key_id`: of the key that hashes columns.
    """

    function_set: FunctionSet
    function_set_digest: str
    lookups: Mapping[str, LookupData]
    model: FittedLabelModel
    calibration: FrozenCalibration
    functions: FunctionColumns
    declared: FunctionSet
    taught: frozenset[str] = frozenset()
    inputs: tuple["InputModel", ...] = ()
    code: Mapping[str, str] = field(default_factory=dict)
    key_id: str | None = None

    @property
    def voting(self) -> VotingSet:
        return VotingSet(self.declared, self.lookups, self.inputs, self.code, self.key_id)


@dataclass(frozen=True)
class InputModel:
    """A model version that votes in another."""

    pin: ModelInput
    artifact: ModelArtifact


def to_files(
    function_set: FunctionSet,
    lookups: Mapping[str, LookupData],
    model: FittedLabelModel,
    calibration: object,
    functions: FunctionColumns,
    reference: object,
    taught: Sequence[str] = (),
    inputs: Sequence[ModelInput] = (),
    code: Mapping[str, str] | None = None,
    key_id: str | None = None,
) -> dict[str, bytes]:
    """Relative path -> content; equal inputs give equal bytes.

    `calibration` and `reference` are JSON data; taught, code, key_id: see `ModelArtifact`; inputs: those that vote.
    """
    declared = declared_set(function_set, lookups, code or {}, key_id)
    files = {
        "model.json": canonical_json(to_dict(model)),
        "calibration.json": canonical_json(calibration),
        "functionset.json": canonical_json(declared),
        "functions.json": canonical_json(functions.wire()),
        "reference.json": canonical_json(reference),
    }
    if taught:
        files[TAUGHT] = canonical_json(sorted(taught))
    if inputs:
        files[INPUTS] = canonical_json([one.wire() for one in inputs])
    return files | {f"lookups/{name}.parquet": _parquet(to_arrow(lookup)) for name, lookup in lookups.items()}


def from_files(files: Mapping[str, bytes], uri: str, inputs: tuple[InputModel, ...] = ()) -> ModelArtifact:
    """The artifact that `to_files` wrote, with the inputs that its file of inputs names.

    Raises:
        JobError: MODEL_MISMATCH when the functions are not those it was fitted with, or this build cannot read it.
    """
    try:
        declared = json.loads(files["functionset.json"])
        own = FunctionSet.model_validate(declared["spec"])
        function_set = with_inputs(own, [one.pin for one in inputs])
        model = from_dict(json.loads(files["model.json"]))
        calibration = _calibration(files, len(function_set.classes))
        lookups = _lookups(files)
        functions = FunctionColumns.model_validate_json(files["functions.json"])
        taught = frozenset[str](json.loads(files.get(TAUGHT, b"[]")))
        code = frozen_code(declared)
        key_id = declared.get("hashKey")
        digest = function_set_digest(own, lookups, code, key_id)
    except (KeyError, ValueError, ModelFormatError, CalibrationFormatError, pa.ArrowException) as error:
        raise _mismatch(uri, f"cannot be read by this build ({type(error).__name__}): fit a new version") from None
    if digest != declared["digest"]:
        raise _mismatch(uri, "holds other functions or lookup tables than it was fitted with: fit a new version")
    regular = sum(not function.is_fallback for function in function_set.enabled_functions)
    beside = [(column.function, column.soft) for column in side_columns(function_set)]
    if (model.functions, model.cardinality) != (regular, len(function_set.classes)) or [(table.function, table.soft) for table in model.side] != beside:
        raise _mismatch(uri, "was fitted with other functions or classes: fit a new version")
    return ModelArtifact(function_set, digest, lookups, model, calibration, functions, own, taught, inputs, code, key_id)


def voted_set(files: Mapping[str, bytes], uri: str) -> tuple[FunctionSet, str | None]:
    """(all that voted in a version of any kind of set, in order, id of the key that hashes columns); input models by name alone, so that no home of theirs is opened.

    Raises:
        JobError: MODEL_MISMATCH when this build cannot read it.
    """
    try:
        declared = json.loads(files["functionset.json"])
        pins = [ModelInput.model_validate(one) for one in json.loads(files.get(INPUTS, b"[]"))]
        return with_inputs(FunctionSet.model_validate(declared["spec"]), pins), declared.get("hashKey")
    except (KeyError, ValueError) as error:
        raise _mismatch(uri, f"cannot be read by this build ({type(error).__name__}): fit a new version") from None


def reference_of(counts: FunctionCounts, figures: RunFigures, classes: list[str]) -> Reference:
    """How often each function votes for each class, and how labels and confidence are distributed: of the training data, or of a run beside it."""
    partial = np.round(counts.partial / max(counts.rows, 1), 9).tolist()
    return Reference(
        rows=counts.rows,
        vote_rates=vote_rates(counts.votes, counts.rows, counts.voters.names, classes),
        partial_rates={name: rate for name, rate, named in zip(counts.voters.names, partial, counts.voters.sets, strict=True) if named.any()},
        label_distribution=figures.label_distribution(classes),
        labelled=int(figures.labels.sum()),
        confidences=figures.confidences.tolist(),
    )


def _calibration(files: Mapping[str, bytes], classes: int) -> FrozenCalibration:
    """Versions from before there was calibration have none."""
    content = files.get("calibration.json")
    return FrozenCalibration() if content is None else calibration_from(json.loads(content), classes)


def _lookups(files: Mapping[str, bytes]) -> dict[str, LookupData]:
    prefix, suffix = "lookups/", ".parquet"
    names = [name for name in files if name.startswith(prefix)]
    return {name.removeprefix(prefix).removesuffix(suffix): from_arrow(pq.read_table(io.BytesIO(files[name]))) for name in names}


def _parquet(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def lookup_files(lookups: Mapping[str, LookupData]) -> dict[str, bytes]:
    """Relative path -> content of the frozen lookup tables; `frozen_lookups` reads them again."""
    return {f"lookups/{name}.parquet": _parquet(to_arrow(lookup)) for name, lookup in lookups.items()}


def frozen_lookups(files: Mapping[str, bytes]) -> dict[str, LookupData]:
    """The lookup tables of a version, by function name."""
    return _lookups(files)


def declared_set(function_set: FunctionSet, lookups: Mapping[str, LookupData], code: Mapping[str, str], key_id: str | None) -> dict[str, object]:
    """The set as a version keeps it, with its digest, the digests of its code and the id of the key that hashes.

    Rows of tests are left out: they are not needed to label, and may hold values of sensitive columns.
    """
    digest, spec = function_set_digest(function_set, lookups, code, key_id), function_set.model_copy(update={"tests": None}).wire()
    kept: dict[str, object] = {"digest": digest, "canonical": function_set.canonical(), "spec": spec}
    return kept | ({"code": dict(code)} if code else {}) | ({"hashKey": key_id} if key_id else {})


def frozen_code(declared: Mapping[str, Any]) -> dict[str, str]:
    """Of `declared_set`: digest of the code of each `python` function, by its name."""
    return {str(name): str(digest) for name, digest in declared.get("code", {}).items()}


def mismatch(uri: str, why: str) -> JobError:
    """MODEL_MISMATCH: a version that cannot be used."""
    return _mismatch(uri, why)


def _mismatch(uri: str, why: str) -> JobError:
    return JobError(JobReason.MODEL_MISMATCH, f"{uri}: the model version {why}")
