"""How far each function's estimated accuracy can be trusted: 95 % intervals, without gold.

    votes -> posterior of each row -> information on all accuracies at once -> effective votes of each -> Beta interval

**Effective votes.** The class of a row is not observed, so that a vote tells less of its function's accuracy than a vote beside gold does, and what
it tells is shared with the other functions' accuracies and the class balance. With t the posterior probability that a vote is right, the score of a
row is (t - a) / (a (1 - a)) for each function that votes, and the sum of outer products of the scores is the observed information (Louis 1982,
equation 3.2', for a mixture; Berndt, Hall, Hall & Hausman 1974). The variance of each accuracy is on the diagonal of its inverse; the votes beside
gold that would have the same variance are the effective ones. Functions that repeat one another share rows, not knowledge of one another: what the
fit discounted them by also tempers their scores beside those of others.

**Interval.** Equal tails of Beta(a n, (1 - a) n), n effective votes and the prior's pseudo-votes. It covers what votes can tell under the model: a
model that is wrong is wrong about its intervals, too (docs/label-models.md has the figures).
"""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from labeljob.label_model.em.known_rows import start_at
from labeljob.label_model.fitting.fits import COIN_VOTES
from labeljob.label_model.model import Deferred, FittedLabelModel, posterior
from labeljob.label_model.statistics.packing import PackedVotes
from labeljob.label_model.statistics.unpacking import unpack
from labeljob.label_model.statistics.vote_statistics import VoteStatistics
from labeljob.votes import ABSTAIN, FloatArray, IntArray, Votes

AGREEMENTS = ("majority-vote", "weighted-vote")  # how often a function agrees with the others is not how often it is right
LEVEL = 0.95
PATTERNS = 1 << 12  # information is measured on at most about this many patterns, evenly spaced in canonical order
LEAST = 1e-3  # an accuracy is taken to lie this far from 0 and 1
LEAST_SHAPE = 0.5
GRID, COARSE = 1025, 257  # points; the second where no shape is below SMOOTH
SMOOTH = 20.0


def with_intervals(model: FittedLabelModel, statistics: VoteStatistics, known: FloatArray | None = None) -> FittedLabelModel:
    """The model with `accuracy_intervals`, float64 [n_functions, 2]; NaN for a function that never voted, and for majority and weighted vote.

    Args:
        known: what the model says of the patterns, float64 [n_classes, n_patterns], where it is known already.
    """
    if model.algorithm in AGREEMENTS:
        return replace(model, intervals=np.full((model.functions, 2), np.nan))
    return model.later(intervals=Deferred(partial(_intervals, model, sample_of(statistics, known))))


@dataclass(frozen=True)
class Sample:
    """Patterns that information is measured on.

    Attributes:
        kept: patterns, int8 [n_patterns, n_functions], or packed. counts: float64 [n_patterns], their rows, which stand for `rows`.
        known: float64 [n_patterns, n_classes], what a model says of them, where that is at hand. classes: int64 [n_patterns], of gold, else -1; None without.
    """

    kept: Votes | PackedVotes
    counts: FloatArray
    known: FloatArray | None
    rows: float
    classes: IntArray | None = None

    @property
    def patterns(self) -> Votes:
        """int8 [n_patterns, n_functions]."""
        return unpack(self.kept) if isinstance(self.kept, PackedVotes) else self.kept


def sample_of(statistics: VoteStatistics, known: FloatArray | None = None) -> Sample:
    """Evenly spaced patterns; `known` as of `with_intervals`."""
    every, kept = slice(None, None, -(-len(statistics.counts) // PATTERNS) or 1), statistics.kept
    counts = statistics.counts[every].astype(np.float64) if statistics.totals is None else statistics.weights[every]
    said = None if known is None else np.ascontiguousarray(known[:, every].T)
    chosen = kept.take(every) if isinstance(kept, PackedVotes) else kept[every].copy()
    return Sample(chosen, counts, said, statistics.rows, None if statistics.known is None else statistics.known[every])


def _intervals(model: FittedLabelModel, sample: Sample) -> FloatArray:
    effective = effective_votes(model, sample)
    accuracy = np.clip(model.accuracies, LEAST, 1 - LEAST)
    return beta_interval(accuracy * effective, (1 - accuracy) * effective)


def effective_votes(model: FittedLabelModel, sample: Sample) -> FloatArray:
    """Votes beside gold that would tell each accuracy as well, pseudo-votes included, float64 [n_functions]; NaN for one that never voted."""
    patterns, counts = sample.patterns, sample.counts * (sample.rows / sample.counts.sum())
    accuracy = np.clip(np.nan_to_num(model.accuracies, nan=0.5), LEAST, 1 - LEAST)
    voted = (patterns != ABSTAIN).astype(np.float64)
    said = posterior(model, patterns).T if sample.known is None else sample.known.T
    scores = _scores(patterns, voted, np.ascontiguousarray(start_at(said, sample.classes).T), accuracy)
    spread = accuracy * (1 - accuracy)
    prior = np.append(COIN_VOTES / spread, np.ones(scores.shape[1] - len(spread)))
    information = (scores * counts[:, None]).T @ scores
    if model.discounts is not None:
        power = np.append(model.discounts, np.ones(len(prior) - len(spread)))
        information = np.where(np.eye(len(power), dtype=bool), information, information * np.outer(power, power))
    variance = np.diag(np.linalg.inv(information + np.diag(prior)))[: len(spread)]
    votes = (counts[:, None] * voted).sum(axis=0) + COIN_VOTES
    return np.where(np.isnan(model.accuracies), np.nan, np.minimum(spread / variance, votes))


def _scores(patterns: Votes, voted: FloatArray, P: FloatArray, accuracy: FloatArray) -> FloatArray:
    """Scores of accuracies and of the class balance (log-ratios to the last class), float64 [n_patterns, n_functions + n_classes - 1].

    Args:
        voted: float64 [n_patterns, n_functions], 1 for a vote, else 0. P: float64 [n_patterns, n_classes]. accuracy: float64 [n_functions].
    """
    functions, classes = len(accuracy), P.shape[1]
    scores = np.empty((len(P), functions + classes - 1))
    of_votes, of_balance = scores[:, :functions], scores[:, functions:]
    places = patterns + np.arange(0, P.size, classes)[:, None]  # an abstain points elsewhere, and is silenced below
    np.subtract(P.ravel().take(places, mode="clip"), accuracy, out=of_votes)
    of_votes *= 1 / (accuracy * (1 - accuracy))
    of_votes *= voted
    covered = voted.max(axis=1, keepdims=True)
    balance = (covered * P).sum(axis=0) / max(float(covered.sum()), 1.0)
    np.subtract(P[:, :-1], balance[:-1], out=of_balance)
    of_balance *= covered
    return scores


def beta_interval(right: FloatArray, wrong: FloatArray, level: float = LEVEL) -> FloatArray:
    """Equal-tailed interval of Beta(right, wrong), both float64 [n]: float64 [n, 2], NaN where a shape is NaN. Error below 5e-4 (tested).

    The density of the log-odds is smooth and light-tailed: it is summed on a grid that spans it, and the quantiles are read off.
    """
    known = ~np.isnan(right + wrong)
    a, b = np.maximum(right[known], LEAST_SHAPE)[:, None], np.maximum(wrong[known], LEAST_SHAPE)[:, None]
    reach = 8 * np.sqrt(1 / a + 1 / b) + 20 / np.minimum(a, b)
    odds = np.log(a / b) + np.linspace(-1, 1, COARSE if min(a.min(initial=SMOOTH), b.min(initial=SMOOTH)) >= SMOOTH else GRID) * reach
    log_density = a * odds - (a + b) * (np.maximum(odds, 0) + np.log(1 + np.exp(-np.abs(odds))))
    density = np.exp(log_density - log_density.max(axis=1, keepdims=True))
    below = np.cumsum(density, axis=1) - density / 2
    below /= density.sum(axis=1, keepdims=True)
    shares = [(1 - level) / 2, (1 + level) / 2]
    result = np.full((len(known), 2), np.nan)
    result[known] = [1 / (1 + np.exp(-np.interp(shares, *one))) for one in zip(below, odds, strict=True)]
    return result
