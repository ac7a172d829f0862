"""Which texts hold one of a function's literals: one pass over the bytes of a column, however many functions and literals there are.

    bytes | 0x20 -> every window of 4 bytes (2 for short literals) -> hash -> known? -> the literal there, byte by byte -> its row

Case and a few signs are folded away by one bit, so what is found is a superset, and each function then decides on its own rows. Time is
linear in the bytes, whatever they hold.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Bytes: TypeAlias = npt.NDArray[np.uint8]
Indices: TypeAlias = npt.NDArray[np.int64]
Piece: TypeAlias = tuple[Bytes, Indices, int]  # bytes, bounds of rows in them [n_rows + 1], number of the first row
Masks: TypeAlias = npt.NDArray[np.uint64]  # [n_words, n_rows]; bit j of word w is function 64 w + j

LONGEST = 32  # bytes of a literal that are compared
SHORTEST = 2
PIECE_BYTES = 1 << 18  # looked at together: temporary arrays stay in the cache
WORD_BITS = 64
# What RE2 takes for an ASCII letter in any case, and what NFC makes an ASCII character of: long s, Kelvin sign, Greek question mark, varia.
TURNING_ASCII: Final = ("\u017f", "\u212a", "\u037e", "\u1fef")

_FOLD = np.uint8(0x20)
_HIGH_BITS = np.uint64(0x8080808080808080)
_FACTOR, _SHIFT = np.uint32(2654435761), np.uint32(16)  # Knuth's multiplicative hash
_SLOTS = 1 << 16
_COMMON = " etaoinshrdlcumwfgypbvkjxqz"  # most frequent first


def folded(literal: str) -> bytes:
    """The literal's bytes as they are looked for."""
    return bytes(byte | 0x20 for byte in literal.encode()[:LONGEST])


class LiteralScan:
    """The literals of some functions that read one column.

    Args:
        wanted: function number -> literals of which one must stand in a text that it votes on, each of at least SHORTEST bytes.
        words: 64-bit words of a row's mask, enough for the highest number.
    """

    def __init__(self, wanted: dict[int, frozenset[str]], words: int) -> None:
        literals = sorted({folded(one) for of in wanted.values() for one in of})
        number = {literal: place for place, literal in enumerate(literals)}
        self._lengths = np.array([len(one) for one in literals], dtype=np.int64)
        self._expected, self._compared = _as_words(literals)
        self._bits = np.zeros((words, len(literals)), dtype=np.uint64)
        for function, of in wanted.items():
            for one in of:
                self._bits[function // WORD_BITS, number[folded(one)]] |= _bit(function)
        self._all = np.bitwise_or.reduce(self._bits, axis=1)
        self._tables = [table for table in (_Windows(literals, 4), _Windows(literals, 2)) if table.any]

    def mark(self, column: Any, masks: Masks, threads: int) -> None:
        """Set the bits of functions that may vote, in `masks` [n_words, n_rows]; `column` is a ChunkedArray of string [n_rows]."""
        pieces = list(_pieces(column))
        if threads > 1 and len(pieces) > 1:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(partial(self._mark, masks), pieces))
        else:
            for piece in pieces:
                self._mark(masks, piece)

    def _mark(self, masks: Masks, piece: Piece) -> None:
        data, bounds, first = piece
        text = np.zeros(len(data) + LONGEST + 8, dtype=np.uint8)
        np.bitwise_or(data, _FOLD, out=text[: len(data)])
        for table in self._tables:
            for positions, literals in table.found(text, len(data)):
                self._set_bits(*self._confirmed(text, positions, literals), bounds, masks[:, first : first + len(bounds) - 1])
        if (text[: len(text) // 8 * 8].view(np.uint64) & _HIGH_BITS).any():
            masks[:, first + _rows_at(_turning_ascii(data), bounds)] |= self._all[:, None]

    def _confirmed(self, text: Bytes, positions: Indices, literals: Indices) -> tuple[Indices, Indices]:
        """Those where the whole literal stands: (first byte, literal)."""
        words = np.ndarray((len(text) - 7,), "<u8", text, 0, (1,))
        inside = positions >= 0
        positions, literals = positions[inside], literals[inside]
        for place, (expected, compared) in enumerate(zip(self._expected, self._compared, strict=True)):
            same = (words[positions + 8 * place] & compared[literals]) == expected[literals]
            positions, literals = positions[same], literals[same]
        return positions, literals

    def _set_bits(self, positions: Indices, literals: Indices, bounds: Indices, masks: Masks) -> None:
        rows = _rows_at(positions, bounds)
        whole = positions + self._lengths[literals] <= bounds[rows + 1]
        for mask, bits in zip(masks, self._bits, strict=True):
            np.bitwise_or.at(mask, rows[whole], bits[literals[whole]])


class _Windows:
    """One window of each literal, found by a table of hashes. Of width 4 for literals that are that long, 2 for the others."""

    def __init__(self, literals: Sequence[bytes], width: int) -> None:
        self._width = width
        slots: dict[int, list[tuple[int, int]]] = {}
        for number, literal in enumerate(literals):
            if (len(literal) >= 4) == (width == 4):
                offset = _rarest_window(literal, width)
                window = np.frombuffer(literal[offset : offset + width], f"<u{width}")
                slots.setdefault(int(self._slots(window)[0]), []).append((number, offset))
        self.any = bool(slots)
        self._known = np.zeros(_SLOTS, dtype=np.bool_)
        self._known[list(slots)] = True
        self._bucket = np.zeros(_SLOTS, dtype=np.int64)
        self._bucket[list(slots)] = np.arange(len(slots))
        self._deepest = max(map(len, slots.values()), default=0)
        self._literals, self._offsets = np.full((2, self._deepest, len(slots)), -1, dtype=np.int64)
        for bucket, found in enumerate(slots.values()):
            for depth, (number, offset) in enumerate(found):
                self._literals[depth, bucket], self._offsets[depth, bucket] = number, offset

    def _slots(self, windows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return (windows * _FACTOR) >> _SHIFT if self._width == 4 else windows

    def found(self, text: Bytes, length: int) -> Iterator[tuple[Indices, Indices]]:
        """(where the literal would begin, which one) for every window that is known, by its hash."""
        for shift in range(self._width):
            windows = text[shift : shift + -(-max(length - shift, 0) // self._width) * self._width].view(f"<u{self._width}")
            slots = self._slots(windows)
            at = np.flatnonzero(self._known.take(slots))
            buckets = self._bucket[slots[at]]
            for literals, offsets in zip(self._literals, self._offsets, strict=True):
                which = literals[buckets]
                there = which >= 0
                yield (at[there] * self._width + shift - offsets[buckets[there]]), which[there]


def _rarest_window(literal: bytes, width: int) -> int:
    def commonness(offset: int) -> int:
        return sum(len(_COMMON) - _COMMON.find(chr(byte)) for byte in literal[offset : offset + width] if chr(byte) in _COMMON)

    return min(range(len(literal) - width + 1), key=commonness)


def _as_words(literals: Sequence[bytes]) -> tuple[Masks, Masks]:
    """Each literal's bytes and which bits of them count, uint64 [n_places, n_literals]."""
    places = -(-max(map(len, literals), default=1) // 8)
    padded = np.array([np.frombuffer(one.ljust(8 * places, b"\0"), "<u8") for one in literals], dtype=np.uint64)
    counted = np.array([np.frombuffer((b"\xff" * len(one)).ljust(8 * places, b"\0"), "<u8") for one in literals], dtype=np.uint64)
    return padded.reshape(-1, places).T, counted.reshape(-1, places).T


def _bit(function: int) -> np.uint64:
    return np.uint64(1) << np.uint64(function % WORD_BITS)


def _rows_at(positions: Indices, bounds: Indices) -> Indices:
    return np.searchsorted(bounds, positions, side="right") - 1


def _turning_ascii(data: Bytes) -> Indices:
    """Where one of TURNING_ASCII begins."""
    found = list[Indices]()
    for sign in (one.encode() for one in TURNING_ASCII):
        at = np.flatnonzero(data[: len(data) - len(sign) + 1] == sign[0])
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
    """Bounds of the texts, int64 [n_rows + 1], and the bytes they point into."""
    _, offsets, data = texts.buffers()
    if offsets is None or not len(texts):
        return np.zeros(len(texts) + 1, dtype=np.int64), np.empty(0, dtype=np.uint8)
    kind = np.int64 if pa.types.is_large_string(texts.type) else np.int32
    bounds = np.frombuffer(offsets, dtype=kind)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    return bounds, np.frombuffer(data, dtype=np.uint8) if data else np.empty(0, dtype=np.uint8)
