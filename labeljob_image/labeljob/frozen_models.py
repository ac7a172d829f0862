"""A model version from its home, with the versions that vote in it, each verified against the pin that its dependent was fitted with (F6, P4)."""

import json

from labeljob.artifacts import ArtifactHome
from labeljob.contract.inputs import ModelInput
from labeljob.io.locations import Locations
from labeljob.model_artifact import INPUTS, InputModel, ModelArtifact, from_files


def load_model(locations: Locations, artifacts: str, version: int, sha256: str) -> ModelArtifact:
    """The artifact and, below it, its inputs; the digest of a version covers the pins of its inputs, so a chain ends.

    Raises:
        JobError: MODEL_MISMATCH when one of them is gone or is not what the pin says.
    """
    files = ArtifactHome(locations.path(artifacts), artifacts).load(version, sha256)
    pins = [ModelInput.model_validate(one) for one in json.loads(files.get(INPUTS, b"[]"))]
    return from_files(files, artifacts, load_inputs(locations, pins))


def load_inputs(locations: Locations, pins: list[ModelInput]) -> tuple[InputModel, ...]:
    """The artifact of each pin, in order."""
    return tuple(InputModel(pin, load_model(locations, pin.artifacts, pin.version, pin.sha256)) for pin in pins)
