"""How a label matrix is read as small integers: `Layout` says what a code means, `packed_chunks` makes the codes.

A digit is vote + 1 (abstain is 0) and the base b is the number of outcomes. A *unit* is a run of columns, read as one number in base b
with the first column most significant; columns beyond the last count as abstains that say nothing.

    columns of a unit   base      how a unit is read
    5                   3         by one multiplication of 8-byte words of the int8 matrix, in which a digit is a byte
    4                   2 to 16   by one or two multiplications of 4-byte words, likewise
    2                   to 64     column by column
    1                   above     the column itself

In bases 2 to 4 a unit fits a byte and a uint16 *code* holds two of them, the first in its low byte; in other bases a code is a unit.

Where a whole row is below 2 ** 16 in base b, and it has an even number of columns, it is also read as one *number* (`number_chunks`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from labeljob.votes import ABSTAIN, Votes, validate_votes

CHUNK_ROWS, CHUNK_BYTES = 1 << 14, 1 << 20  # a pass works on few enough rows for the cache and on enough to hide the cost of a call
PAIRED_BASE, WORD_BASE, TWO_COLUMN_BASE = 4, 16, 64
WORD = 4  # columns of a word of 4 bytes
TERNARY, FIVE = 3, 5  # votes of two classes: five of their digits fit a byte
ALL_FIVE = np.uint64(sum(TERNARY ** (FIVE - 1 - i) << 8 * (7 - i) for i in range(FIVE)))
NUMBER_ROWS, MOST_NUMBERS = 1 << 15, 1 << 16
SLACK = 8  # bytes behind a buffer of digits, so that the words of its last row may read on

Codes: TypeAlias = npt.NDArray[np.uint16]
Numbers: TypeAlias = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Layout:
    """How votes of `columns` functions with `outcomes` outcomes (abstain and the classes) are packed."""

    columns: int
    outcomes: int

    @cached_property
    def width(self) -> int:
        """Columns of a unit."""
        if self.outcomes == TERNARY:
            return FIVE
        return WORD if self.outcomes <= WORD_BASE else 2 if self.outcomes <= TWO_COLUMN_BASE else 1

    @cached_property
    def units(self) -> int:
        """Units of a row."""
        return -(-self.columns // self.width)

    @cached_property
    def paired(self) -> bool:
        """Whether a code holds two units."""
        return self.outcomes <= PAIRED_BASE

    @cached_property
    def codes(self) -> int:
        """Codes of a row."""
        return -(-self.units // 2) if self.paired else self.units

    @cached_property
    def size(self) -> int:
        """How many numbers a unit can be."""
        return int(self.outcomes**self.width)

    @cached_property
    def in_words(self) -> bool:
        """Whether units of an int8 matrix are read word by word."""
        return self.outcomes <= WORD_BASE

    @cached_property
    def numbers(self) -> int:
        """How many numbers a whole row of an int8 matrix can be; 0 where rows are not read so."""
        possible = int(self.outcomes**self.columns)
        return possible if possible <= MOST_NUMBERS and self.columns % 2 == 0 and self.in_words else 0

    def __reduce__(self) -> tuple[Any, ...]:
        """What is computed from the two is left out of a pickle."""
        return layout_of, (self.columns, self.outcomes)

    @cached_property
    def design(self) -> npt.NDArray[np.float64]:
        """Which outcome each function of a unit has in each of its numbers: 0 or 1, float64 [size, width * n_outcomes]."""
        digits = np.arange(self.size)[:, None] // self.outcomes ** np.arange(self.width - 1, -1, -1) % self.outcomes
        table: npt.NDArray[np.float64] = (digits[:, :, None] == np.arange(self.outcomes)).reshape(self.size, -1).astype(np.float64)
        table.setflags(write=False)
        return table


@lru_cache(maxsize=16)
def layout_of(columns: int, outcomes: int) -> Layout:
    """The layout of so many functions and outcomes, made once."""
    return Layout(columns, outcomes)


def chunk_rows(columns: int, states: int = 1) -> int:
    """How many rows a pass over an int8 matrix takes at a time when it keeps `states` float64 of each."""
    return max(min(CHUNK_ROWS, CHUNK_BYTES // max(columns, 4 * states)), 64)


def packed_chunks(votes: Votes, layout: Layout, rows: int | None = None, *, checked: bool = True) -> Iterator[tuple[int, Codes]]:
    """(first row, uint16 [n_codes, n_rows]) of chunks of at most `rows` rows; the next chunk overwrites the codes of the last.

    Args:
        votes: int8 or int16 [n_rows, n_functions], C-contiguous, each vote at least -1 and below `layout.outcomes` - 1.
        checked: whether votes are known to be so; else they are looked at while they are in the cache, which a pass of its own would cost more.
    Raises:
        VotesError: as `validate_votes`, where not `checked`.
    """
    rows = rows or chunk_rows(layout.columns)
    most = min(rows, votes.shape[0])
    codes = np.empty((layout.codes, most), dtype=np.uint16)
    words = _Words(layout, most) if layout.in_words and votes.dtype == np.int8 else None
    if words is None and not checked:
        validate_votes(votes, layout.outcomes - 1)
    for start in range(0, votes.shape[0], rows):
        chunk = votes[start : start + rows]
        part = codes[:, : chunk.shape[0]]
        if words:
            words.read(chunk, part)
            if not checked and int(words.digits[: chunk.size].max()) >= layout.outcomes:
                validate_votes(votes, layout.outcomes - 1)
        else:
            _read_columns(chunk, layout, part)
        yield start, part


class _Words:
    """Buffers that turn chunks of an int8 matrix into codes, 4 or 8 columns of all rows at a time."""

    def __init__(self, layout: Layout, rows: int) -> None:
        b = layout.outcomes
        self.layout = layout
        self.digits = np.zeros(rows * layout.columns + SLACK, dtype=np.uint8)
        self.words, self.more = np.empty(rows, dtype="<u8"), np.empty(rows if layout.width == FIVE else 0, dtype="<u8")
        self.bytes = np.empty(2 * rows, dtype=np.uint8)
        self.pair, self.quad = np.uint16(1 + (b << 8)), np.uint32(1 + (b * b << 16))
        self.all_four = np.uint32(1 + (b << 8) + (b * b << 16) + (b**3 << 24)) if layout.paired else np.uint32(0)

    def read(self, votes: Votes, codes: Codes) -> None:
        """Fill uint16 [n_codes, n_rows] from int8 [n_rows, n_functions]."""
        rows, columns = votes.shape
        np.add(votes.view(np.uint8), 1, out=self.digits[: rows * columns].reshape(rows, columns), dtype=np.uint8)  # -1 wraps to 0
        if self.layout.width == FIVE:
            for code, start in enumerate(range(0, columns, 2 * FIVE)):
                self._fives(start, self.words[:rows])
                if start + FIVE < columns:
                    second = self.more[:rows]
                    self._fives(start + FIVE, second)
                    second <<= np.uint64(8)
                    self.words[:rows] |= second
                np.copyto(codes[code], self.words[:rows], casting="unsafe")
            return
        for start in range(0, columns, 2 * WORD):
            units = self._units(rows, start, min(2 * WORD, columns - start))
            if self.layout.paired:
                codes[start // (2 * WORD)] = units.view("<u2" if units.shape[1] == 2 else np.uint8)[:, 0]
            else:
                codes[start // WORD : start // WORD + units.shape[1]] = units.T

    def _fives(self, start: int, words: npt.NDArray[np.uint64]) -> None:
        """Fill `words` with the units of the five columns from `start`."""
        words[:] = np.ndarray(words.shape, "<u8", self.digits, start, (self.layout.columns,))
        if start + FIVE > self.layout.columns:
            words &= np.uint64((1 << 8 * (self.layout.columns - start)) - 1)  # what follows are digits of the next row
        words *= ALL_FIVE  # the highest byte becomes d0 b^4 + … + d4, what is behind the five does not reach it, and no lower byte carries
        words >>= np.uint64(56)

    def _units(self, rows: int, start: int, width: int) -> npt.NDArray[Any]:
        """uint8 (paired) or uint32 [n_rows, 1 or 2]: the units of the `width` columns from `start`."""
        kind, lanes = ("<u8", 2) if width > WORD else ("<u4", 1)
        words = self.words.view(kind)[:rows]
        words[:] = np.ndarray((rows,), kind, self.digits, start, (self.layout.columns,))
        if width not in (WORD, 2 * WORD):
            words &= words.dtype.type((1 << 8 * width) - 1)  # what follows are digits of the next row
        quads = words.view("<u4")
        if self.layout.paired:
            quads *= self.all_four  # the highest byte becomes d0 b^3 + d1 b^2 + d2 b + d3, and no lower byte carries
            quads >>= 24
            units = self.bytes[: len(quads)]
            np.copyto(units, quads, casting="unsafe")
            return units.reshape(rows, lanes)
        pairs = words.view("<u2")
        pairs *= self.pair  # d0 + 256 d1 becomes d0 + 256 (d0 b + d1)
        pairs >>= 8
        quads *= self.quad  # the same for pairs
        quads >>= 16
        return quads.reshape(rows, lanes)


def number_chunks(votes: Votes, layout: Layout, together: int = 1, *, checked: bool = True) -> Iterator[tuple[int, Numbers]]:
    """(first row, intp [n_rows]) of chunks of rows, each read as a number in base n_outcomes below `layout.numbers`; the next one overwrites it.

    Two digits in two bytes become a digit in base b * b, and one multiplication of an 8-byte word adds four of these up in its highest two bytes.

    Args:
        votes: int8 [n_rows, n_functions], as of `packed_chunks`.
        together: how many chunks are handed out at once. checked: as of `packed_chunks`, which see for what is raised.
    """
    b, columns, most = layout.outcomes, layout.columns, min(NUMBER_ROWS, votes.shape[0])
    digits, more = np.zeros(most * columns + SLACK, dtype=np.uint8), np.empty(most, dtype=np.intp)
    numbers = np.empty(min(NUMBER_ROWS * together, votes.shape[0]), dtype=np.intp)
    for start in range(0, votes.shape[0], NUMBER_ROWS):
        chunk, place = votes[start : start + NUMBER_ROWS], start % len(numbers)
        np.add(chunk.reshape(-1).view(np.uint8), 1, out=digits[: chunk.size], dtype=np.uint8)  # -1 wraps to 0
        if not checked and int(digits[: chunk.size].max()) >= b:
            validate_votes(votes, b - 1)
        pairs = digits[: chunk.size].view("<u2")
        pairs *= np.uint16(1 + (b << 8))
        pairs >>= 8
        read = numbers[place : place + chunk.shape[0]]
        for first in range(0, columns, 2 * WORD):
            part = more[: chunk.shape[0]] if first else read
            _add_lanes(digits, first, layout, part)
            if first:
                read += part
        if place + len(read) == len(numbers) or start + len(read) == votes.shape[0]:
            yield start - place, numbers[: place + len(read)]


def _add_lanes(pairs: npt.NDArray[np.uint8], first: int, layout: Layout, out: Numbers) -> None:
    """Fill intp [n_rows] with what up to four pairs from column `first` on add to a row's number."""
    base, lanes = layout.outcomes**2, min(WORD, (layout.columns - first) // 2)
    if first + 2 == layout.columns:
        out[:] = np.ndarray(out.shape, "<u2", pairs, first, (layout.columns,))
        return
    words = out.view("<u8")
    words[:] = np.ndarray(out.shape, "<u8", pairs, first, (layout.columns,))
    behind = (layout.columns - first) // 2 - lanes
    words *= np.uint64(sum(base ** (lanes - 1 - lane + behind) << 16 * (WORD - 1 - lane) for lane in range(lanes)))
    words >>= np.uint64(48)


def _read_columns(votes: Votes, layout: Layout, codes: Codes) -> None:
    """As `_Words.read`, column by column, for any base and type."""
    units = np.zeros((layout.units, votes.shape[0]), dtype=np.uint16)
    for column in range(layout.units * layout.width):
        unit = units[column // layout.width]
        unit *= layout.outcomes
        if column < layout.columns:
            unit += (votes[:, column] - ABSTAIN).astype(np.uint16)
    codes[:] = units[0::2] if layout.paired else units
    if layout.paired:
        codes[: layout.units // 2] += units[1::2] << 8
