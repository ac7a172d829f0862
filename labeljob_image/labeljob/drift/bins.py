"""What a column's values are counted in: ten quantiles of the reference, or its fifty most frequent values, and a bin for nulls beside."""

from collections.abc import Iterable
from typing import Literal

import numpy as np
import pyarrow as pa

from labeljob.contract.base import Wire
from labeljob.contract.columns import ColumnType
from labeljob.drift.sample import HASH, LENGTH, RowSample
from labeljob.votes import FloatArray, IntArray

QUANTILES = 10
CATEGORIES = 50
REPEATED = 0.5  # a text whose most frequent values cover less than this share is compared by its length

Kind = Literal["quantiles", "categories", "lengths"]


class ColumnBins(Wire):
    """The bins of a column and how many rows of the reference lie in each; the last bin holds nulls (and NaN), of categories the last but one all others."""

    kind: Kind
    edges: list[float] = []  # upper ends, inclusive, of all bins of numbers but the last
    categories: list[str] = []  # hashes of texts in hexadecimal, or numbers
    counts: list[int]

    def count(self, sample: pa.Table, name: str) -> IntArray:
        """Rows of a sample by bin, int64 [n_bins]."""
        if self.kind == "categories":
            return _by_category(_keys(sample, name), self.categories)
        return _by_edge(_numbers(sample, name if self.kind == "quantiles" else name + LENGTH), np.asarray(self.edges))


def bins_of(sample: RowSample) -> dict[str, ColumnBins]:
    """Bins of every compared column that the sample has."""
    rows, found = sample.table(), {}
    for name, kind in sample.columns.items():
        if name in rows.column_names or name + HASH in rows.column_names:
            bins = _bins(rows, name, kind)
            found[name] = bins.model_copy(update={"counts": bins.count(rows, name).tolist()})
    return found


def _bins(rows: pa.Table, name: str, kind: ColumnType) -> ColumnBins:
    if kind in ("string", "boolean"):
        keys = _keys(rows, name)
        values, times = np.unique([key for key in keys if key is not None], return_counts=True)
        order = np.lexsort((values, -times))[:CATEGORIES]
        if kind == "boolean" or times[order].sum() >= REPEATED * times.sum():
            return ColumnBins(kind="categories", categories=[str(values[place]) for place in order], counts=[])
        return ColumnBins(kind="lengths", edges=_edges(_numbers(rows, name + LENGTH)), counts=[])
    return ColumnBins(kind="quantiles", edges=_edges(_numbers(rows, name)), counts=[])


def _edges(values: FloatArray) -> list[float]:
    """Quantiles that differ, of finite values."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return []
    shares = np.arange(1, QUANTILES) / QUANTILES
    return [float(edge) for edge in np.unique(np.quantile(finite, shares, method="inverted_cdf"))]


def _by_edge(values: FloatArray, edges: FloatArray) -> IntArray:
    missing = np.isnan(values)
    bins = np.where(missing, len(edges) + 1, np.searchsorted(edges, np.where(missing, 0.0, values), side="left"))
    return np.bincount(bins, minlength=len(edges) + 2).astype(np.int64)


def _by_category(keys: Iterable[str | None], categories: list[str]) -> IntArray:
    places = {name: place for place, name in enumerate(categories)}
    counts = np.zeros(len(categories) + 2, dtype=np.int64)
    for key in keys:
        counts[-1 if key is None else places.get(key, len(categories))] += 1
    return counts


def _keys(rows: pa.Table, name: str) -> list[str | None]:
    """What stands for each value; None for null and for rows of a sample without the column."""
    stored = name + HASH if name + HASH in rows.column_names else name
    if stored not in rows.column_names:
        return [None] * rows.num_rows
    form = "{:016x}" if stored != name else "{:g}"
    return [None if value is None else form.format(value) for value in rows.column(stored).to_pylist()]


def _numbers(rows: pa.Table, name: str) -> FloatArray:
    if name not in rows.column_names:
        return np.full(rows.num_rows, np.nan)
    return np.asarray(rows.column(name).to_numpy(), dtype=np.float64)
