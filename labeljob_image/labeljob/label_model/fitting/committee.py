"""`auto`: models that read the same votes differently, asked together when the votes show that no single one is true.

    abstains are evidence ──────────────▶ rules: readings of an abstain, averaged (`rules`)
    else: votes nearly coincide, and stay so given the class ──▶ near-copies: a coin and confusions, discounted
    else: too few pairs vote together ───▶ few overlaps: four cautious models, averaged
    else: independent given the class ───▶ a coin or a confusion for each function, by BIC (as good as the truth)
    else ────────────────────────────────▶ a crowd: subtypes from several starts and a flat vote, averaged

**The check.** The root mean square of the coin's residual correlations (`dependence`) beyond chance, which is 1 / rows of a pair: 0 when functions
are independent given the class. And the dispersion of a row's log-likelihood around what the model expects, 1 when no row is harder than
another. Both are sizes of an effect, so that a fit on twice the rows is judged alike.

**Crowds**: subtypes from STARTS random starts, because they may end in different places, and a flat vote, because they are far too sure. A confusion is a class with
one subtype, so confusions and coins beside them only repeat what is wrong with them. Above SUBTYPE_CLASSES: a coin that allows uninformative rows; confusions shrunk
to coins, with their discounts, once as they are and once at half the evidence; a flat vote.
**Rules**: see `rules`.
**Near-copies**: where dependence is material (a vote counts less than MATERIAL on average) discounts explain what was wrong. FLAT_SHARE of a
flat vote bounds what a wrong guess at who copies whom can cost.
**Few overlaps**: a weighted vote, a flat vote, confusions shrunk to coins, and subtypes.

Averaging probabilities of models of different kinds: Bates & Granger (1969) for forecasts; Hoeting et al. (1999), section 4, with equal weights
because the likelihood picks wrongly among models that are all wrong.
"""

from dataclasses import replace

import numpy as np

from labeljob.label_model.algorithms.latent_class import LatentClasses
from labeljob.label_model.fitting import dependence
from labeljob.label_model.fitting.dependence import Dependence
from labeljob.label_model.fitting.fits import Bench
from labeljob.label_model.fitting.members import Finding, dependence_of, flat, latent, shared, weighted, with_subtypes
from labeljob.label_model.fitting.rules import of_rules
from labeljob.label_model.statistics.vote_statistics import spaced

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


def deliberate(bench: Bench) -> Finding:
    """The members for these votes and why; see the module's docstring."""
    plain = np.ones(len(bench.evidence))
    if bench.classes > CONFUSION_CLASSES:
        fitted = bench.coins(plain)
        why = f"{bench.classes} classes: confusions would have more rates than votes can tell, so a coin for each function beside a weighted vote"
        return Finding((weighted(bench, plain, 0.5), latent("coin", 0.5, fitted)), None, "ManyClasses", why)
    if bench.evidence.any():
        return of_rules(bench)
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
    if dependence_of(part, part.confusions).strength(bench.votes) >= NEARLY:
        return None
    found = dependence_of(bench, bench.confusions)
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
        flat(bench, FLAT_SHARE, found.discount),
    ]
    why = f"functions repeat one another: a vote counts {found.strength(bench.votes):.2f} on average; a coin and a confusion for each function, so discounted, are averaged"
    return Finding(tuple(members), found, "NearCopies", why)


def _of_few_overlaps(bench: Bench) -> Finding:
    plain = np.ones(len(bench.evidence))
    starts = STARTS if bench.classes <= SUBTYPE_CLASSES else 0
    members = [weighted(bench, plain, 1.0), flat(bench, 1.0, plain), latent("confusions", 1.0, bench.confusions(plain))]
    members += [with_subtypes(bench, plain, start, 1 / starts) for start in range(starts)]
    why = f"too few functions vote together to tell how they depend: {len(members)} cautious models are averaged"
    return Finding(shared(members), None, "FewOverlaps", why)


def _of_crowd(bench: Bench, misfit: float) -> Finding:
    found, plain = dependence_of(bench, bench.confusions), np.ones(len(bench.evidence))
    if bench.classes <= SUBTYPE_CLASSES:
        members = [with_subtypes(bench, plain, start) for start in range(STARTS)]
    else:
        members = [
            latent("coin", 1.0, bench.coins(plain, uninformative=True)),
            latent("confusions", 1.0, bench.confusions(found.discount)),
            latent("confusions at half the evidence", 1.0, bench.guarded(Bench.confusions, plain * HALF)),
        ]
    members.append(flat(bench, 1.0, found.discount))
    why = f"no single model fits these votes (residual correlations of {misfit:.2f}): {len(members)} models are averaged"
    return Finding(shared(members), found, "Committee", why)
