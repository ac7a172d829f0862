"""`auto` where abstains are evidence: readings of rules, asked together.

    Dawid-Skene fits the votes as well as levels (BIC) ───────────────▶ a weighted and a flat vote, Dawid-Skene, a coin
    else: votes for different classes meet less often than by chance ─▶ the same, and levels
    else: what sets rules off is not the class ───────────────────────▶ levels, with two votes, beside a weighted and a flat vote

**Readings**: a weighted and a flat vote, which ignore abstains; Dawid-Skene with abstains; a coin whose rate of voting depends on the class; `levels`, where
rows differ in how many rules they set off, whatever their class.

**What sets rules off.** Rules that are right more often than not and name different classes vote together less often than by chance, if only the class decides
who votes. Where they vote together AS_OFTEN, over all pairs, rows differ in something else: long texts hold more of every keyword. Dawid-Skene and the coin
take that for the class, and are not asked.

**Discounts** are those of the model that fits better: what all rules have in common is not a copy. Near-copies given the class
(COPIES) are copies in either.

**Lost classes.** Where what a reading tells apart is not the classes (covered rows from others), it ends with labels that have nothing to do with the votes: on covered
rows they agree with majority vote on less than MOSTLY of them, and beyond chance (Cohen 1960) less than LEAST_KAPPA. It is left out. It may agree with a
reading that was kept instead, which knows that one class is rare where majority vote does not. Levels that agree less than LEAST_OF_LEVELS are fitted again with
majority vote's balance held, and left out if that is of no help.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from labeljob.label_model.algorithms import levels
from labeljob.label_model.em.hidden_states import HiddenStates
from labeljob.label_model.em.state_expectation import StateExpectation
from labeljob.label_model.fitting import dependence
from labeljob.label_model.fitting.dependence import Dependence, Sample
from labeljob.label_model.fitting.fits import Bench
from labeljob.label_model.fitting.members import Finding, Fitted, dependence_of, flat, latent, of_states, shared, weighted
from labeljob.label_model.posteriors import normalised
from labeljob.label_model.statistics.vote_statistics import spaced
from labeljob.votes import FloatArray

LEAST_KAPPA, MOSTLY = 0.1, 0.8
LEAST_OF_LEVELS = 1 / 3  # kappa: levels that took a class for a level agree with majority vote by chance more easily
AS_OFTEN = 0.95  # as a multiple of chance: of real rules looked at none is above .2
LEARNED = 1 << 14  # patterns that levels are learned from at most, evenly spaced, unless some classes are known
TOLERANCE = 1e-4  # nats a row; run on for longer, levels of rules that are set off in another way than assumed drift from the classes
COPIES = 0.8  # residual correlation of what is a copy whatever rules have in common: one that draws 10 % of its votes anew has .9
CERTAIN = 0.9  # of a majority vote that levels start from


def of_rules(bench: Bench) -> Finding:
    """The members for rules and why; see the module's docstring."""
    few = _few(bench)
    sample = dependence.sample_of(few.statistics)
    leveled = _prefers_levels(few)
    telling = not leveled or dependence.opposed(sample, bench.evidence) < AS_OFTEN
    readings, posteriors, lost = dict[str, Fitted](), dict[str, FloatArray](), list[str]()
    if leveled:
        found = _of_levels(few, sample)
        made, kept = levels_of(few, found.discount)
        if kept:
            made = _read_by(bench, made)
            readings["levels"], posteriors["levels"] = of_states("levels", 1.0 if telling else 2.0, made), made.posterior
        else:
            lost.append("levels")
    else:
        found = dependence_of(bench, lambda discount: bench.guarded(Bench.rules, discount))
    if telling:
        for name, fitted in (("dawid-skene", bench.guarded(Bench.rules, found.discount)), ("coin", bench.coins(found.discount))):
            readings[name], posteriors[name] = latent(name, 1.0, fitted), fitted.posterior
        lost += _lost(bench, posteriors)
    kept_readings = (fitted for name, fitted in readings.items() if name not in lost)
    members = [weighted(bench, found.discount, 1.0), *kept_readings, flat(bench, 1.0, found.discount)]
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


def levels_of(bench: Bench, discount: FloatArray) -> tuple[HiddenStates, bool]:
    """Levels of firing, and whether they keep the classes; where EM has lost them, again with the balance of majority vote held."""
    made = _levels(bench, discount, bench.balance)
    if _keeps_classes(bench, made):
        return made, True
    held = _levels(bench, discount, bench.balance_of(bench.start(discount)))
    return held, _keeps_classes(bench, held)


def _keeps_classes(bench: Bench, made: HiddenStates) -> bool:
    return _like_any(bench, made.posterior, [_majority(bench)], LEAST_OF_LEVELS)


def _levels(bench: Bench, discount: FloatArray, balance: FloatArray | None) -> HiddenStates:
    """From majority vote or known rows, never from an earlier model, which may have taken a level for a class."""
    start, silent = replace(bench, warm=None).begin(discount), bench.majority_balance if balance is None else balance
    start = np.where(bench.observed.packed.covered, CERTAIN * start + (1 - CERTAIN) / bench.classes, silent[:, None])
    return levels.run(bench.observed, start, discount, bench.evidence, balance, bench.max_iterations, bench.tolerance)


def _read_by(bench: Bench, made: HiddenStates) -> HiddenStates:
    """The same states with the posterior of all patterns."""
    expectation = StateExpectation(bench.observed, bench.observed.counts, made.classes)
    return replace(made, posterior=expectation.classes(made.log_prior, made.log_weights))


def _of_levels(few: Bench, sample: Sample) -> Dependence:
    """Discounts of what class and level leave, but of COPIES, given the class alone, in any case: levels could be where the copies fire.

    The pairs are named by their correlations given the class.
    """

    def rules(discount: FloatArray) -> FloatArray:
        return few.guarded(Bench.rules, discount).posterior[:, sample.chosen]

    pairs = dependence.find_dependence(sample, few.classes, few.evidence, rules).pairs
    copies = replace(pairs, correlation=np.where(pairs.correlation >= COPIES, pairs.correlation, 0.0))
    most = dependence.discount_of(copies, np.zeros(len(few.evidence)))

    def states(discount: FloatArray) -> FloatArray:
        made, _ = levels_of(few, np.minimum(discount, most))
        return normalised(few.observed.log_sums(made.log_weights) + made.log_prior[:, None])[:, sample.chosen]

    found = dependence.find_dependence(sample, few.classes, few.evidence, states)
    return Dependence(np.minimum(found.discount, most), pairs)


def _lost(bench: Bench, readings: Mapping[str, FloatArray]) -> list[str]:
    """Which readings label covered rows as neither majority vote does, nor one before that is kept; float64 [n_classes, n_patterns] each."""
    lost, trusted = list[str](), [_majority(bench)]
    for name, posterior in readings.items():
        if _like_any(bench, posterior, trusted, LEAST_KAPPA):
            trusted.append(_winners(posterior))
        else:
            lost.append(name)
    return lost


def _like_any(bench: Bench, posterior: FloatArray, trusted: Sequence[FloatArray], least_kappa: float) -> bool:
    """Whether labels are like some that are trusted. What is known of rows or of the balance has had its say in the fits: then all are."""
    if bench.observed.known is not None or bench.balance is not None:
        return True
    return any(_alike(_winners(posterior), other, bench.observed.covered, least_kappa) for other in trusted)


def _alike(label: FloatArray, other: FloatArray, counts: FloatArray, least_kappa: float) -> bool:
    """Whether labels agree on most rows, as where one class is nearly all that there is, or else beyond chance; float64 [n_classes, n_patterns] each."""
    rows = (label * counts) @ other.T
    both = rows / max(float(rows.sum()), 1.0)
    agreement, chance = float(np.trace(both)), float(both.sum(axis=0) @ both.sum(axis=1))
    return agreement >= MOSTLY or agreement - chance >= least_kappa * (1 - chance)


def _majority(bench: Bench) -> FloatArray:
    """Labels of majority vote, float64 [n_classes, n_patterns]."""
    return _winners(bench.start(np.ones(len(bench.evidence))))


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
