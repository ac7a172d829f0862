"""The same model fitted on the true labels, and how much worse than the oracle a fit without them may be."""

import numpy as np

from benchmarks.label_models.generator import Generated
from labeljob.label_model.posteriors import state_posterior
from labeljob.scores import log_loss
from labeljob.votes import FloatArray, IntArray, Votes

LEAST, SHARE, SUPERVISED = 1e-4, 0.01, 1.25


def confusions(votes: Votes, truth: IntArray, classes: int, *, evidence: bool) -> tuple[FloatArray, FloatArray]:
    """(log balance float64 [K], log P(outcome | class) float64 [m, 1 + K, K]) by counting, one row added to each; an abstain that is not
    evidence says nothing."""
    outcomes = 1 + classes
    counts = np.stack([np.bincount((column.astype(np.int64) + 1) * classes + truth, minlength=outcomes * classes) for column in votes.T])
    rows = counts.reshape(-1, outcomes, classes) + 1.0
    if not evidence:
        rows[:, 0] = 0.0
    shares = rows / rows.sum(axis=1, keepdims=True)
    log_shares = np.log(np.where(shares > 0, shares, 1.0))
    balance = np.bincount(truth, minlength=classes) + 1.0
    return np.log(balance / balance.sum()), log_shares


def supervised_log_loss(made: Generated, fresh: Generated, classes: int, *, evidence: bool) -> float:
    """Log loss on fresh rows of confusions counted on the rows of `made`, in nats."""
    return log_loss(state_posterior(fresh.votes, *confusions(made.votes, made.truth, classes, evidence=evidence)), fresh.truth)


def allowed_excess(oracle: float, supervised: float) -> float:
    """By how many nats a row a fit without labels may exceed the oracle's log loss on fresh rows."""
    return max(SHARE * oracle, SUPERVISED * (supervised - oracle), LEAST)
