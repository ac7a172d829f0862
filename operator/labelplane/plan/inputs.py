"""The input models of a model: found, in no circle, and serving; each with the version that is wanted (P4).

    a model waits until its inputs serve -> their versions are in the request -> a newly promoted one is a new request, and so a new fit
"""

from dataclasses import dataclass

from labeljob.contract.inputs import InputQuery
from labelplane.api.groups import LABEL_MODEL, Key
from labelplane.api.label_model import InputRef, LabelModel
from labelplane.api.named import input_cycle, input_names
from labelplane.api.parse import parse_label_model
from labelplane.api.reasons import ControlReason
from labelplane.errors import Stalled, Waiting
from labelplane.plan.observed import Observed
from labelplane.plan.situation import is_ready


@dataclass(frozen=True)
class WantedInput:
    """A version of an input model. `digest`: of its fit where the model serves it; None for a version that is held."""

    query: InputQuery
    digest: str | None


def wanted_inputs(resource: LabelModel, observed: Observed) -> tuple[WantedInput, ...]:
    """The version of each input, in the order of the spec.

    A held version needs no Ready model: it stands in the index. With a pin, or while refits are suspended, nothing is fitted and no input needed.

    Raises:
        Waiting: MODEL_NOT_FOUND or MODEL_NOT_READY, naming the model.
    """
    if resource.spec.pin is not None or resource.spec.refit_suspended:
        return ()
    return tuple(_wanted(one, place, observed) for place, one in enumerate(resource.spec.inputs or []))


def refuse_cycle(resource: LabelModel, observed: Observed) -> None:
    """Raises Stalled InputCycle with the way round."""
    here = resource.metadata.namespace
    known = {key.name: input_names(raw) for key, raw in observed.related.items() if (key.kind, key.namespace) == (LABEL_MODEL.kind, here)}
    cycle = input_cycle(resource.metadata.name, known | {resource.metadata.name: [one.name for one in resource.spec.inputs or []]})
    if cycle is not None:
        raise Stalled(ControlReason.INPUT_CYCLE, cycle_text(cycle))


def cycle_text(cycle: list[str]) -> str:
    """What is wrong with `[a, b, a]`, and what to do."""
    return f"spec.inputs: {' -> '.join(cycle)} is a cycle: a model cannot vote in itself; remove one of these inputs"


def _wanted(ref: InputRef, place: int, observed: Observed) -> WantedInput:
    raw = observed.related.get(Key(LABEL_MODEL.kind, observed.key.namespace, ref.name))
    if raw is None:
        raise Waiting(ControlReason.MODEL_NOT_FOUND, f"spec.inputs[{place}].name: there is no LabelModel {ref.name} in this namespace: apply it")
    not_ready = f"LabelModel {ref.name}, which spec.inputs names, is not Ready"
    try:
        model = parse_label_model(raw)
    except Stalled as stalled:
        raise Waiting(ControlReason.MODEL_NOT_READY, f"{not_ready}: {stalled.message}") from stalled
    home, current = model.spec.artifacts, model.status.current
    opened = {"artifacts": home.uri, "secret": home.secret_ref.name if home.secret_ref else None}
    if ref.version is not None:
        return WantedInput(InputQuery(name=ref.name, version=ref.version, **opened), None)
    if not is_ready(raw) or current is None:
        raise Waiting(ControlReason.MODEL_NOT_READY, f"{not_ready}: look at its conditions")
    return WantedInput(InputQuery(name=ref.name, version=current.version, **opened), current.digest)
