"""What a fit says of its votes reaches people: most votes worse than chance, or one voter that decides most labels, is a condition of the model that
serves; all else a word of Ready (F8, X19)."""

from labeljob.contract.reasons import FitNote
from labelplane.api.label_model import CurrentVersion
from labelplane.api.reasons import ConditionType, ControlReason
from labelplane.plan.actions import DomainCondition

CONDITIONS = (
    (
        FitNote.VOTES_ADVERSARIAL,
        ConditionType.VOTES_ADVERSARIAL,
        ControlReason.VOTES_ADVERSARIAL,
        "add goldData, or disable the functions whose estimatedAccuracy is low",
    ),
    (
        FitNote.FUNCTION_DOMINANT,
        ConditionType.FUNCTION_DOMINANT,
        ControlReason.FUNCTION_DOMINANT,
        "add functions that vote where it does, or goldData, which says what it is worth",
    ),
)


def doubts(current: CurrentVersion | None) -> tuple[DomainCondition, ...]:
    """The conditions of the serving version: too many of its votes look wrong; one function decides most labels."""
    return tuple(DomainCondition(kind, reason, f"{text}: {advice}") for note, kind, reason, advice in CONDITIONS for text in _texts(current, only=note))


def remarks(current: CurrentVersion | None) -> str:
    """What else there is to say, to stand behind "version 3 serves"; empty when there is nothing."""
    return "".join(f"; {text}" for reason in (FitNote.START_IGNORED, FitNote.NO_GAIN) for text in _texts(current, only=reason))


def _texts(current: CurrentVersion | None, *, only: FitNote) -> list[str]:
    split = [note.partition(": ") for note in (current.notes if current else [])]
    return [text for reason, _, text in split if reason == only]
