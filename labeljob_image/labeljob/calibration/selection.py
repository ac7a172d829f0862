"""Which calibrator, and what it is worth on rows that it has not seen: nested cross-validation (Stone 1974; Varma & Simon 2006).

    outer folds   score: a gold row is calibrated by what was chosen and fitted without its fold
    inner folds   choose: among the methods that gold is enough for, by log loss on held-out rows

A simpler method stands in for the best one when it is within one standard error of the paired difference (the rule of Breiman et al. 1984,
on differences of the same rows). Weights are normalised to Kish's effective number of rows before a calibrator sees them (Kish 1965), so
that inclusion probabilities weigh rows and make no evidence.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import get_args

import numpy as np

from labeljob.calibration.calibrators import NONE, Calibrator, calibrated
from labeljob.calibration.fitting import fit
from labeljob.calibration.folds import FOLDS, Shuffled, stratified_folds
from labeljob.contract.calibration import CalibrationChoice, CalibrationMethod
from labeljob.gold_scores import effective
from labeljob.scores import log_loss_of_rows
from labeljob.votes import BoolArray, FloatArray, IntArray

METHODS: tuple[CalibrationMethod, ...] = ("none", "temperature", "sigmoid", "isotonic")  # simplest first
LEAST_ROWS = 30  # gold rows that any calibrator needs, of two classes or more
MOST_ROWS = 20_000  # to choose on: more would not change the choice
LEAST_OF_CLASS = {"none": 0, "temperature": 0, "sigmoid": 30, "isotonic": 50}  # gold rows of each class


@dataclass(frozen=True, eq=False)
class GoldRows:
    """Covered rows whose class is known.

    Attributes:
        P: float64 [n_rows, n_classes], uncalibrated; gold: int64 [n_rows]; weights: float64 [n_rows], > 0; order: their fold orders.
        fold: int64 [n_rows], the outer folds where P is itself of models that have not seen the fold; None to deal them out.
    """

    P: FloatArray
    gold: IntArray
    weights: FloatArray
    order: Shuffled
    fold: IntArray | None = None

    def __len__(self) -> int:
        return len(self.gold)

    def of_class(self) -> IntArray:
        """Rows of each class, int64 [n_classes]."""
        return np.bincount(self.gold, minlength=self.P.shape[1])

    def part(self, chosen: BoolArray | IntArray) -> "GoldRows":
        """Some of the rows, by mask or index."""
        order = Shuffled(self.order.outer[chosen], self.order.inner[chosen])
        return GoldRows(self.P[chosen], self.gold[chosen], self.weights[chosen], order)

    def fitted(self, method: CalibrationMethod) -> Calibrator:
        """A calibrator of these rows."""
        return fit(method, self.P, self.gold, effective(self.weights))


@dataclass(frozen=True)
class Candidate:
    """A method's log loss (nats) on held-out rows, and by how much it exceeds the best one's, with the standard error of that difference."""

    log_loss: float
    excess: float
    error: float


@dataclass(frozen=True, eq=False)
class Calibration:
    """What was fitted, why, and for each gold row what a calibrator that has not seen it says.

    Attributes:
        calibrator: fitted on all gold rows.
        requested: what was asked for; why: a sentence or two for people.
        gold_rows: covered gold rows it was tuned on.
        candidates: on all gold rows, by method; where one method was asked for, that one and none.
        fold: int64 [n_rows], the fold of each gold row; fold_calibrators: those fitted without that fold.
    """

    calibrator: Calibrator
    requested: CalibrationChoice
    why: str
    gold_rows: int = 0
    candidates: dict[str, Candidate] = field(default_factory=dict)
    fold: IntArray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    fold_calibrators: tuple[Calibrator, ...] = ()

    @property
    def method(self) -> CalibrationMethod:
        return self.calibrator.method

    def cross_fitted(self, P: FloatArray) -> FloatArray:
        """The gold rows calibrated without themselves.

        Args:
            P: float64 [n_rows, n_classes], their uncalibrated probabilities, in the order in which they were given.
        """
        if not self.fold_calibrators:
            return calibrated(self.calibrator, P)
        result = np.empty_like(P)
        for number, calibrator in enumerate(self.fold_calibrators):
            held_out = self.fold == number
            result[held_out] = calibrated(calibrator, P[held_out])
        return result


def calibrate(rows: GoldRows, requested: CalibrationChoice) -> Calibration:
    """Choose, fit and cross-fit. With no rows, or too few of them, the calibrator is `none` and `why` says so.

    Raises:
        ValueError: an unknown method.
    """
    if requested not in get_args(CalibrationChoice):
        raise ValueError(f"unknown calibration {requested!r}: use {', '.join(get_args(CalibrationChoice))}")
    allowed, why = possible(rows, requested)
    if allowed == ("none",):
        return Calibration(NONE, requested, why, len(rows))
    fold = stratified_folds(rows.order.outer, rows.gold) if rows.fold is None else rows.fold
    trained = [rows.part(fold != number) for number in range(FOLDS)]
    fold_calibrators = tuple(part.fitted(_choose(allowed, candidates(part, allowed) if len(allowed) > 1 else {})) for part in trained)
    found = candidates(rows, allowed if len(allowed) > 1 else ("none", *allowed))
    method = _choose(allowed, found)
    said = why + _said(method, requested, found, len(rows))
    return Calibration(rows.fitted(method), requested, said, len(rows), found, fold, fold_calibrators)


def _choose(allowed: Sequence[CalibrationMethod], found: dict[str, Candidate]) -> CalibrationMethod:
    """One method alone is no choice."""
    return chosen(found) if len(allowed) > 1 else allowed[0]


def possible(rows: GoldRows, requested: CalibrationChoice) -> tuple[tuple[CalibrationMethod, ...], str]:
    """(methods that gold is enough for among those asked for, why not all of them)."""
    if requested == "none":
        return ("none",), "none was asked for"
    present = rows.of_class()
    if len(rows) < LEAST_ROWS or np.count_nonzero(present) < 2:
        need = f"calibration needs {LEAST_ROWS} of them, of two classes or more"
        return ("none",), f"{len(rows)} covered gold rows of {np.count_nonzero(present)} classes: {need}"
    enough = tuple(method for method in METHODS if present.min() >= LEAST_OF_CLASS[method])
    if requested == "auto":
        return enough, "" if enough == METHODS else _too_few(present, enough[-1])
    if requested in enough:
        return (requested,), ""
    return ("temperature",), _too_few(present, "temperature")


def _too_few(present: IntArray, left: CalibrationMethod) -> str:
    needs = ", ".join(f"{method} needs {LEAST_OF_CLASS[method]}" for method in METHODS if present.min() < LEAST_OF_CLASS[method])
    return f"the rarest class has {int(present.min())} covered gold rows ({needs}), so {left} is the most that is tried; "


def candidates(rows: GoldRows, methods: Sequence[CalibrationMethod]) -> dict[str, Candidate]:
    """Log loss of each method on held-out rows, of MOST_ROWS where there are more; simplest first."""
    if len(rows) > MOST_ROWS:
        rows = rows.part(np.sort(np.argsort(rows.order.inner)[:MOST_ROWS]))
    fold = stratified_folds(rows.order.inner, rows.gold)
    losses = {method: _held_out_losses(rows, method, fold) for method in methods}
    weights = rows.weights / rows.weights.sum()
    means = {method: float(weights @ loss) for method, loss in losses.items()}
    best = min(means, key=lambda method: means[method])
    return {method: Candidate(means[method], *_difference(losses[method] - losses[best], weights)) for method in methods}


def _difference(differences: FloatArray, weights: FloatArray) -> tuple[float, float]:
    """(weighted mean, its standard error); weights sum to 1."""
    mean = float(weights @ differences)
    return mean, float(np.sqrt((weights**2) @ (differences - mean) ** 2))


def _held_out_losses(rows: GoldRows, method: CalibrationMethod, fold: IntArray) -> FloatArray:
    """-log p(gold class) of each row, float64 [n_rows] in nats, by a calibrator that has not seen its fold."""
    losses = np.empty(len(rows))
    for number in range(FOLDS):
        held_out = fold == number
        P = calibrated(rows.part(~held_out).fitted(method), rows.P[held_out])
        losses[held_out] = log_loss_of_rows(P, rows.gold[held_out])
    return losses


def chosen(found: dict[str, Candidate]) -> CalibrationMethod:
    """The simplest method whose excess over the best is within one standard error."""
    return next(method for method in METHODS if method in found and found[method].excess <= found[method].error)


def _said(method: CalibrationMethod, requested: CalibrationChoice, found: dict[str, Candidate], rows: int) -> str:
    """Why this method, in words."""
    losses = ", ".join(f"{name} {one.log_loss:.3f}" for name, one in found.items())
    where = f"log loss on held-out rows of {rows} covered gold rows ({losses})"
    if requested != "auto":
        return f"{method} {'was asked for' if method == requested else 'is used'}; {where}"
    best = min(found, key=lambda name: found[name].log_loss)
    rule = "has the least" if method == best else f"is the simplest within one standard error of {best}, which has the least"
    return f"{method} {rule} {where}"
