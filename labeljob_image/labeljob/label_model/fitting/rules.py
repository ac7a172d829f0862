"""`auto` where abstains are evidence: readings of rules, asked together.

    Dawid-Skene fits the votes as well as levels (BIC) ───────────────▶ a weighted and a flat vote, Dawid-Skene, a coin
    else: votes for different classes meet less often than by chance ─▶ the same, and levels
    else: what sets rules off is not the class ───────────────────────▶ levels, with two votes, beside a weighted and a flat vote

**Readings**: a weighted and a flat vote, which ignore abstains; Dawid-Skene with abstains; a coin whose rate of voting depends on the class; `levels`, where
rows differ in how many rules they set off, whatever their class.

**What sets rules off.** Rules that are right more often than not and name different classes vote together less often than by chance, if only the class decides
who votes. Where they vote together AS_OFTEN, over all pairs, rows differ in something else: long texts hold more of every keyword. Dawid-Skene and the coin
take that for the class, and are not asked.

**Discounts** are those of the model that fits better: what all rules have in common is not a copy.

**Lost classes.** Where what a reading tells apart is not the classes (covered rows from others), it ends with labels that have nothing to do with the votes: on covered
rows they agree with majority vote on less than MOSTLY of them, and beyond chance (Cohen 1960) less than LEAST_KAPPA. It is left out. It may agree with a
reading that was kept instead, which knows that one class is rare where majority vote does not.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from labeljob.label_model.algorithms import levels
from labeljob.label_model.algorithms.levels import Levels
from labeljob.label_model.em.state_expectation import StateExpectation
from labeljob.label_model.fitting import dependence
from labeljob.label_model.fitting.dependence import Dependence, Sample
from labeljob.label_model.fitting.fits import FARTHEST, Bench
from labeljob.label_model.fitting.members import Finding, Fitted, dependence_of, flat, latent, shared, weighted
from labeljob.label_model.model import Member
from labeljob.label_model.posteriors import normalised
from labeljob.label_model.statistics.vote_statistics import spaced
from labeljob.votes import FloatArray

LEAST_KAPPA, MOSTLY = 0.1, 0.8
LEAST_OF_LEVELS = 1 / 3  # kappa: levels that took a class for a level agree with majority vote by chance more easily
AS_OFTEN = 0.95  # as a multiple of chance: of real rules looked at none is above .2
LEARNED = 1 << 14  # patterns that levels are learned from at most, evenly spaced, unless some classes are known
TOLERANCE = 1e-4  # nats a row
CERTAIN = 0.9  # of a majority vote that levels start from


def of_rules(bench: Bench) -> Finding:
    """The members for rules and why; see the module's docstring."""
    few = _few(bench)
    sample = dependence.sample_of(few.statistics)
    leveled = _prefers_levels(few)
    telling = not leveled or dependence.opposed(sample, bench.evidence) < AS_OFTEN
    found = _of_levels(few, sample) if leveled else dependence_of(bench, lambda discount: bench.guarded(Bench.rules, discount))
    readings = dict[str, Fitted]()
    if leveled:
        readings["levels"] = _with_levels(bench, few, found.discount, 1.0 if telling else 2.0)
    if telling:
        readings["dawid-skene"] = latent("dawid-skene", 1.0, bench.guarded(Bench.rules, found.discount))
        readings["coin"] = latent("coin", 1.0, bench.coins(found.discount))
    lost = _lost(bench, readings)
    kept = (fitted for name, fitted in readings.items() if name not in lost)
    members = [weighted(bench, found.discount, 1.0), *kept, flat(bench, 1.0, found.discount)]
    return Finding(shared(members), found, "CommitteeOfRules", _why(len(members), telling, lost))


def _why(members: int, telling: bool, lost: list[str]) -> str:
    together = "" if telling else "; votes for different classes meet as often as by chance, so that silence tells little of the class"
    without = f"; {' and '.join(lost)} lost the classes and left out" if lost else ""
    return f"rules whose abstains are evidence: {members} readings of them are averaged{together}{without}"


def _few(bench: Bench) -> Bench:
    """The same on few patterns, for what is asked again and again."""
    statistics = bench.statistics if bench.observed.known is not None else spaced(bench.statistics, LEARNED)
    return replace(bench, statistics=statistics, tolerance=max(bench.tolerance, TOLERANCE))


def _prefers_levels(bench: Bench) -> bool:
    """Whether levels fit votes better than Dawid-Skene does, beyond what their number of rates buys: Schwarz (1978)."""
    plain = np.ones(len(bench.evidence))
    more = (int(bench.evidence.sum()) + bench.classes) * (levels.LEVELS - 1)
    gain = _levels(bench, plain, bench.balance).log_likelihood - bench.rules(plain).log_likelihood
    return bool(gain > more / 2 * np.log(bench.observed.counts.sum()))


def levels_of(bench: Bench, discount: FloatArray) -> Levels:
    """Levels of firing; where EM has lost the classes, again with the balance of majority vote held (FARTHEST)."""
    made = _levels(bench, discount, bench.balance)
    if bench.balance is not None or bench.observed.known is not None:
        return made
    majority = bench.balance_of(bench.start(discount))
    far = np.abs(bench.balance_of(_classes(bench, made)) - majority).sum() / 2 > FARTHEST
    return _levels(bench, discount, majority) if far else made


def _levels(bench: Bench, discount: FloatArray, balance: FloatArray | None) -> Levels:
    start = bench.begin(discount)
    if bench.warm is None:
        silent = bench.majority_balance if balance is None else balance
        start = np.where(bench.observed.packed.covered, CERTAIN * start + (1 - CERTAIN) / bench.classes, silent[:, None])
    return levels.run(bench.observed, start, discount, bench.evidence, balance, bench.max_iterations, bench.tolerance)


def _classes(bench: Bench, made: Levels) -> FloatArray:
    """Classes of the patterns, float64 [n_classes, n_patterns]."""
    return StateExpectation(bench.observed, bench.observed.counts, made.classes).classes(made.log_prior, made.log_weights)


def _with_levels(bench: Bench, few: Bench, discount: FloatArray, share: float) -> Fitted:
    made = levels_of(few, discount)
    member = Member("levels", share, made.log_prior, made.log_weights, made.classes)
    return Fitted(member, _classes(bench, made), len(made.trace), made.converged)


def _of_levels(few: Bench, sample: Sample) -> Dependence:
    """Correlations given class and level."""

    def states(discount: FloatArray) -> FloatArray:
        made = levels_of(few, discount)
        return normalised(few.observed.log_sums(made.log_weights) + made.log_prior[:, None])[:, sample.chosen]

    return dependence.find_dependence(sample, few.classes, few.evidence, states)


def _lost(bench: Bench, readings: Mapping[str, Fitted]) -> list[str]:
    """Which readings label covered rows as neither majority vote does, nor a reading before that is kept.

    What is known of rows or of the balance has had its say in the fits: then none is.
    """
    if bench.observed.known is not None or bench.balance is not None:
        return []
    lost, trusted = list[str](), [_winners(bench.start(np.ones(len(bench.evidence))))]
    for name, fitted in readings.items():
        assert fitted.posterior is not None  # noqa: S101 readings of rules say what they say of the patterns
        labels = _winners(fitted.posterior)
        least = LEAST_OF_LEVELS if name == "levels" else LEAST_KAPPA
        if any(_alike(labels, other, bench.observed.covered, least) for other in trusted):
            trusted.append(labels)
        else:
            lost.append(name)
    return lost


def _alike(label: FloatArray, other: FloatArray, counts: FloatArray, least_kappa: float) -> bool:
    """Whether labels agree on most rows, as where one class is nearly all that there is, or else beyond chance; float64 [n_classes, n_patterns] each."""
    rows = (label * counts) @ other.T
    both = rows / max(float(rows.sum()), 1.0)
    agreement, chance = float(np.trace(both)), float(both.sum(axis=0) @ both.sum(axis=1))
    return agreement >= MOSTLY or agreement - chance >= least_kappa * (1 - chance)


def _winners(shares: FloatArray) -> FloatArray:
    """1 for the likeliest class of each pattern, divided among equals; float64 [n_classes, n_patterns] in and out."""
    most = shares == shares.max(axis=0)
    return np.asarray(most / most.sum(axis=0))


def discounted_rules(bench: Bench, reason: str, why: str) -> Finding:
    """Dawid-Skene alone, functions that repeat one another discounted: for questions with two answers, of which most rows get neither vote.

    The flat and the weighted vote of a committee hold such rows for undecided, which is far from the truth where a class is rare.
    """
    found = dependence_of(bench, lambda discount: bench.guarded(Bench.rules, discount))
    return Finding((latent("discounted-dawid-skene", 1.0, bench.guarded(Bench.rules, found.discount)),), found, reason, why)
