"""Rows on which functions disagree, for people to look at: a few of each pair, by id (X2).

What is kept is bounded: of the rows in conflict those with the smallest hashes of their ids, so that equal tables show equal rows in whatever order
they are read. A pair that disagrees on most rows has some among them. Ids are those of the label table: hashes where the set hashes them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from labeljob.label_model.side.soft_votes import Levels
from labeljob.label_model.statistics.hashing import Keys
from labeljob.row_ids import hashed_ids
from labeljob.votes import BoolArray, IntArray, Votes

KEPT = 2_048  # rows
SHOWN = 3  # ids of a pair

Row = tuple[int, str, Votes, Levels | None]
Conflicts = Callable[[Votes, Levels | None], IntArray]


@dataclass
class Disagreements:
    """Rows in conflict as (hash of the id, id, votes [1, n_functions], levels [1, n_levels] or None), by ascending hash."""

    rows: list[Row] = field(default_factory=list)

    def add(self, ids: pa.Array, votes: Votes, levels: Levels | None, disagree: BoolArray) -> None:
        """Of a batch the rows that are marked, bool [n_rows]."""
        places = np.flatnonzero(disagree)
        keys: Keys = hashed_ids(ids.take(pa.array(places)))
        least = self.rows[-1][0] if len(self.rows) == KEPT else None
        first = np.argsort(keys, kind="stable")[: KEPT if least is None else int((keys <= np.uint64(least)).sum())][:KEPT]
        found: list[Row] = [
            (int(keys[at]), str(ids[int(row)].as_py()), votes[row : row + 1].copy(), None if levels is None else levels[row : row + 1].copy())
            for at, row in zip(first.tolist(), places[first].tolist(), strict=True)
        ]
        self.rows = sorted([*self.rows, *found], key=lambda row: row[:2])[:KEPT]

    def of(self, pairs: Sequence[tuple[int, int]], conflicts: Conflicts) -> list[list[str]]:
        """Ids of rows on which each pair disagrees, at most SHOWN; conflicts: int64 [n_functions, n_functions] of rows."""
        shown: list[list[str]] = [[] for _ in pairs]
        for _, row, votes, levels in self.rows:
            wanted = [place for place, ids in enumerate(shown) if len(ids) < SHOWN]
            if not wanted:
                break
            against = conflicts(votes, levels)
            for place in wanted:
                if against[pairs[place]]:
                    shown[place].append(row)
        return shown
