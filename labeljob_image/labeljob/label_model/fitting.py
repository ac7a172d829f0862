"""From vote statistics to a fitted model: the one place that puts the algorithms and their guards together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from labeljob.label_model import dawid_skene, majority_vote, weighted_vote
from labeljob.label_model.assembly import fit_alone, from_finding
from labeljob.label_model.committee import Finding, deliberate
from labeljob.label_model.fits import Bench
from labeljob.label_model.model import FittedLabelModel, normalised
from labeljob.label_model.packing import pack
from labeljob.label_model.selection import Abstain, Choice, choose_algorithm, infer_abstain, one_sided
from labeljob.label_model.statistics import VoteStatistics
from labeljob.votes import ABSTAIN, BoolArray, EmptyVotesError, FloatArray, IntArray, Votes, VotesError

AlgorithmArgument: TypeAlias = Literal["auto", "majority-vote", "weighted-vote", "one-coin", "dawid-skene", "hierarchical-dawid-skene", "ebcc"]
AbstainArgument: TypeAlias = Literal["auto", "evidence", "missing"]

PRIOR_VOTES = 10.0  # pseudo-votes of each function for each class in Dawid-Skene
ODDS = (1.5, 20.0)  # bounds of the better-than-random odds that pooled agreement gives
FARTHEST = 0.3  # total variation between the classes of covered rows by Dawid-Skene and by majority vote, above which EM has collapsed


@dataclass(frozen=True)
class Evidence:
    """What every algorithm starts from.

    Attributes:
        patterns: int8 [n_patterns, n_functions]; counts: float64 [n_patterns].
        vote_counts: float64 [n_functions, n_classes].
        agreeing, comparable: float64 [n_functions], see `weighted_vote.agreement`.
        abstain: the reading of each function's abstain.
        class_balance: float64 [n_classes], when it is given. known: int64 [n_patterns], or None.
    """

    patterns: Votes
    counts: FloatArray
    vote_counts: FloatArray
    agreeing: FloatArray
    comparable: FloatArray
    abstain: tuple[Abstain, ...]
    class_balance: FloatArray | None
    known: IntArray | None = None

    @property
    def classes(self) -> int:
        """Number of classes."""
        return int(self.vote_counts.shape[1])

    @property
    def sided(self) -> BoolArray:
        """Functions that vote for one class only, bool [n_functions]."""
        return one_sided(self.vote_counts)

    def accuracies(self) -> FloatArray:
        """Shrunk agreement of each function, float64 [n_functions]."""
        told = np.zeros(len(self.agreeing)) if self.known is None else _against_known(self.patterns, self.counts, self.known)[1]
        return weighted_vote.shrunk_accuracies(self.agreeing, self.comparable, self.classes, self.sided & (told == 0))


def fit_statistics(
    statistics: VoteStatistics,
    cardinality: int,
    *,
    algorithm: AlgorithmArgument = "auto",
    abstain: Sequence[AbstainArgument] | None = None,
    class_balance: Any = None,
    max_iterations: int = 100,
    tolerance: float = 1e-6,
    seed: int = 0,
    known: IntArray | None = None,
) -> FittedLabelModel:
    """Fit a label model on vote statistics; deterministic, and the inputs are not changed.

    Args:
        cardinality: number of classes, at least 2.
        algorithm: a name, or auto (see `selection`).
        abstain: one reading for each function; auto (or None for all) infers it from the votes.
        class_balance: [n_classes] positive shares that sum to 1, or None (or "auto") to learn it.
        max_iterations, tolerance: EM stops after that many rounds, or when the objective rises by at most `tolerance` nats a row.
        seed: of what starts at random.
        known: int64 [n_patterns], the known class of the rows of each pattern, or -1 (a pattern may be there once for each); see
            `semi_supervised`. Majority vote does not use it.
    Raises:
        EmptyVotesError: there are no rows. VotesError: a vote beyond `cardinality`. ValueError: an argument that cannot be.
    """
    _check_arguments(statistics, cardinality, algorithm, max_iterations, tolerance)
    balance = check_class_balance(class_balance, cardinality)
    known = None if known is None or (known == ABSTAIN).all() else known
    evidence = _gather(statistics, cardinality, abstain, balance, known)
    bench = _bench(statistics, evidence, max_iterations, tolerance, seed)
    if algorithm != "auto":
        return _fit(Choice(algorithm, "Requested", f"{algorithm} was asked for"), evidence, bench)
    choice = choose_algorithm(evidence.vote_counts, evidence.comparable, evidence.abstain)
    return from_finding(deliberate(bench), bench, evidence.abstain) if choice is None else _fit(choice, evidence, bench)


def _bench(statistics: VoteStatistics, evidence: "Evidence", max_iterations: int, tolerance: float, seed: int) -> Bench:
    return Bench(
        statistics,
        evidence.vote_counts,
        np.array([reading == "evidence" for reading in evidence.abstain]),
        evidence.accuracies(),
        weighted_vote.pooled_agreement(evidence.agreeing, evidence.comparable, evidence.classes),
        evidence.class_balance,
        max_iterations,
        tolerance,
        seed,
        evidence.known,
    )


def _check_arguments(statistics: VoteStatistics, cardinality: int, algorithm: str, max_iterations: int, tolerance: float) -> None:
    if cardinality < 2:
        raise ValueError(f"a label model needs at least 2 classes; got cardinality {cardinality}")
    if algorithm not in get_args(AlgorithmArgument):
        raise ValueError(f"unknown algorithm {algorithm!r}: use one of {', '.join(get_args(AlgorithmArgument))}")
    if max_iterations < 1 or not tolerance >= 0:
        raise ValueError(f"maxIterations is at least 1 and tolerance at least 0; got {max_iterations} and {tolerance}")
    if statistics.rows == 0:
        raise EmptyVotesError("the label matrix has no rows, so there is nothing to fit")
    highest = int(statistics.patterns.max())
    if highest >= cardinality:
        raise VotesError(f"there is a vote for class {highest}, which is not one of {cardinality} classes (0 to {cardinality - 1})")


def check_class_balance(class_balance: Any, cardinality: int) -> FloatArray | None:
    """The class balance as float64 [n_classes], None when it is to be learned; ValueError names the class whose share cannot be."""
    if class_balance is None or (isinstance(class_balance, str) and class_balance == "auto"):
        return None
    if isinstance(class_balance, str):
        raise ValueError(f"class_balance is {class_balance!r}: use auto, or one share for each class")
    balance = np.array(class_balance, dtype=np.float64)
    if balance.shape != (cardinality,):
        raise ValueError(f"class_balance has one share for each of {cardinality} classes; got shape {balance.shape}")
    wrong = np.flatnonzero(~(balance > 0) | ~np.isfinite(balance))
    if wrong.size:
        raise ValueError(f"class_balance[{wrong[0]}] is {balance[wrong[0]]:g}: the share of class {wrong[0]} must be above 0")
    if abs(balance.sum() - 1) > 1e-6:
        raise ValueError(f"class_balance sums to {balance.sum():g}; the shares of all classes sum to 1")
    return np.asarray(balance / balance.sum())


def _gather(
    statistics: VoteStatistics, classes: int, abstain: Sequence[AbstainArgument] | None, class_balance: FloatArray | None, known: IntArray | None
) -> Evidence:
    patterns, counts = statistics.patterns, statistics.counts.astype(np.float64)
    vote_counts = np.stack([counts @ (patterns == k) for k in range(classes)], axis=1)
    unknown = counts if known is None else np.where(known == ABSTAIN, counts, 0.0)
    agreeing, comparable = weighted_vote.agreement(patterns, unknown, classes)
    if known is not None:
        right, judged = _against_known(patterns, counts, known)
        least = np.where(one_sided(vote_counts), 0.0, weighted_vote.SHRINKAGE / np.maximum(comparable, 1.0))
        proxy = np.where(judged > 0, np.minimum(1.0, least), 1.0)  # gold is what agreement stands in for
        agreeing, comparable = agreeing * proxy + right, comparable * proxy + judged
    readings = _readings(statistics, counts, vote_counts, abstain)
    return Evidence(patterns, counts, vote_counts, agreeing, comparable, readings, class_balance, known)


def _against_known(patterns: Votes, counts: FloatArray, known: IntArray) -> tuple[FloatArray, FloatArray]:
    """(right votes, votes) of each function on rows whose class is known, float64 [n_functions] each."""
    given = counts * (known != ABSTAIN)
    return given @ (patterns == known[:, None]), given @ (patterns != ABSTAIN)


def _readings(
    statistics: VoteStatistics, counts: FloatArray, vote_counts: FloatArray, abstain: Sequence[AbstainArgument] | None
) -> tuple[Abstain, ...]:
    given = tuple(abstain) if abstain is not None else ("auto",) * statistics.functions
    if len(given) != statistics.functions or any(reading not in get_args(AbstainArgument) for reading in given):
        raise ValueError(f"abstain is one of auto, evidence, missing for each of {statistics.functions} functions; got {list(given)}")
    inferred = infer_abstain(statistics.patterns, counts, vote_counts) if "auto" in given else given
    return tuple(guess if reading == "auto" else reading for reading, guess in zip(given, inferred, strict=True))  # type: ignore[misc]


def _fit(choice: Choice, evidence: Evidence, bench: Bench) -> FittedLabelModel:
    one_class = np.count_nonzero(evidence.vote_counts.any(axis=0)) < 2
    if one_class and choice.algorithm not in ("majority-vote", "weighted-vote"):
        choice = Choice("weighted-vote", "OneClassVoted", "all votes name one class: no confusion to learn")
    if choice.algorithm == "dawid-skene":
        return _fit_dawid_skene(choice, evidence, bench.max_iterations, bench.tolerance, bench.seed)
    if choice.algorithm in ("majority-vote", "weighted-vote"):
        return _vote_model(choice, evidence, bench.seed)
    return from_finding(Finding((fit_alone(choice.algorithm, bench),), None, choice.reason, choice.why), bench, evidence.abstain)


def _vote_model(choice: Choice, evidence: Evidence, seed: int) -> FittedLabelModel:
    """Majority vote or weighted vote: parameters in closed form."""
    accuracies, classes = evidence.accuracies(), evidence.classes
    if choice.algorithm == "majority-vote":
        balance = np.full(classes, 1 / classes)
        log_weights = np.zeros((len(accuracies), 1 + classes, classes))
    else:
        # Only functions that name several classes say how common each class is; one-sided rules reflect what rules were written.
        balance = majority_vote.class_shares(evidence.patterns[:, ~evidence.sided], evidence.counts, classes)
        log_weights = weighted_vote.one_coin_log_weights(accuracies, classes)
    given = evidence.class_balance
    return _model(choice, evidence, balance if given is None else given, log_weights, accuracies, (0, True), seed)


def _fit_dawid_skene(choice: Choice, evidence: Evidence, max_iterations: int, tolerance: float, seed: int) -> FittedLabelModel:
    """Dawid-Skene on the classes that get votes; when EM collapses, again with the class balance held at the majority vote's."""
    evidence = _informative(evidence)
    voted = np.flatnonzero(evidence.vote_counts.any(axis=0))
    index = np.full(evidence.classes + 1, ABSTAIN, dtype=evidence.patterns.dtype)
    index[voted] = np.arange(len(voted))
    patterns = index[evidence.patterns]  # -1 takes the last entry, which is ABSTAIN
    majority = majority_vote.class_shares(patterns, evidence.counts, len(voted))
    given = None if evidence.class_balance is None else evidence.class_balance[voted] / evidence.class_balance[voted].sum()
    if evidence.known is not None:
        evidence = replace(evidence, known=index[evidence.known].astype(np.int64))
    result = _run(evidence, patterns, majority if given is None else given, given is not None, max_iterations, tolerance)
    if given is None and _distance(result, patterns, evidence.counts, majority) > FARTHEST:
        choice = Choice("dawid-skene", "Collapsed", f"{choice.why}; EM left the majority vote, so its class balance was held")
        result = _run(evidence, patterns, majority, True, max_iterations, tolerance)
    balance, log_weights = _all_classes(result.parameters, voted, evidence)
    accuracies = _vote_accuracies(balance, log_weights)
    return _model(choice, evidence, balance, log_weights, accuracies, (result.iterations, result.converged), seed)


def _informative(evidence: Evidence) -> Evidence:
    """Without the rows nobody votes on when no abstain is evidence: they say nothing and only slow EM down."""
    covered = (evidence.patterns != ABSTAIN).any(axis=1)
    if "evidence" in evidence.abstain or covered.all():
        return evidence
    known = None if evidence.known is None else evidence.known[covered]
    return replace(evidence, patterns=evidence.patterns[covered], counts=evidence.counts[covered], known=known)


def _run(
    evidence: Evidence, patterns: Votes, balance: FloatArray, balance_is_given: bool, max_iterations: int, tolerance: float
) -> dawid_skene.EmResult:
    classes = len(balance)
    is_evidence = np.array([reading == "evidence" for reading in evidence.abstain])
    pooled = weighted_vote.pooled_agreement(evidence.agreeing, evidence.comparable, classes)
    odds = float(np.clip(pooled * (classes - 1) / max(1 - pooled, 1e-9), *ODDS))
    prior = dawid_skene.make_prior(patterns, evidence.counts, is_evidence, classes, odds, PRIOR_VOTES)
    held_weights = weighted_vote.one_coin_log_weights(evidence.accuracies(), classes)
    problem = dawid_skene.make_problem(prior, balance, balance_is_given, evidence.sided & ~is_evidence, held_weights)
    return dawid_skene.run_em(patterns, evidence.counts, problem, max_iterations, tolerance, evidence.known)


def _distance(result: dawid_skene.EmResult, patterns: Votes, counts: FloatArray, majority: FloatArray) -> float:
    """Total variation between the class shares of covered rows by the model and by majority vote, in [0, 1]."""
    covered = (patterns != ABSTAIN).any(axis=1) * counts
    expected = normalised(dawid_skene.log_joint(pack(patterns, 1 + len(majority)), result.parameters)) @ covered
    return float(np.abs(expected / covered.sum() - majority).sum() / 2)


def _all_classes(parameters: dawid_skene.Parameters, voted: Any, evidence: Evidence) -> tuple[FloatArray, FloatArray]:
    """(class balance, log weights) with the classes nobody votes for, whose weight is the least of any class: they never win."""
    classes = evidence.classes
    balance = np.full(classes, dawid_skene.BALANCE_ROWS / (evidence.counts.sum() + classes))
    balance[voted] = np.exp(parameters.log_balance) * (1 - balance[0] * (classes - len(voted)))
    of_voted = np.repeat(parameters.log_confusion.min(axis=2, keepdims=True), classes, axis=2)
    of_voted[:, :, voted] = parameters.log_confusion
    log_weights = weighted_vote.one_coin_log_weights(evidence.accuracies(), classes)  # stands for outcomes never seen
    log_weights[:, 0] = of_voted[:, 0]
    log_weights[:, 1 + voted] = of_voted[:, 1:]
    return balance if evidence.class_balance is None else evidence.class_balance, log_weights


def _vote_accuracies(balance: FloatArray, log_weights: FloatArray) -> FloatArray:
    """Probability that a vote is right under the model, float64 [n_functions]."""
    joint = np.exp(log_weights[:, 1:, :]) * balance
    return np.asarray(np.einsum("jkk->j", joint) / joint.sum(axis=(1, 2)))


def _model(
    choice: Choice,
    evidence: Evidence,
    balance: FloatArray,
    log_weights: FloatArray,
    accuracies: FloatArray,
    em: tuple[int, bool],
    seed: int,
) -> FittedLabelModel:
    never = ~evidence.vote_counts.any(axis=1)
    return FittedLabelModel(
        algorithm=choice.algorithm,
        reason=choice.reason,
        why=choice.why,
        class_balance=np.array(balance),
        log_weights=np.array(log_weights),
        abstain=evidence.abstain,
        accuracies=np.where(never, np.nan, accuracies),
        iterations=em[0],
        converged=em[1],
        seed=seed,
    )
