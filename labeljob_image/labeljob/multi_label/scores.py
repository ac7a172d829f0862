"""Scores of label sets against gold: each class by itself, and their means (M4, M5, M8, X11).

    precision, recall   of each class, Wilson's interval; their means over the classes with gold, MOVER; a row without labels misses all it has
    Brier, log loss     of each class the binary score of its probability, (p - y)^2 and -log p(y); mean over classes; percentile bootstrap over rows
    ECE                 of each class its probability against how often rows have it; mean over classes; basic bootstrap over rows (`answers_error`)
    reliability         all answers of covered rows together: max(p, 1 - p) against how often that side is the right one
"""

import numpy as np

from labeljob import scores
from labeljob.gold_scores import ClassScore, GoldScores, answers_error, effective, mean_share, means_over_rows, or_zero, share_of
from labeljob.multi_label.gold import MatchedSets
from labeljob.multi_label.labelling import LabelledSets
from labeljob.votes import BoolArray, FloatArray

NAN = float("nan")


def set_scores(labelled: LabelledSets, gold: MatchedSets) -> GoldScores:
    """Scores of rows that all have gold."""
    classes, weights, covered = labelled.labels.shape[1], gold.weights, labelled.covered
    P, truth, each = labelled.probabilities[covered], gold.labels[covered], weights[covered]
    of_class = [_class_score(labelled.labels[:, k], gold.labels[:, k], weights, P[:, k], truth[:, k], each) for k in range(classes)]
    present = [one for k, one in enumerate(of_class) if gold.labels[:, k].any()]
    rows = np.column_stack([((P - truth) ** 2).mean(axis=1), _log_losses(P, truth).mean(axis=1)])
    brier, log_loss = means_over_rows(rows, each)
    return GoldScores(
        rows=len(weights),
        covered=int(covered.sum()),
        precision=mean_share([or_zero(one.precision) for one in present]),
        recall=mean_share([one.recall for one in present]),
        brier=brier,
        log_loss=log_loss,
        ece=answers_error(P, truth, each),
        classes=tuple(of_class),
        reliability=_reliability(P, truth, each),
    )


def _log_losses(P: FloatArray, truth: BoolArray) -> FloatArray:
    return np.asarray(-np.log(np.maximum(np.where(truth, P, 1 - P), scores.SMALLEST)))


def _class_score(labels: BoolArray, gold: BoolArray, weights: FloatArray, p: FloatArray, truth: BoolArray, each: FloatArray) -> ClassScore:
    hit = labels & gold
    precision = share_of(float(weights @ hit), weights[labels])
    recall = share_of(float(weights @ hit), weights[gold])
    brier, loss = (float(each @ of_row / each.sum()) if len(p) else NAN for of_row in ((p - truth) ** 2, _log_losses(p, truth)))
    curve = _class_reliability(p, truth, each)
    return ClassScore(int(gold.sum()), precision, recall, brier, loss, scores.curve_error(curve), curve)


def _class_reliability(p: FloatArray, truth: BoolArray, weights: FloatArray) -> scores.Reliability:
    both, everywhere = np.column_stack([1 - p, p]), np.ones(len(p), dtype=bool)
    return scores.class_reliability(both, truth.astype(np.int64), everywhere, 1, weights=weights)


def _reliability(P: FloatArray, truth: BoolArray, weights: FloatArray) -> scores.Reliability:
    p, right = P.ravel(), truth.ravel().astype(np.int64)
    each = np.repeat(effective(weights), P.shape[1]) if len(P) else np.empty(0)
    return scores.reliability_curve(np.column_stack([1 - p, p]), right, np.ones(len(p), dtype=bool), weights=each)
