"""Rows whose class is known, inside EM: what the E step says of them is replaced by what is known.

    p(state | row, class) = p(state | row) [state is of that class] / sum        log p(row, class) = log p(row) + log of that sum

So the known rows teach the parameters and the others are read with them: semi-supervised EM (Nigam, McCallum, Thrun & Mitchell 2000), each
known row counting as one row: in the M step it is a constant. EM starts at what the known rows alone teach. Where the model itself is wrong, many unknown rows outweigh few
known ones: gold chooses between explanations of the votes, and does not mend an assumption that they break.
"""

import numpy as np

from labeljob.votes import ABSTAIN, FloatArray, IntArray

SMALLEST = float(np.finfo(np.float64).tiny)


def clamp(states: FloatArray, evidence: FloatArray, known: IntArray | None, classes: IntArray, balance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(states, evidence) after the known classes are taken in; the inputs are not changed.

    Args:
        states: float64 [n_states, n_patterns], posterior. evidence: float64 [n_patterns], log p(row) in nats.
        known: int64 [n_patterns], the class or -1; None when no class is known.
        classes: int64 [n_states], class of a state; -1 for one that says nothing of the class, whose classes are as common as `balance`.
        balance: float64 [n_classes].
    """
    if known is None or (known == ABSTAIN).all():
        return states, evidence
    rows = np.flatnonzero(known != ABSTAIN)
    given = known[rows]
    allowed = np.where(classes[:, None] == ABSTAIN, balance[given][None, :], classes[:, None] == given[None, :])
    kept = states[:, rows] * allowed
    total = kept.sum(axis=0)
    lost = total < SMALLEST  # the votes exclude what is known: believe what is known
    kept = np.where(lost, classes[:, None] == given[None, :], kept)
    states, evidence = states.copy(), evidence.copy()
    states[:, rows] = kept / kept.sum(axis=0)
    evidence[rows] += np.log(np.maximum(total, SMALLEST))
    return states, evidence


def start_at(start: FloatArray, known: IntArray | None) -> FloatArray:
    """A posterior, float64 [n_classes, n_patterns], with certainty where the class is known."""
    if known is None:
        return start
    return np.where(known == ABSTAIN, start, np.arange(len(start))[:, None] == known)
