"""The models that learn by EM, fitted from one set of vote patterns: what `committee` asks, and what is fitted alone when a user names it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np

from labeljob.label_model.algorithms import latent_class
from labeljob.label_model.algorithms.latent_class import LatentClasses
from labeljob.label_model.fitting.observed import Observed, observe
from labeljob.label_model.model import FittedLabelModel, posterior
from labeljob.label_model.statistics.vote_statistics import VoteStatistics
from labeljob.votes import ABSTAIN, BoolArray, FloatArray

COIN_VOTES = 10.0  # pseudo-votes of a function at the pooled accuracy
CONFUSION_VOTES = 10.0  # pseudo-votes for each class at its coin
RECENTRED = 2
RULE_VOTES = 10.0  # pseudo-votes of a rule for each class, at its own rates times the pooled odds
RULE_ODDS = (1.5, 20.0)
SMOOTHING = 10.0  # pseudo-rows of each class in a majority vote's balance
FARTHEST = 0.3  # total variation from the majority vote's balance above which EM has lost the classes: it is run again with that balance held


Fit: TypeAlias = Callable[["Bench", FloatArray], LatentClasses]


@dataclass(frozen=True)
class Bench:
    """What every member is fitted from.

    Attributes:
        statistics: vote patterns. vote_counts: float64 [n_functions, n_classes]. evidence: bool [n_functions].
        accuracies: float64 [n_functions], shrunk agreement. pooled: accuracy of a vote before anything is known of its function.
        balance: float64 [n_classes] when given.
        warm: an earlier model of the same functions and classes to start from.
    """

    statistics: VoteStatistics
    vote_counts: FloatArray
    evidence: BoolArray
    accuracies: FloatArray
    pooled: float
    balance: FloatArray | None
    max_iterations: int
    tolerance: float
    seed: int
    warm: FittedLabelModel | None = None

    @property
    def classes(self) -> int:
        """Number of classes."""
        return int(self.vote_counts.shape[1])

    @cached_property
    def observed(self) -> Observed:
        """The patterns as EM reads them."""
        return observe(self.statistics, self.vote_counts)

    @cached_property
    def votes(self) -> FloatArray:
        """Votes of each function, float64 [n_functions]."""
        return np.asarray(self.vote_counts.sum(axis=1))

    @cached_property
    def majority_balance(self) -> FloatArray:
        """Class balance by majority vote, smoothed, float64 [n_classes]."""
        return self.balance_of(self.start(np.ones(len(self.evidence))))

    def start(self, discount: FloatArray) -> FloatArray:
        """Discounted majority vote of each pattern, float64 [n_classes, n_patterns]."""
        if (discount == 1).all():
            shares = self.observed.packed.tallies
        else:
            weights = np.zeros((len(discount), 1 + self.classes, self.classes))
            weights[:, 1:] = np.eye(self.classes) * discount[:, None, None]
            shares = self.observed.log_sums(weights)
        total = shares.sum(axis=0)
        return np.where(total > 0, shares / np.where(total > 0, total, 1), 1 / self.classes)

    def begin(self, discount: FloatArray, structure: latent_class.Structure | None = None) -> FloatArray:
        """Where EM starts: what an earlier model says of each pattern, else what known rows teach, else `start`; float64 [n_classes, n_patterns].

        Args:
            structure: what known rows teach the parameters of; when left out, a coin for each function.
        """
        if self._warm is not None:
            return self._warm
        if self.observed.known is None:
            return self.start(discount)
        return latent_class.taught(self.observed, structure or self._coin_structure(discount), self.start(discount))

    def _coin_structure(self, discount: FloatArray) -> latent_class.Structure:
        return replace(latent_class.coin_structure(self.observed, self.evidence, discount, self.pooled, COIN_VOTES), balance=self.balance)

    @cached_property
    def _warm(self) -> FloatArray | None:
        return None if self.warm is None else posterior(self.warm, self.statistics.patterns).T

    def coins(self, discount: FloatArray, *, uninformative: bool = False) -> LatentClasses:
        """One accuracy a function."""
        structure = self._coin_structure(discount)
        return self._run(replace(structure, uninformative=uninformative), self.begin(discount, structure))

    def confusions(self, discount: FloatArray) -> LatentClasses:
        """A confusion for each function, shrunk to a coin: first the pooled one, then RECENTRED times the one that its own confusion comes to."""
        base = replace(self._coin_structure(discount), coin=False)
        first = replace(base, prior=base.prior * (CONFUSION_VOTES * self.classes / COIN_VOTES))
        fitted = self._run(first, self.begin(discount, first))
        iterations = fitted.iterations
        for _ in range(RECENTRED):
            fitted = self._run(replace(base, prior=self._own_coins(fitted) * CONFUSION_VOTES), fitted.posterior)
            iterations += fitted.iterations
        return replace(fitted, iterations=iterations)

    def _own_coins(self, fitted: LatentClasses) -> FloatArray:
        """The coin of each function under a posterior, float64 [n_functions, n_classes, n_classes]."""
        right = right_votes(self, fitted.posterior)
        return latent_class.coin_of((right + COIN_VOTES * self.pooled) / (self.votes + COIN_VOTES), self.classes)

    def rules(self, discount: FloatArray) -> LatentClasses:
        """Dawid-Skene whose prior says that a rule votes for a class more often on rows of that class."""
        structure = self.rule_structure(discount)
        if self._warm is not None or self.observed.known is not None:
            return self._run(structure, self.begin(discount, structure))
        majority = self.balance if self.balance is not None else self.balance_of(self.start(discount))
        return self._run(structure, latent_class.posterior_of_prior(self.observed, structure, majority))

    def guarded(self, fit: Fit, discount: FloatArray) -> LatentClasses:
        """A fit; where EM has lost the classes, again with the balance of majority vote held (FARTHEST). Where some are known, they say which is better."""
        fitted = fit(self, discount)
        if self.balance is not None:
            return fitted
        majority = self.balance_of(self.start(discount))
        far = np.abs(self.balance_of(fitted.posterior) - majority).sum() / 2 > FARTHEST
        if not far:
            return fitted
        held = fit(replace(self, balance=majority, warm=None), discount)
        return held if self.observed.known is None or self._loss(held) < self._loss(fitted) else fitted

    def _loss(self, fitted: LatentClasses) -> float:
        of_state = np.arange(len(fitted.log_prior))
        of_state[self.classes :] = ABSTAIN
        return latent_class.log_loss_of_known(self.observed, fitted.log_prior, fitted.log_weights, of_state)

    def rule_structure(self, discount: FloatArray) -> latent_class.Structure:
        """The prior of `rules`."""
        odds = float(np.clip(self.pooled * (self.classes - 1) / max(1 - self.pooled, 1e-9), *RULE_ODDS))
        base = latent_class.coin_structure(self.observed, self.evidence, discount, self.pooled, COIN_VOTES)
        return replace(_rule_prior(base, self, odds), balance=self.balance)

    def balance_of(self, posterior: FloatArray) -> FloatArray:
        """Shares of the classes among covered rows, smoothed, float64 [n_classes]."""
        rows = posterior @ self.observed.covered + SMOOTHING
        return np.asarray(rows / rows.sum())

    def _run(self, structure: latent_class.Structure, start: FloatArray) -> LatentClasses:
        return latent_class.run(self.observed, structure, start, self.max_iterations, self.tolerance)


def _rule_prior(base: latent_class.Structure, bench: Bench, odds: float) -> latent_class.Structure:
    """RULE_VOTES pseudo-votes for each class at the function's own rates, times `odds` where vote and class agree."""
    rates = (bench.vote_counts + bench.observed.shares) / (bench.observed.counts.sum() + 2)
    centre = np.repeat(rates[:, :, None], bench.classes, axis=2)
    diagonal = np.arange(bench.classes)
    centre[:, diagonal, diagonal] *= odds
    abstain = np.where(bench.evidence, np.maximum(1 - rates.sum(axis=1), latent_class.FLOOR), 0.0)[:, None]
    total = centre.sum(axis=1) + abstain
    rows = (RULE_VOTES / rates.sum(axis=1))[:, None]
    return replace(
        base,
        coin=False,
        prior=centre / total[:, None, :] * rows[:, :, None],
        voting=centre.sum(axis=1) / total * rows,
        abstaining=np.maximum(abstain, latent_class.FLOOR) / total * rows,
    )


def right_votes(bench: Bench, posterior: FloatArray) -> FloatArray:
    """Expected right votes of each function, float64 [n_functions], under a posterior of the patterns, float64 [n_classes, n_patterns].

    Of all rows: where patterns are a sample, the share that is right in it, of all votes; of a function that votes on none of them, the pooled one.
    """
    counts = bench.observed.outcome_counts(posterior * bench.observed.counts)[:, 1:, :]
    cast = counts.sum(axis=(1, 2))
    voted = cast > 0
    return np.where(voted, np.einsum("jkk->j", counts) * (bench.votes / np.where(voted, cast, 1.0)), bench.pooled * bench.votes)
