"""A voter beside whom the others hardly count: labels are then as good as this one is, and nothing checks it (X19).

    alone    more than half of the labels would be others, or none, without it: where it votes, hardly anybody else does
    law      where the others would say something else, which they often would, the label is its vote all the same

Measured by `influence`, on the votes of the fit.
"""

from collections.abc import Sequence

import numpy as np

from labeljob.contract.reasons import FitNote
from labeljob.label_model.influence import Influence, influence
from labeljob.label_model.model import FittedLabelModel
from labeljob.label_model.statistics.vote_statistics import VoteStatistics

MOST = 0.5  # share of the labels that one voter decides alone; and of the covered rows that it votes on, for its word to be law
PREVAILS = 0.95  # share of the labels that are its vote where the others would say something else, or nothing
OFTEN = 0.25  # share of the labels that would be others without it, from which the others do not simply agree


def notes_of(model: FittedLabelModel, statistics: VoteStatistics, names: Sequence[str] | None = None) -> tuple[str, ...]:
    """The notes of a fit, and those of `dominance_notes`; statistics: of the fit."""
    return (*model.notes, *dominance_notes(influence(model, statistics), names))


def dominance_notes(found: Influence, names: Sequence[str] | None = None) -> tuple[str, ...]:
    """A note for the voter that decides most labels, where others vote, too.

    Args:
        names: of the functions, in their order; None for a bare matrix.
    """
    decided = found.flips / found.covered if found.covered else found.flips
    if np.count_nonzero(found.cast) < 2:
        return ()
    overruled = found.cast * (1 - np.nan_to_num(found.followed, nan=1.0))
    prevails = decided / np.maximum(decided + overruled, np.finfo(np.float64).tiny)
    dominant = (decided > MOST) | ((found.cast > MOST) & (prevails >= PREVAILS) & (decided > OFTEN))
    if not dominant.any():
        return ()
    j = int(np.argmax(np.where(dominant, decided, -1.0)))
    named = f"labeling function {j}" if names is None else names[j]
    if decided[j] > MOST:
        return alone_note(named, float(decided[j]))
    text = f"{named} overrules all others: {decided[j]:.0%} of the labels would be others without it, and hardly any goes against it"
    return (f"{FitNote.FUNCTION_DOMINANT}: {text}",)


def alone_note(name: str, decided: float) -> tuple[str, ...]:
    """A note when one voter decides more than MOST of the labels; decided: share of the covered rows that would have other labels, or none, without it."""
    text = f"{name} alone decides {decided:.0%} of the labels: without it these rows would have another, or none"
    return (f"{FitNote.FUNCTION_DOMINANT}: {text}",) if decided > MOST else ()
