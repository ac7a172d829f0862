"""The members of committees: models fitted from one set of vote patterns, each with its share, and what was found."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from labeljob.label_model.algorithms import subtypes, weighted_vote
from labeljob.label_model.algorithms.latent_class import LatentClasses
from labeljob.label_model.em.hidden_states import HiddenStates
from labeljob.label_model.fitting import dependence
from labeljob.label_model.fitting.dependence import Dependence
from labeljob.label_model.fitting.fits import Bench
from labeljob.label_model.fitting.notes import Judged
from labeljob.label_model.model import Member
from labeljob.votes import ABSTAIN, FloatArray


@dataclass(frozen=True)
class Fitted:
    """A member with the classes of the patterns, float64 [n_classes, n_patterns], and how its iteration ended.

    Attributes:
        right: float64 [n_functions], expected right votes, where the iteration left them; else they follow from the posterior.
        judged: rows to compare with majority vote, where the iteration needs no posterior of the patterns: then there is none.
    """

    member: Member
    posterior: FloatArray | None
    iterations: int
    converged: bool
    right: FloatArray | None = None
    judged: Judged | None = None


@dataclass(frozen=True)
class Finding:
    """Members, and why they were chosen. `reason` is for programs, `why` for people."""

    members: tuple[Fitted, ...]
    dependence: Dependence | None
    reason: str
    why: str


def shared(fits: Sequence[Fitted]) -> tuple[Fitted, ...]:
    """Shares that sum to 1."""
    total = sum(fit.member.share for fit in fits)
    return tuple(replace(fit, member=replace(fit.member, share=fit.member.share / total)) for fit in fits)


def latent(name: str, share: float, fitted: LatentClasses) -> Fitted:
    """A latent-class model as a member; its uninformative state says nothing of the class."""
    classes = np.arange(len(fitted.log_prior))
    classes[len(fitted.posterior) :] = ABSTAIN
    return Fitted(Member(name, share, fitted.log_prior, fitted.log_weights, classes), fitted.posterior, fitted.iterations, fitted.converged)


def with_subtypes(bench: Bench, discount: FloatArray, start: int = 0, share: float = 1.0) -> Fitted:
    """EBCC as a member, from one of its random starts."""
    limits = (bench.max_iterations, bench.tolerance, bench.seed + start)
    made = subtypes.run(bench.observed, bench.begin(discount), discount, bench.evidence, bench.balance, *limits)
    return of_states("subtypes", share, made)


def of_states(name: str, share: float, made: HiddenStates) -> Fitted:
    """A mixture of hidden states as a member."""
    return Fitted(Member(name, share, made.log_prior, made.log_weights, made.classes), made.posterior, len(made.trace), made.converged)


def weighted(bench: Bench, discount: FloatArray, share: float) -> Fitted:
    """The weighted vote, which takes every abstain for missing and, for want of better, classes for equally common."""
    weights = weighted_vote.one_coin_log_weights(bench.accuracies, bench.classes) * discount[:, None, None]
    return _closed("weighted-vote", share, bench, weights)


def flat(bench: Bench, share: float, discount: FloatArray) -> Fitted:
    """All votes alike, and so weak that a typical row whose votes agree is about as sure as two votes of typical functions."""
    coins = bench.coins(np.ones(len(discount)))
    accuracy = np.exp(coins.parameters.log_confusion)[:, 0, 0] @ bench.votes / bench.votes.sum()
    accuracy = float(np.clip(accuracy, (1 + 0.1 * (bench.classes - 1)) / bench.classes, 0.99))
    typical = float(bench.votes @ discount / max(float(bench.observed.covered.sum()), 1.0))
    weight = 2 * np.log(accuracy * (bench.classes - 1) / (1 - accuracy)) / max(typical, 2.0)
    weights = np.zeros((len(discount), 1 + bench.classes, bench.classes))
    weights[:, 1:] = np.eye(bench.classes) * weight * discount[:, None, None]
    return _closed("flat vote", share, bench, weights)


def _closed(name: str, share: float, bench: Bench, weights: FloatArray) -> Fitted:
    balance = np.full(bench.classes, 1 / bench.classes) if bench.balance is None else bench.balance
    joint = bench.observed.log_sums(weights) + np.log(balance)[:, None]
    posterior = np.exp(joint - joint.max(axis=0))
    return Fitted(Member(name, share, np.log(balance), weights, np.arange(bench.classes)), posterior / posterior.sum(axis=0), 0, True)


def dependence_of(bench: Bench, fit: Callable[[FloatArray], LatentClasses]) -> Dependence:
    """Discounts at which the residual correlations of `fit` give the same discounts again."""
    sample = dependence.sample_of(bench.statistics)
    return dependence.find_dependence(sample, bench.classes, bench.evidence, lambda discount: fit(discount).posterior[:, sample.chosen])
