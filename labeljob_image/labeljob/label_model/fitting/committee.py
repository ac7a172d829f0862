"""`auto`: models that read the same votes differently, asked together when the votes show that no single one is true.

    abstains are evidence ──────────────▶ rules: four readings of an abstain, averaged
    else: votes nearly coincide, and stay so given the class ──▶ near-copies: a coin and confusions, discounted
    else: too few pairs vote together ───▶ few overlaps: four cautious models, averaged
    else: independent given the class ───▶ a coin or a confusion for each function, by BIC (as good as the truth)
    else ────────────────────────────────▶ a crowd: seven models that fail in different ways, averaged

**The check.** The root mean square of the coin's residual correlations (`dependence`) beyond chance, which is 1 / rows of a pair: 0 when functions
are independent given the class. And the dispersion of a row's log-likelihood around what the model expects, 1 when no row is harder than
another. Both are sizes of an effect, so that a fit on twice the rows is judged alike.

**Crowds**: a coin that allows uninformative rows; confusions shrunk to coins, with their discounts, once as they are and once at half the
evidence; a flat vote; and subtypes from STARTS random starts, because they often end in different places.
**Rules**: a weighted vote, which ignores abstains; Dawid-Skene with abstains; a coin whose rate of voting depends on the class; a flat vote.
Where what the silence of rules tells apart is not the classes (covered rows from others, long texts from short ones), the second or third ends with labels
that have nothing to do with the votes: on covered rows they agree with majority vote on less than MOSTLY of them, and beyond chance (Cohen 1960) less than
LEAST_KAPPA. It is left out. A coin may agree with Dawid-Skene instead, which knows that one class is rare where majority vote does not.
**Near-copies**: where dependence is material (a vote counts less than MATERIAL on average) discounts explain what was wrong. FLAT_SHARE of a
flat vote bounds what a wrong guess at who copies whom can cost.
**Few overlaps**: a weighted vote, a flat vote, confusions shrunk to coins, and subtypes.

Averaging probabilities of models of different kinds: Bates & Granger (1969) for forecasts; Hoeting et al. (1999), section 4, with equal weights
because the likelihood picks wrongly among models that are all wrong.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from labeljob.label_model.algorithms import subtypes, weighted_vote
from labeljob.label_model.algorithms.latent_class import LatentClasses
from labeljob.label_model.fitting import dependence
from labeljob.label_model.fitting.dependence import Dependence
from labeljob.label_model.fitting.fits import Bench
from labeljob.label_model.fitting.notes import Judged
from labeljob.label_model.model import Member
from labeljob.label_model.statistics.vote_statistics import spaced
from labeljob.votes import ABSTAIN, FloatArray

MISFIT = 0.1
DISPERSED = 1.12
LEAST_PAIRS = 5
NEARLY = 0.9  # mean raw discount below which near-copies are looked for
MATERIAL = 0.8
CHECKED, CHECK_TOLERANCE = 1 << 14, 1e-4  # patterns, and nats a row, that tell whether to look at all: NEARLY leaves a margin
FLAT_SHARE = 0.1
HALF = 0.5
CONFUSION_CLASSES = 25  # above, confusions have more rates than votes can tell
SUBTYPE_CLASSES = 10
STARTS = 3
LEAST_KAPPA, MOSTLY = 0.1, 0.7


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


def deliberate(bench: Bench) -> Finding:
    """The members for these votes and why; see the module's docstring."""
    plain = np.ones(len(bench.evidence))
    if bench.classes > CONFUSION_CLASSES:
        fitted = bench.coins(plain)
        why = f"{bench.classes} classes: confusions would have more rates than votes can tell, so a coin for each function beside a weighted vote"
        return Finding((_weighted(bench, plain, 0.5), latent("coin", 0.5, fitted)), None, "ManyClasses", why)
    if bench.evidence.any():
        return _of_rules(bench)
    found = _near_copies(bench)
    if found is not None:
        return _of_copies(bench, found)
    coins = bench.coins(plain)
    misfit, pairs, dispersion = fit_of(bench, coins)
    if pairs < LEAST_PAIRS:
        return _of_few_overlaps(bench)
    return _by_likelihood(bench, coins, misfit) if misfit < MISFIT and dispersion < DISPERSED else _of_crowd(bench, misfit)


def _near_copies(bench: Bench) -> Dependence | None:
    """Dependence so strong that it, and nothing else, decides what the labels are; asked for only where votes nearly coincide."""
    raw = dependence.raw_discount(dependence.sample_of(bench.statistics), bench.classes, bench.evidence)
    if raw @ bench.votes >= NEARLY * bench.votes.sum():
        return None
    part = replace(bench, statistics=spaced(bench.statistics, CHECKED), tolerance=max(bench.tolerance, CHECK_TOLERANCE))
    if _dependence(part, part.confusions).strength(bench.votes) >= NEARLY:
        return None
    found = _dependence(bench, bench.confusions)
    return found if found.strength(bench.votes) < MATERIAL else None


def fit_of(bench: Bench, coins: LatentClasses) -> tuple[float, int, float]:
    """(root mean square of residual correlations beyond chance, pairs that were compared, dispersion of the rows' log-likelihood): 0, any, 1 in a true model."""
    sample = dependence.sample_of(bench.statistics)
    pairs = dependence.residual_pairs(sample, coins.posterior[:, sample.chosen], bench.classes, bench.evidence)
    known = np.triu((pairs.correlation != 0) & (pairs.rows >= 2 * dependence.LEAST_ROWS), 1)
    beyond = (pairs.correlation**2 - 1 / np.maximum(pairs.rows, 1))[known]
    size = float(np.sqrt(max(beyond.mean(), 0.0))) if beyond.size else np.nan
    return size, int(beyond.size), _dispersion(bench, coins)


def _dispersion(bench: Bench, coins: LatentClasses) -> float:
    """Mean squared deviation of a covered row's log-likelihood given its class, in units of the variance that the coins expect."""
    log_votes = coins.parameters.log_confusion
    votes = np.exp(log_votes)
    mean = (votes * log_votes).sum(axis=1)
    variance = (votes * log_votes**2).sum(axis=1) - mean**2
    tables = np.zeros((len(votes), 1 + bench.classes, 2 * bench.classes))
    tables[:, 1:, : bench.classes] = log_votes - mean[:, None, :]
    tables[:, 1:, bench.classes :] = variance[:, None, :]
    sums = bench.observed.log_sums(tables)
    deviation, expected = sums[: bench.classes], np.maximum(sums[bench.classes :], 1e-9)
    rows = bench.observed.covered
    squared = (coins.posterior * deviation**2 / expected).sum(axis=0)
    return float(squared @ rows / max(float(rows.sum()), 1.0))


def _by_likelihood(bench: Bench, coins: LatentClasses, misfit: float) -> Finding:
    """A coin or a confusion for each function: Schwarz (1978)."""
    confusions = bench.confusions(np.ones(len(bench.evidence)))
    more = len(bench.evidence) * (bench.classes * (bench.classes - 1) - 1)
    gain = confusions.log_likelihood - coins.log_likelihood - more / 2 * np.log(bench.observed.counts.sum())
    name, chosen = ("confusions", confusions) if gain > 0 else ("coin", coins)
    why = f"the votes fit functions that are independent given the class (residual correlations of {misfit:.2f}); BIC prefers {'a confusion' if gain > 0 else 'one accuracy'} each"
    return Finding((latent(name, 1.0, chosen),), None, "Independent", why)


def _of_copies(bench: Bench, found: Dependence) -> Finding:
    members = [
        latent("coin", 0.5 - FLAT_SHARE / 2, bench.coins(found.discount)),
        latent("confusions", 0.5 - FLAT_SHARE / 2, bench.confusions(found.discount)),
        _flat(bench, FLAT_SHARE, found.discount),
    ]
    why = f"functions repeat one another: a vote counts {found.strength(bench.votes):.2f} on average; a coin and a confusion for each function, so discounted, are averaged"
    return Finding(tuple(members), found, "NearCopies", why)


def _of_few_overlaps(bench: Bench) -> Finding:
    plain = np.ones(len(bench.evidence))
    starts = STARTS if bench.classes <= SUBTYPE_CLASSES else 0
    members = [_weighted(bench, plain, 1.0), _flat(bench, 1.0, plain), latent("confusions", 1.0, bench.confusions(plain))]
    members += [with_subtypes(bench, plain, start, 1 / starts) for start in range(starts)]
    why = f"too few functions vote together to tell how they depend: {len(members)} cautious models are averaged"
    return Finding(_shared(members), None, "FewOverlaps", why)


def _of_crowd(bench: Bench, misfit: float) -> Finding:
    found, plain = _dependence(bench, bench.confusions), np.ones(len(bench.evidence))
    members = [
        latent("coin", 1.0, bench.coins(plain, uninformative=True)),
        latent("confusions", 1.0, bench.confusions(found.discount)),
        latent("confusions at half the evidence", 1.0, bench.guarded(Bench.confusions, plain * HALF)),
        _flat(bench, 1.0, plain),
        *(with_subtypes(bench, plain, start) for start in range(STARTS if bench.classes <= SUBTYPE_CLASSES else 0)),
    ]
    why = f"no single model fits these votes (residual correlations of {misfit:.2f}): {len(members)} models are averaged"
    return Finding(_shared(members), found, "Committee", why)


def _of_rules(bench: Bench) -> Finding:
    found = _dependence(bench, lambda discount: bench.guarded(Bench.rules, discount))
    learned = {"dawid-skene": bench.guarded(Bench.rules, found.discount), "coin": bench.coins(found.discount)}
    lost = _lost(bench, *learned.values())
    members = [
        _weighted(bench, found.discount, 1.0),
        *(latent(name, 1.0, fitted) for name, fitted in learned.items() if name not in lost),
        _flat(bench, 1.0, found.discount),
    ]
    without = f"; {' and '.join(lost)} lost the classes and left out" if lost else ""
    why = f"rules whose abstains are evidence: {len(members)} readings of them are averaged{without}"
    return Finding(_shared(members), found, "CommitteeOfRules", why)


def _lost(bench: Bench, rules: LatentClasses, coins: LatentClasses) -> list[str]:
    """Which of Dawid-Skene and the coin labels covered rows as neither majority vote does, nor (the coin) a Dawid-Skene that does.

    What is known of rows or of the balance has had its say in the fits: then none is.
    """
    if bench.observed.known is not None or bench.balance is not None:
        return []
    majority, labels, covered = _winners(bench.start(np.ones(len(bench.evidence)))), _winners(rules.posterior), bench.observed.covered
    if not _alike(labels, majority, covered):
        return ["dawid-skene", *([] if _alike(_winners(coins.posterior), majority, covered) else ["coin"])]
    return [] if any(_alike(_winners(coins.posterior), other, covered) for other in (majority, labels)) else ["coin"]


def _alike(label: FloatArray, other: FloatArray, counts: FloatArray) -> bool:
    """Whether labels agree on most rows, as where one class is nearly all that there is, or else beyond chance; float64 [n_classes, n_patterns] each."""
    rows = (label * counts) @ other.T
    both = rows / max(float(rows.sum()), 1.0)
    agreement, chance = float(np.trace(both)), float(both.sum(axis=0) @ both.sum(axis=1))
    return agreement >= MOSTLY or agreement - chance >= LEAST_KAPPA * (1 - chance)


def _winners(shares: FloatArray) -> FloatArray:
    """1 for the likeliest class of each pattern, divided among equals; float64 [n_classes, n_patterns] in and out."""
    most = shares == shares.max(axis=0)
    return np.asarray(most / most.sum(axis=0))


def discounted_rules(bench: Bench, reason: str, why: str) -> Finding:
    """Dawid-Skene alone, functions that repeat one another discounted: for questions with two answers, of which most rows get neither vote.

    The flat and the weighted vote of a committee hold such rows for undecided, which is far from the truth where a class is rare.
    """
    found = _dependence(bench, lambda discount: bench.guarded(Bench.rules, discount))
    return Finding((latent("discounted-dawid-skene", 1.0, bench.guarded(Bench.rules, found.discount)),), found, reason, why)


def _dependence(bench: Bench, fit: Callable[[FloatArray], LatentClasses]) -> Dependence:
    sample = dependence.sample_of(bench.statistics)
    return dependence.find_dependence(sample, bench.classes, bench.evidence, lambda discount: fit(discount).posterior[:, sample.chosen])


def _shared(fits: Sequence[Fitted]) -> tuple[Fitted, ...]:
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
    return Fitted(Member("subtypes", share, made.log_prior, made.log_weights, made.classes), made.posterior, len(made.trace), made.converged)


def _weighted(bench: Bench, discount: FloatArray, share: float) -> Fitted:
    """The weighted vote, which takes every abstain for missing and, for want of better, classes for equally common."""
    weights = weighted_vote.one_coin_log_weights(bench.accuracies, bench.classes) * discount[:, None, None]
    return _closed("weighted-vote", share, bench, weights)


def _flat(bench: Bench, share: float, discount: FloatArray) -> Fitted:
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
