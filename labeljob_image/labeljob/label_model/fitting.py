"""From vote statistics to a fitted model: the one place that puts the algorithms and their guards together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np

from labeljob.label_model import compact, dawid_skene, majority_vote, weighted_vote
from labeljob.label_model.arguments import AbstainArgument, AlgorithmArgument, QuestionAlgorithm, check_arguments, check_class_balance, check_prior_accuracy, check_start
from labeljob.label_model.assembly import fit_alone, from_finding
from labeljob.label_model.committee import Finding, deliberate, discounted_rules
from labeljob.label_model.fits import Bench
from labeljob.label_model.intervals import with_intervals
from labeljob.label_model.model import FittedLabelModel
from labeljob.label_model.packing import WeightedVotes, weigh
from labeljob.label_model.posteriors import normalised
from labeljob.label_model.selection import Abstain, Choice, choose_algorithm, infer_abstain, one_sided
from labeljob.label_model.statistics import VoteStatistics, weighted_patterns
from labeljob.label_model.statistics import vote_counts as exact_vote_counts
from labeljob.votes import ABSTAIN, BoolArray, FloatArray, IntArray, Votes

PRIOR_VOTES = 10.0  # pseudo-votes of each function for each class in Dawid-Skene
ODDS = (1.5, 20.0)  # bounds of the better-than-random odds that pooled agreement gives
FARTHEST = 0.3  # total variation between the classes of covered rows by Dawid-Skene and by majority vote, above which EM has collapsed


@dataclass(frozen=True)
class Evidence:
    """What every algorithm starts from.

    Attributes:
        patterns: int8 [n_patterns, n_functions]; counts: float64 [n_patterns]; rows: both, packed.
        vote_counts: float64 [n_functions, n_classes].
        agreeing, comparable: float64 [n_functions], see `weighted_vote.agreement`.
        abstain: the reading of each function's abstain.
        class_balance: float64 [n_classes], when it is given.
        prior_accuracy: of a vote, before functions are compared, when it is given.
        start: the model whose posterior EM starts from, when it is given.
    """

    patterns: Votes
    rows: WeightedVotes
    counts: FloatArray
    vote_counts: FloatArray
    agreeing: FloatArray
    comparable: FloatArray
    abstain: tuple[Abstain, ...]
    class_balance: FloatArray | None
    prior_accuracy: float | None
    start: FittedLabelModel | None

    @property
    def classes(self) -> int:
        """Number of classes."""
        return int(self.vote_counts.shape[1])

    @property
    def sided(self) -> BoolArray:
        """Functions that vote for one class only, bool [n_functions]."""
        return one_sided(self.vote_counts)

    @property
    def pooled(self) -> float:
        """Accuracy of a vote before anything is known of its function: as given, else how often functions agree. Better than random."""
        if self.prior_accuracy is not None:
            return self.prior_accuracy
        return weighted_vote.pooled_agreement(self.agreeing, self.comparable, self.classes)

    def accuracies(self) -> FloatArray:
        """Shrunk agreement of each function, float64 [n_functions]."""
        return weighted_vote.shrunk_accuracies(self.agreeing, self.comparable, self.classes, self.sided, self.pooled)


def fit_statistics(
    statistics: VoteStatistics,
    cardinality: int,
    *,
    algorithm: AlgorithmArgument | QuestionAlgorithm = "auto",
    abstain: Sequence[AbstainArgument] | None = None,
    class_balance: Any = None,
    max_iterations: int = 100,
    tolerance: float = 1e-6,
    seed: int = 0,
    prior_accuracy: float | None = None,
    start: FittedLabelModel | None = None,
) -> FittedLabelModel:
    """Fit a label model on vote statistics, without gold; deterministic, and the inputs are not changed.

    Args:
        cardinality: number of classes, at least 2.
        algorithm: a name, or auto (see `selection`).
        abstain: one reading for each function; auto (or None for all) infers it from the votes.
        class_balance: [n_classes] positive shares that sum to 1, or None (or "auto") to learn it.
        max_iterations, tolerance: EM stops after that many rounds, or when the objective rises by at most `tolerance` nats a row.
        seed: of what starts at random.
        prior_accuracy: the guard "better than random on average": how often a vote is right before functions are compared. Every algorithm
            starts there and shrinks functions with few votes to it, and it decides between a solution and its mirror image. Above 1/K,
            below 1; None takes it from how often functions agree.
        start: an earlier model of the same functions and classes: EM starts from what it says of the votes, which on grown data is near the
            end. What does not iterate ignores it.
    Raises:
        EmptyVotesError: there are no rows. VotesError: a vote beyond `cardinality`. ValueError: an argument that cannot be.
    """
    check_arguments(statistics, cardinality, algorithm, max_iterations, tolerance)
    balance = check_class_balance(class_balance, cardinality)
    check_start(start, statistics, cardinality)
    check_prior_accuracy(prior_accuracy, cardinality)
    if compact.is_needed(statistics.functions, cardinality):
        return compact.fit(statistics, cardinality, algorithm, balance, prior_accuracy, max_iterations, seed)
    evidence = _gather(statistics, cardinality, abstain, balance, prior_accuracy, start)
    return with_intervals(_model_of(algorithm, evidence, _bench(statistics, evidence, max_iterations, tolerance, seed)), statistics)


def _model_of(algorithm: AlgorithmArgument | QuestionAlgorithm, evidence: Evidence, bench: Bench) -> FittedLabelModel:
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
        evidence.pooled,
        evidence.class_balance,
        max_iterations,
        tolerance,
        seed,
        evidence.start,
    )


def _gather(
    statistics: VoteStatistics,
    classes: int,
    abstain: Sequence[AbstainArgument] | None,
    class_balance: FloatArray | None,
    prior_accuracy: float | None,
    start: FittedLabelModel | None,
) -> Evidence:
    patterns, counts = statistics.patterns, statistics.weights
    rows = weighted_patterns(statistics, 1 + classes)
    vote_counts = exact_vote_counts(statistics, classes).astype(np.float64)
    agreeing, comparable = weighted_vote.agreement(rows, counts, classes)
    readings = _readings(statistics, counts, vote_counts, abstain)
    return Evidence(patterns, rows, counts, vote_counts, agreeing, comparable, readings, class_balance, prior_accuracy, start)


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
    if choice.algorithm == "discounted-dawid-skene":
        return from_finding(discounted_rules(bench, choice.reason, choice.why), bench, evidence.abstain)
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
        balance = majority_vote.class_shares(evidence.rows.packed, evidence.counts, classes, ~evidence.sided)
        log_weights = weighted_vote.one_coin_log_weights(accuracies, classes)
    given = evidence.class_balance
    return _model(choice, evidence, balance if given is None else given, log_weights, accuracies, (0, True), seed)


def _fit_dawid_skene(choice: Choice, evidence: Evidence, max_iterations: int, tolerance: float, seed: int) -> FittedLabelModel:
    """Dawid-Skene on the classes that get votes; when EM collapses, again with the class balance held at the majority vote's."""
    voted = np.flatnonzero(evidence.vote_counts.any(axis=0))
    rows = _informative(evidence, _renamed(evidence, voted))
    majority = majority_vote.class_shares(rows.packed, rows.counts, len(voted))
    given = None if evidence.class_balance is None else evidence.class_balance[voted] / evidence.class_balance[voted].sum()
    result = _run(evidence, rows, majority if given is None else given, given is not None, voted, max_iterations, tolerance)
    if given is None and _distance(result, rows, majority) > FARTHEST:
        choice = Choice("dawid-skene", "Collapsed", f"{choice.why}; EM left the majority vote, so its class balance was held")
        result = _run(replace(evidence, start=None), rows, majority, True, voted, max_iterations, tolerance)
    balance, log_weights = _all_classes(result.parameters, voted, evidence)
    accuracies = _vote_accuracies(balance, log_weights)
    return _model(choice, evidence, balance, log_weights, accuracies, (result.iterations, result.converged), seed)


def _renamed(evidence: Evidence, voted: IntArray) -> WeightedVotes:
    """The patterns with the classes that get votes numbered from 0."""
    if len(voted) == evidence.classes:
        return evidence.rows
    index = np.full(evidence.classes + 1, ABSTAIN, dtype=evidence.patterns.dtype)
    index[voted] = np.arange(len(voted))
    return weigh(index[evidence.patterns], evidence.counts, 1 + len(voted))  # -1 takes the last entry, which is ABSTAIN


def _informative(evidence: Evidence, rows: WeightedVotes) -> WeightedVotes:
    """Without the rows nobody votes on when no abstain is evidence: they say nothing and only slow EM down."""
    return rows if "evidence" in evidence.abstain else rows.covered()


def _run(
    evidence: Evidence, rows: WeightedVotes, balance: FloatArray, balance_is_given: bool, voted: IntArray, max_iterations: int, tolerance: float
) -> dawid_skene.EmResult:
    """EM from the prior's centre, or from where an earlier model ended; voted: int64, the classes that get votes."""
    classes = len(balance)
    is_evidence = np.array([reading == "evidence" for reading in evidence.abstain])
    pooled = evidence.pooled
    odds = float(np.clip(pooled * (classes - 1) / max(1 - pooled, 1e-9), *ODDS))
    prior = dawid_skene.make_prior(rows, rows.counts, is_evidence, classes, odds, PRIOR_VOTES)
    held_weights = weighted_vote.one_coin_log_weights(evidence.accuracies(), classes)
    problem = dawid_skene.make_problem(prior, balance, balance_is_given, evidence.sided & ~is_evidence, held_weights)
    problem = _warmed(problem, evidence.start, voted)
    return dawid_skene.run_em(rows, rows.counts, problem, max_iterations, tolerance)


def _warmed(problem: dawid_skene.Problem, start: FittedLabelModel | None, voted: IntArray) -> dawid_skene.Problem:
    """The problem, begun where an earlier model ended; majority vote has learned nothing to begin with."""
    if start is None or start.algorithm == "majority-vote":
        return problem
    weights = start.log_weights[:, np.concatenate([[0], 1 + voted])][:, :, voted]
    log_balance = problem.start.log_balance if problem.balance_is_given else np.log(start.class_balance[voted])
    held = problem.held[:, None, None]
    return replace(problem, start=dawid_skene.Parameters(log_balance, np.where(held, problem.start.log_confusion, weights)))


def _distance(result: dawid_skene.EmResult, rows: WeightedVotes, majority: FloatArray) -> float:
    """Total variation between the class shares of covered rows by the model and by majority vote, in [0, 1]."""
    uncovered = rows.counts[~rows.packed.covered].sum()
    abstained = normalised((result.parameters.log_balance + result.parameters.log_confusion[:, 0].sum(axis=0))[:, None])[:, 0]
    expected = np.maximum(result.rows - uncovered * abstained, 0.0)
    return float(np.abs(expected / max(expected.sum(), 1e-300) - majority).sum() / 2)


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
