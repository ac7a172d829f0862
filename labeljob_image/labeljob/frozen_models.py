"""A model version from its home, with the versions that vote in it, each verified against the pin that its dependent was fitted with (F6, P4)."""

import json
from collections.abc import Mapping

from labeljob.artifacts import ArtifactHome
from labeljob.contract.inputs import ModelInput
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.io.locations import Locations
from labeljob.model_artifact import INPUTS, InputModel, ModelArtifact, from_files
from labeljob.multi_label.artifact import is_multi_label


def load_model(locations: Locations, artifacts: str, version: int, sha256: str) -> ModelArtifact:
    """The artifact and, below it, its inputs; the digest of a version covers the pins of its inputs, so a chain ends.

    Raises:
        JobError: MODEL_MISMATCH when one of them is gone or is not what the pin says.
    """
    return opened(locations, ArtifactHome(locations.path(artifacts), artifacts).load(version, sha256), artifacts)


def opened(locations: Locations, files: Mapping[str, bytes], artifacts: str) -> ModelArtifact:
    """As `load_model`, from files that are verified already."""
    if is_multi_label(files):
        what = "it is of a multi-label set, whose labels are no probabilities of one class each, so it cannot vote in another model: remove it from spec.inputs"
        raise JobError(JobReason.MODEL_MISMATCH, f"{artifacts}: {what}")
    pins = [ModelInput.model_validate(one) for one in json.loads(files.get(INPUTS, b"[]"))]
    return from_files(files, artifacts, load_inputs(locations, pins))


def load_inputs(locations: Locations, pins: list[ModelInput]) -> tuple[InputModel, ...]:
    """The artifact of each pin, in order."""
    return tuple(InputModel(pin, load_model(locations, pin.artifacts, pin.version, pin.sha256)) for pin in pins)
