"""Label models that vote in another: how they are asked for, pinned and recorded."""

from typing import Annotated

from pydantic import Field

from labeljob.contract.base import Wire

MOST_INPUTS = 4
MOST_CHAIN = 6  # model versions behind one, the inputs of its inputs included: their pins must fit a pod's termination message
VOTER_PREFIX = "model:"  # no labeling function has a colon in its name


class InputQuery(Wire):
    """The version of an input model that is to be pinned, and the home of its versions."""

    name: str
    artifacts: str
    version: int
    secret: str | None = None  # that opens the home


class ModelInput(Wire):
    """The pin of a model version that votes in another, or in one of its inputs."""

    name: str
    version: int
    digest: Annotated[str, Field(description="Of the pins that it was fitted from.")]
    artifacts: Annotated[str, Field(description="The home of the model's versions.")]
    sha256: Annotated[str, Field(description="Of the version's files.")]
    secret: Annotated[str | None, Field(description="Name of the Secret that opens the home.")] = None
    direct: Annotated[bool, Field(description="Named in spec.inputs; otherwise an input of an input.")] = True

    @property
    def voter(self) -> str:
        """Its name among the labeling functions."""
        return f"{VOTER_PREFIX}{self.name}"


def direct_inputs(chain: list[ModelInput]) -> list[ModelInput]:
    """Those that vote themselves, in order."""
    return [one for one in chain if one.direct]


def chain_of(inputs: list[tuple[ModelInput, list[ModelInput]]]) -> list[ModelInput]:
    """All versions behind a model, first tiers first, each once: of each input its own pin and the chain that it was fitted with."""
    found: dict[tuple[str, int, str], ModelInput] = {}
    direct = {(one.name, one.version, one.sha256) for one, _ in inputs}
    for one, behind in inputs:
        for pin in (*behind, one):
            key = (pin.name, pin.version, pin.sha256)
            found.setdefault(key, pin.model_copy(update={"direct": key in direct}))
    return list(found.values())
