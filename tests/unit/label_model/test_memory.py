"""What a fit holds is bounded by its budget and not by rows, for every algorithm (G9)."""

import tracemalloc
from typing import get_args

import numpy as np
import pytest

from labeljob.label_model import LabelModel
from labeljob.label_model.fitting.arguments import AlgorithmArgument
from tests.unit.label_model.generators import independent

MIB = 1 << 20


def peak_of(L: np.ndarray, classes: int, algorithm: AlgorithmArgument) -> int:
    """Most bytes that fitting and predicting hold beside the matrix and the probabilities."""
    tracemalloc.start()
    try:
        model = LabelModel(classes, algorithm).fit(L)
        fitting = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        answer = model.predict_proba(L).nbytes
        return max(fitting, tracemalloc.get_traced_memory()[1] - answer)
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def votes() -> np.ndarray:
    """200,000 rows, nearly all different: beyond what is kept pattern by pattern."""
    return independent(200_000, 20, (0.4, 0.35, 0.25), seed=0).L


@pytest.mark.parametrize("algorithm", get_args(AlgorithmArgument))
def test_extra_memory_of_a_fit_does_not_grow_with_rows(votes: np.ndarray, algorithm: AlgorithmArgument) -> None:
    """G9: twice the rows need no more than the rows themselves take; in all at most twice the matrix and 50 MB."""
    half, whole = peak_of(votes[:100_000], 3, algorithm), peak_of(votes, 3, algorithm)
    assert whole <= 2 * votes.nbytes + 50 * MIB, whole / MIB
    assert whole - half <= votes[:100_000].nbytes + MIB, (half / MIB, whole / MIB)


@pytest.mark.parametrize("algorithm", get_args(AlgorithmArgument))
def test_extra_memory_of_a_fit_does_not_grow_with_states(algorithm: AlgorithmArgument) -> None:
    """G9: four classes by four eases or three subtypes are 16 and 12 states of every row; the bound is the same."""
    L = independent(100_000, 10, (0.4, 0.3, 0.2, 0.1), seed=0).L
    assert peak_of(L, 4, algorithm) <= 2 * L.nbytes + 50 * MIB
