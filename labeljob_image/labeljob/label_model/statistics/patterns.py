"""Distinct rows of a label matrix in lexicographic order, with their weights."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from labeljob.label_model.statistics.hashing import scrambled
from labeljob.label_model.statistics.packing import PackedVotes, pack
from labeljob.label_model.statistics.unpacking import unpack
from labeljob.label_model.statistics.vote_codes import Codes, Layout, layout_of, number_chunks, packed_chunks
from labeljob.votes import ABSTAIN, IntArray, Votes, validate_votes

DENSE_CODES = 1 << 20  # up to this many possible patterns, count them in a table instead of sorting
FEW_ROWS = 4  # times the rows of a matrix below the possible patterns, sorting is quicker than a table
WHOLE_CODES = 1 << 32  # up to this many, a pattern is a number of four bytes
BLOCK_ROWS = 1 << 17
COUNTED_TOGETHER = 4  # chunks of numbers: a table of all possible ones is made for each block that is counted, which the cache should hold beside it
MARK_BITS = 20
MARKS = 1 << MARK_BITS
LANES, FEW_CLASSES = 64, 8


def distinct(votes: Votes, outcomes: int, weights: IntArray | None = None) -> tuple[Votes, IntArray]:
    """(patterns, counts): the distinct rows, ascending, and the sum of the weights of each.

    Args:
        votes: int8 or int16 [n_rows, n_functions], each vote < outcomes - 1; there may be no rows.
        weights: int64 [n_rows], at least 1 each; None for 1 each.
    Returns:
        like `votes` [n_patterns, n_functions], and int64 [n_patterns].
    """
    layout = layout_of(votes.shape[1], outcomes)
    if votes.shape[0] == 0:
        return votes, np.empty(0, dtype=np.int64)
    if _is_numbered(votes, layout, weights):
        numbers, counts = _count_numbers(votes, layout, weights)
        return unpack(PackedVotes(_codes_of(numbers, layout), layout)), counts
    order, starts = _sorted(sort_words(votes, layout))
    counts = np.diff(starts, append=len(order)) if weights is None else np.add.reduceat(weights[order], starts)
    return votes.take(order[starts], axis=0), counts


class Distinct(NamedTuple):
    """What `distinct` gives; packed where that was at hand."""

    patterns: Votes | PackedVotes
    counts: IntArray


def distinct_up_to(votes: Votes, outcomes: int, most: int, *, checked: bool = True) -> Distinct | None:
    """`distinct` rows of a matrix of any height; None when they are more than `most`, which is mostly seen at once.

    Raises:
        VotesError: as `validate_votes`, where votes are not `checked` and there is an answer.
    """
    layout = layout_of(votes.shape[1], outcomes)
    if not votes.shape[0]:
        return Distinct(*distinct(votes, outcomes))
    if votes.shape[0] <= most or (outcomes**layout.columns <= DENSE_CODES and layout.in_words and votes.dtype == np.int8):
        found = _distinct_packed(votes, layout, checked) if votes.dtype == np.int8 else Distinct(*distinct(votes, outcomes))
        return found if len(found.counts) <= most else None
    short = layout.in_words and votes.dtype == np.int8 and outcomes**layout.columns <= WHOLE_CODES and votes.shape[0] <= 2 * most
    if not short and _surely_more(votes[: 4 * most], layout, most):  # to sort few short numbers is not much dearer than to ask
        return None
    if not checked:
        validate_votes(votes, outcomes - 1)
    patterns, counts = distinct(votes[:BLOCK_ROWS], outcomes)
    for start in range(BLOCK_ROWS, votes.shape[0], BLOCK_ROWS):
        if len(counts) > most:
            return None
        block, times = distinct(votes[start : start + BLOCK_ROWS], outcomes)
        patterns, counts = distinct(np.concatenate([patterns, block]), outcomes, np.concatenate([counts, times]))
    return Distinct(patterns, counts) if len(counts) <= most else None


def _distinct_packed(votes: Votes, layout: Layout, checked: bool) -> Distinct:
    if _is_numbered(votes, layout, None) and not (_is_one_code(layout) and _are_sorted(votes, layout)):
        numbers, counts = _count_numbers(votes, layout, None, checked)
        return Distinct(PackedVotes(_codes_of(numbers, layout), layout), counts)
    codes = pack(votes, layout.outcomes, checked=checked).codes
    if _is_one_code(layout):
        ordered, counts = _sorted_numbers(codes[0].byteswap())  # the first unit of a code is its low byte
        return Distinct(PackedVotes(ordered.byteswap()[None], layout), counts)
    order, starts = _sorted(_words(codes, layout))
    return Distinct(PackedVotes(codes.take(order[starts], axis=1), layout), np.diff(starts, append=len(order)))


def _is_one_code(layout: Layout) -> bool:
    """Whether a row is one code of two units."""
    return layout.paired and layout.codes == 1


def _surely_more(votes: Votes, layout: Layout, most: int) -> bool:
    """Whether rows fall on more than `most` of MARKS hash values: then they have more than `most` patterns."""
    if votes.shape[0] <= most or 2 * most > MARKS:
        return False
    marks = np.zeros(MARKS, dtype=np.bool_)
    multipliers = scrambled(np.arange(layout.codes, dtype=np.uint64)) | np.uint64(1)
    for start, codes in packed_chunks(votes, layout):
        mixed = np.zeros(codes.shape[1], dtype=np.uint64)
        for code, multiplier in zip(codes, multipliers, strict=True):
            mixed += code * multiplier
        mixed ^= mixed >> np.uint64(29)
        mixed *= np.uint64(0xBF58476D1CE4E5B9)
        marks[mixed >> np.uint64(64 - MARK_BITS)] = True
        if start + codes.shape[1] > most and np.count_nonzero(marks) > most:
            return True
    return False


def votes_by_class(votes: Votes, classes: int, *, checked: bool = True) -> IntArray:
    """Votes of each function for each class, int64 [n_functions, n_classes]; VotesError, as `validate_votes`, where votes are not `checked`."""
    rows, functions = votes.shape
    if classes > FEW_CLASSES:
        votes = votes if checked else validate_votes(votes, classes)
        return np.stack([np.bincount(column[column != ABSTAIN], minlength=classes) for column in votes.T])
    counts = np.zeros((functions, classes), dtype=np.int64)
    rest = rows - rows % LANES
    for start in range(0, rest, LANES * 255):  # bytes count up to 255: as many rows are added at a time, LANES of them side by side
        block = votes[start : min(start + LANES * 255, rest)]
        if not checked:
            _check(block, votes, classes)
        for k in range(classes):
            named = (block == k).view(np.uint8).reshape(-1, LANES * functions)
            counts[:, k] += np.add.reduce(named, axis=0, dtype=np.uint8).reshape(LANES, functions).sum(axis=0, dtype=np.int64)
    if not checked and rest < rows:
        _check(votes[rest:], votes, classes)
    for k in range(classes):
        counts[:, k] += np.count_nonzero(votes[rest:] == k, axis=0)
    return counts


def _check(block: Votes, votes: Votes, classes: int) -> None:
    """VotesError for a bad vote in a block of `votes`, which is named by its row among all."""
    if block.min() < ABSTAIN or block.max() >= classes:
        validate_votes(votes, classes)


def sort_words(votes: Votes, layout: Layout) -> npt.NDArray[np.uint64]:
    """uint64 [n_words, n_rows] that compare, first word first, as the rows do."""
    return _words(pack(votes, layout.outcomes).codes, layout)


def _words(codes: Codes, layout: Layout) -> npt.NDArray[np.uint64]:
    """As `sort_words`, of the codes of the rows."""
    # Two units of a byte each in the order of memory, or one unit of two bytes: either way the bytes of a row are in order of weight.
    rows = np.zeros((codes.shape[1], -(-layout.codes // 4) * 4), dtype="<u2" if layout.paired else ">u2")
    rows[:, : layout.codes] = codes.T
    return np.ascontiguousarray(rows.view(">u8").T).astype(np.uint64)


def _sorted(words: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """(order of the rows, positions in it at which a new pattern starts). Most rows differ in the first word: only the others need more."""
    order = np.argsort(words[0])
    changed = _changes(words[0][order])
    if len(words) > 1 and not changed.all():
        tied = ~changed
        tied[:-1] |= tied[1:]
        rows = order[tied]
        rows = rows[np.lexsort(words[::-1, rows])]
        order[tied] = rows
        others = np.zeros(len(rows), dtype=np.bool_)
        for word in words:
            others |= _changes(word[rows])
        changed[tied] = others
    return order, np.flatnonzero(changed)


def _changes(ordered: npt.NDArray[np.unsignedinteger]) -> npt.NDArray[np.bool_]:
    changed = np.empty(len(ordered), dtype=np.bool_)
    changed[:1] = True
    np.not_equal(ordered[1:], ordered[:-1], out=changed[1:])
    return changed


def _is_numbered(votes: Votes, layout: Layout, weights: IntArray | None) -> bool:
    """Whether rows are told apart by the number that each is."""
    possible = layout.outcomes**layout.columns
    return layout.in_words and votes.dtype == np.int8 and (possible <= DENSE_CODES or (weights is None and possible <= WHOLE_CODES))


def _count_numbers(votes: Votes, layout: Layout, weights: IntArray | None, checked: bool = True) -> tuple[npt.NDArray[Any], IntArray]:
    """(numbers that occur, ascending; the sum of their weights)."""
    if weights is None and _are_sorted(votes, layout):
        return _sorted_numbers(dense_codes(votes, layout, checked))
    return _counted(votes, layout, weights, checked)


def _are_sorted(votes: Votes, layout: Layout) -> bool:
    """Whether numbers are sorted rather than counted in a table."""
    possible = int(layout.outcomes**layout.columns)
    return possible > DENSE_CODES or len(votes) * FEW_ROWS < possible


def _codes_of(numbers: npt.NDArray[Any], layout: Layout) -> Codes:
    """The codes of the rows that `dense_codes` reads as these numbers."""
    codes, left = np.empty((layout.codes, len(numbers)), dtype=np.uint16), numbers.astype(np.uint32)
    for unit in range(layout.units - 1, -1, -1):
        columns = _columns(layout, unit)
        rest = left // np.uint32(layout.outcomes**columns)
        digits = (left - rest * np.uint32(layout.outcomes**columns)) * np.uint32(layout.outcomes ** (layout.width - columns))
        if not layout.paired:
            codes[unit] = digits
        elif unit % 2:
            codes[unit // 2] = digits << np.uint32(8)
        else:
            codes[unit // 2] = digits if unit == layout.units - 1 else codes[unit // 2] | digits
        left = rest
    return codes


def _counted(votes: Votes, layout: Layout, weights: IntArray | None, checked: bool) -> tuple[npt.NDArray[np.intp], IntArray]:
    """As `_count_numbers`, in a table of all possible rows."""
    possible = layout.outcomes**layout.columns
    totals = np.zeros(possible, dtype=np.int64 if weights is None else np.float64)  # float64 is exact below 2 ** 53 rows
    for start, numbers in _numbers_of(votes, layout, checked):
        totals += np.bincount(numbers, None if weights is None else weights[start : start + len(numbers)], possible)
    present = np.flatnonzero(totals)
    return present, totals[present].astype(np.int64)


def _numbers_of(votes: Votes, layout: Layout, checked: bool) -> Iterator[tuple[int, npt.NDArray[Any]]]:
    """(first row, numbers of the rows) of one block of rows after another."""
    if layout.numbers:
        yield from number_chunks(votes, layout, COUNTED_TOGETHER, checked=checked)
        return
    for start in range(0, len(votes), BLOCK_ROWS):
        block = votes[start : start + BLOCK_ROWS]
        if not checked:
            _check(block, votes, layout.outcomes - 1)
        yield start, dense_codes(block, layout)


def _sorted_numbers(codes: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], IntArray]:
    """As `_count_numbers`, by sorting the numbers themselves, in place."""
    codes.sort(kind="stable" if codes.itemsize == 2 else "quicksort")  # short numbers are then sorted by radix
    ordered, starts = codes, _changes(codes).nonzero()[0]
    counts = np.empty_like(starts)
    np.subtract(starts[1:], starts[:-1], out=counts[:-1])
    counts[-1:] = len(ordered) - starts[-1:]
    return ordered[starts], counts


def dense_codes(votes: Votes, layout: Layout, checked: bool = True) -> npt.NDArray[Any]:
    """Rows as numbers in base n_outcomes, [n_rows]: uint16 where few of many, intp where many of few, else uint32."""
    if layout.numbers:
        numbers = np.empty(len(votes), dtype=np.uint16 if len(votes) * FEW_ROWS < layout.numbers else np.intp)
        for start, chunk in number_chunks(votes, layout, checked=checked):
            numbers[start : start + len(chunk)] = chunk
        return numbers
    result = np.empty(votes.shape[0], dtype=np.uint32)
    phantom = layout.outcomes ** (layout.width - _columns(layout, layout.units - 1))
    for start, codes in packed_chunks(votes, layout, checked=checked):
        part = result[start : start + codes.shape[1]]
        part[:] = 0
        for unit in range(layout.units):
            digits = codes[unit] if not layout.paired else codes[unit // 2] >> 8 if unit % 2 else codes[unit // 2] & np.uint16(255)
            part *= np.uint32(layout.outcomes ** _columns(layout, unit))
            part += digits // np.uint16(phantom) if unit == layout.units - 1 else digits
    return result


def _columns(layout: Layout, unit: int) -> int:
    """Columns of a unit without those beyond the last."""
    return min(layout.width, layout.columns - unit * layout.width)
