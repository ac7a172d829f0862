"""Votes from codes: the inverse of `packing.pack`."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from labeljob.label_model.statistics.packing import PackedVotes
from labeljob.label_model.statistics.vote_codes import WORD_BASE, Layout
from labeljob.votes import ABSTAIN, INT8_CLASSES, Votes

EIGHT = 8  # votes of a word of 8 bytes


def unpack(packed: PackedVotes) -> Votes:
    """The rows that were packed, int8 [n_rows, n_functions] (int16 above 127 classes)."""
    layout, rows = packed.layout, packed.rows
    if layout.outcomes > WORD_BASE:
        dtype = np.int8 if layout.outcomes - 1 <= INT8_CLASSES else np.int16
        digits = [unit // layout.outcomes**place % layout.outcomes for unit in packed.units() for place in range(layout.width - 1, -1, -1)]
        return np.ascontiguousarray((np.stack(digits[: layout.columns], axis=1).astype(np.int16) + ABSTAIN).astype(dtype))
    stride = layout.units * layout.width + EIGHT
    votes, words = np.empty(rows * stride, dtype=np.int8), _unit_votes(layout)
    for place, unit in enumerate(packed.units() if rows else []):  # eight votes at once: those beyond the unit are written over by the next one
        np.ndarray((rows,), "<u8", votes, place * layout.width, (stride,))[:] = words.take(unit)
    return np.ascontiguousarray(votes.reshape(rows, stride)[:, : layout.columns])


@lru_cache(maxsize=16)
def _unit_votes(layout: Layout) -> npt.NDArray[np.uint64]:
    """The votes of each number of a unit as the bytes of a word, and abstains beyond, [size]."""
    votes = np.full((layout.size, EIGHT), ABSTAIN, dtype=np.int8)
    votes[:, : layout.width] = np.arange(layout.size)[:, None] // layout.outcomes ** np.arange(layout.width - 1, -1, -1) % layout.outcomes + ABSTAIN
    words: npt.NDArray[np.uint64] = votes.view("<u8")[:, 0].copy()
    words.setflags(write=False)
    return words
