"""Which texts hold one of a function's literals: one pass over the bytes of a column, however many functions and literals there are.

    bytes | 0x20 -> every window of 4 bytes (2 or 1 for short literals) -> hash -> known? -> the literal there, byte by byte -> its row
        the literal is a whole keyword    sure: a vote      not sure: a sign beside it is not ASCII, and may be a letter or change in NFC
        it is a part of a pattern         the function may vote, and decides

Letters match in both cases, so that what is found is a superset of what a function asks for. Time is linear in the bytes, whatever they hold.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Bytes: TypeAlias = npt.NDArray[np.uint8]
Indices: TypeAlias = npt.NDArray[np.int64]
Piece: TypeAlias = tuple[Bytes, Indices, int]  # bytes, bounds of rows in them [n_rows + 1], number of the first row
Masks: TypeAlias = npt.NDArray[np.uint64]  # [n_words, n_rows]; bit j of word w is function 64 w + j
Marks: TypeAlias = npt.NDArray[np.uint64]  # [2, n_words, n_rows]: rows on which a function MAY vote, those on which it does: SURE

MAY, SURE = 0, 1
LONGEST = 32  # bytes of a literal that are compared
FEW = 6  # windows that are quicker compared one by one than looked up
PIECE_BYTES = 1 << 18  # looked at together: temporary arrays stay in the cache
WORD_BITS = 64
# What RE2 takes for an ASCII letter in any case, and what NFC makes an ASCII character of: long s, Kelvin sign, Greek question mark, varia.
TURNING_ASCII: Final = ("\u017f", "\u212a", "\u037e", "\u1fef")

_FOLD = np.uint8(0x20)
_HIGH_BITS = np.uint64(0x8080808080808080)
_FACTOR, _SHIFT = np.uint32(2654435761), np.uint32(16)  # Knuth's multiplicative hash
_SLOTS = 1 << 16
_NONE = np.uint64(0)
_APART, _JOINED, _UNKNOWN = 0, 1, 2  # what a byte beside a word says: no part of the word, a part of it, or that takes more than a byte
_BESIDE = np.array([_UNKNOWN if byte >= 0x80 else _JOINED if chr(byte).isalnum() or byte == 0x5F else _APART for byte in range(256)], dtype=np.uint8)
_COMMON = " etaoinshrdlcumwfgypbvkjxqz"  # most frequent first


def is_rare(literal: str) -> bool:
    """Whether a literal is worth looking for: two bytes, or a sign that is no letter, digit or space."""
    return len(literal.encode()) > 1 or (literal.isascii() and literal.isprintable() and not literal.isalnum() and literal != " ")


def lowered(literal: str) -> bytes:
    """The literal's bytes as they are compared; only ASCII letters have another case."""
    return literal.encode()[:LONGEST].lower()


@dataclass(frozen=True)
class Sought:
    """What is looked for on behalf of one function.

    Attributes:
        literals: one of them stands, up to ASCII case, in every text that it votes on.
        whole: those that are keywords as they are: in a text of ASCII they decide. bounded: as words, not as substrings.
    """

    literals: frozenset[str]
    whole: frozenset[str] = frozenset()
    bounded: bool = False


class LiteralScan:
    """The literals of some functions that read one column.

    Args:
        sought: by the number of the function.
        words: 64-bit words of a row's mask, enough for the highest number.
    """

    def __init__(self, sought: dict[int, Sought], words: int) -> None:
        literals = sorted({lowered(one) for of in sought.values() for one in of.literals})
        number = {literal: place for place, literal in enumerate(literals)}
        self._lengths = np.array([len(one) for one in literals], dtype=np.int64)
        self._expected, self._compared, self._either_case = _as_words(literals)
        self._part, self._word, self._substring = np.zeros((3, words, len(literals)), dtype=np.uint64)
        for function, of in sought.items():
            for one in of.literals:
                decides = one in of.whole and len(one) <= LONGEST
                bits = self._part if not decides else self._word if of.bounded else self._substring
                bits[function // WORD_BITS, number[lowered(one)]] |= _bit(function)
        self._all = np.bitwise_or.reduce(self._part | self._word | self._substring, axis=1)
        self._tables = [table for table in (_Windows(literals, 4), _Windows(literals, 2), _Windows(literals, 1)) if table.any]

    def mark(self, column: Any, marks: Marks, threads: int) -> None:
        """Set bits in `marks` [2, n_words, n_rows]; `column` is a ChunkedArray of string [n_rows]."""
        pieces = list(_pieces(column))
        if threads > 1 and len(pieces) > 1:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(partial(self._mark, marks), pieces))
        else:
            for piece in pieces:
                self._mark(marks, piece)

    def _mark(self, marks: Marks, piece: Piece) -> None:
        data, bounds, first = piece
        text, folded = np.zeros((2, len(data) + LONGEST + 8), dtype=np.uint8)
        text[: len(data)] = data
        np.bitwise_or(data, _FOLD, out=folded[: len(data)])
        found = [table.found(folded, len(data)) for table in self._tables]
        positions, literals = (np.concatenate(of) for of in zip(*found, strict=True))
        self._set_bits(text, *self._confirmed(text, positions, literals), bounds, marks[:, :, first : first + len(bounds) - 1])
        if (text[: len(text) // 8 * 8].view(np.uint64) & _HIGH_BITS).any():
            marks[MAY][:, first + _rows_at(_turning_ascii(data), bounds)] |= self._all[:, None]

    def _confirmed(self, text: Bytes, positions: Indices, literals: Indices) -> tuple[Indices, Indices]:
        """Those where the whole literal stands: (first byte, literal)."""
        words = np.ndarray((len(text) - 7,), "<u8", text, 0, (1,))
        inside = positions >= 0
        positions, literals = positions[inside], literals[inside]
        for place, (expected, compared, either) in enumerate(zip(self._expected, self._compared, self._either_case, strict=True)):
            same = ((words[positions + 8 * place] | either[literals]) & compared[literals]) == expected[literals]
            positions, literals = positions[same], literals[same]
        return positions, literals

    def _set_bits(self, text: Bytes, positions: Indices, literals: Indices, bounds: Indices, marks: Marks) -> None:
        rows, ends = _rows_at(positions, bounds), positions + self._lengths[literals]
        inside = ends <= bounds[rows + 1]
        rows, positions, ends, literals = rows[inside], positions[inside], ends[inside], literals[inside]
        before = np.where(positions > bounds[rows], _BESIDE[text[positions - 1]], _APART)
        after = np.where(ends < bounds[rows + 1], _BESIDE[text[ends]], _APART)
        held, alone, joined = after != _UNKNOWN, (before | after) == _APART, (before == _JOINED) | (after == _JOINED)
        for word in range(len(self._all)):
            part, whole, substring = self._part[word, literals], self._word[word, literals], self._substring[word, literals]
            may = part | np.where(held, _NONE, substring) | np.where(alone | joined, _NONE, whole)
            np.bitwise_or.at(marks[MAY, word], rows, may)
            np.bitwise_or.at(marks[SURE, word], rows, np.where(held, substring, _NONE) | np.where(alone, whole, _NONE))


class _Windows:
    """One window of each literal, found by a table of hashes. Of width 4 for literals that are that long, else 2, or 1 for a single byte."""

    def __init__(self, literals: Sequence[bytes], width: int) -> None:
        self._width = width
        slots: dict[int, list[tuple[int, int]]] = {}
        for number, literal in enumerate(literals):
            if _width_for(literal) == width:
                offset = _rarest_window(literal, width)
                window = _FOLD | np.frombuffer(literal, np.uint8)[offset : offset + width]
                slots.setdefault(int(self._slots(window.view(f"<u{width}"))[0]), []).append((number, offset))
        self.any = bool(slots)
        self._few = list(slots) if len(slots) <= FEW or width == 1 else []
        self._known = np.zeros(_SLOTS, dtype=np.bool_)
        self._known[list(slots)] = True
        self._bucket = np.zeros(_SLOTS, dtype=np.int64)
        self._bucket[list(slots)] = np.arange(len(slots))
        deepest = max(map(len, slots.values()), default=0)
        self._literals, self._offsets = np.full((2, deepest, len(slots)), -1, dtype=np.int64)
        for bucket, found in enumerate(slots.values()):
            for depth, (number, offset) in enumerate(found):
                self._literals[depth, bucket], self._offsets[depth, bucket] = number, offset

    def _slots(self, windows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return (windows * _FACTOR) >> _SHIFT if self._width == 4 else windows

    def found(self, text: Bytes, length: int) -> tuple[Indices, Indices]:
        """(where the literal would begin, which one) for every window that is known, by its hash."""
        at, buckets = (np.concatenate(of) for of in zip(*self._known_windows(text, length), strict=True))
        which = [literals[buckets] for literals in self._literals]
        there = [of >= 0 for of in which]
        begin = [at[kept] - offsets[buckets[kept]] for kept, offsets in zip(there, self._offsets, strict=True)]
        return np.concatenate(begin), np.concatenate([of[kept] for of, kept in zip(which, there, strict=True)])

    def _known_windows(self, text: Bytes, length: int) -> Iterator[tuple[Indices, Indices]]:
        """(position of the window, its bucket), for each byte that a window may begin at in its word."""
        for shift in range(self._width):
            windows = text[shift : shift + -(-max(length - shift, 0) // self._width) * self._width].view(f"<u{self._width}")
            slots = self._slots(windows)
            at = np.flatnonzero(self._hit(slots))
            yield at * self._width + shift, self._bucket[slots[at]]

    def _hit(self, slots: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        if self._few:
            return reduce(np.logical_or, [slots == slots.dtype.type(one) for one in self._few])
        return self._known.take(slots, mode="wrap")  # no slot lies outside: the quickest mode


def _width_for(literal: bytes) -> int:
    return 4 if len(literal) >= 4 else min(len(literal), 2)


def _rarest_window(literal: bytes, width: int) -> int:
    def commonness(offset: int) -> int:
        return sum(len(_COMMON) - _COMMON.find(chr(byte)) for byte in literal[offset : offset + width] if chr(byte) in _COMMON)

    return min(range(len(literal) - width + 1), key=commonness)


def _as_words(literals: Sequence[bytes]) -> tuple[Masks, Masks, Masks]:
    """Each literal's bytes, which bits of them count, and those that may be set or not, uint64 [n_places, n_literals]."""
    size = 8 * -(-max(map(len, literals), default=1) // 8)
    counted = [b"\xff" * len(one) for one in literals]
    either = [bytes(0x20 if 0x61 <= byte <= 0x7A else 0 for byte in one) for one in literals]
    padded = ([one.ljust(size, b"\0") for one in of] for of in (literals, counted, either))
    first, second, third = (np.frombuffer(b"".join(of), "<u8").reshape(-1, size // 8).T for of in padded)
    return first, second, third


def _bit(function: int) -> np.uint64:
    return np.uint64(1) << np.uint64(function % WORD_BITS)


def _rows_at(positions: Indices, bounds: Indices) -> Indices:
    return np.searchsorted(bounds, positions, side="right") - 1


def _turning_ascii(data: Bytes) -> Indices:
    """Where one of TURNING_ASCII begins."""
    beyond = np.flatnonzero(data >= 0x80)
    found = list[Indices]()
    for sign in (one.encode() for one in TURNING_ASCII):
        at = beyond[data[beyond] == sign[0]]
        at = at[at <= len(data) - len(sign)]
        for place, byte in enumerate(sign[1:], start=1):
            at = at[data[at + place] == byte]
        found.append(at)
    return np.concatenate(found)


def _pieces(column: Any) -> Iterator[Piece]:
    """Runs of whole rows of about PIECE_BYTES."""
    first = 0
    for chunk in column.chunks:
        bounds, data = _content(chunk)
        start = 0
        while start < len(chunk):
            stop = int(np.searchsorted(bounds, bounds[start] + PIECE_BYTES, side="right")) - 1
            stop = min(max(stop, start + 1), len(chunk))
            yield data[bounds[start] : bounds[stop]], bounds[start : stop + 1] - bounds[start], first + start
            start = stop
        first += len(chunk)


def _content(texts: Any) -> tuple[Indices, Bytes]:
    """Bounds of the texts, int64 [n_rows + 1], and the bytes they point into; a null has none, whatever stands below it."""
    if texts.null_count:
        texts = texts.fill_null("")
    _, offsets, data = texts.buffers()
    if offsets is None or not len(texts):
        return np.zeros(len(texts) + 1, dtype=np.int64), np.empty(0, dtype=np.uint8)
    kind = np.int64 if pa.types.is_large_string(texts.type) else np.int32
    bounds = np.frombuffer(offsets, dtype=kind)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    return bounds, np.frombuffer(data, dtype=np.uint8) if data else np.empty(0, dtype=np.uint8)
