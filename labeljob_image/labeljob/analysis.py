"""Diagnostics of labeling functions: the summary table and the conflict matrix. Pure functions of votes and gold."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from labeljob.votes import ABSTAIN, IntArray, Votes, VotesError, conflicts, coverage, overlaps, polarity, validate_votes

CHUNK_ROWS = 1 << 16  # counts of a chunk stay exact in float32


def conflict_matrix(L: Any) -> IntArray:
    """Rows on which two labeling functions vote for different classes, int64 [n_functions, n_functions], symmetric, zero diagonal."""
    votes = validate_votes(L)
    return _co_votes(votes) - _agreements(votes)


def _co_votes(votes: Votes) -> IntArray:
    return sum((_gram(chunk != ABSTAIN) for chunk in _chunks(votes)), _zeros(votes))


def _agreements(votes: Votes) -> IntArray:
    classes = [k for k in np.unique(votes) if k != ABSTAIN]
    return sum((_gram(chunk == k) for chunk in _chunks(votes) for k in classes), _zeros(votes))


def _zeros(votes: Votes) -> IntArray:
    return np.zeros((votes.shape[1], votes.shape[1]), dtype=np.int64)


def _gram(flags: Any) -> IntArray:
    numbers = flags.astype(np.float32)
    return np.asarray((numbers.T @ numbers).astype(np.int64))


def _chunks(votes: Votes) -> list[Votes]:
    return [votes[start : start + CHUNK_ROWS] for start in range(0, votes.shape[0], CHUNK_ROWS)]


def gold_counts(votes: Votes, gold: IntArray) -> tuple[IntArray, IntArray]:
    """(right, wrong): votes of each function on rows with gold, int64 [n_functions] each; gold is int64 [n_rows], -1 unknown."""
    judged = (votes != ABSTAIN) & (gold != ABSTAIN)[:, None]
    right = judged & (votes == gold[:, None])
    return right.sum(axis=0, dtype=np.int64), (judged & ~right).sum(axis=0, dtype=np.int64)


class LFAnalysis:
    """Diagnostics of a label matrix, one line for each labeling function.

    Args:
        L: [n_rows, n_functions], as `labeljob.votes.validate_votes` accepts.
        lfs: names, or objects with a `name`, in column order; column numbers when left out.
    """

    def __init__(self, L: Any, lfs: Sequence[Any] | None = None) -> None:
        self.votes = validate_votes(L)
        columns = self.votes.shape[1]
        self.names = [getattr(lf, "name", lf) for lf in lfs] if lfs is not None else list(range(columns))
        if len(self.names) != columns:
            raise VotesError(f"{len(self.names)} labeling functions were named, but the label matrix has {columns} columns")

    def lf_summary(self, Y: Any = None) -> pd.DataFrame:
        """The table users know, indexed by function name.

        `j` is the column; Polarity the classes it votes for; Coverage, Overlaps, Conflicts shares of all rows. With gold Y ([n_rows], -1
        unknown): Correct and Incorrect count votes on rows with gold, and Emp. Acc. is their ratio, NaN where there is none.

        Raises:
            EmptyVotesError: there are no rows. VotesError: Y has another length.
        """
        table = {
            "j": np.arange(self.votes.shape[1]),
            "Polarity": polarity(self.votes),
            "Coverage": coverage(self.votes),
            "Overlaps": overlaps(self.votes),
            "Conflicts": conflicts(self.votes),
        }
        return pd.DataFrame(table | (self._against(Y) if Y is not None else {}), index=pd.Index(self.names))

    def _against(self, Y: Any) -> dict[str, Any]:
        gold = np.asarray(Y).astype(np.int64)
        if gold.shape != self.votes.shape[:1]:
            raise VotesError(f"gold has shape {gold.shape}, but the label matrix has {self.votes.shape[0]} rows")
        right, wrong = gold_counts(self.votes, gold)
        judged = right + wrong
        accuracy = np.divide(right, judged, out=np.full(len(judged), np.nan), where=judged > 0)
        return {"Correct": right, "Incorrect": wrong, "Emp. Acc.": accuracy}
