"""The reading of an abstain, and what `algorithm: auto` can decide from counts of votes alone, each with the reason.

**Abstain.** For a labeling function of a resource the manifest decides; only for a bare matrix is the reading inferred, function by
function. If abstaining does not depend on the class, both readings give the same answer in the limit and *missing* has fewer parameters.
So the question is whether it depends: the rate at which a function votes is compared between rows on which the others' plurality names
different classes (Pearson's chi-squared). *Evidence* needs a clear dependence: chi-squared at least CHI_SQUARED a degree of freedom,
which is far beyond chance because rows of a crowd come in batches, and Cramer's V at least CRAMER. Where such functions cast most of the
votes, or most votes are cast by one-sided functions, the set is one of rules, and its other one-sided functions are evidence too.

**Algorithm.** Here only what needs no fit: without votes, or with votes for one class, there is nothing to learn; with fewer than three functions
that overlap, no accuracy can be told from the votes (two that disagree do not say who is right): majority vote. With too few outcomes for
confusions to be identifiable at all (`identifiable`: four one-sided rules cannot tell three classes apart) the weighted vote. Rows of known class
tell what votes cannot: then few functions are read by Dawid-Skene. All else is decided by fitting: see `committee`.

The thresholds of the reading were set by hand on nine public vote sets (two of rules, seven of crowds) and on generated rules and crowds: the
largest chi-squared a degree of freedom of a crowd worker there is 16, while that of rules reaches hundreds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from labeljob.contract.algorithms import FittedAlgorithm
from labeljob.label_model.algorithms.majority_vote import tally
from labeljob.label_model.algorithms.weighted_vote import PATTERNS
from labeljob.votes import ABSTAIN, BoolArray, FloatArray, IntArray, Votes

Algorithm: TypeAlias = FittedAlgorithm
Abstain: TypeAlias = Literal["evidence", "missing"]
Reason: TypeAlias = Literal[
    "Requested",
    "NoVotes",
    "OneClassVoted",
    "TooFewFunctions",
    "NotIdentifiable",
    "Independent",
    "Committee",
    "CommitteeOfRules",
    "FewOverlaps",
    "NearCopies",
    "ManyClasses",
    "Collapsed",
    "Taught",
]

CHI_SQUARED = 30.0
CRAMER = 0.1
RULES_SHARE = 0.5
LEAST_FUNCTIONS = 3


@dataclass(frozen=True)
class Choice:
    """An algorithm and why: `reason` for programs, `why` for people."""

    algorithm: Algorithm
    reason: Reason
    why: str


def one_sided(vote_counts: FloatArray) -> BoolArray:
    """Functions that vote for one class only, bool [n_functions], from votes for each class, float64 [n_functions, n_classes]."""
    flags: BoolArray = (vote_counts > 0).sum(axis=1) == 1
    return flags


def infer_abstain(
    patterns: Votes, counts: FloatArray, vote_counts: FloatArray, chi_squared: float = CHI_SQUARED, cramer: float = CRAMER
) -> tuple[Abstain, ...]:
    """The reading of each function's abstain in a bare matrix; see the module's docstring.

    Args:
        patterns: int8 [n_patterns, n_functions]; counts: float64 [n_patterns]; vote_counts: float64 [n_functions, n_classes].
    """
    tests = abstain_tests(patterns, counts, vote_counts.shape[1]) if vote_counts.any() else np.zeros((len(vote_counts), 2))
    return named_readings(tests, vote_counts, chi_squared, cramer)


def named_readings(tests: FloatArray, vote_counts: FloatArray, chi_squared: float, cramer: float) -> tuple[Abstain, ...]:
    """The readings that thresholds make of tests (`abstain_tests`)."""
    votes = vote_counts.sum(axis=1)
    if not votes.any():
        return _named(np.zeros(len(votes), dtype=bool))
    dependent = (tests[:, 0] >= chi_squared) & (tests[:, 1] >= cramer)
    sided = one_sided(vote_counts)
    rules = max(votes[dependent].sum(), votes[sided].sum()) >= RULES_SHARE * votes.sum()
    evidence = dependent | (sided & rules)
    return _named(evidence)


def _named(evidence: BoolArray) -> tuple[Abstain, ...]:
    return tuple("evidence" if flag else "missing" for flag in evidence)


def abstain_tests(patterns: Votes, counts: FloatArray, classes: int) -> FloatArray:
    """Chi-squared a degree of freedom and Cramer's V of each function's voting, float64 [n_functions, 2]; see the module's docstring."""
    stride = -(-len(counts) // PATTERNS) or 1
    patterns, counts = patterns[::stride], counts[::stride] * stride
    tallies = tally(patterns, classes)
    return np.array([_dependence(votes, tallies, counts) for votes in patterns.T])


def _dependence(votes: Votes, tallies: FloatArray, counts: FloatArray) -> tuple[float, float]:
    """(chi-squared a degree of freedom, Cramer's V) of voting against the plurality of the others' votes (ties shared)."""
    voting = np.flatnonzero(votes != ABSTAIN)
    others = tallies.copy()
    others[votes[voting], voting] -= 1
    best = others.max(axis=0)
    plurality = (others == best) * (best > 0)
    shares = plurality * (counts / np.maximum(plurality.sum(axis=0), 1))
    rows, voted = shares.sum(axis=1), shares[:, voting].sum(axis=1)
    named = rows > 0
    rate = voted.sum() / max(rows.sum(), 1.0)
    if np.count_nonzero(named) < 2 or not 0 < rate < 1:
        return 0.0, 0.0
    chi = float(((voted[named] - rate * rows[named]) ** 2 / (rate * (1 - rate) * rows[named])).sum())
    return chi / (np.count_nonzero(named) - 1), float(np.sqrt(chi / rows.sum()))


def choose_algorithm(vote_counts: FloatArray, comparable: FloatArray, abstain: Sequence[Abstain], known: BoolArray | None = None) -> Choice | None:
    """The algorithm when no fit is needed to tell; else None.

    Args:
        vote_counts: float64 [n_functions, n_classes]; comparable: float64 [n_functions], a function's votes beside another's, or beside gold.
        known: bool [n_classes], the classes of which some rows are known; None when no class is. They tell what votes alone cannot.
    """
    voting = vote_counts.any(axis=1)
    named = vote_counts.any(axis=0)
    classes = int(np.count_nonzero(named if known is None else named | known))
    if not voting.any():
        return Choice("majority-vote", "NoVotes", "no function votes on any row, so there is nothing to learn from")
    if classes < 2:
        return Choice("majority-vote", "OneClassVoted", "all votes name one class, so nothing tells a right vote from a wrong one")
    overlapping = int(np.count_nonzero(comparable))
    if known is not None and (overlapping < LEAST_FUNCTIONS or np.count_nonzero(named) < 2):
        return Choice("dawid-skene", "Taught", f"{overlapping} functions vote on rows where others do: what they are worth is told by the rows whose class is known")
    if overlapping < LEAST_FUNCTIONS:
        return Choice(
            "majority-vote",
            "TooFewFunctions",
            f"{overlapping} functions vote on rows where others do; below {LEAST_FUNCTIONS} their accuracies cannot be told apart",
        )
    outcomes = np.count_nonzero(vote_counts, axis=1) + np.array([reading == "evidence" for reading in abstain])
    if known is None and not identifiable(outcomes[comparable > 0], classes):
        why = f"{overlapping} overlapping functions have too few outcomes to identify confusions of {classes} classes"
        return Choice("weighted-vote", "NotIdentifiable", f"{why}: one accuracy a function is what they can show")
    return None


def identifiable(outcomes: IntArray, classes: int) -> bool:
    """Whether confusions are generically identifiable up to the naming of classes (Allman, Matias & Rhodes 2009, theorem 4).

    Three groups of functions with rank min(classes, product of outcomes) each suffice when the ranks sum to 2 classes + 2; the groups are
    filled greedily, so a False may be too careful.

    Args:
        outcomes: int64 [n_functions], outcomes of each function that votes where others do.
    """
    ranks = [1, 1, 1]
    for count in sorted(outcomes.tolist(), reverse=True):
        smallest = ranks.index(min(ranks))
        ranks[smallest] = min(classes, ranks[smallest] * count)
    return sum(ranks) >= 2 * classes + 2
