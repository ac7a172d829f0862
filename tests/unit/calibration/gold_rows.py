"""Probabilities whose honesty is known."""

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from labeljob.calibration import GoldRows, shuffled


def honest(rows: int, classes: int, seed: int, spread: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """(P, Y): softmax of normal log-odds, and a class drawn from each row of it."""
    rng = np.random.default_rng(seed)
    joint = rng.normal(0, spread, (rows, classes))
    P = np.exp(joint - np.logaddexp.reduce(joint, axis=1, keepdims=True))
    return P, (rng.random(rows)[:, None] > P.cumsum(axis=1)[:, :-1]).sum(axis=1)


def sharpened(P: np.ndarray, slope: float, offsets: Sequence[float] = ()) -> np.ndarray:
    """softmax(slope log p + offsets)."""
    joint = slope * np.log(P) + (np.asarray(offsets) if len(offsets) else 0.0)
    return np.exp(joint - np.logaddexp.reduce(joint, axis=1, keepdims=True))


def gold_rows(P: np.ndarray, gold: np.ndarray, weights: np.ndarray | None = None, seed: int = 0) -> GoldRows:
    each = np.ones(len(gold)) if weights is None else weights
    return GoldRows(P, gold, each, shuffled([b"row %d" % i for i in range(len(gold))], seed))


def probabilities(min_rows: int = 1, max_rows: int = 8, max_classes: int = 5) -> st.SearchStrategy[np.ndarray]:
    """Any rows that sum to 1, as shares of whole numbers: zeros, ones and ties are common."""
    shapes = st.tuples(st.integers(min_rows, max_rows), st.integers(2, max_classes))
    counts = shapes.flatmap(lambda shape: hnp.arrays(np.int64, shape, elements=st.integers(0, 4) | st.integers(0, 10**9)))
    return counts.filter(lambda found: bool((found.sum(axis=1) > 0).all())).map(lambda found: found / found.sum(axis=1, keepdims=True))
