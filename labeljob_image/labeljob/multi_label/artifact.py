"""What a version of a multi-label model holds, as files and back; see `labeljob.model_artifact`.

    model.json   {"formatVersion": 1, "byClass": {class: label model of its task}}     the rest as in other versions
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa

from labeljob.calibration import CalibrationFormatError
from labeljob.contract.digests import canonical_json
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.result import FunctionColumns
from labeljob.drift.reference import Reference, vote_rates
from labeljob.label_model import FittedLabelModel, ModelFormatError, from_dict, to_dict
from labeljob.labeling_functions.identity import LookupData, function_set_digest
from labeljob.labelled import Voters, voters_of
from labeljob.model_artifact import VotingSet, declared_set, frozen_code, frozen_lookups, lookup_files, mismatch
from labeljob.multi_label.calibration import SetCalibration
from labeljob.multi_label.calibration import from_file as calibration_from
from labeljob.multi_label.counts import AnswerCounts
from labeljob.multi_label.figures import SetFigures
from labeljob.multi_label.tasks import Task, tasks_of
from labeljob.votes import FloatArray

FORMAT_VERSION = 1


@dataclass(frozen=True)
class SetsArtifact:
    """The frozen functions, their lookup tables and the digests of their code by function name, a label model and a calibration for each class, figures, and the
    id of the key that hashes columns."""

    function_set: FunctionSet
    function_set_digest: str
    lookups: Mapping[str, LookupData]
    models: tuple[FittedLabelModel, ...]
    calibration: SetCalibration
    functions: FunctionColumns
    code: Mapping[str, str] = field(default_factory=dict)
    key_id: str | None = None

    @property
    def voting(self) -> VotingSet:
        return VotingSet(self.function_set, self.lookups, code=self.code, key_id=self.key_id)

    @cached_property
    def tasks(self) -> tuple[Task, ...]:
        """In class order."""
        return tasks_of(self.function_set, self.lookups)

    @cached_property
    def voters(self) -> Voters:
        """The columns of votes."""
        return voters_of(self.function_set)

    @cached_property
    def estimated(self) -> FloatArray:
        """Estimated accuracy of each function's answers, as the fit found it, float64 [n_functions]; NaN where it has none."""
        return np.array([np.nan if value is None else value / 1000 for value in self.functions.estimated_accuracy])


def is_multi_label(files: Mapping[str, bytes]) -> bool:
    """Whether a version is of a multi-label set."""
    return json.loads(files.get("functionset.json", b"{}")).get("spec", {}).get("multiLabel") is True


def to_files(
    function_set: FunctionSet,
    lookups: Mapping[str, LookupData],
    models: Sequence[FittedLabelModel],
    calibration: object,
    functions: FunctionColumns,
    reference: object,
    code: Mapping[str, str] | None = None,
    key_id: str | None = None,
) -> dict[str, bytes]:
    """Relative path -> content; equal inputs give equal bytes. `calibration` and `reference` are JSON data."""
    declared = declared_set(function_set, lookups, code or {}, key_id)
    fitted = {name: to_dict(model) for name, model in zip(function_set.classes, models, strict=True)}
    return {
        "model.json": canonical_json({"formatVersion": FORMAT_VERSION, "byClass": fitted}),
        "calibration.json": canonical_json(calibration),
        "functionset.json": canonical_json(declared),
        "functions.json": canonical_json(functions.wire()),
        "reference.json": canonical_json(reference),
    } | lookup_files(lookups)


def from_files(files: Mapping[str, bytes], uri: str) -> SetsArtifact:
    """The artifact that `to_files` wrote.

    Raises:
        JobError: MODEL_MISMATCH when the functions are not those it was fitted with, or this build cannot read it.
    """
    try:
        declared, fitted = json.loads(files["functionset.json"]), json.loads(files["model.json"])
        function_set = FunctionSet.model_validate(declared["spec"])
        if fitted["formatVersion"] != FORMAT_VERSION:
            raise ModelFormatError(f"label models by class of format {fitted['formatVersion']!r}")
        models = tuple(from_dict(fitted["byClass"][name]) for name in function_set.classes)
        calibration = calibration_from(json.loads(files["calibration.json"]), function_set.classes)
        lookups = frozen_lookups(files)
        functions = FunctionColumns.model_validate_json(files["functions.json"])
        code = frozen_code(declared)
        key_id = declared.get("hashKey")
        digest = function_set_digest(function_set, lookups, code, key_id)
    except (KeyError, ValueError, ModelFormatError, CalibrationFormatError, pa.ArrowException) as error:
        raise mismatch(uri, f"cannot be read by this build ({type(error).__name__}): fit a new version") from None
    if digest != declared["digest"]:
        raise mismatch(uri, "holds other functions or lookup tables than it was fitted with: fit a new version")
    artifact = SetsArtifact(function_set, digest, lookups, models, calibration, functions, code, key_id)
    if any((model.functions, model.cardinality) != (len(task.functions), 2) for model, task in zip(models, artifact.tasks, strict=True)):
        raise mismatch(uri, "was fitted with other functions or classes: fit a new version")
    return artifact


def reference_of(counts: AnswerCounts, figures: SetFigures, classes: list[str]) -> Reference:
    """How often each function votes for and against each class, and how labels and confidence are distributed: of the training data, or of a run."""
    names = counts.voters.names
    return Reference(
        rows=counts.rows,
        vote_rates=vote_rates(counts.yes, counts.rows, names, classes),
        against_rates=vote_rates(counts.no, counts.rows, names, classes),
        label_distribution=figures.label_distribution(classes),
        labelled=figures.labelled,
        confidences=figures.confidences.tolist(),
    )
