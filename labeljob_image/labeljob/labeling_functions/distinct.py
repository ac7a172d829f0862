"""Rows that look the same to a function get the same vote: searching for failures, each is evaluated once.

What makes an expression fail is mostly a few values ("n/a", "-", "") on many rows.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def distinct_rows(rows: Any, columns: Sequence[str]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """One row for each distinct combination of values.

    Args:
        rows: pyarrow.Table.
        columns: the columns that count; with none, all rows look the same.
    Returns:
        first: int64 [n_distinct], row numbers in ascending order; where: int64 [n_rows], the position in `first` of the
        row that looks like this one.
    """
    codes = np.zeros(rows.num_rows, dtype=np.int64)
    for name in columns:
        column = _codes(rows.column(name))
        _, codes = np.unique(codes * (int(column.max(initial=0)) + 1) + column, return_inverse=True)
    _, first, where = np.unique(codes, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return first[order].astype(np.int64), rank[where].astype(np.int64)


def _codes(column: Any) -> npt.NDArray[np.int64]:
    """A number for each distinct value, null included; floats are told apart by their bits (0.0 is not -0.0)."""
    if pa.types.is_floating(column.type):
        column = pa.chunked_array([part.view(pa.int64()) for part in column.chunks], pa.int64())
    encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
    codes: npt.NDArray[np.int64] = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return codes
