"""Between probabilities and labels, and how far to believe a given label."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from labeljob.label_model.tie_breaks import TIE, TieBreakPolicy, labels_of
from labeljob.votes import ABSTAIN, INT8_CLASSES, FloatArray, IntArray, VotesError, validate_gold

SUM_TOLERANCE = 1e-6


def validate_probabilities(P: Any) -> FloatArray:
    """float64 [n_rows, n_classes >= 2], rows sum to 1 (within 1e-6). ValueError names the row that does not."""
    probabilities = np.asarray(P, dtype=np.float64)
    if probabilities.ndim != 2 or probabilities.shape[1] < 2:
        raise ValueError(f"probabilities have two axes, [n_rows, n_classes >= 2]; got shape {probabilities.shape}")
    fine = (probabilities >= 0).all(axis=1) & (np.abs(probabilities.sum(axis=1) - 1) <= SUM_TOLERANCE)
    if not fine.all():
        row = int(np.argmin(fine))
        raise ValueError(f"the probabilities of row {row} are {probabilities[row].tolist()}: each is at least 0, and they sum to 1")
    return probabilities


def probs_to_preds(probs: Any, tie_break_policy: TieBreakPolicy = "abstain", tol: float = TIE) -> IntArray:
    """The most probable class of each row, int64 [n_rows]; a tie (within `tol`) as the policy of `LabelModel.predict` says, seed 0."""
    probabilities = validate_probabilities(probs)
    return labels_of(probabilities, np.ones(len(probabilities), dtype=np.bool_), tie_break_policy, 0, tol)


def preds_to_probs(preds: Any, num_classes: int) -> FloatArray:
    """Certainty of each label, float64 [n_rows, num_classes]. VotesError: an abstain (-1), or a class that does not exist."""
    labels = validate_gold(preds, cardinality=num_classes, named="preds")
    if (labels == ABSTAIN).any():
        raise VotesError(f"row {int(np.argmax(labels == ABSTAIN))} has no label (-1), which no probabilities stand for: leave such rows out")
    return np.eye(num_classes)[labels]


def label_quality_scores(probs: Any, labels: Any) -> pd.DataFrame:
    """How far a model believes given labels, from 0 (look at it) to 1; the lowest are the likeliest errors.

    `self_confidence` is p(label); `normalized_margin` (p(label) - the largest other p + 1) / 2. Northcutt, Jiang & Chuang (2021),
    "Confident learning"; Kuan & Mueller (2022), "Model-agnostic label quality scoring to detect real-world label errors". The
    probabilities must come from a model that has not seen these labels: another source, or held-out folds.

    Args:
        probs: [n_rows, n_classes]. labels: [n_rows], -1 unknown.
    Returns:
        A DataFrame of float64, one line for each row in order; NaN where the label is not known.
    """
    probabilities = validate_probabilities(probs)
    given = validate_gold(labels, *probabilities.shape, named="labels", beside="there are probabilities of")
    rows = np.arange(len(given))
    own = probabilities[rows, given]  # where unknown: the last class, masked below
    others = probabilities.copy()
    others[rows, given] = -np.inf
    known = given != ABSTAIN
    margin = (own - others.max(axis=1, initial=-np.inf) + 1) / 2
    return pd.DataFrame({"self_confidence": np.where(known, own, np.nan), "normalized_margin": np.where(known, margin, np.nan)})


def classifier_votes(P: Any, threshold: Any) -> npt.NDArray[np.signedinteger[Any]]:
    """A classifier as one more labeling function: `np.column_stack([L, classifier_votes(P, 0.9)])`.

    It votes for its most probable class where that reaches the threshold, and abstains elsewhere and where classes tie. These are hard
    votes: what else the probabilities say is lost. `LabelModel.fit(L, soft=P)` takes all of it as evidence.

    Args:
        P: [n_rows, n_classes]. threshold: above 0, at most 1; one number, or one for each class.
    Returns:
        int8 [n_rows] (int16 above 127 classes), -1 abstains.
    """
    probabilities = validate_probabilities(P)
    bounds = np.asarray(threshold, dtype=np.float64)
    if bounds.shape not in ((), (probabilities.shape[1],)) or not ((bounds > 0) & (bounds <= 1)).all():
        raise ValueError(f"threshold is {threshold!r}: it must be above 0 and at most 1, one number or one for each of {probabilities.shape[1]} classes")
    labels = probs_to_preds(probabilities)
    enough = probabilities.max(axis=1, initial=0) >= np.broadcast_to(bounds, probabilities.shape[1])[labels]
    kind = np.int8 if probabilities.shape[1] <= INT8_CLASSES else np.int16
    return np.where(enough, labels, ABSTAIN).astype(kind)
