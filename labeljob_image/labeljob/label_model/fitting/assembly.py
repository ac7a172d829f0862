"""From fitted members to the `FittedLabelModel` that is kept, with what a person should know of the fit."""

from collections.abc import Callable
from functools import partial
from typing import get_args

import numpy as np

from labeljob.label_model.algorithms import generative, glad, mace, one_coin, triplet
from labeljob.label_model.em.expectation import class_posterior
from labeljob.label_model.em.known_rows import start_at
from labeljob.label_model.fitting.committee import STARTS
from labeljob.label_model.fitting.fits import Bench, right_votes
from labeljob.label_model.fitting.intervals import with_intervals
from labeljob.label_model.fitting.members import Finding, Fitted, latent, with_subtypes
from labeljob.label_model.fitting.notes import Judged, adversarial_note, no_gain_note
from labeljob.label_model.fitting.selection import Abstain, Algorithm, Reason
from labeljob.label_model.model import Deferred, FittedLabelModel, Member, prior_of_classes
from labeljob.votes import FloatArray


def _one_coin(bench: Bench) -> Fitted:
    """Known classes are heard by the coins of `latent_class` alone."""
    return one_coin.fit(bench) if bench.statistics.known is None else latent("coin", 1.0, bench.coins(np.ones(len(bench.evidence))))


ALONE: dict[Algorithm, Callable[[Bench], Fitted]] = {
    "one-coin": _one_coin,
    "hierarchical-dawid-skene": lambda bench: latent("confusions", 1.0, bench.confusions(np.ones(len(bench.evidence)))),
    "generative": generative.fit,
    "triplet": triplet.fit,
    "mace": mace.fit,
    "glad": glad.fit,
}
ALGORITHMS, REASONS = get_args(Algorithm), get_args(Reason)
NAMES: dict[str, Algorithm] = {"coin": "one-coin", "confusions": "hierarchical-dawid-skene", "subtypes": "ebcc"}  # of members of committees


def fit_alone(algorithm: Algorithm, bench: Bench) -> tuple[Fitted, ...]:
    """The model of one algorithm as a member; of subtypes, whose starts end in different places, their mean."""
    if algorithm == "ebcc":
        return tuple(with_subtypes(bench, np.ones(len(bench.evidence)), start, 1 / STARTS) for start in range(STARTS))
    return (ALONE[algorithm](bench),)


def _named(members: tuple[Member, ...]) -> Algorithm:
    """Members of one name are one model from several starts."""
    names = {member.name for member in members}
    name = "committee" if len(names) > 1 else NAMES.get(members[0].name, members[0].name)
    assert name in ALGORITHMS  # noqa: S101 a name of ours
    return name  # type: ignore[return-value]


def from_finding(finding: Finding, bench: Bench, abstain: tuple[Abstain, ...]) -> FittedLabelModel:
    """A log-linear model for one member whose states are the classes; a committee for all else."""
    only = finding.members[0] if len(finding.members) == 1 else None
    noted: tuple[str, ...] | Deferred[tuple[str, ...]]
    posterior = None
    if only is not None and only.right is not None and only.judged is not None:
        accuracies = _accuracies(bench, only.right)
        noted = Deferred(partial(_notes_of_member, only.member, only.judged, accuracies, bench.votes))
    else:
        known, observed = bench.observed.known, bench.observed
        posterior = sum_of(finding.members) if known is None else start_at(sum_of(finding.members), known)
        accuracies = _accuracies(bench, right_votes(bench, posterior))
        noted = notes_of(Judged(observed.packed, observed.covered), posterior, accuracies, bench.votes, known is not None)
    members = tuple(one.member for one in finding.members)
    log_linear = only is not None and len(only.member.classes) == bench.classes
    assert finding.reason in REASONS  # noqa: S101 a name of ours
    model = FittedLabelModel(
        algorithm=_named(members),
        reason=finding.reason,  # type: ignore[arg-type]
        why=finding.why,
        class_balance=np.asarray(sum(one.share * prior_of_classes(one, bench.classes) for one in members)),
        log_weights=only.member.log_weights if log_linear and only else np.asarray(sum(one.share * of_classes(one, bench.classes) for one in members)),
        abstain=abstain,
        accuracies=accuracies,
        iterations=max(one.iterations for one in finding.members),
        converged=all(one.converged for one in finding.members),
        seed=bench.seed,
        members=() if log_linear else members,
        discounts=None if finding.dependence is None else finding.dependence.discount.copy(),
        dependent=() if finding.dependence is None else tuple(finding.dependence.named()),
        noted=noted,
    )
    return with_intervals(model, bench.statistics, posterior)


def sum_of(fits: tuple[Fitted, ...]) -> FloatArray:
    """What the committee says of the patterns, float64 [n_classes, n_patterns]."""
    said = [(fit.member.share, fit.posterior) for fit in fits if fit.posterior is not None]
    return said[0][1] if len(said) == 1 else np.asarray(sum(share * posterior for share, posterior in said))


def of_classes(member: Member, classes: int) -> FloatArray:
    """log p(outcome | class), float64 [n_functions, 1 + n_classes, n_classes]: a member's states averaged within each class."""
    result = np.empty((*member.log_weights.shape[:2], classes))
    for k in range(classes):
        chosen = member.classes == k
        prior = np.exp(member.log_prior[chosen] - member.log_prior[chosen].max())
        weights = member.log_weights[:, :, chosen]
        top = weights.max(axis=2, keepdims=True)
        result[:, :, k] = np.log((np.exp(weights - top) * (prior / prior.sum())).sum(axis=2)) + top[:, :, 0]
    return result


def _accuracies(bench: Bench, right: FloatArray) -> FloatArray:
    return np.asarray(np.divide(right, bench.votes, out=np.full(len(right), np.nan), where=bench.votes > 0))


def _notes_of_member(member: Member, judged: Judged, accuracies: FloatArray, votes: FloatArray) -> tuple[str, ...]:
    """`notes_of` a member whose states are the classes."""
    covered = Judged(judged.packed, judged.counts * judged.packed.covered)
    return notes_of(covered, class_posterior(judged.packed, member.log_prior, member.log_weights), accuracies, votes, False)


def notes_of(judged: Judged, posterior: FloatArray, accuracies: FloatArray, votes: FloatArray, taught: bool) -> tuple[str, ...]:
    """What the votes cannot support.

    Args:
        posterior: of the patterns judged, float64 [n_classes, n_patterns]. accuracies, votes: float64 [n_functions]. taught: whether some classes are known.
    """
    same = no_gain_note(judged.same_as_majority(posterior))
    return same if taught else (*adversarial_note(accuracies, votes, len(posterior)), *same)
