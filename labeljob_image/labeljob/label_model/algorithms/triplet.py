"""`triplet`: accuracies three functions at a time, in closed form.

Fu, Chen, Sala, Hooper, Fatahalian & Re (2020), "Fast and Three-rious: Speeding Up Weak Supervision with Triplet Methods", ICML (FlyingSquid):
of three functions that are independent given the class, agreements alone give each one's accuracy, their algorithm 1:

    u_i^2  =  M_ij M_ik / M_jk

There for two classes; here for any number, by matched moments. **Abstain missing**: M is agreement beyond chance (`moments`), which is
exact for K classes. **Abstain is evidence**: one class against the rest. For each class c, M is the correlation of votes scored 1 for c,
-1 / (K - 1) for another and 0 for an abstain; what the scores of the others tell of c then gives the rate of every outcome, abstain included:

    Cov(1(outcome of i), score of j)  =  balance_c (1 - balance_c) (P(outcome | c) - P(outcome | not c)) (score's own difference)

A function is in many triplets: the median over them, weighted by the rows behind a triplet and by |M_jk| because a quotient by a small number
is noise, is robust to pairs that are not independent. Signs: whoever disagrees most with the others is turned, so that a function worse than random is
recognised, while most are taken to be better (their assumption for all).
"""

import numpy as np

from labeljob.label_model.algorithms.latent_class import FLOOR
from labeljob.label_model.algorithms.moments import (
    CHUNK,
    PSEUDO_PAIRS,
    agreement_of,
    balance_of_votes,
    bounded,
    fitted,
    pseudo_counts,
    rule_rates,
    sided,
    weights_of,
)
from labeljob.label_model.fitting.fits import Bench
from labeljob.label_model.fitting.members import Fitted
from labeljob.votes import ABSTAIN, FloatArray, Votes

PARTNERS = 64  # functions whose pairs make a function's triplets: those with the most rows in common
NOISE = 2.0  # standard errors, 1 / sqrt(rows), below which M_jk is no divisor
RIDGE = 0.2  # weight of the better-than-random prior in the rates of outcomes, as a share of what the others tell
CONFUSION_CLASSES = 25  # above, one class against the rest is told by too few votes: every class alike


def fit(bench: Bench) -> Fitted:
    """The model; see the module's docstring."""
    agreement = agreement_of(bench)
    size = magnitudes(agreement.beyond, agreement.rows, agreement.pooled)
    advantages = bounded(size * signs(agreement.beyond * agreement.rows), agreement)
    advantages = np.where(sided(bench), agreement.pooled, advantages)
    balance = balance_of_votes(bench, advantages)
    rates = one_against_rest(bench, balance) if bench.evidence.any() else None
    return fitted("triplet", bench, balance, weights_of(bench, advantages, rates), 0, True)


def magnitudes(moments: FloatArray, rows: FloatArray, pooled: float) -> FloatArray:
    """|u| of each function, float64 [n_functions]: the weighted median over its triplets, shrunk to `pooled` by PSEUDO_PAIRS.

    Args:
        moments, rows: float64 [n_functions, n_functions], symmetric, 0 on the diagonal and where a pair is not compared.
    """
    return np.array([_magnitude(i, moments, rows, pooled) for i in range(len(rows))])


def _magnitude(i: int, moments: FloatArray, rows: FloatArray, pooled: float) -> float:
    partners = np.argsort(-rows[i], kind="stable")[:PARTNERS]
    first, second = (partners[side] for side in np.triu_indices(len(partners), 1))
    weight = np.minimum(np.minimum(rows[i, first], rows[i, second]), rows[first, second]) * np.abs(moments[first, second])
    used = (weight > 0) & (moments[first, second] ** 2 * rows[first, second] >= NOISE**2)
    if not used.any():
        return pooled
    first, second = first[used], second[used]
    squares = moments[i, first] * moments[i, second] / moments[first, second]
    support = float(rows[i].sum())
    square = (weighted_median(squares, weight[used]) * support + pooled**2 * PSEUDO_PAIRS) / (support + PSEUDO_PAIRS)
    return float(np.sqrt(np.clip(square, 0, 1)))


def weighted_median(values: FloatArray, weights: FloatArray) -> float:
    """Where half of the weight lies on either side; the middle between two values when it falls between them."""
    order = np.argsort(values, kind="stable")
    ordered, below = values[order], np.cumsum(weights[order])
    half = below[-1] / 2
    low, high = np.searchsorted(below, half * (1 - 1e-12)), np.searchsorted(below, half * (1 + 1e-12))
    return float((ordered[low] + ordered[min(high, len(ordered) - 1)]) / 2)


def signs(evidence: FloatArray) -> FloatArray:
    """1 or -1 for each function, float64 [n_functions]: those that agree best with the evidence, of two that no function's turn mends.

    One is sought from all better than random, the other from the evidence's first eigenvector, which is right where moments are exact.

    Args:
        evidence: float64 [n_functions, n_functions], above 0 where a pair has one sign, 0 on the diagonal.
    """
    scaled = evidence / max(float(np.abs(evidence).max(initial=0.0)), FLOOR)
    found = _turned(scaled, np.ones(len(evidence)))
    other = _turned(scaled, np.where(np.linalg.eigh(scaled)[1][:, -1] < 0, -1.0, 1.0))
    if other @ scaled @ other > found @ scaled @ found + FLOOR:
        found = other
    return found if float(np.abs(evidence).sum(axis=1) @ found) >= 0 else -found


def _turned(evidence: FloatArray, found: FloatArray) -> FloatArray:
    """Whoever disagrees most with the others is turned, until nobody does."""
    for _ in range(2 * len(evidence)):
        support = found * (evidence @ found)
        worst = support.min(initial=0.0)
        if worst >= -FLOOR:
            break
        found = np.where(support <= worst + FLOOR, -found, found)  # ties together: no order of the functions
    return found


def one_against_rest(bench: Bench, balance: FloatArray) -> FloatArray:
    """P(outcome | class), float64 [n_functions, 1 + n_classes, n_classes], one class at a time."""
    prior, rows = pseudo_counts(bench), float(bench.observed.counts.sum())
    rates = np.concatenate([1 - bench.observed.vote_rates[:, None], bench.vote_counts / rows], axis=1)
    centre = prior / prior.sum(axis=1, keepdims=True)
    found = np.repeat(rates[:, :, None], bench.classes, axis=2)
    for k in range(bench.classes if bench.classes <= CONFUSION_CLASSES else 0):
        rest = (centre @ balance - balance[k] * centre[:, :, k]) / (1 - balance[k])
        difference = _differences(bench, k, balance[k], centre[:, :, k] - rest)
        found[:, :, k] += (1 - balance[k]) * np.clip(difference, *_possible(rates, balance[k]))
    return rule_rates(prior, found, balance, rows)


def _possible(rates: FloatArray, share: float) -> tuple[FloatArray, FloatArray]:
    """The least and the largest difference of outcomes whose overall rates are given, between a class of this share and the others."""
    return -np.minimum(rates / (1 - share), (1 - rates) / share), np.minimum(rates / share, (1 - rates) / (1 - share))


def _differences(bench: Bench, k: int, share: float, expected: FloatArray) -> FloatArray:
    """P(outcome | class k) - P(outcome | another), float64 [n_functions, 1 + n_classes]; `expected` is that of the prior."""
    spread, cross = _covariances(bench, k)
    deviation = np.sqrt(np.maximum(np.diag(spread), FLOOR))
    correlation = spread / np.outer(deviation, deviation)
    np.fill_diagonal(correlation, 0.0)
    rows = np.where(np.eye(len(deviation), dtype=bool), 0.0, bench.observed.counts.sum())
    strength = magnitudes(correlation, rows, 0.0) * signs(correlation)
    others = np.full(len(strength), float(strength @ strength)) - strength**2
    slope = np.einsum("joi,i->jo", cross, strength / deviation)
    own = cross[np.arange(len(strength)), :, np.arange(len(strength))] * (strength / deviation)[:, None]
    told, ridge = (slope - own) / np.sqrt(share * (1 - share)), RIDGE * others + 1 / bench.observed.counts.sum()
    return np.asarray((told + ridge[:, None] * expected) / (others + ridge)[:, None])


def _covariances(bench: Bench, k: int) -> tuple[FloatArray, FloatArray]:
    """(of scores for class k, float64 [n_functions, n_functions]; of outcomes and scores, float64 [n_functions, 1 + n_classes, n_functions])."""
    patterns, K = bench.statistics.patterns, bench.classes
    shares = bench.observed.counts / bench.observed.counts.sum()
    functions = patterns.shape[1]
    mean, spread, cross = np.zeros(functions), np.zeros((functions, functions)), np.zeros((functions, 1 + K, functions))
    rates = np.zeros((functions, 1 + K))
    for start in range(0, len(shares), CHUNK):
        chunk, weight = patterns[start : start + CHUNK], shares[start : start + CHUNK, None]
        score = _scores(chunk, k, K)
        weighted = score * weight
        mean += weighted.sum(axis=0)
        spread += score.T @ weighted
        for outcome in range(1 + K):
            happened = (chunk == outcome + ABSTAIN).astype(np.float64)
            rates[:, outcome] += (happened * weight).sum(axis=0)
            cross[:, outcome] += happened.T @ weighted
    return spread - np.outer(mean, mean), cross - rates[:, :, None] * mean


def _scores(votes: Votes, k: int, classes: int) -> FloatArray:
    return np.where(votes == k, 1.0, np.where(votes == ABSTAIN, 0.0, -1 / (classes - 1)))
