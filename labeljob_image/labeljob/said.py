"""A function's vote in words: a class, `A|B` for a vote for several, `not A`, or `abstain`."""

from labeljob.contract.functions import LabelingFunction
from labeljob.votes import ABSTAIN, PARTIAL

ABSTAINS = "abstain"


def partial_text(function: LabelingFunction, classes: list[str]) -> str | None:
    """What a function's vote for several classes is called; None for a function whose vote names one."""
    named = function.named(classes) if function.votes_partially else ()
    if len(named) < 2:
        return None
    return f"not {function.not_label}" if function.not_label is not None else "|".join(named)


def said(function: LabelingFunction, vote: int, classes: list[str]) -> str:
    """The words for a vote of the function."""
    if vote == PARTIAL:
        return partial_text(function, classes) or ABSTAINS
    return ABSTAINS if vote == ABSTAIN else classes[vote]
