"""Diagnostics of labeling functions: the summary table and the conflict matrix. Pure functions of votes and gold."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from labeljob.votes import (
    ABSTAIN,
    FloatArray,
    IntArray,
    Votes,
    VotesError,
    conflicting_rows,
    conflicts,
    coverage,
    covered_rows,
    overlaps,
    polarity,
    require_rows,
    validate_gold,
    validate_votes,
)

if TYPE_CHECKING:
    import pandas as pd

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

    def lf_summary(self, Y: Any = None, est_weights: Any = None) -> "pd.DataFrame":
        """The table users know, indexed by function name.

        `j` is the column; Polarity the classes it votes for; Coverage, Overlaps, Conflicts shares of all rows. With gold Y ([n_rows] or
        [n_rows, 1], -1 unknown): Correct and Incorrect count votes on rows with gold, and Emp. Acc. is their ratio, NaN where there is
        none. With est_weights ([n_functions]): Learned Weight.

        Raises:
            EmptyVotesError: there are no rows. VotesError: Y has another length or an impossible value, or est_weights another length.
        """
        import pandas as pd

        table = {
            "j": np.arange(self.votes.shape[1]),
            "Polarity": self.lf_polarities(),
            "Coverage": self.lf_coverages(),
            "Overlaps": self.lf_overlaps(),
            "Conflicts": self.lf_conflicts(),
        }
        if Y is not None:
            table |= self._against(Y)
        if est_weights is not None:
            table |= {"Learned Weight": self._one_each(est_weights)}
        return pd.DataFrame(table, index=pd.Index(self.names))

    def label_coverage(self) -> float:
        """Share of rows that some function votes on; EmptyVotesError without rows, as everything here."""
        return self._share(covered_rows(self.votes))

    def label_overlap(self) -> float:
        """Share of rows that two functions or more vote on."""
        return self._share((self.votes != ABSTAIN).sum(axis=1) > 1)

    def label_conflict(self) -> float:
        """Share of rows whose votes name two classes or more."""
        return self._share(conflicting_rows(self.votes))

    def lf_polarities(self) -> list[list[int]]:
        """The classes each function votes for, ascending."""
        return polarity(self.votes)

    def lf_coverages(self) -> FloatArray:
        """Share of rows each function votes on, float64 [n_functions]."""
        return coverage(self.votes)

    def lf_overlaps(self, normalize_by_coverage: bool = False) -> FloatArray:
        """Share of all rows (or of the rows the function votes on) where it and another vote, float64 [n_functions]; NaN of no rows."""
        shares = overlaps(self.votes)
        return _ratio(shares, self.lf_coverages()) if normalize_by_coverage else shares

    def lf_conflicts(self, normalize_by_overlaps: bool = False) -> FloatArray:
        """Share of all rows (or of its overlaps) where another names another class, float64 [n_functions]; NaN of no rows."""
        shares = conflicts(self.votes)
        return _ratio(shares, self.lf_overlaps()) if normalize_by_overlaps else shares

    def lf_empirical_accuracies(self, Y: Any) -> FloatArray:
        """Right votes ÷ votes on rows with gold, float64 [n_functions]; NaN where there is none. Gold -1 counts nowhere."""
        right, wrong = gold_counts(self.votes, self._gold(Y))
        return _ratio(right, right + wrong)

    def lf_empirical_probs(self, Y: Any, k: int) -> FloatArray:
        """P(outcome | gold class), float64 [n_functions, 1 + k, k]; outcome 0 is abstain; NaN for a class without gold."""
        gold, votes = self._gold(Y, k), validate_votes(self.votes, k)
        known = gold != ABSTAIN
        given = (gold[known, None] == np.arange(k)).astype(np.float64)
        said = np.stack([(votes[known] == outcome).T @ given for outcome in range(ABSTAIN, k)], axis=1)
        return _ratio(said, np.broadcast_to(given.sum(axis=0), said.shape))

    def _share(self, flags: Any) -> float:
        require_rows(self.votes)
        return float(flags.mean())

    def _gold(self, Y: Any, cardinality: int | None = None) -> IntArray:
        return validate_gold(Y, self.votes.shape[0], cardinality)

    def _one_each(self, values: Any) -> FloatArray:
        given = np.asarray(values, dtype=np.float64).ravel()
        if len(given) != len(self.names):
            raise VotesError(f"{len(given)} weights were given for {len(self.names)} labeling functions")
        return given

    def _against(self, Y: Any) -> dict[str, Any]:
        right, wrong = gold_counts(self.votes, self._gold(Y))
        return {"Correct": right, "Incorrect": wrong, "Emp. Acc.": _ratio(right, right + wrong)}


def _ratio(part: Any, whole: Any) -> FloatArray:
    return np.asarray(np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=whole > 0))
