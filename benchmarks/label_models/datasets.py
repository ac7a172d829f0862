"""Real vote sets, used in place: they are other people's and not part of the project."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.label_models.peers import ROOT
from labeljob.votes import IntArray, Votes

VARIABLE = "LABELPLANE_SHARED_DATA"


@dataclass(frozen=True)
class VoteSet:
    """votes: int8 [n, m]; gold: int64 [n], -1 where there is none."""

    name: str
    votes: Votes
    gold: IntArray
    classes: int


def folder() -> Path:
    """`$LABELPLANE_SHARED_DATA/votes`, or the folder `shared/data/votes` beside the project."""
    return Path(os.environ.get(VARIABLE) or ROOT.parent / "shared/data") / "votes"


def real_sets() -> Iterator[VoteSet]:
    """Every set in the folder by name; none when there is no folder."""
    for path in sorted(folder().glob("*.npz")):
        with np.load(path, allow_pickle=False) as arrays:
            yield VoteSet(path.stem, arrays["L"].astype(np.int8), arrays["Y"].astype(np.int64), int(arrays["K"]))
