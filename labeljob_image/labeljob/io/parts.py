"""Which part of a dataset each shard of a run reads: the same answer wherever it is asked, from what is pinned alone (DESIGN §4.2).

    files in order of name -> large ones cut at their row groups -> neighbours put together into parts of about equal bytes

Neighbours, because rows that lie together often have ids that do: what the shards write then hardly overlaps, and is merged quickly. Pure.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Literal

from labeljob.contract.config import MOST_SHARDS

SHARD_BYTES = 256 << 20  # compressed; what a shard is to read when nobody says how many there are
FINE = 8  # a file above 1/FINE of a fair share is cut at its row groups
WHOLE = -1


@dataclass(frozen=True, order=True)
class Piece:
    """The least that a shard reads: a row group of a file, or all of it (WHOLE); `size` in bytes."""

    file: str
    group: int
    size: int


@dataclass(frozen=True)
class StoredFile:
    """A data file: its name in the dataset, and its size in bytes."""

    name: str
    size: int


Groups = Callable[[str], Sequence[int]]  # name of a file -> bytes of each of its row groups


def shards_of(files: Sequence[StoredFile], wanted: int | Literal["auto"], groups: Groups) -> int:
    """How many parts the data can be read in: at most `wanted`, for auto at most one for each SHARD_BYTES; at least 1."""
    total = sum(file.size for file in files)
    parts = min(MOST_SHARDS, -(-total // SHARD_BYTES) if wanted == "auto" else wanted)
    while parts > 1 and (found := len(_pieces(files, parts, groups))) < parts:  # fewer parts may need no cut: look again
        parts = found
    return max(parts, 1)


def parts_of(files: Sequence[StoredFile], parts: int, groups: Groups) -> list[tuple[Piece, ...]]:
    """The pieces of each part, disjoint and in order; together they are all of the data. No part is above total / parts by more than its largest piece."""
    pieces = _pieces(files, parts, groups)
    ends = list(accumulate((piece.size for piece in pieces), initial=0))
    cuts = [0]
    for k in range(1, parts):
        fair = ends[-1] * k / parts
        place = bisect_left(ends, fair)
        nearest = place - 1 if place and fair - ends[place - 1] < ends[place] - fair else place
        cuts.append(max(cuts[-1], min(max(nearest, cuts[-1] + 1), len(pieces) - (parts - k))))  # none is left empty
    return [tuple(pieces[start:stop]) for start, stop in pairwise([*cuts, len(pieces)])]


def _pieces(files: Sequence[StoredFile], parts: int, groups: Groups) -> list[Piece]:
    most = sum(file.size for file in files) / (FINE * parts)
    found: list[Piece] = []
    for file in sorted(files, key=lambda one: one.name):
        sizes = groups(file.name) if parts > 1 and file.size > most else ()
        found += [Piece(file.name, group, size) for group, size in enumerate(sizes)] if len(sizes) > 1 else [Piece(file.name, WHOLE, file.size)]
    return found
