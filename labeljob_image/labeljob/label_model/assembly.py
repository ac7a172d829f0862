"""From fitted members to the `FittedLabelModel` that is kept, with what a person should know of the fit."""

from collections.abc import Callable
from typing import get_args

import numpy as np

from labeljob.label_model import generative, glad, mace, triplet
from labeljob.label_model.committee import Finding, Fitted, latent, with_subtypes
from labeljob.label_model.fits import Bench, right_votes
from labeljob.label_model.known_rows import start_at
from labeljob.label_model.model import FittedLabelModel, Member, prior_of_classes
from labeljob.label_model.selection import Abstain, Algorithm, Reason
from labeljob.votes import FloatArray

ADVERSARIAL = 0.4  # share of votes by functions that are worse than chance, above which no guard against a flipped solution can be trusted
SAME = 0.995  # agreement with majority vote from which a fit says that it adds nothing
ALONE: dict[Algorithm, Callable[[Bench], Fitted]] = {
    "one-coin": lambda bench: latent("coin", 1.0, bench.coins(np.ones(len(bench.evidence)))),
    "hierarchical-dawid-skene": lambda bench: latent("confusions", 1.0, bench.confusions(np.ones(len(bench.evidence)))),
    "ebcc": lambda bench: with_subtypes(bench, np.ones(len(bench.evidence))),
    "generative": generative.fit,
    "triplet": triplet.fit,
    "mace": mace.fit,
    "glad": glad.fit,
}
NAMES: dict[str, Algorithm] = {"coin": "one-coin", "confusions": "hierarchical-dawid-skene", "subtypes": "ebcc"}  # of members of committees


def fit_alone(algorithm: Algorithm, bench: Bench) -> Fitted:
    """The model of one algorithm as a member."""
    return ALONE[algorithm](bench)


def _named(member: Member) -> Algorithm:
    name = NAMES.get(member.name, member.name)
    assert name in get_args(Algorithm)  # noqa: S101 a name of ours
    return name  # type: ignore[return-value]


def from_finding(finding: Finding, bench: Bench, abstain: tuple[Abstain, ...]) -> FittedLabelModel:
    """A log-linear model for one member whose states are the classes; a committee for all else."""
    posterior = start_at(sum_of(finding.members), bench.observed.known)
    only = finding.members[0] if len(finding.members) == 1 else None
    members = tuple(one.member for one in finding.members)
    log_linear = only is not None and len(only.member.classes) == bench.classes
    assert finding.reason in get_args(Reason)  # noqa: S101 a name of ours
    return FittedLabelModel(
        algorithm=_named(only.member) if only else "committee",
        reason=finding.reason,  # type: ignore[arg-type]
        why=finding.why,
        class_balance=np.asarray(sum(one.share * prior_of_classes(one, bench.classes) for one in members)),
        log_weights=np.asarray(sum(one.share * of_classes(one, bench.classes) for one in members)),
        abstain=abstain,
        accuracies=_accuracies(bench, posterior),
        iterations=max(one.iterations for one in finding.members),
        converged=all(one.converged for one in finding.members),
        seed=bench.seed,
        members=() if log_linear else members,
        discounts=None if finding.dependence is None else finding.dependence.discount.copy(),
        dependent=() if finding.dependence is None else tuple(finding.dependence.named()),
        notes=notes_of(bench, posterior),
    )


def sum_of(fits: tuple[Fitted, ...]) -> FloatArray:
    """What the committee says of the patterns, float64 [n_classes, n_patterns]."""
    return np.asarray(sum(fit.member.share * fit.posterior for fit in fits))


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


def _accuracies(bench: Bench, posterior: FloatArray) -> FloatArray:
    right = right_votes(bench, posterior)
    return np.asarray(np.divide(right, bench.votes, out=np.full(len(right), np.nan), where=bench.votes > 0))


def notes_of(bench: Bench, posterior: FloatArray) -> tuple[str, ...]:
    """What the votes cannot support, in words."""
    accuracy, voting = _accuracies(bench, posterior), bench.votes > 0
    chance = 1 / bench.classes
    worse = float(bench.votes[voting & (np.nan_to_num(accuracy, nan=1.0) < chance)].sum() / max(bench.votes.sum(), 1.0))
    found = []
    if worse > ADVERSARIAL and bench.observed.known is None:
        found.append(f"{worse:.0%} of the votes come from functions that look worse than chance: then right and wrong cannot be told apart without gold")
    same = _same_as_majority(bench, posterior)
    if same >= SAME:
        found.append(f"{same:.1%} of the covered rows get the label of majority vote: these votes support nothing better")
    return tuple(found)


def _same_as_majority(bench: Bench, posterior: FloatArray) -> float:
    """Share of covered rows whose likeliest class has a plurality of the votes."""
    votes, rows = bench.start(np.ones(len(bench.evidence))), bench.observed.covered
    label = posterior.argmax(axis=0)
    best = votes[label, np.arange(votes.shape[1])] >= votes.max(axis=0) - 1e-12
    return float(best @ rows / max(float(rows.sum()), 1.0))
