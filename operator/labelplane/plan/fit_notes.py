"""What a fit says of its votes reaches people: most votes worse than chance is a condition of the model that serves, all else a word of Ready (F8)."""

from labeljob.contract.reasons import FitNote
from labelplane.api.label_model import CurrentVersion
from labelplane.api.reasons import ConditionType, ControlReason
from labelplane.plan.actions import DomainCondition

ADVICE = "add goldData, or disable the functions whose estimatedAccuracy is low"


def adversarial(current: CurrentVersion | None) -> tuple[DomainCondition, ...]:
    """The condition when the serving version was fitted on votes of which too many look wrong."""
    found = _texts(current, only=FitNote.VOTES_ADVERSARIAL)
    return tuple(DomainCondition(ConditionType.VOTES_ADVERSARIAL, ControlReason.VOTES_ADVERSARIAL, f"{text}: {ADVICE}") for text in found)


def remarks(current: CurrentVersion | None) -> str:
    """What else there is to say, to stand behind "version 3 serves"; empty when there is nothing."""
    return "".join(f"; {text}" for reason in (FitNote.START_IGNORED, FitNote.NO_GAIN) for text in _texts(current, only=reason))


def _texts(current: CurrentVersion | None, *, only: FitNote) -> list[str]:
    split = [note.partition(": ") for note in (current.notes if current else [])]
    return [text for reason, _, text in split if reason == only]
