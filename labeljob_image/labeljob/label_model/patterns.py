"""Distinct rows of a label matrix in lexicographic order, with their weights."""

import numpy as np
import numpy.typing as npt

from labeljob.label_model.vote_codes import Layout, packed_chunks
from labeljob.votes import ABSTAIN, IntArray, Votes

DENSE_CODES = 1 << 20  # below this many possible patterns, count them in a table instead of sorting


def distinct(votes: Votes, outcomes: int, weights: IntArray | None = None) -> tuple[Votes, IntArray]:
    """(patterns, counts): the distinct rows, ascending, and the sum of the weights of each.

    Args:
        votes: int8 or int16 [n_rows, n_functions], each vote < outcomes - 1; there may be no rows.
        weights: int64 [n_rows], at least 1 each; None for 1 each.
    Returns:
        like `votes` [n_patterns, n_functions], and int64 [n_patterns].
    """
    layout = Layout(votes.shape[1], outcomes)
    if votes.shape[0] == 0:
        return votes, np.empty(0, dtype=np.int64)
    if outcomes**layout.columns <= DENSE_CODES and layout.paired:
        return _count_dense(votes, layout, weights)
    order, starts = _sorted(sort_words(votes, layout))
    counts = np.diff(starts, append=len(order)) if weights is None else np.add.reduceat(weights[order], starts)
    return votes.take(order[starts], axis=0), counts


def sort_words(votes: Votes, layout: Layout) -> npt.NDArray[np.uint64]:
    """uint64 [n_words, n_rows] that compare, first word first, as the rows do."""
    words = -(-layout.codes // 4)
    # Two units of a byte each in the order of memory, or one unit of two bytes: either way the bytes of a row are in order of weight.
    rows = np.zeros((votes.shape[0], 4 * words), dtype="<u2" if layout.paired else ">u2")
    for start, codes in packed_chunks(votes, layout):
        rows[start : start + codes.shape[1], : layout.codes] = codes.T
    return np.ascontiguousarray(rows.view(">u8").T).astype(np.uint64)


def _sorted(words: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """(order of the rows, positions in it at which a new pattern starts)."""
    order = np.argsort(words[0])
    changed = _changes(words[0][order])
    if len(words) > 1 and not changed.all():
        order = np.lexsort(words[::-1])
        changed = _changes(words[0][order])
        for word in words[1:]:
            changed |= _changes(word[order])
    return order, np.flatnonzero(changed)


def _changes(ordered: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    changed = np.ones(len(ordered), dtype=np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=changed[1:])
    return changed


def _count_dense(votes: Votes, layout: Layout, weights: IntArray | None) -> tuple[Votes, IntArray]:
    totals = np.bincount(dense_codes(votes, layout), weights)  # float64 with weights: exact below 2 ** 53 rows
    present = np.flatnonzero(totals)
    counts = totals[present].astype(np.int64)
    digits = np.empty((len(present), layout.units * layout.width), dtype=np.int8)
    left = present.astype(np.uint32)
    last = layout.units - 1
    for unit in range(last, -1, -1):
        size = np.uint32(layout.outcomes ** _columns(layout, unit))
        rest = left // size
        digits[:, unit * layout.width : (unit + 1) * layout.width] = _unit_votes(layout, _columns(layout, unit)).take(left - rest * size, axis=0)
        left = rest
    return np.ascontiguousarray(digits[:, : layout.columns]), counts


def dense_codes(votes: Votes, layout: Layout) -> npt.NDArray[np.uint32]:
    """Rows as numbers in base n_outcomes, uint32 [n_rows]."""
    result = np.empty(votes.shape[0], dtype=np.uint32)
    phantom = layout.outcomes ** (layout.width - _columns(layout, layout.units - 1))
    for start, codes in packed_chunks(votes, layout):
        part = result[start : start + codes.shape[1]]
        part[:] = 0
        for unit in range(layout.units):
            digits = codes[unit // 2] >> 8 if unit % 2 else codes[unit // 2] & np.uint16(255)
            part *= np.uint32(layout.outcomes ** _columns(layout, unit))
            part += digits // np.uint16(phantom) if unit == layout.units - 1 else digits
    return result


def _columns(layout: Layout, unit: int) -> int:
    """Columns of a unit without those beyond the last."""
    return min(layout.width, layout.columns - unit * layout.width)


def _unit_votes(layout: Layout, columns: int) -> npt.NDArray[np.int8]:
    """The votes of each number of a unit of `columns` columns, int8 [n_numbers, width]; abstains beyond."""
    numbers = np.arange(layout.outcomes**columns)[:, None]
    votes = np.full((len(numbers), layout.width), ABSTAIN, dtype=np.int8)
    votes[:, :columns] = numbers // layout.outcomes ** np.arange(columns - 1, -1, -1) % layout.outcomes + ABSTAIN
    return votes
