"""A sparse label matrix made dense. SciPy is no dependency: whatever has `tocoo()` is taken for sparse.

The convention: a *stored* value is a class index, a stored 0 too; an entry that is *not stored* is an abstain. So build one from the
votes alone, `coo_array((votes, (rows, columns)), shape=…)`. `csr_matrix(L)` of a dense L does the opposite: it stores each abstain (-1)
and forgets each vote for class 0. That is what a stored -1 gives away, and why it is refused instead of being read as an abstain. Where
such an L has no abstain at all, what gives it away is that no 0 is stored. That may also be meant, where nobody votes for class 0: it is a warning.
Snorkel sets no precedent: its `LabelModel` never accepted a sparse matrix.
"""

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

NOT_STORED = -1  # an abstain
NO_CLASS_0 = (
    "the sparse label matrix stores no vote for class 0: what is not stored is read as an abstain. A matrix made from a dense one, csr_matrix(L), has "
    "lost its votes for class 0: pass the dense L, or store its votes, coo_array((L[L >= 0], np.nonzero(L >= 0)), shape=L.shape). Where nobody votes for "
    "class 0, all is well"
)


def is_sparse(L: Any) -> bool:
    """Whether L is a sparse matrix or array, by its methods."""
    return not isinstance(L, np.ndarray) and (hasattr(L, "tocoo") or (hasattr(L, "toarray") and hasattr(L, "nnz")))


def dense(L: Any) -> npt.NDArray[Any]:
    """The votes of a sparse L [n_rows, n_functions] as an array of its type, -1 where nothing is stored.

    Warns:
        UserWarning: votes are stored, and none of them for class 0.
    Raises:
        ValueError: it cannot list its entries, stores a negative value, or stores an entry twice.
    """
    if not hasattr(L, "tocoo"):
        raise ValueError("a sparse label matrix needs tocoo(), which tells a stored 0 (class 0) from an entry that is not stored (abstain)")
    entries = L.tocoo()
    rows, columns, values = np.asarray(entries.row).astype(np.int64), np.asarray(entries.col).astype(np.int64), np.asarray(entries.data)
    if values.dtype.kind not in "iuf":
        raise ValueError(f"votes are class indices; got a sparse matrix of {values.dtype}")
    if values.size and values.min() < 0:
        worst = int(values.argmin())
        raise ValueError(
            f"the sparse label matrix stores {values[worst]} at row {rows[worst]}, column {columns[worst]}: store votes only. An entry that is "
            "not stored is the abstain; a matrix made from a dense one with -1 has lost its votes for class 0. Snorkel's LabelModel never took one: pass the dense L"
        )
    shape = tuple(int(size) for size in entries.shape)
    places = np.unique(rows * max(shape[1], 1) + columns)
    if len(places) < len(values):
        raise ValueError(f"the sparse label matrix stores {len(values) - len(places)} entries twice: a function votes once on a row")
    if 0 < len(values) < shape[0] * shape[1] and values.min() > 0:
        warnings.warn(NO_CLASS_0, UserWarning, stacklevel=4)
    kind = values.dtype if values.dtype.kind in "if" else np.dtype(np.int64)
    votes = np.full(shape, NOT_STORED, dtype=kind)
    votes[rows, columns] = values
    return votes
