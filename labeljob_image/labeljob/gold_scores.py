"""Scores against gold with 95 % intervals, so that a small gold set does not pass for a large one (M4, M5, M8, X11).

    precision, recall   Wilson's interval of each class on its effective number of rows (Wilson 1927; Kish 1965); of their mean over classes,
                        MOVER, which adds the distances to Wilson's limits in squares (Zou & Donner 2008)
    Brier, log loss     percentile bootstrap over rows (Efron & Tibshirani 1993), and at least what Wilson's interval of the share of wrong rows
                        allows: gold without a wrong row, resampled, never has one
    ECE                 basic bootstrap, which takes off the upward bias that ECE has on few rows (Kumar et al. 2019); it begins at 0 where the
                        labels are what honest probabilities would give, by consistency resampling (Broecker & Smith 2007)

The bootstrap has a fixed seed: equal rows in equal order give equal bytes. Fewer than LEAST_ROWS rows give no bootstrap interval. Intervals
say how much another draw of gold would move the score of these probabilities; that the calibrator itself would differ is not in them.
"""

from dataclasses import dataclass

import numpy as np

from labeljob import scores
from labeljob.votes import BoolArray, FloatArray, IntArray

DRAWS = 1000
MOST_CELLS = 5_000_000  # rows x draws; of more rows, fewer draws are made
LEAST_DRAWS = 200
LEAST_ROWS = 10
TAILS = (2.5, 97.5)
CHUNK_CELLS = 1_000_000  # rows x draws held at a time


@dataclass(frozen=True)
class Estimate:
    """A score and its 95 % interval; NaN where there is nothing to say."""

    value: float
    low: float = float("nan")
    high: float = float("nan")


@dataclass(frozen=True)
class ClassScore:
    """Scores of one class: `brier`, `ece` and `reliability` of its probability against whether a row is of the class; `log_loss` (nats) over its rows.

    The Briers sum to the whole; the log losses, weighed by the rows of the classes, average to it.
    """

    rows: int
    precision: Estimate
    recall: Estimate
    brier: float
    log_loss: float
    ece: float
    reliability: scores.Reliability


@dataclass(frozen=True)
class GoldScores:
    """Scores of labelled rows whose class is known.

    Attributes:
        rows, covered: of gold, and of these with a vote.
        precision, recall: means over the classes with gold; a null label is a miss.
        brier, log_loss (nats), ece: over covered rows.
        classes: of each class. reliability: confidence against accuracy, covered rows; its rows are effective ones.
    """

    rows: int
    covered: int
    precision: Estimate
    recall: Estimate
    brier: Estimate
    log_loss: Estimate
    ece: Estimate
    classes: tuple[ClassScore, ...]
    reliability: scores.Reliability


def gold_scores(P: FloatArray, labels: IntArray, covered: BoolArray, gold: IntArray, weights: FloatArray | None = None) -> GoldScores:
    """Scores of rows that all have gold.

    Args:
        P: float64 [n_rows, n_classes]; labels: int64 [n_rows], -1 for null; covered: bool [n_rows]; gold: int64 [n_rows], class indices.
        weights: float64 [n_rows] > 0, 1 / inclusion probability; None for equal ones.
    """
    each = np.ones(len(gold)) if weights is None else weights
    by_class = scores.class_scores(labels, gold, P.shape[1], weights)
    precisions = [_share(by_class.precision[k], each[labels == k]) for k in range(P.shape[1])]
    recalls = [_share(by_class.recall[k], each[gold == k]) for k in range(P.shape[1])]
    present = np.flatnonzero(by_class.support)
    part = (P[covered], gold[covered], each[covered])
    brier, log_loss, ece = _of_covered(*part)
    return GoldScores(
        rows=len(gold),
        covered=int(covered.sum()),
        precision=mean_share([or_zero(precisions[k]) for k in present]),
        recall=mean_share([recalls[k] for k in present]),
        brier=brier,
        log_loss=log_loss,
        ece=ece,
        classes=tuple(_class_score(k, part, precisions[k], recalls[k], int((gold == k).sum())) for k in range(P.shape[1])),
        reliability=scores.reliability_curve(P, gold, covered, weights=None if weights is None else effective(weights)),
    )


def effective_rows(weights: FloatArray) -> float:
    """(sum w)^2 / sum w^2: as many equally weighted rows say as much (Kish 1965). 0 without rows."""
    if not len(weights):
        return 0.0
    scaled = weights / weights.max()  # their squares must not overflow
    return float(scaled.sum() ** 2 / (scaled**2).sum())


def effective(weights: FloatArray) -> FloatArray:
    """Weights scaled to sum to the effective number of rows; their unit does not matter."""
    return np.asarray(weights * (effective_rows(weights) / weights.sum())) if len(weights) else weights


def _share(share: float, weights: FloatArray) -> Estimate:
    if not len(weights):
        return Estimate(float("nan"))
    low, high = scores.wilson_interval(np.array([share]), np.array([effective_rows(weights)]))
    return Estimate(float(share), max(float(low[0]), 0.0), min(float(high[0]), 1.0))


def or_zero(of_class: Estimate) -> Estimate:
    """A class with gold that is never predicted counts as precision 0, a fact and not an estimate."""
    return Estimate(0.0, 0.0, 0.0) if np.isnan(of_class.value) else of_class


def share_of(part: float, weights: FloatArray) -> Estimate:
    """Part ÷ sum of the weights of the rows that it is a part of, with Wilson's interval on their effective number."""
    return _share(part / weights.sum() if len(weights) else float("nan"), weights)


def mean_share(shares: list[Estimate]) -> Estimate:
    """Mean of independent shares."""
    if not shares:
        return Estimate(float("nan"))
    value, low, high = (np.array([getattr(one, name) for one in shares]) for name in ("value", "low", "high"))
    mean = float(value.mean())
    return Estimate(mean, mean - float(np.linalg.norm(value - low)) / len(shares), mean + float(np.linalg.norm(high - value)) / len(shares))


def _class_score(k: int, part: tuple[FloatArray, IntArray, FloatArray], precision: Estimate, recall: Estimate, rows: int) -> ClassScore:
    P, gold, weights = part
    distance = (P[:, k] - (gold == k)) ** 2
    brier = float(weights @ distance / weights.sum()) if len(gold) else float("nan")
    of_class = gold == k
    loss = scores.log_loss_of_rows(P[of_class], gold[of_class])
    log_loss = float(weights[of_class] @ loss / weights[of_class].sum()) if of_class.any() else float("nan")
    curve = scores.class_reliability(P, gold, np.ones(len(gold), dtype=bool), k, weights=effective(weights))
    return ClassScore(rows, precision, recall, brier, log_loss, scores.curve_error(curve), curve)


def _of_covered(P: FloatArray, gold: IntArray, weights: FloatArray) -> tuple[Estimate, Estimate, Estimate]:
    """(Brier, log loss, ECE), from one set of resamples."""
    if not len(gold):
        nothing = Estimate(float("nan"))
        return nothing, nothing, nothing
    top = scores.confidence(P)
    bins = (scores.bin_of(top)[:, None] == np.arange(scores.BINS)) * weights[:, None]
    means = np.column_stack([scores.brier_of_rows(P, gold), scores.log_loss_of_rows(P, gold)]) * weights[:, None]
    columns = np.column_stack([means, (top - scores.expected_hits(P, gold))[:, None] * bins, weights])
    values = _ratios(columns.sum(axis=0, keepdims=True))[0].tolist()
    if len(gold) < LEAST_ROWS:
        return Estimate(values[0]), Estimate(values[1]), Estimate(values[2])
    (low, high), honest = np.percentile(_ratios(_resampled(columns)), TAILS, axis=0), np.percentile(_of_honest(top, bins, np.random.default_rng(1)), TAILS[1])
    allowed = _by_wrong_rows(P, gold, weights)
    brier, log_loss = (Estimate(values[i], min(float(low[i]), values[i], allowed[i][0]), max(float(high[i]), values[i], allowed[i][1])) for i in range(2))
    ece = values[2]
    least = 0.0 if ece <= honest else min(max(2 * ece - float(high[2]), 0.0), ece)
    return brier, log_loss, Estimate(ece, least, max(2 * ece - float(low[2]), ece))


def means_over_rows(values: FloatArray, weights: FloatArray) -> tuple[Estimate, ...]:
    """Weighted means over rows of float64 [n_rows, n_values], each with the interval of a percentile bootstrap."""
    if not len(values):
        return tuple(Estimate(float("nan")) for _ in range(values.shape[1]))
    columns = np.column_stack([values * weights[:, None], weights])
    total = columns.sum(axis=0)
    means = total[:-1] / total[-1]
    if len(values) < LEAST_ROWS:
        low = high = np.full(len(means), np.nan)
    else:
        drawn = _resampled(columns)
        low, high = np.percentile(drawn[:, :-1] / drawn[:, -1:], TAILS, axis=0)
    limits = np.column_stack([means, np.minimum(low, means), np.maximum(high, means)])  # NaN stays NaN
    return tuple(Estimate(*map(float, one)) for one in limits)


def answers_error(P: FloatArray, truth: BoolArray, weights: FloatArray) -> Estimate:
    """ECE of binary answers, float64 and bool [n_rows, n_answers]: of each answer its probability against how often it holds, and their mean.

    The interval is a basic bootstrap over rows, whose lower end takes off what ECE has of honest probabilities on so few rows: some answers may be
    honest where others are not, and the bootstrap alone does not see how much of the mean is chance (measured: 40 to 90 of 100 intervals held the truth
    without, 92 to 100 with it).
    """
    rows, answers = P.shape
    if not rows:
        return Estimate(float("nan"))
    bins = [(scores.bin_of(p)[:, None] == np.arange(scores.BINS)) * weights[:, None] for p in P.T]
    columns = [np.column_stack([(p - holds)[:, None] * of, weights]) for p, holds, of in zip(P.T, truth.T, bins, strict=True)]
    value = float(np.mean([_distance(of.sum(axis=0, keepdims=True)) for of in columns]))
    if rows < LEAST_ROWS:
        return Estimate(value)
    drawn = sum((_distance(_resampled(of, answers)) for of in columns), np.zeros(1)) / answers  # one seed: the same rows for each answer
    honest = sum((_of_honest(p, of, np.random.default_rng([1, k]), answers) for k, (p, of) in enumerate(zip(P.T, bins, strict=True))), np.zeros(1)) / answers
    low, high = np.percentile(drawn, TAILS)
    least = 0.0 if value <= np.percentile(honest, TAILS[1]) else max(value - float(honest.mean()) - float(high - low) / 2, 0.0)
    return Estimate(value, least, max(2 * value - float(low), value))


def _distance(sums: FloatArray) -> FloatArray:
    """ECE of sums over rows of [p - hit in each bin, 1], all weighted; float64 [n]."""
    return np.asarray(np.abs(sums[:, :-1]).sum(axis=1) / sums[:, -1])


def _by_wrong_rows(P: FloatArray, gold: IntArray, weights: FloatArray) -> list[tuple[float, float]]:
    """(low, high) of Brier score and of log loss when the share of wrong rows is at either end of its Wilson interval.

    A wrong row costs what the wrong ones here do; where none is, what each row would cost if its second class were the true one.
    """
    first = P.argmax(axis=1)
    wrong = first != gold
    second = np.where(np.arange(P.shape[1]) == first[:, None], -1.0, P).argmax(axis=1)
    share = np.array([weights[wrong].sum() / weights.sum()])
    (low,), (high,) = scores.wilson_interval(share, np.array([effective_rows(weights)]))
    limits = []
    for loss in (scores.brier_of_rows, scores.log_loss_of_rows):
        right_cost = _weighted_mean(loss(P, first), weights, ~wrong)
        wrong_cost = _weighted_mean(loss(P, np.where(wrong.any(), gold, second)), weights, wrong)
        limits.append((right_cost + max(float(low), 0.0) * (wrong_cost - right_cost), right_cost + min(float(high), 1.0) * (wrong_cost - right_cost)))
    return limits


def _weighted_mean(values: FloatArray, weights: FloatArray, chosen: BoolArray) -> float:
    """Over the chosen rows, or over all where none is."""
    part = chosen if chosen.any() else np.ones(len(values), dtype=bool)
    return float(weights[part] @ values[part] / weights[part].sum())


def _ratios(sums: FloatArray) -> FloatArray:
    """(Brier, log loss, ECE) of sums over rows of [Brier, log loss, confidence - hit in each bin, 1], all weighted; float64 [n, 3]."""
    distance = np.abs(sums[:, 2:-1]).sum(axis=1, keepdims=True)
    return np.asarray(np.hstack([sums[:, :2], distance]) / sums[:, -1:])


def _resampled(columns: FloatArray, answers: int = 1) -> FloatArray:
    """Column sums of each resample of the rows, float64 [n_draws, n_columns]; answers: how many a row has, each of which is resampled."""
    rows, random, parts = len(columns), np.random.default_rng(0), []
    for count in _chunks(rows, answers):
        drawn = random.integers(0, rows, (count, rows)) + rows * np.arange(count)[:, None]
        parts.append(np.bincount(drawn.ravel(), minlength=count * rows).reshape(count, rows) @ columns)
    return np.concatenate(parts)


def _of_honest(top: FloatArray, weighted_bins: FloatArray, random: np.random.Generator, answers: int = 1) -> FloatArray:
    """ECE of each draw of labels that are right with exactly the confidence stated, float64 [n_draws]."""
    parts = [np.abs((top - (random.random((count, len(top))) < top)) @ weighted_bins).sum(axis=1) for count in _chunks(len(top), answers)]
    return np.asarray(np.concatenate(parts) / weighted_bins.sum())


def _chunks(rows: int, answers: int = 1) -> list[int]:
    """How many draws to make at a time, of rows with so many answers each."""
    draws = max(LEAST_DRAWS, min(DRAWS, MOST_CELLS // (rows * answers)))
    each = max(1, min(draws, CHUNK_CELLS // rows))
    return [each] * (draws // each) + [draws % each] * (draws % each > 0)

