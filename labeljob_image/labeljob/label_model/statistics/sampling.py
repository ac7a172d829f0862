"""Which rows stand for all where patterns are too many to keep: those with the smallest keys, `scrambled(id, seed)` (a *bottom-k* sample).

The rows that a union of shards keeps are among those that each shard keeps, so the sample does not depend on the sharding; and the key knows
nothing of the votes, so that it is a fair one. Bottom-k sketches: Cohen & Kaplan (2007), "Summarizing Data Using Bottom-k Sketches", PODC.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labeljob.label_model.statistics.hashing import Keys, scrambled
from labeljob.label_model.statistics.patterns import sort_words
from labeljob.label_model.statistics.vote_codes import layout_of
from labeljob.votes import Votes

MOST_PATTERNS = 1 << 16  # more do not make a fit better by enough to wait for
BLOCK_ROWS = 1 << 16


@dataclass(frozen=True)
class Budget:
    """How much statistics may keep. Only those of equal budgets merge.

    Attributes:
        bytes: of patterns, sample and pair counts together; the votes of each function for each class come on top.
        seed: of the keys.
    """

    bytes: int = 32 << 20
    seed: int = 0

    def patterns(self, functions: int, itemsize: int = 1) -> int:
        """The most patterns that are kept with their counts: half the bytes."""
        return max(2, min(MOST_PATTERNS, self.bytes // 2 // (functions * itemsize + 8)))

    def rows(self, functions: int, itemsize: int = 1) -> int:
        """The rows of a sample: a quarter of the bytes."""
        return self.patterns(functions, itemsize) // 2

    @property
    def pair_bytes(self) -> int:
        """For the counts of pairs."""
        return self.bytes // 4


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows with their keys, ascending by key and then by row.

    Attributes:
        keys: uint64 [n_sampled]. votes: int8 or int16 [n_sampled, n_functions].
    """

    keys: Keys
    votes: Votes

    @property
    def nbytes(self) -> int:
        return self.keys.nbytes + self.votes.nbytes


def bottom_rows(n: int, ids: Keys | None, seed: int, most: int) -> tuple[Keys, npt.NDArray[np.intp]]:
    """(keys, row numbers) of the `most` smallest keys and of those that tie with the last, ascending by row number.

    Args:
        n: rows. ids: uint64 [n]; None for the row numbers.
    """
    share = (most + 8 * most**0.5 + 64) / max(n, 1)  # of the keys, nearly always enough; else all are looked at
    for bound in (share, 1.0):
        keys, rows = _below(n, ids, seed, bound)
        if len(keys) >= min(most, n):
            break
    if len(keys) > most:
        kept = keys <= np.partition(keys, most - 1)[most - 1]
        keys, rows = keys[kept], rows[kept]
    return keys, rows


def _below(n: int, ids: Keys | None, seed: int, share: float) -> tuple[Keys, npt.NDArray[np.intp]]:
    parts = list(_blocks(n, ids, seed, share))
    return np.concatenate([keys for keys, _ in parts]), np.concatenate([rows for _, rows in parts])


def _blocks(n: int, ids: Keys | None, seed: int, share: float) -> Iterator[tuple[Keys, npt.NDArray[np.intp]]]:
    for start in range(0, max(n, 1), BLOCK_ROWS):
        stop = min(start + BLOCK_ROWS, n)
        keys = scrambled(np.arange(start, stop, dtype=np.uint64) if ids is None else ids[start:stop], seed)
        rows = np.flatnonzero(keys <= np.uint64(share * 2.0**64)) if share < 1 else np.arange(stop - start)
        yield keys[rows], rows + start


def sample_of(votes: Votes, keys: Keys, most: int) -> Sample:
    """The first `most` rows in the order of a sample.

    Args:
        votes: int8 or int16 [n_rows, n_functions]; keys: uint64 [n_rows].
    """
    order = np.argsort(keys)
    ordered = keys[order]
    if (ordered[1:] == ordered[:-1]).any():  # rows of the same id: their votes decide, so that any order of merges gives one answer
        words = sort_words(votes, layout_of(votes.shape[1], int(votes.max(initial=0)) + 2))
        order = np.lexsort((*words[::-1], keys))
    order = order[:most]
    return Sample(keys[order], votes.take(order, axis=0))


def merge_samples(a: Sample, b: Sample, most: int) -> Sample:
    """The sample of the rows of both."""
    return sample_of(np.concatenate([a.votes, b.votes]), np.concatenate([a.keys, b.keys]), most)
