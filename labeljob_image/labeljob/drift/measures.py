"""How far two samples are apart, and whether chance explains it.

The population stability index (PSI) of equal distributions is not 0 but (B - 1)(1/n + 1/n_ref) in the mean, so that much is taken off. What is
left is still noisy in small samples: a difference counts only where the likelihood-ratio statistic G of "both samples have one distribution" is
beyond its quantile at `LEVEL` for the whole family of comparisons. A million rows make anything significant, so size decides, and G only vetoes.

Sources: Yurdakul and Naranjo, "Statistical properties of the population stability index", 2020 (mean under no drift); Wilson and Hilferty, 1931.
"""

import math
from statistics import NormalDist

import numpy as np

from labeljob.votes import FloatArray, IntArray

LEVEL = 0.01  # chance of a false alarm among all comparisons of a run


def population_stability(counts: IntArray, reference: IntArray) -> float:
    """PSI of two histograms, int64 [n_bins] each, half a count added to every bin and the mean of no drift taken off; never below 0."""
    n, n_reference, bins = int(counts.sum()), int(reference.sum()), len(counts)
    if not n or not n_reference:
        return 0.0
    p, q = _smoothed(counts), _smoothed(reference)
    raw = float(np.sum((p - q) * np.log(p / q)))
    return max(0.0, raw - (bins - 1) * (1 / n + 1 / n_reference))


def is_beyond_chance(counts: IntArray, reference: IntArray, comparisons: int) -> bool:
    """Whether G of two histograms, int64 [n_bins] each, is beyond its quantile at LEVEL / comparisons."""
    used = (counts + reference) > 0
    freedom = int(used.sum()) - 1
    return freedom > 0 and likelihood_ratio(counts, reference) > _bound(LEVEL / comparisons, freedom)


def likelihood_ratio(counts: IntArray, reference: IntArray) -> float:
    """G: twice the log likelihood ratio of two distributions against one."""
    pooled = (counts + reference) / (counts.sum() + reference.sum())
    return 2 * (_against(counts, pooled) + _against(reference, pooled))


def _against(counts: IntArray, pooled: FloatArray) -> float:
    some = counts > 0
    return float(np.sum(counts[some] * np.log(counts[some] / (counts.sum() * pooled[some]))))


def _bound(tail: float, freedom: int) -> float:
    """What G exceeds with at most this probability. With one degree of freedom Chernoff's bound, which holds for rare votes in few rows, too."""
    if freedom == 1:
        return 2 * math.log(2 / tail)
    spread = 2 / (9 * freedom)
    return freedom * (1 - spread + NormalDist().inv_cdf(1 - tail) * math.sqrt(spread)) ** 3


def _smoothed(counts: IntArray) -> FloatArray:
    return np.asarray((counts + 0.5) / (counts.sum() + 0.5 * len(counts)))
