"""The scores that `LabelModel.score` knows. A score without rows is NaN, never an error and never 0."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from labeljob import scores
from labeljob.votes import ABSTAIN, BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class Scored:
    """What is scored.

    Attributes:
        labels, gold: int64 [n_rows], -1 for null; P: float64 [n_rows, n_classes]; covered: bool [n_rows], some function votes.
    """

    labels: IntArray
    gold: IntArray
    P: FloatArray
    covered: BoolArray

    @property
    def classes(self) -> int:
        return int(self.P.shape[1])

    def both(self) -> tuple[IntArray, IntArray]:
        """(labels, gold) where both are known."""
        known = (self.labels != ABSTAIN) & (self.gold != ABSTAIN)
        return self.labels[known], self.gold[known]

    def judged(self) -> tuple[FloatArray, IntArray]:
        """(P, gold) of covered rows with gold."""
        known = self.covered & (self.gold != ABSTAIN)
        return self.P[known], self.gold[known]


def score(data: Scored, metrics: Sequence[str]) -> dict[str, float]:
    """Each metric by name; see `LabelModel.score` for what they mean. ValueError names an unknown one and the known ones."""
    if isinstance(metrics, str):
        raise ValueError(f"metrics is a list of names: write [{metrics!r}]")
    for name in metrics:
        if name not in METRICS:
            raise ValueError(f"unknown metric {name!r}: use {', '.join(METRICS)}")
    return {name: METRICS[name](data) for name in metrics}


def _accuracy(data: Scored) -> float:
    labels, gold = data.both()
    return _ratio(int((labels == gold).sum()), len(gold))


def _coverage(data: Scored) -> float:
    return _ratio(int((data.labels != ABSTAIN).sum()), len(data.labels))


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def _of_class(labels: IntArray, gold: IntArray, k: int) -> tuple[float, float, float]:
    """(precision, recall, F1) of one class; 0 where there is nothing to divide by."""
    right, said, there = int(((labels == k) & (gold == k)).sum()), int((labels == k).sum()), int((gold == k).sum())
    return right / max(said, 1), right / max(there, 1), 2 * right / max(said + there, 1)


def _positive(name: str, which: int) -> Callable[[Scored], float]:
    def value(data: Scored) -> float:
        if data.classes != 2:
            raise ValueError(f"{name} is that of class 1 against class 0; with {data.classes} classes use f1_macro or f1_micro")
        labels, gold = data.both()
        return _of_class(labels, gold, 1)[which] if len(gold) else float("nan")

    return value


def _f1_macro(data: Scored) -> float:
    labels, gold = data.both()
    seen = np.union1d(labels, gold)
    return float(np.mean([_of_class(labels, gold, int(k))[2] for k in seen])) if len(seen) else float("nan")


def _roc_auc(data: Scored) -> float:
    P, gold = data.judged()
    if data.classes == 2:
        return auc(P[:, 1], gold == 1)
    each = [auc(P[:, k], gold == k) for k in range(data.classes) if 0 < (gold == k).sum() < len(gold)]
    return float(np.mean(each)) if each else float("nan")


def auc(values: FloatArray, positive: BoolArray) -> float:
    """Probability that a positive row has the larger value than a negative one, a tie counting half; NaN without both kinds."""
    distinct, place = np.unique(values, return_inverse=True)
    hits = np.bincount(place[positive], minlength=len(distinct)).astype(np.float64)
    others = np.bincount(place[~positive], minlength=len(distinct)).astype(np.float64)
    if not hits.sum() or not others.sum():
        return float("nan")
    below = others.cumsum() - others
    return float(hits @ (below + others / 2) / (hits.sum() * others.sum()))


METRICS: Mapping[str, Callable[[Scored], float]] = {
    "accuracy": _accuracy,
    "coverage": _coverage,
    "precision": _positive("precision", 0),
    "recall": _positive("recall", 1),
    "f1": _positive("f1", 2),
    "f1_micro": _accuracy,
    "f1_macro": _f1_macro,
    "roc_auc": _roc_auc,
    "log_loss": lambda data: scores.log_loss(*data.judged()),
    "brier": lambda data: scores.brier(*data.judged()),
    "ece": lambda data: scores.calibration_error(data.P, data.gold, data.covered),
}
