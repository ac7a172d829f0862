"""Input models as labeling functions of the model that they vote in: one soft vote each, behind the set's own functions (P4)."""

from collections.abc import Sequence

from labeljob.contract.function_set import FunctionSet
from labeljob.contract.functions import LabelingFunction, VoteColumn
from labeljob.contract.inputs import ModelInput


class ModelVoter(LabelingFunction):
    """A label model as a voter. It reads no column of its own: `cascade` evaluates its functions, and its posterior is the soft vote."""

    @property
    def kind(self) -> str:
        return "model"


def voter_of(pin: ModelInput) -> ModelVoter:
    """The function that stands for an input model. Its name has a colon, which no function of a user has."""
    about = f"LabelModel {pin.name}, version {pin.version}"
    return ModelVoter.model_construct(name=pin.voter, votes=VoteColumn.model_construct(probabilities={}), description=about)


def with_inputs(function_set: FunctionSet, inputs: Sequence[ModelInput]) -> FunctionSet:
    """All that votes: the set's functions, then the input models in order. What is asked of data and tables is asked of the set itself."""
    if not inputs:
        return function_set
    return function_set.model_copy(update={"functions": [*function_set.functions, *map(voter_of, inputs)]})
