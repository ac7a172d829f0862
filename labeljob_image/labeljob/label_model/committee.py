"""`auto`: models that read the same votes differently, asked together when the votes show that no single one is true.

                     votes fit "independent given the class"?
                    yes |                               | no, or too few pairs to tell
        coin or confusion, by BIC            probabilities averaged over a committee
        (as good as the truth)               (hard rows, habits of functions, copies: each member is wrong elsewhere)

**The check.** The root mean square of the coin's residual correlations (`dependence`) beyond chance, which is 1 / rows of a pair: 0 when functions
are independent given the class. And the dispersion of a row's log-likelihood around what the model expects, 1 when no row is harder than
another. Both are sizes of an effect, so that a fit on twice the rows is judged alike.

**Crowds** (every abstain missing): a coin that allows uninformative rows; confusions shrunk to coins, with their discounts, once as they are
and once at half the evidence; a flat vote; and subtypes from STARTS random starts, because they often end in different places. Where
dependence is material (mean discount below MATERIAL) only a coin and confusions, both discounted: what was wrong is explained.
**Rules** (some abstain is evidence): a weighted vote, which ignores abstains; Dawid-Skene with abstains; a coin whose rate of voting depends
on the class; and a flat vote.

Averaging probabilities of models of different kinds: Bates & Granger (1969) for forecasts; Hoeting et al. (1999), section 4, with equal weights
because the likelihood picks wrongly among models that are all wrong.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from labeljob.label_model import dependence, subtypes, weighted_vote
from labeljob.label_model.dependence import Dependence
from labeljob.label_model.fits import Bench
from labeljob.label_model.latent_class import LatentClasses
from labeljob.label_model.model import Member
from labeljob.label_model.packing import sum_tables
from labeljob.votes import ABSTAIN, FloatArray

MISFIT = 0.1
DISPERSED = 1.12
LEAST_PAIRS = 5
MATERIAL = 0.8
HALF = 0.5
CONFUSION_CLASSES = 25  # above, confusions have more rates than votes can tell
SUBTYPE_CLASSES = 10
STARTS = 3


@dataclass(frozen=True)
class Fitted:
    """A member with the classes of the patterns, float64 [n_classes, n_patterns], and how its iteration ended."""

    member: Member
    posterior: FloatArray
    iterations: int
    converged: bool


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
    coins = bench.coins(plain)
    misfit, pairs, dispersion = fit_of(bench, coins)
    if pairs >= LEAST_PAIRS and misfit < MISFIT and dispersion < DISPERSED:
        return _by_likelihood(bench, coins, misfit)
    return _of_crowd(bench, coins, misfit, pairs)


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
    sums = sum_tables(bench.observed.packed, tables)
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


def _of_crowd(bench: Bench, coins: LatentClasses, misfit: float, pairs: int) -> Finding:
    found = _dependence(bench, bench.confusions)
    material = found.strength(bench.votes) < MATERIAL
    discount, plain = found.discount, np.ones(len(found.discount))
    if material:
        members = [latent("coin", 1.0, bench.coins(discount)), latent("confusions", 1.0, bench.confusions(discount))]
    else:
        members = [
            latent("coin", 1.0, bench.coins(plain, uninformative=True)),
            latent("confusions", 1.0, bench.confusions(discount)),
            latent("confusions at half the evidence", 1.0, bench.confusions(plain * HALF)),
            _flat(bench, coins, plain),
            *(with_subtypes(bench, plain, start) for start in range(STARTS if bench.classes <= SUBTYPE_CLASSES else 0)),
        ]
    cause = f"residual correlations of {misfit:.2f}" if pairs >= LEAST_PAIRS else "too few functions vote together to tell"
    why = f"no single model fits these votes ({cause}): {len(members)} models are averaged"
    return Finding(_equal(members), found, "Committee", why + (", functions that repeat one another discounted" if material else ""))


def _of_rules(bench: Bench) -> Finding:
    found = _dependence(bench, bench.rules)
    members = [
        _weighted(bench, found.discount, 1.0),
        latent("dawid-skene", 1.0, bench.rules(found.discount)),
        latent("coin", 1.0, bench.coins(found.discount)),
        _flat(bench, bench.coins(np.ones(len(found.discount))), found.discount),
    ]
    why = f"rules whose abstains are evidence: {len(members)} readings of them are averaged"
    return Finding(_equal(members), found, "CommitteeOfRules", why)


def _dependence(bench: Bench, fit: Callable[[FloatArray], LatentClasses]) -> Dependence:
    sample = dependence.sample_of(bench.statistics)
    return dependence.find_dependence(sample, bench.classes, bench.evidence, lambda discount: fit(discount).posterior[:, sample.chosen])


def _equal(fits: Sequence[Fitted]) -> tuple[Fitted, ...]:
    return tuple(replace(fit, member=replace(fit.member, share=1 / len(fits))) for fit in fits)


def latent(name: str, share: float, fitted: LatentClasses) -> Fitted:
    """A latent-class model as a member; its uninformative state says nothing of the class."""
    classes = np.arange(len(fitted.log_prior))
    classes[len(fitted.posterior) :] = ABSTAIN
    return Fitted(Member(name, share, fitted.log_prior, fitted.log_weights, classes), fitted.posterior, fitted.iterations, fitted.converged)


def with_subtypes(bench: Bench, discount: FloatArray, start: int = 0) -> Fitted:
    """EBCC as a member, from one of its random starts."""
    first = bench.start(discount) if bench.known is None else bench.coins(discount).posterior
    made = subtypes.run(bench.observed, first, discount, bench.balance, bench.max_iterations, bench.seed + start)
    return Fitted(Member("subtypes", 1.0, made.log_prior, made.log_weights, made.classes), made.posterior, made.iterations, made.converged)


def _weighted(bench: Bench, discount: FloatArray, share: float) -> Fitted:
    """The weighted vote, which takes every abstain for missing and, for want of better, classes for equally common."""
    weights = weighted_vote.one_coin_log_weights(bench.accuracies, bench.classes) * discount[:, None, None]
    return _closed("weighted-vote", share, bench, weights)


def _flat(bench: Bench, coins: LatentClasses, discount: FloatArray) -> Fitted:
    """All votes alike, and so weak that a typical row whose votes agree is about as sure as two votes of typical functions."""
    accuracy = np.exp(coins.parameters.log_confusion)[:, 0, 0] @ bench.votes / bench.votes.sum()
    accuracy = float(np.clip(accuracy, (1 + 0.1 * (bench.classes - 1)) / bench.classes, 0.99))
    typical = float(bench.votes @ discount / max(float(bench.observed.covered.sum()), 1.0))
    weight = 2 * np.log(accuracy * (bench.classes - 1) / (1 - accuracy)) / max(typical, 2.0)
    weights = np.zeros((len(discount), 1 + bench.classes, bench.classes))
    weights[:, 1:] = np.eye(bench.classes) * weight * discount[:, None, None]
    return _closed("flat vote", 1.0, bench, weights)


def _closed(name: str, share: float, bench: Bench, weights: FloatArray) -> Fitted:
    balance = np.full(bench.classes, 1 / bench.classes) if bench.balance is None else bench.balance
    joint = sum_tables(bench.observed.packed, weights) + np.log(balance)[:, None]
    posterior = np.exp(joint - joint.max(axis=0))
    return Fitted(Member(name, share, np.log(balance), weights, np.arange(bench.classes)), posterior / posterior.sum(axis=0), 0, True)
