"""What a model version keeps of the data that it was fitted on, for later runs to be compared with."""

from collections.abc import Mapping, Sequence

import numpy as np

from labeljob.contract.base import Wire
from labeljob.drift.bins import ColumnBins
from labeljob.votes import BoolArray, FloatArray, IntArray

CONFIDENCES = 100  # equal bins of [0, 1]


class Reference(Wire):
    """Counts of the training data. Versions from before there was drift hold no more than rates and the distribution, and are compared by these."""

    rows: int = 0
    vote_rates: dict[str, dict[str, float]] = {}
    partial_rates: dict[str, float] = {}  # votes for several classes
    against_rates: dict[str, dict[str, float]] = {}  # of a multi-label set
    label_distribution: dict[str, float] = {}
    labelled: int = 0
    confidences: list[int] = []
    columns: dict[str, ColumnBins] = {}


def reference_in(files: Mapping[str, bytes]) -> Reference:
    """What the files of a model version hold."""
    return Reference.model_validate_json(files.get("reference.json", b"{}"))


def vote_rates(votes: IntArray, rows: int, names: Sequence[str], classes: Sequence[str]) -> dict[str, dict[str, float]]:
    """Share of rows on which each function votes for each class; votes int64 [n_functions, n_classes]."""
    shares = np.round(votes / max(rows, 1), 9).tolist()
    return {name: dict(zip(classes, row, strict=True)) for name, row in zip(names, shares, strict=True)}


def confidence_counts(confidence: FloatArray, covered: BoolArray, times: IntArray) -> IntArray:
    """Covered rows by confidence, int64 [CONFIDENCES]; confidence float64 [n], covered bool [n], times int64 [n]: rows that each stands for."""
    bins = np.minimum((confidence[covered] * CONFIDENCES).astype(np.int64), CONFIDENCES - 1)
    return np.bincount(bins, weights=times[covered], minlength=CONFIDENCES).astype(np.int64)


def functions_of(reference: Reference) -> Mapping[str, FloatArray]:
    """All rates of each function, float64 [n_rates]: for each class, for several, against each class."""
    return {
        name: np.array([*rates.values(), reference.partial_rates.get(name, 0.0), *reference.against_rates.get(name, {}).values()])
        for name, rates in reference.vote_rates.items()
    }
