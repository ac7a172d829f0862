"""The identity of rows as numbers: the same for a row in any batch, shard or order."""

import hashlib
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from labeljob.label_model.statistics.hashing import Keys, scrambled

WORD = 8
LONG = 256  # bytes; longer ids are rare and are hashed one by one


def hashed_ids(ids: pa.Array) -> Keys:
    """Hashes of int64 or string ids without nulls, uint64 [n_rows]."""
    if pa.types.is_integer(ids.type):
        return scrambled(ids.cast(pa.int64()).to_numpy(zero_copy_only=False).view(np.uint64))
    texts = ids.cast(pa.large_string())
    _, offsets, data = texts.buffers()
    bounds = np.frombuffer(offsets, dtype=np.int64)[texts.offset : texts.offset + len(texts) + 1]
    content = np.frombuffer(data, dtype=np.uint8)[bounds[0] : bounds[-1]] if data else np.empty(0, dtype=np.uint8)
    starts, lengths = bounds[:-1] - bounds[0], np.diff(bounds)
    hashes = _hash_words(np.concatenate([content, np.zeros(WORD, dtype=np.uint8)]), starts, np.where(lengths > LONG, 0, lengths))
    for row in np.flatnonzero(lengths > LONG):
        digest = hashlib.blake2b(content[starts[row] : starts[row] + lengths[row]].tobytes(), digest_size=WORD).digest()
        hashes[row] = int.from_bytes(digest, "little")
    return hashes


def keys_of(ids: pa.Array) -> Keys:
    """As `hashed_ids`, of ids among which there may be nulls: they stop the run, or their rows are set apart."""
    return hashed_ids(ids.fill_null("" if pa.types.is_string(ids.type) else 0))


def share_for(most: int, rows: int) -> float:
    """Share of the hashes, from the least on, that has those of the `most` least of so many rows: in all draws but one of 10 ** 20."""
    return min(1.0, (most + 10 * math.sqrt(most) + 50) / max(rows, 1))


def _hash_words(content: npt.NDArray[np.uint8], starts: npt.NDArray[Any], lengths: npt.NDArray[Any]) -> Keys:
    """Mix in 8 bytes of every text at a time; `content` has 8 bytes to spare."""
    words = np.ndarray((len(content) - WORD + 1,), "<u8", content, 0, (1,))
    hashes = scrambled(lengths.astype(np.uint64))
    whole = int(lengths.min(initial=LONG)) // WORD * WORD  # as far as this every text has whole words
    for done in range(0, whole, WORD):
        hashes = scrambled(hashes ^ words[starts + done])
    for done in range(whole, int(lengths.max(initial=0)), WORD):
        rows = np.flatnonzero(lengths > done)
        left = np.minimum(lengths[rows] - done, WORD).astype(np.uint64)
        word = words[starts[rows] + done] & (~np.uint64(0) >> (np.uint64(8) * (np.uint64(WORD) - left)))
        hashes[rows] = scrambled(hashes[rows] ^ word)
    return hashes
