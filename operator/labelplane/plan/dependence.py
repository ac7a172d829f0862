"""Functions that repeat one another: a condition of the model that serves, and stops nothing (F2)."""

from labeljob.contract.multi_label import BY_CLASS
from labelplane.api.label_model import CurrentVersion
from labelplane.api.reasons import ConditionType, ControlReason
from labelplane.plan.actions import DomainCondition

NEAR_COPY = 0.8  # residual correlation from which two functions are one and a bit


def repeating(current: CurrentVersion | None) -> tuple[DomainCondition, ...]:
    """The condition when two functions of the serving version are near-copies."""
    pairs = [pair for pair in current.dependent if pair.correlation >= NEAR_COPY] if current else []
    if current is None or not pairs:
        return ()
    named = ", ".join(f"{pair.functions[0]} and {pair.functions[1]} ({pair.correlation:.2f})" for pair in pairs)
    counted_once = ("committee", "discounted-dawid-skene", BY_CLASS)
    read = "they count as one" if current.algorithm in counted_once else f"{current.algorithm} counts each in full, so labels look surer than they are"
    text = f"functions repeat one another, whatever the class: {named}; {read}: merge them, or keep the better one"
    return (DomainCondition(ConditionType.FUNCTIONS_DEPENDENT, ControlReason.FUNCTIONS_DEPENDENT, text),)
