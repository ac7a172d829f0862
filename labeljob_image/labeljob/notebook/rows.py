"""Rows by what was said of them: covered, in a bucket of labels, got wrong by a function."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from labeljob.votes import ABSTAIN, IntArray, VotesError, covered_rows, validate_gold, validate_votes

Bucket = tuple[int, ...]


def filter_unlabeled_dataframe(X: pd.DataFrame, y: Any, L: Any) -> tuple[pd.DataFrame, Any]:
    """(X, y) without the rows nobody votes on.

    Args:
        X: n_rows. y: [n_rows, …] probabilities or labels. L: [n_rows, n_functions].
    Raises:
        VotesError: they differ in length, or a bad vote.
    """
    covered, values = covered_rows(validate_votes(L)), np.asarray(y)
    if not len(X) == len(values) == len(covered):
        raise VotesError(f"X has {len(X)} rows, y {len(values)} and L {len(covered)}: they must be the same rows")
    return X.iloc[np.flatnonzero(covered)], values[covered]


def get_label_buckets(*y: Any) -> dict[Bucket, IntArray]:
    """The rows of each combination of labels: `get_label_buckets(Y, predicted)[1, 0]` are those of class 1 that were called 0.

    Args:
        y: one or more [n_rows] of class indices or -1.
    Returns:
        tuple of labels -> row numbers, int64 ascending; only combinations that occur.
    Raises:
        VotesError: different lengths, or what is no label. ValueError: no labels at all.
    """
    if not y:
        raise ValueError("get_label_buckets needs at least one list of labels")
    first = validate_gold(y[0], named="the first list of labels")
    others = (validate_gold(one, len(first), named=f"list of labels {place}", beside="the first has") for place, one in enumerate(y[1:], 2))
    columns = np.stack([first, *others], axis=1)
    distinct, place = np.unique(columns, axis=0, return_inverse=True)
    return {tuple(int(label) for label in labels): np.flatnonzero(place.ravel() == number) for number, labels in enumerate(distinct)}


def get_label_instances(bucket: Bucket, x: Any, *y: Any) -> Any:
    """The rows of x in one bucket of `get_label_buckets(*y)`, of the type of x; none when nothing is in it.

    Args:
        x: a DataFrame, a Series, or [n_rows, …]. bucket: one label for each of y.
    """
    if len(bucket) != len(y):
        raise ValueError(f"the bucket {bucket} has {len(bucket)} labels, but {len(y)} lists of labels were given")
    buckets = get_label_buckets(*y)
    rows = buckets.get(tuple(int(label) for label in bucket), np.empty(0, dtype=np.int64))
    if len(x) != sum(len(one) for one in buckets.values()):
        raise VotesError(f"x has {len(x)} rows, and the labels another number")
    return x.iloc[rows] if isinstance(x, pd.DataFrame | pd.Series) else np.asarray(x)[rows]


def wrong_rows(L: Any, Y: Any, j_or_name: int | str, df: pd.DataFrame, lfs: Sequence[Any] | None = None) -> pd.DataFrame:
    """The rows of df that a labeling function got wrong: it votes, gold is known, and the two differ.

    Args:
        L: [n_rows, n_functions]. Y: [n_rows] class indices, -1 unknown. df: n_rows.
        j_or_name: the column of L, or the name of a function in `lfs` (names, or objects with one; in column order).
    Raises:
        VotesError: lengths differ. ValueError: no such function.
    """
    votes = validate_votes(L)
    gold = validate_gold(Y, votes.shape[0])
    if len(df) != len(gold):
        raise VotesError(f"df has {len(df)} rows, but the label matrix has {len(gold)}")
    said = votes[:, _column(j_or_name, votes.shape[1], lfs)]
    return df.iloc[np.flatnonzero((said != ABSTAIN) & (gold != ABSTAIN) & (said != gold))]


def _column(j_or_name: int | str, columns: int, lfs: Sequence[Any] | None) -> int:
    if not isinstance(j_or_name, str):
        if not 0 <= j_or_name < columns:
            raise ValueError(f"there is no labeling function {j_or_name}: the label matrix has columns 0 to {columns - 1}")
        return int(j_or_name)
    names = [getattr(lf, "name", lf) for lf in lfs or ()]
    if j_or_name not in names:
        raise ValueError(f"there is no labeling function {j_or_name!r} in lfs ({', '.join(map(str, names)) or 'not given'})")
    return names.index(j_or_name)
