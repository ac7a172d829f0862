"""Calibrators from gold. Weights are frequencies: a row of weight 2 counts as two rows, exactly.

Scaling (temperature, sigmoid) is the maximum a posteriori slope and offsets: multinomial log loss plus a Gaussian prior centred on doing
nothing (slope 1, offsets 0). The objective is convex, so Newton's method with a line search ends in its one minimum, and gold that the model
has all right, which has no maximum likelihood, moves it a little instead of without bound.

Isotonic is the weighted least-squares non-decreasing fit by pooling adjacent violators (Ayer et al. 1955; Barlow et al. 1972). Each block's
share is (right + 1/K) / (rows + 1), after Krichevsky & Trofimov (1981): a block of few rows never claims 0 or 1.
"""

from dataclasses import dataclass

import numpy as np

from labeljob.calibration.calibrators import NONE, Calibrator, Curve, log_odds, log_probabilities
from labeljob.contract.calibration import CalibrationMethod
from labeljob.votes import BoolArray, FloatArray, IntArray

PRIOR_SPREAD = 2.0  # standard deviation of the prior of the slope about 1 and of each offset (nats) about 0
LEAST_SLOPE = 0.02  # temperature 50: below, every row would come out even
ITERATIONS = 100
TOLERANCE = 1e-10  # Newton stops when half its squared decrement, in nats a row, is below
KNOTS = 1000  # places at which an isotonic curve is fitted; more distinct log-odds are grouped by equal weight
DIGITS = 9  # decimals that are kept, so that the last bits of a sum do not show


def fit(method: CalibrationMethod, P: FloatArray, gold: IntArray, weights: FloatArray) -> Calibrator:
    """The calibrator of a method.

    Args:
        P: float64 [n_rows, n_classes], rows sum to 1; gold: int64 [n_rows], class indices; weights: float64 [n_rows], > 0. At least one row.
    """
    if method == "none":
        return NONE
    return _isotonic(P, gold, weights) if method == "isotonic" else _scaling(method, P, gold, weights)


@dataclass(frozen=True)
class _Scaling:
    """The penalised objective of slope and offsets, theta = [slope, offsets...]; all sums are weighted.

    Attributes:
        log_p: float64 [n_classes, n_rows], as sums over classes run along memory; free: bool [1 + n_classes], what is fitted.
    """

    log_p: FloatArray
    gold: IntArray
    weights: FloatArray
    free: BoolArray

    def value(self, theta: FloatArray) -> float:
        """Log loss plus penalty, in nats."""
        joint = theta[0] * self.log_p + theta[1:, None]
        top = joint.max(axis=0)
        own = joint[self.gold, np.arange(len(self.gold))]
        losses = top + np.log(np.exp(joint - top).sum(axis=0)) - own
        return float(self.weights @ losses) + float(_away(theta) @ _away(theta)) / (2 * PRIOR_SPREAD**2)

    def derivatives(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Gradient [n_free] and Hessian [n_free, n_free]; the Hessian is at least 1 / PRIOR_SPREAD^2 in every direction."""
        joint = theta[0] * self.log_p + theta[1:, None]
        terms = np.exp(joint - joint.max(axis=0))
        Q = terms / terms.sum(axis=0)
        apart = self.log_p - (Q * self.log_p).sum(axis=0)
        weighted, own = Q * self.weights, apart[self.gold, np.arange(len(self.gold))]
        classes = len(Q)
        gradient, hessian = _away(theta) / PRIOR_SPREAD**2, np.eye(1 + classes) / PRIOR_SPREAD**2
        gradient[0] -= self.weights @ own
        hessian[0, 0] += (weighted * apart**2).sum()
        if self.free[1]:
            gradient[1:] += weighted.sum(axis=1) - np.bincount(self.gold, weights=self.weights, minlength=classes)
            hessian[0, 1:] = hessian[1:, 0] = (weighted * apart).sum(axis=1)
            hessian[1:, 1:] += np.diag(weighted.sum(axis=1)) - weighted @ Q.T
        return gradient[self.free], hessian[np.ix_(self.free, self.free)]


def _away(theta: FloatArray) -> FloatArray:
    """Distance from doing nothing."""
    return np.asarray(theta - np.eye(1, theta.size)[0])


def _scaling(method: CalibrationMethod, P: FloatArray, gold: IntArray, weights: FloatArray) -> Calibrator:
    classes, log_p = P.shape[1], np.ascontiguousarray(log_probabilities(P).T)
    start = np.eye(1, 1 + classes)[0]
    free = np.array([True] + [method == "sigmoid"] * classes)
    theta = _minimum(_Scaling(log_p, gold, weights, free), start)
    if theta[0] < LEAST_SLOPE:  # of a convex objective, the bounded minimum lies on the bound
        start = theta.copy()
        start[0], free[0] = LEAST_SLOPE, False
        theta = _minimum(_Scaling(log_p, gold, weights, free), start) if free.any() else start
    offsets = np.round(theta[1:], DIGITS) if method == "sigmoid" else np.empty(0)
    return Calibrator(method, slope=round(float(theta[0]), DIGITS), offsets=offsets)


def _minimum(objective: _Scaling, start: FloatArray) -> FloatArray:
    """Newton's method with backtracking from `start`."""
    theta, value = start, objective.value(start)
    for _ in range(ITERATIONS):
        gradient, hessian = objective.derivatives(theta)
        step = np.zeros_like(theta)
        step[objective.free] = -np.linalg.solve(hessian, gradient)
        decrease = float(-(step[objective.free] @ gradient))
        if decrease / 2 <= TOLERANCE * objective.weights.sum():
            break
        theta, value = _shortened(objective, theta, value, step, decrease)
    return theta


def _shortened(objective: _Scaling, theta: FloatArray, value: float, step: FloatArray, decrease: float) -> tuple[FloatArray, float]:
    """The first of step, step / 2, ... that lowers the objective enough (Armijo); where rounding allows none, no step."""
    length = 1.0
    while length > 1e-12:
        reached = objective.value(theta + length * step)
        if reached <= value - 1e-4 * length * decrease:
            return theta + length * step, reached
        length /= 2
    return theta, value


def _isotonic(P: FloatArray, gold: IntArray, weights: FloatArray) -> Calibrator:
    odds, classes = log_odds(P), P.shape[1]
    return Calibrator("isotonic", curves=tuple(isotonic_curve(odds[:, k], gold == k, weights, 1 / classes) for k in range(classes)))


def isotonic_curve(places: FloatArray, right: BoolArray, weights: FloatArray, share: float) -> Curve:
    """Non-decreasing share of `right` over `places`.

    Args:
        places: float64 [n_rows] log-odds; right: bool [n_rows]; weights: float64 [n_rows].
        share: what one further row adds to the right ones of each block.
    """
    place, rows, hits = _grouped(places, right, weights)
    starts = block_starts(hits / rows, rows)
    block_rows, block_hits = np.add.reduceat(rows, starts), np.add.reduceat(hits, starts)
    smoothed = (block_hits + share) / (block_rows + 1)
    merged = starts[block_starts(smoothed, block_rows)]  # smoothing pulls small blocks most and may turn two neighbours round
    index = np.searchsorted(starts, merged)
    value = np.add.reduceat(smoothed * block_rows, index) / np.add.reduceat(block_rows, index)
    ends = np.append(merged[1:], len(place)) - 1
    knots, heights = np.round(np.column_stack([place[merged], place[ends]]).ravel(), DIGITS), np.round(np.repeat(value, 2), DIGITS)
    distinct = np.append(True, np.diff(knots) > 0)
    return Curve(knots[distinct], heights[distinct])


def _grouped(places: FloatArray, right: BoolArray, weights: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(place, weight, weight of right rows) of each distinct place, ascending; of more than KNOTS, neighbours are grouped by equal weight."""
    place, index = np.unique(np.round(places, DIGITS), return_inverse=True)
    rows, hits = _sums(index, weights), _sums(index, weights * right)
    if len(place) <= KNOTS:
        return place, rows, hits
    middle = rows.cumsum() - rows / 2
    group = np.unique(np.floor(middle / rows.sum() * KNOTS), return_inverse=True)[1]
    total = _sums(group, rows)
    return _sums(group, place * rows) / total, total, _sums(group, hits)


def _sums(index: IntArray, values: FloatArray) -> FloatArray:
    return np.bincount(index, weights=values).astype(np.float64)


def block_starts(values: FloatArray, weights: FloatArray) -> IntArray:
    """First index of each block in which adjacent violators are pooled; the weighted means of the blocks ascend. int64 [n_blocks]."""
    means: list[float] = []
    sizes: list[float] = []
    starts: list[int] = []
    for position, (mean, size) in enumerate(zip(values.tolist(), weights.tolist(), strict=True)):
        start = position
        while means and means[-1] >= mean:
            mean = (means[-1] * sizes[-1] + mean * size) / (sizes[-1] + size)  # noqa: PLW2901 the block that grows
            size += sizes[-1]  # noqa: PLW2901
            start = starts[-1]
            del means[-1], sizes[-1], starts[-1]
        means.append(mean)
        sizes.append(size)
        starts.append(start)
    return np.array(starts, dtype=np.int64)
