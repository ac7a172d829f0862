"""Which functions repeat one another, learned from vote patterns alone, and by how much each is discounted (F2).

    fit with discounts d -> posterior -> residual correlation of every pair, given the class -> new d -> fit again ...
          ^  first d: raw correlation of the votes to the power of FIRST_POWER, which only near-copies survive

**Residual correlation.** rho_ij = (agreements - expected agreements) / (its value for two copies): the sum over classes of the covariance
of the indicators "i votes c" and "j votes c", given the hidden class, over the product of their deviations. 0 for functions that are
independent given the class, 1 for copies, .9 for a copy that draws 10 % of its votes anew. Where an abstain is missing only rows on which
both vote count; where it is evidence all rows do.

**Discount.** d_i = 1 / (1 + sum_j p_ij rho_ij s_ij), s_ij = max(min(rho_ij / ALIKE, 1), d_j), after the design effect of a cluster (Kish 1965, section 5.4): n copies count as
one voter together, and count once against others that are mildly like them. p_ij is the share of i's votes beside one of j's. Only what is
beyond chance counts: rho less NOISE standard errors, 1 / sqrt(rows of the pair).

**Why the first discount matters.** Votes cannot tell "seven copies of one weak function and five good ones" from "seven good functions that
agree and five that share an error": both are a tree with two hidden variables. Near-copies are the likelier story, so the fit starts where
functions whose votes nearly coincide share one vote. Strong functions that are independent start discounted too, but alike, and the
residual correlations then give their votes back.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from labeljob.label_model.statistics.vote_statistics import VoteStatistics
from labeljob.votes import ABSTAIN, BoolArray, FloatArray, Votes

FIRST_POWER = 2.0
NOISE = 3.0
LEAST_ROWS = 5.0  # a pair that votes together on fewer rows says nothing
FIRST_ROWS = 20.0
ROUNDS = 12
SETTLED = 0.02
ALIKE = 0.5  # residual correlation from which two functions share one vote in full
PAIR_PATTERNS = 1 << 14  # pairs are measured on at most about this many patterns, evenly spaced in canonical order
SHOWN = 0.1  # a pair is named from this residual correlation on


@dataclass(frozen=True)
class Pairs:
    """Residual correlations.

    Attributes:
        correlation: float64 [n_functions, n_functions], symmetric, 0 on the diagonal.
        rows: float64 [n_functions, n_functions], rows that the pair was compared on.
        beside: float64 [n_functions, n_functions], share of i's votes beside one of j's.
    """

    correlation: FloatArray
    rows: FloatArray
    beside: FloatArray


@dataclass(frozen=True)
class Sample:
    """Patterns that pairs are measured on: int8 [n_patterns, n_functions], counts float64 [n_patterns], and which patterns they are."""

    patterns: Votes
    counts: FloatArray
    chosen: slice

    @cached_property
    def voted(self) -> FloatArray:
        """1 where a function votes on a pattern, else 0; float64, because in single precision the order of functions would show in what is found."""
        return np.asarray(self.patterns != ABSTAIN, dtype=np.float64)

    @cached_property
    def together(self) -> FloatArray:
        """Rows on which both functions vote, float64 [n_functions, n_functions]."""
        return _weighted(self.voted, self.counts)

    @cached_property
    def agreeing(self) -> FloatArray:
        """Rows on which both vote alike, likewise; one class at a time: never rows x functions x classes."""
        found = np.zeros_like(self.together)
        for k in range(int(self.patterns.max(initial=ABSTAIN)) + 1):
            found += _weighted((self.patterns == k).astype(np.float64), self.counts)
        return found


def sample_of(statistics: VoteStatistics) -> Sample:
    """Every pattern, or evenly spaced ones when there are too many."""
    chosen = slice(None, None, -(-len(statistics.counts) // PAIR_PATTERNS) or 1)
    counts = statistics.weights[chosen]
    return Sample(statistics.patterns[chosen], counts * (statistics.rows / max(counts.sum(), 1.0)), chosen)


def raw_discount(sample: Sample, classes: int, evidence: BoolArray) -> FloatArray:
    """The first discount, float64 [n_functions], from correlations that no class explains."""
    pairs = residual_pairs(sample, np.ones((1, len(sample.counts))), classes, evidence)
    strength = np.where(pairs.rows >= FIRST_ROWS, np.clip(pairs.correlation, 0, 1) ** FIRST_POWER, 0.0)
    return np.asarray(1 / (1 + (pairs.beside * strength).sum(axis=1)))


def opposed(sample: Sample, evidence: BoolArray) -> float:
    """How often functions vote for different classes together, over all pairs, as a multiple of how often they would if each voted by itself.

    Below 1 where only the class decides who votes and most votes are right; above where something else does too. Of functions whose abstain is
    `evidence`, bool [n_functions]; 0 where no two of them name different classes.
    """
    rows = sample.counts.sum()
    own = np.stack([sample.counts @ (sample.patterns == k) for k in range(int(sample.patterns.max(initial=ABSTAIN)) + 1)], axis=1)[evidence]
    votes, pairs = own.sum(axis=1), np.triu_indices(len(own), 1)
    expected = float((np.outer(votes, votes) - own @ own.T)[pairs].sum() / rows)
    found = float((sample.together - sample.agreeing)[np.ix_(evidence, evidence)][pairs].sum())
    return found / expected if expected > 0 else 0.0


def discount_of(pairs: Pairs, before: FloatArray) -> FloatArray:
    """float64 [n_functions] in (0, 1]: the inverse design effect of each function; before: the discounts so far."""
    beyond = np.clip(pairs.correlation - NOISE / np.sqrt(np.maximum(pairs.rows, 1.0)), 0, 1)
    share = np.maximum(np.minimum(beyond / ALIKE, 1.0), before)  # a function mildly like seven copies is like one: they count as much as they still do
    return np.asarray(1 / (1 + (pairs.beside * beyond * share).sum(axis=1)))


def residual_pairs(sample: Sample, posterior: FloatArray, classes: int, evidence: BoolArray) -> Pairs:
    """Correlation of every pair's votes given the class.

    Args:
        posterior: float64 [n_groups, n_patterns], of the class (or all ones: one group).
        evidence: bool [n_functions]; a pair is compared on all rows when both abstains are evidence, else where both vote.
    """
    counts, together, agreements = sample.counts, sample.together, sample.agreeing
    expected, copies = np.zeros_like(together), np.zeros_like(together)
    weights = posterior * counts
    votes = np.empty((len(weights), len(together), classes))
    for k in range(classes):
        votes[:, :, k] = weights @ (sample.patterns == k).astype(np.float64)
    beside = [_weighted(sample.voted, weight) for weight in weights[1:]]  # what is in none of the later groups is in the first
    beside.insert(0, np.maximum(together - sum(beside, np.zeros_like(together)), 0.0))
    always = np.logical_and.outer(evidence, evidence)
    for weight, of_group, voting in zip(weights, votes, beside, strict=True):
        rows = float(weight.sum())
        for reading, compared in ((always, rows), (~always, voting)):
            rates = of_group / np.maximum(rows if reading is always else of_group.sum(axis=1), 1e-9).reshape(-1, 1)
            deviation = np.sqrt(np.maximum((rates * (1 - rates)).sum(axis=1), 0))
            expected += np.where(reading, compared * (rates @ rates.T), 0.0)
            copies += np.where(reading, compared * np.outer(deviation, deviation), 0.0)
    compared = np.where(always, counts.sum(), together)
    known = (np.minimum(compared, copies) >= LEAST_ROWS) & ~np.eye(len(together), dtype=bool)
    correlation = np.where(known, np.clip((agreements - expected) / np.maximum(copies, 1e-9), -1, 1), 0.0)
    own = np.maximum(np.diag(together), 1.0)[:, None]
    return Pairs(correlation, compared, np.where(always, 1.0, together / own))


def _weighted(columns: FloatArray, weights: FloatArray) -> FloatArray:
    """Weighted co-occurrence of 0/1 columns, float64 [n_functions, n_functions]."""
    return np.asarray((columns * weights[:, None]).T @ columns)


@dataclass(frozen=True)
class Dependence:
    """What was found: discounts float64 [n_functions], and the pairs of the last fit."""

    discount: FloatArray
    pairs: Pairs

    def strength(self, votes: FloatArray) -> float:
        """Mean discount over votes, `votes` float64 [n_functions]: 1 is independent."""
        return float(self.discount @ votes / max(float(votes.sum()), 1.0))

    def named(self, most: int = 20) -> list[tuple[int, int, float]]:
        """The most correlated pairs (i < j, residual correlation), strongest first; those within noise are left out."""
        found = np.triu(self.pairs.correlation - NOISE / np.sqrt(np.maximum(self.pairs.rows, 1.0)) > 0, 1) & (self.pairs.correlation >= SHOWN)
        pairs = [(int(i), int(j), float(self.pairs.correlation[i, j])) for i, j in zip(*np.nonzero(found), strict=True)]
        return sorted(pairs, key=lambda pair: (-pair[2], pair[0], pair[1]))[:most]


def find_dependence(sample: Sample, classes: int, evidence: BoolArray, posterior_given: Callable[[FloatArray], FloatArray]) -> Dependence:
    """Discounts at which the fit's own residual correlations give the same discounts again.

    Args:
        posterior_given: discounts -> posterior of the sample's patterns, float64 [n_groups, n_patterns]: of classes, or of hidden states.
    """
    discount = raw_discount(sample, classes, evidence)
    for turn in range(ROUNDS):
        pairs = residual_pairs(sample, posterior_given(discount), classes, evidence)
        wanted = discount_of(pairs, discount)
        moved = float(np.abs(wanted - discount).max())
        discount = wanted if turn == 0 else np.sqrt(discount * wanted)
        if moved < SETTLED:
            break
    return Dependence(discount, pairs)
