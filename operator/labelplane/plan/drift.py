"""A run that is far from the data its model was fitted on is a condition, and stops nothing (F4)."""

from collections.abc import Sequence

from labeljob.contract.drift import Shift
from labelplane.api.label_job import DriftLimits, LabelJobSpec, Run
from labelplane.api.reasons import ConditionType, ControlReason
from labelplane.plan.actions import DomainCondition

DEFAULT_POPULATION_STABILITY = 0.2
DEFAULT_LABEL_SHIFT = 0.1
DEFAULT_VOTE_SHIFT = 0.03


def drifted(spec: LabelJobSpec, run: Run | None) -> tuple[DomainCondition, ...]:
    """The condition for what is beyond spec.drift, by name, with its size and the version compared with."""
    given = spec.drift or DriftLimits()
    found = beyond(given, run.drift if run else [])
    if run is None or not found:
        return ()
    named = "; ".join(f"{_words(shift)} (spec.drift allows {_limit(given, shift):g})" for shift in found)
    advice = "look at the data; if it is to stay so, fit the model on newer data"
    message = f"beside the data of version {run.model.version} of LabelModel {run.model.name}: {named}: {advice}"
    return (DomainCondition(ConditionType.DRIFTED, ControlReason.DRIFTED, message),)


def beyond(limits: DriftLimits, found: Sequence[Shift]) -> list[Shift]:
    """The shifts that are larger than allowed."""
    return [shift for shift in found if shift.size > _limit(limits, shift)]


def _words(shift: Shift) -> str:
    if shift.kind == "column":
        return f"column {shift.name} has a population stability index of {shift.size:.3g}"
    if shift.kind == "confidence":
        return f"the labels' confidence has a population stability index of {shift.size:.3g}"
    what = "votes of function" if shift.kind == "function" else "labels of class"
    return f"{what} {shift.name} moved by {shift.size:.3g} of the rows"


def _limit(given: DriftLimits, shift: Shift) -> float:
    if shift.kind == "label":
        return DEFAULT_LABEL_SHIFT if given.max_label_shift is None else given.max_label_shift
    if shift.kind == "function":
        return DEFAULT_VOTE_SHIFT if given.max_vote_shift is None else given.max_vote_shift
    return DEFAULT_POPULATION_STABILITY if given.max_population_stability is None else given.max_population_stability
