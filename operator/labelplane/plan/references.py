"""The resources that a resource refers to: found, parsed and ready, or what is being waited for."""

from labelplane.api.function_set import LabelingFunctionSet
from labelplane.api.groups import FUNCTION_SET, LABEL_MODEL, Key
from labelplane.api.label_model import LabelModel
from labelplane.api.parse import parse_function_set, parse_label_model
from labelplane.api.reasons import ControlReason
from labelplane.errors import Stalled, Waiting
from labelplane.plan.observed import Observed
from labelplane.plan.situation import is_ready


def ready_function_set(observed: Observed, name: str) -> LabelingFunctionSet:
    """Raises Waiting FunctionSetNotFound or FunctionSetNotReady."""
    raw = observed.related.get(Key(FUNCTION_SET.kind, observed.key.namespace, name))
    if raw is None:
        raise Waiting(ControlReason.FUNCTION_SET_NOT_FOUND, f"spec.functionSetRef.name: there is no LabelingFunctionSet {name} in this namespace: apply it")
    if not is_ready(raw):
        raise Waiting(ControlReason.FUNCTION_SET_NOT_READY, f"LabelingFunctionSet {name} is not Ready: look at its conditions")
    try:
        return parse_function_set(raw)
    except Stalled as stalled:
        raise Waiting(ControlReason.FUNCTION_SET_NOT_READY, f"LabelingFunctionSet {name} is not Ready: {stalled.message}") from stalled


def referenced_model(observed: Observed, name: str) -> tuple[LabelModel, bool]:
    """The model and whether it is Ready. Raises Waiting ModelNotFound or ModelNotReady (when it cannot be read at all)."""
    raw = observed.related.get(Key(LABEL_MODEL.kind, observed.key.namespace, name))
    if raw is None:
        raise Waiting(ControlReason.MODEL_NOT_FOUND, f"spec.modelRef.name: there is no LabelModel {name} in this namespace: apply it")
    try:
        return parse_label_model(raw), is_ready(raw)
    except Stalled as stalled:
        raise Waiting(ControlReason.MODEL_NOT_READY, f"LabelModel {name} is not Ready: {stalled.message}") from stalled


def runtime_of_set(observed: Observed, model: LabelModel) -> LabelingFunctionSet | None:
    """The model's set, for its runtime; a set that is gone or broken has none."""
    raw = observed.related.get(Key(FUNCTION_SET.kind, observed.key.namespace, model.spec.function_set_ref.name))
    try:
        return parse_function_set(raw) if raw is not None else None
    except Stalled:
        return None
