"""A function's vote in words: a class, `A|B` for a vote for several, `not A`, or `abstain`."""

from labeljob.contract.functions import LabelingFunction
from labeljob.votes import ABSTAIN, PARTIAL

ABSTAINS = "abstain"


def partial_text(function: LabelingFunction, classes: list[str], multi_label: bool = False) -> str | None:
    """What a function's vote for several classes is called; None for a function whose vote names one.

    Of two classes "not A" names the other, but for a multi-label set.
    """
    named = function.named(classes) if function.votes_partially else ()
    return None if len(named) < 1 + (not multi_label) else _several(function, named)


def _several(function: LabelingFunction, named: tuple[str, ...]) -> str:
    return f"not {function.not_label}" if function.not_label is not None else "|".join(named)


def said(function: LabelingFunction, vote: int, classes: list[str]) -> str:
    """The words for a vote of the function."""
    if vote == PARTIAL:
        return _several(function, function.named(classes))
    return ABSTAINS if vote == ABSTAIN else classes[vote]
