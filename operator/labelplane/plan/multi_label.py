"""What a LabelModel asks for that does not go with a multi-label set: said before anything runs."""

from labeljob.contract.multi_label import refusal
from labelplane.api.function_set import LabelingFunctionSet
from labelplane.api.label_model import LabelModel
from labelplane.api.reasons import ControlReason
from labelplane.errors import Stalled


def multi_label_problem(resource: LabelModel, function_set: LabelingFunctionSet) -> str | None:
    """The field and what to do, or None."""
    if not function_set.spec.is_multi_label:
        return None
    if resource.spec.inputs:
        return "spec.inputs: the probabilities of an input model are of one class each, so it cannot vote in a multi-label set: remove it"
    parameters = resource.spec.parameters
    return refusal(resource.spec.algorithm or "auto", parameters.wire() if parameters else {})


def refuse_multi_label(resource: LabelModel, function_set: LabelingFunctionSet) -> None:
    """Raises Stalled InvalidSpec."""
    problem = multi_label_problem(resource, function_set)
    if problem is not None:
        raise Stalled(ControlReason.INVALID_SPEC, problem)
