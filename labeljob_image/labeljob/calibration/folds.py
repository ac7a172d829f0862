"""Folds by hash: which fold a gold row is in depends on the gold set and the seed alone, not on the order in which rows are read."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labeljob.votes import IntArray

FOLDS = 5


@dataclass(frozen=True, eq=False)
class Shuffled:
    """Two independent orders of the gold rows, one for the outer folds and one for the inner; int64 [n_rows] each, ranks from 0."""

    outer: IntArray
    inner: IntArray


def shuffled(keys: Sequence[bytes], seed: int) -> Shuffled:
    """Orders by BLAKE2b of each key (its halves), keyed by the seed; keys are unique."""
    salt = str(seed).encode()[:64]
    hashes = [hashlib.blake2b(key, digest_size=16, key=salt).digest() for key in keys]
    return Shuffled(_ranks([value[:8] for value in hashes]), _ranks([value[8:] for value in hashes]))


def _ranks(values: Sequence[bytes]) -> IntArray:
    rank = np.empty(len(values), dtype=np.int64)
    rank[sorted(range(len(values)), key=values.__getitem__)] = np.arange(len(values))
    return rank


def stratified_folds(rank: IntArray, gold: IntArray, folds: int = FOLDS) -> IntArray:
    """Fold of each row, int64 [n_rows], in [0, folds).

    The rows of a class are dealt out in order of rank, each class going on where the one before ended: in every class, and over all, the
    sizes of two folds differ by at most one.
    """
    order = np.lexsort((rank, gold))
    result = np.empty(len(rank), dtype=np.int64)
    result[order] = np.arange(len(rank)) % folds
    return result
