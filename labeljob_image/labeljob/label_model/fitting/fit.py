"""From vote statistics to a fitted model: the one place that puts the algorithms and their guards together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from labeljob.label_model.algorithms import compact, dawid_skene, majority_vote, one_coin, weighted_vote
from labeljob.label_model.algorithms.vote_pairs import agreed_accuracies
from labeljob.label_model.em import climbing
from labeljob.label_model.em.expectation import Expected
from labeljob.label_model.em.known_rows import SMALLEST
from labeljob.label_model.fitting.arguments import (
    AbstainArgument,
    AlgorithmArgument,
    QuestionAlgorithm,
    check_arguments,
    check_class_balance,
    check_known,
    check_prior_accuracy,
    check_start,
)
from labeljob.label_model.fitting.assembly import fit_alone, from_finding
from labeljob.label_model.fitting.committee import deliberate
from labeljob.label_model.fitting.fits import Bench
from labeljob.label_model.fitting.gathering import Evidence, gather_counts
from labeljob.label_model.fitting.intervals import with_intervals
from labeljob.label_model.fitting.members import Finding
from labeljob.label_model.fitting.notes import adversarial_note, worse_than_random
from labeljob.label_model.fitting.rules import discounted_rules
from labeljob.label_model.fitting.selection import Choice, choose_algorithm
from labeljob.label_model.model import FittedLabelModel
from labeljob.label_model.posteriors import normalised
from labeljob.label_model.statistics.histograms import outcome_counts
from labeljob.label_model.statistics.vote_statistics import VoteStatistics
from labeljob.label_model.statistics.weighted_votes import WeightedVotes, weigh
from labeljob.votes import ABSTAIN, BoolArray, FloatArray, IntArray

EXACT = ("auto", "majority-vote", "weighted-vote")  # need how often functions agree on all patterns; others only to start from it
PRIOR_VOTES = 10.0  # pseudo-votes of each function for each class in Dawid-Skene
FARTHEST = 0.3  # total variation between the classes of covered rows by Dawid-Skene and by majority vote, above which EM has collapsed


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
    """Fit a label model on vote statistics, and on the classes that they know (`semi_supervised`); deterministic, and the inputs are not changed.

    Args:
        cardinality: number of classes, at least 2.
        algorithm: a name, or auto (see `selection`).
        abstain: one reading for each function; auto (or None for all) infers it from the votes.
        class_balance: [n_classes] positive shares that sum to 1, or None (or "auto") to learn it.
        max_iterations, tolerance: EM stops after that many rounds, or when a further one is expected to raise the objective by at most `tolerance` nats a row;
            the levels of `auto` at 1e-4 already.
        seed: of what starts at random.
        prior_accuracy: the guard "better than random on average": how often a vote is right before functions are compared. Every algorithm
            starts there and shrinks functions with few votes to it, and it decides between a solution and its mirror image. Above 1/K,
            below 1; None takes it from how often functions agree.
        start: an earlier model of the same functions and classes: EM starts from what it says of the votes, which on grown data is near the
            end. What does not iterate ignores it; from one that ends worse than random on average the fit starts afresh.
    Raises:
        EmptyVotesError: there are no rows. VotesError: a vote beyond `cardinality`. ValueError: an argument that cannot be.
    """
    check_arguments(statistics, cardinality, algorithm, max_iterations, tolerance)
    balance = check_class_balance(class_balance, cardinality)
    check_start(start, statistics, cardinality)
    check_prior_accuracy(prior_accuracy, cardinality)
    check_known(statistics.known, algorithm, cardinality, compact.is_needed(statistics.functions, cardinality))
    if compact.is_needed(statistics.functions, cardinality):
        return compact.fit(statistics, cardinality, algorithm, balance, prior_accuracy, max_iterations, seed)
    evidence = gather_counts(statistics, cardinality, abstain, balance, prior_accuracy, start, exact=algorithm in EXACT)
    bench = _bench(algorithm, statistics, evidence, max_iterations, tolerance, seed)
    model = _model_of(algorithm, evidence, bench)
    if start is not None and worse_than_random(model.accuracies, bench.votes, cardinality):
        model = _model_of(algorithm, replace(evidence, start=None), replace(bench, warm=None))
    return model


def _model_of(algorithm: AlgorithmArgument | QuestionAlgorithm, evidence: Evidence, bench: Bench) -> FittedLabelModel:
    if algorithm != "auto":
        return _fit(Choice(algorithm, "Requested", f"{algorithm} was asked for"), evidence, bench)
    choice = choose_algorithm(evidence.vote_counts, evidence.comparable, evidence.abstain, _known_classes(evidence))
    return from_finding(deliberate(bench), bench, evidence.abstain) if choice is None else _fit(choice, evidence, bench)


def _bench(algorithm: str, statistics: VoteStatistics, evidence: Evidence, max_iterations: int, tolerance: float, seed: int) -> Bench:
    if algorithm == "one-coin" and evidence.known is None:
        accuracies, pooled = agreed_accuracies(one_coin.sample_of(evidence.rows), evidence.sided, evidence.prior_accuracy)
    else:
        accuracies, pooled = evidence.accuracies(), evidence.pooled
    is_evidence = np.array([reading == "evidence" for reading in evidence.abstain])
    return Bench(statistics, evidence.vote_counts, is_evidence, accuracies, pooled, evidence.class_balance, max_iterations, tolerance, seed, evidence.start)


def _fit(choice: Choice, evidence: Evidence, bench: Bench) -> FittedLabelModel:
    one_class = np.count_nonzero(_named_classes(evidence)) < 2
    if one_class and choice.algorithm not in ("majority-vote", "weighted-vote"):
        choice = Choice("weighted-vote", "OneClassVoted", "all votes name one class: no confusion to learn")
    if choice.algorithm == "dawid-skene":
        return with_intervals(_fit_dawid_skene(choice, evidence, bench.max_iterations, bench.tolerance, bench.seed), bench.statistics)
    if choice.algorithm == "discounted-dawid-skene":
        return from_finding(discounted_rules(bench, choice.reason, choice.why), bench, evidence.abstain)
    if choice.algorithm in ("majority-vote", "weighted-vote"):
        return with_intervals(_vote_model(choice, evidence, bench.seed), bench.statistics)
    return from_finding(Finding(fit_alone(choice.algorithm, bench), None, choice.reason, choice.why), bench, evidence.abstain)


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
    voted = np.flatnonzero(_named_classes(evidence))
    every = _renamed(evidence, voted)
    taught = _known_rows(evidence, every, voted)
    rows = _informative(evidence, every if evidence.known is None else every.take(np.asarray(evidence.known == ABSTAIN)))
    majority = majority_vote.class_shares(rows.packed, rows.counts, len(voted))
    given = None if evidence.class_balance is None else evidence.class_balance[voted] / evidence.class_balance[voted].sum()
    result = _run(evidence, rows, taught, majority if given is None else given, given is not None, voted, max_iterations, tolerance)
    if given is None and _distance(result, rows, majority) > FARTHEST:
        held = _run(replace(evidence, start=None), rows, taught, majority, True, voted, max_iterations, tolerance)
        if taught is None or taught.log_loss(held.parameters) < taught.log_loss(result.parameters):
            choice = Choice("dawid-skene", "Collapsed", f"{choice.why}; EM left the majority vote, so its class balance was held")
            result = held
    balance, log_weights = _all_classes(result.parameters, voted, evidence)
    accuracies = _vote_accuracies(balance, log_weights)
    return _model(choice, evidence, balance, log_weights, accuracies, (result.iterations, result.converged), seed)


@dataclass(frozen=True)
class KnownRows:
    """Rows whose class is known, for Dawid-Skene: packed, how many, and the class of each, int64 [n_rows], numbered as the classes that are learned."""

    rows: WeightedVotes
    classes: IntArray

    def expected(self, count: int) -> Expected:
        """What they say in an M step."""
        of_class = (np.arange(count)[:, None] == self.classes) * self.rows.counts
        return Expected(outcome_counts(self.rows.packed, of_class), of_class.sum(axis=1))

    def log_loss(self, parameters: climbing.Parameters) -> float:
        """-log p(class | votes) in nats, summed."""
        posterior = dawid_skene.e_step(self.rows.packed, parameters)[0][self.classes, np.arange(len(self.classes))]
        return float(-np.log(np.maximum(posterior, SMALLEST)) @ self.rows.counts)


def _named_classes(evidence: Evidence) -> BoolArray:
    """Classes that get votes, or are known of a row, bool [n_classes]."""
    named = np.asarray(evidence.vote_counts.any(axis=0))
    known = _known_classes(evidence)
    return named if known is None else np.asarray(named | known)


def _known_classes(evidence: Evidence) -> BoolArray | None:
    """Classes of which some rows are known, bool [n_classes]; None when no class is."""
    return None if evidence.known is None else np.isin(np.arange(evidence.classes), evidence.known)


def _known_rows(evidence: Evidence, every: WeightedVotes, voted: IntArray) -> KnownRows | None:
    """The rows whose class is known among `every`."""
    if evidence.known is None:
        return None
    given = evidence.known != ABSTAIN
    return KnownRows(every.take(given), np.searchsorted(voted, evidence.known[given]))


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
    evidence: Evidence,
    rows: WeightedVotes,
    taught: KnownRows | None,
    balance: FloatArray,
    balance_is_given: bool,
    voted: IntArray,
    max_iterations: int,
    tolerance: float,
) -> climbing.EmResult[climbing.Parameters]:
    """EM from the prior's centre, from what known rows teach, or from where an earlier model ended; voted: int64, the classes that are learned."""
    classes = len(balance)
    is_evidence = np.array([reading == "evidence" for reading in evidence.abstain])
    odds = float(dawid_skene.odds_of(evidence.pooled, classes))
    both = rows if taught is None else replace(rows, outcomes=rows.outcomes + taught.rows.outcomes)
    prior = dawid_skene.make_prior(both, rows.counts, is_evidence, classes, odds, PRIOR_VOTES)
    accuracies = evidence.accuracies()
    held_weights = weighted_vote.one_coin_log_weights(accuracies, classes)
    votes = evidence.vote_counts.sum(axis=1)
    first = weighted_vote.sharpened(accuracies, votes, rows.part.packed.tallies, rows.part.counts)
    surer = np.where(evidence.sided | (votes == 0), 1.0, dawid_skene.odds_of(first, classes) / odds)
    problem = dawid_skene.make_problem(prior, balance, balance_is_given, evidence.sided & ~is_evidence, held_weights, surer)
    known = None if taught is None else taught.expected(classes)
    if known is not None:
        problem = replace(problem, start=problem.maximise(known))
    problem = _warmed(problem, evidence.start, voted)
    return climbing.run_em(rows, rows.counts, problem, max_iterations, tolerance, known=known)


def _warmed(problem: dawid_skene.Problem, start: FittedLabelModel | None, voted: IntArray) -> dawid_skene.Problem:
    """The problem, begun where an earlier model ended; majority vote has learned nothing to begin with."""
    if start is None or start.algorithm == "majority-vote":
        return problem
    weights = start.log_weights[:, np.concatenate([[0], 1 + voted])][:, :, voted]
    log_balance = problem.start.log_balance if problem.balance_is_given else np.log(start.class_balance[voted])
    held = problem.held[:, None, None]
    return replace(problem, start=climbing.Parameters(log_balance, np.where(held, problem.start.log_confusion, weights)))


def _distance(result: climbing.EmResult[climbing.Parameters], rows: WeightedVotes, majority: FloatArray) -> float:
    """Total variation between the class shares of covered rows by the model and by majority vote, in [0, 1]."""
    if not rows.total:
        return 0.0
    uncovered = rows.counts[~rows.packed.covered].sum()
    abstained = normalised((result.parameters.log_balance + result.parameters.log_confusion[:, 0].sum(axis=0))[:, None])[:, 0]
    expected = np.maximum(result.rows - uncovered * abstained, 0.0)
    return float(np.abs(expected / max(expected.sum(), 1e-300) - majority).sum() / 2)


def _all_classes(parameters: climbing.Parameters, voted: Any, evidence: Evidence) -> tuple[FloatArray, FloatArray]:
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
        noted=() if choice.algorithm == "majority-vote" else adversarial_note(accuracies, evidence.vote_counts.sum(axis=1), evidence.classes),
    )
