"""Calibrators as frozen values: a map from probabilities to probabilities, fitted elsewhere (`fitting`), applied here.

    temperature   q = softmax(slope log p)                     Guo et al. 2017; slope = 1 / T
    sigmoid       q = softmax(slope log p + offsets)           Platt 1999 for two classes, where it is slope x log-odds + offset;
                                                               for more, bias-corrected temperature scaling (Alexandari et al. 2020)
    isotonic      q_k ~ g_k(log-odds of class k), renormalised Zadrozny & Elkan 2002, one class against the rest

All keep what holds of `posterior`: rows sum to 1, and a row's answer does not depend on the rows around it. Two promises more: classes that
tie for the largest probability (within 1e-9) still tie, and no probability is 0 or 1, since a millionth of each row is spread evenly.
"""

from dataclasses import dataclass, field

import numpy as np

from labeljob.contract.calibration import CalibrationMethod
from labeljob.scores import TIE
from labeljob.votes import BoolArray, FloatArray

FLOOR = 1e-6  # a probability below this counts as this: shares of votes are exactly 0, and one such row must not decide the slope
EVEN = 1e-6  # share of each row that is spread evenly over the classes, so that no probability is 0 or 1


@dataclass(frozen=True, eq=False)
class Curve:
    """A non-decreasing piecewise linear map of log-odds to a probability, flat beyond its ends.

    Attributes:
        log_odds: float64 [n_knots], ascending; probability: float64 [n_knots], in (0, 1), ascending.
    """

    log_odds: FloatArray
    probability: FloatArray

    def at(self, log_odds: FloatArray) -> FloatArray:
        """Probability at each place, the shape of `log_odds`."""
        return np.asarray(np.interp(log_odds, self.log_odds, self.probability))


@dataclass(frozen=True, eq=False)
class Calibrator:
    """A fitted calibrator.

    Attributes:
        slope: of temperature and sigmoid, > 0; below 1 it makes less sure, above 1 surer.
        offsets: float64 [n_classes] in nats, of sigmoid; empty else.
        curves: one a class, of isotonic; empty else.
    """

    method: CalibrationMethod
    slope: float = 1.0
    offsets: FloatArray = field(default_factory=lambda: np.empty(0))
    curves: tuple[Curve, ...] = ()


NONE = Calibrator("none")


def calibrated(calibrator: Calibrator, P: FloatArray) -> FloatArray:
    """Calibrated probabilities; with `none` P itself.

    Args:
        P: float64 [n_rows, n_classes], rows sum to 1; there may be no rows.
    Returns:
        float64 [n_rows, n_classes], rows sum to 1; each in [EVEN / K, 1 - EVEN (K - 1) / K] unless the method is none.
    """
    if calibrator.method == "none":
        return P
    if calibrator.method == "isotonic":
        odds = log_odds(P)
        raw = np.column_stack([curve.at(odds[:, k]) for k, curve in enumerate(calibrator.curves)])
    else:
        raw = softmax_terms(scaled(calibrator, log_probabilities(P)))
    classes = P.shape[1]
    return np.asarray((1 - EVEN) * _with_ties(_normalised(raw), _tied(P)) + EVEN / classes)


def calibrated_where(calibrator: Calibrator, P: FloatArray, covered: BoolArray) -> FloatArray:
    """P with its covered rows calibrated.

    A row nobody votes on keeps the posterior given that all abstained: gold rows without votes tune nothing, so there is nothing to apply.
    """
    if calibrator.method == "none" or not covered.any():
        return P
    result = P.copy()
    result[covered] = calibrated(calibrator, P[covered])
    return result


def scaled(calibrator: Calibrator, log_p: FloatArray) -> FloatArray:
    """slope log p + offsets, float64 [n_rows, n_classes] in nats, up to the normaliser."""
    joint = calibrator.slope * log_p
    return joint + calibrator.offsets if calibrator.offsets.size else joint


def log_probabilities(P: FloatArray) -> FloatArray:
    """log p in nats, p at least FLOOR; float64 [n_rows, n_classes]."""
    return np.asarray(np.log(np.maximum(P, FLOOR)))


def log_odds(P: FloatArray) -> FloatArray:
    """log p - log(sum of the others) in nats, float64 [n_rows, n_classes]; for two classes one is exactly minus the other."""
    floored = np.maximum(P, FLOOR)
    before, after = np.zeros_like(floored), np.zeros_like(floored)
    for k in range(1, floored.shape[1]):  # in class order: the same last bit for any number of rows
        before[:, k] = before[:, k - 1] + floored[:, k - 1]
        after[:, -1 - k] = after[:, -k] + floored[:, -k]
    return np.asarray(np.log(floored) - np.log(before + after))


def softmax_terms(joint: FloatArray) -> FloatArray:
    """exp(joint - row maximum): the softmax up to its normaliser, without overflow."""
    return np.asarray(np.exp(joint - joint.max(axis=1, keepdims=True, initial=-np.inf)))


def _normalised(terms: FloatArray) -> FloatArray:
    total = np.zeros(len(terms))
    for of_class in terms.T:  # in class order, as above
        total += of_class
    return np.asarray(terms / total[:, None])


def _tied(P: FloatArray) -> BoolArray:
    """Classes that tie for the largest probability of a row; bool [n_rows, n_classes], all False in a row without a tie."""
    top = P.max(axis=1, keepdims=True, initial=0.0) - TIE < P
    return np.asarray(top & (np.count_nonzero(top, axis=1, keepdims=True) > 1))


def _with_ties(Q: FloatArray, tied: BoolArray) -> FloatArray:
    """Q with tied classes at their mean: votes that do not tell two classes apart still do not."""
    rows = tied.any(axis=1)
    if not rows.any():
        return Q
    result, among = Q.copy(), tied[rows]
    mean = (Q[rows] * among).sum(axis=1) / np.count_nonzero(among, axis=1)
    result[rows] = np.where(among, mean[:, None], Q[rows])
    return result
