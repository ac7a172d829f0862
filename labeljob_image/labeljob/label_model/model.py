"""`FittedLabelModel`: the learned parameters as a frozen value, and what it says of votes.

A model with one accuracy or confusion a function is log-linear: log p(class | row) = log prior + sum of one log weight for each function's
outcome, up to the normaliser. Majority vote is not: its probabilities are shares of votes. Nor is a committee: its probabilities are a mean
over members, each log-linear in hidden states that may be finer than the classes.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from labeljob.label_model.majority_vote import tally, vote_shares
from labeljob.label_model.packing import pack, sum_tables
from labeljob.label_model.selection import Abstain, Algorithm, Reason
from labeljob.label_model.sums import class_sums
from labeljob.label_model.weighted_vote import one_coin_log_weights
from labeljob.votes import ABSTAIN, FloatArray, IntArray, Votes, VotesError, validate_votes

CHUNK_ROWS = 1 << 16
COMPACT_CELLS = 1 << 20
SMALLEST = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True, eq=False)
class Member:
    """One model of a committee.

    Attributes:
        name: for people. share: of the vote; the shares of a committee sum to 1.
        log_prior: float64 [n_states], in nats. log_weights: float64 [n_functions, 1 + n_classes, n_states], outcome 0 is abstain.
        classes: int64 [n_states], the class of a state; -1 for one that says nothing of the class.
    """

    name: str
    share: float
    log_prior: FloatArray
    log_weights: FloatArray
    classes: IntArray

    def __post_init__(self) -> None:
        for array in (self.log_prior, self.log_weights, self.classes):
            array.setflags(write=False)


@dataclass(frozen=True, eq=False)
class FittedLabelModel:
    """A fitted label model.

    Attributes:
        algorithm, reason, why: what was fitted and why; `reason` for programs, `why` for people.
        class_balance: float64 [n_classes], sums to 1: the posterior of a row before any outcome counts.
        log_weights: float64 [n_functions, 1 + n_classes, n_classes], log likelihood (nats) of outcome (0 abstain, 1 + class) given class; of a
            committee the mean over its members, which says how functions compare and is not what it predicts with.
        abstain: the reading of each function's abstain.
        accuracies: float64 [n_functions], estimated probability that a vote is right; NaN for a function that never voted.
        iterations, converged: of EM; 0 and True where nothing iterates.
        seed: of what starts at random.
        members: of a committee; empty for every other algorithm.
        discounts: float64 [n_functions] in (0, 1], how much each counts beside those that repeat it; None where nothing was discounted.
        dependent: pairs of functions (i < j) that repeat one another and their residual correlation, strongest first.
        notes: what a person should know of this fit.
        accuracy_intervals: float64 [n_functions, 2], 95 % interval of each accuracy (see `intervals`); None before it is computed.
        coins: float64 [n_functions], what a vote adds to the class that it names (nats; votes for majority vote), of a model with too many classes
            for a table of rates (see `compact`): then `log_weights` is empty. Else None.
    """

    algorithm: Algorithm
    reason: Reason
    why: str
    class_balance: FloatArray
    log_weights: FloatArray
    abstain: tuple[Abstain, ...]
    accuracies: FloatArray
    iterations: int
    converged: bool
    seed: int
    members: tuple[Member, ...] = ()
    discounts: FloatArray | None = None
    dependent: tuple[tuple[int, int, float], ...] = ()
    notes: tuple[str, ...] = ()
    accuracy_intervals: FloatArray | None = None
    coins: FloatArray | None = None

    def __post_init__(self) -> None:
        for array in (self.class_balance, self.log_weights, self.accuracies, self.discounts, self.accuracy_intervals, self.coins):
            if array is not None:
                array.setflags(write=False)

    @property
    def cardinality(self) -> int:
        """Number of classes."""
        return len(self.class_balance)

    @property
    def functions(self) -> int:
        """Number of labeling functions."""
        return len(self.abstain)


def posterior(model: FittedLabelModel, L: Any) -> FloatArray:
    """Probability of each class for each row; the answer for a row does not depend on the other rows, to the last bit.

    Args:
        L: [n_rows, n_functions], as `validate_votes` accepts; there may be no rows.
    Returns:
        float64 [n_rows, n_classes]. A row nobody votes on gets the posterior given that all abstained.
    Raises:
        VotesError: bad votes, or another number of functions than the model was fitted on.
    """
    votes = votes_of(model, L)
    probabilities = np.empty((votes.shape[0], model.cardinality))
    size = CHUNK_ROWS if model.coins is None else max(1, COMPACT_CELLS // model.cardinality)
    for start in range(0, votes.shape[0], size):
        chunk = votes[start : start + size]
        probabilities[start : start + size] = _posterior_of_chunk(model, chunk).T
    return probabilities


def _posterior_of_chunk(model: FittedLabelModel, votes: Votes) -> FloatArray:
    if model.coins is not None:
        return posterior_of_sums(model, class_sums(votes, model.coins, model.cardinality).T)
    if model.algorithm == "majority-vote":
        return vote_shares(tally(votes, model.cardinality), model.class_balance)
    packed = pack(votes, 1 + model.cardinality)
    if not model.members:
        return normalised(sum_tables(packed, model.log_weights) + np.log(model.class_balance)[:, None])
    total = np.zeros((model.cardinality, votes.shape[0]))
    for member in model.members:
        total += member.share * classes_of_states(member, sum_tables(packed, member.log_weights) + member.log_prior[:, None], model.cardinality)
    return total


def posterior_of_sums(model: FittedLabelModel, sums: FloatArray) -> FloatArray:
    """The posterior float64 [n_classes, n_rows] of a model with `coins` from the sums of a row's votes, likewise."""
    if model.algorithm == "majority-vote":
        return vote_shares(sums, model.class_balance)
    return normalised(sums + np.log(model.class_balance)[:, None])


def classes_of_states(member: Member, joint: FloatArray, classes: int) -> FloatArray:
    """Probability of each class, float64 [n_classes, n_rows], from a member's joint log probability of its states, float64 [n_states, n_rows]."""
    probabilities, states = np.zeros((classes, joint.shape[1])), normalised(joint)
    balance = prior_of_classes(member, classes)
    for of_state, k in zip(states, member.classes, strict=True):
        if k == ABSTAIN:
            probabilities += of_state * balance[:, None]
        else:
            probabilities[k] += of_state
    return probabilities


def prior_of_classes(member: Member, classes: int) -> FloatArray:
    """A member's class balance before any outcome counts, float64 [n_classes]."""
    known = member.classes != ABSTAIN
    balance = np.bincount(member.classes[known], weights=np.exp(member.log_prior[known]), minlength=classes)
    return np.asarray(balance / balance.sum())


def normalised(joint: FloatArray) -> FloatArray:
    """exp(joint) scaled to sum to 1 over classes, without overflow; float64 [n_classes, n_rows] in and out."""
    scaled = np.exp(joint - joint.max(axis=0))
    total = np.zeros(joint.shape[1])
    for of_class in scaled:  # in class order: the same last bit for any number of rows
        total += of_class
    return np.asarray(scaled / total)


def fallback_posterior(model: FittedLabelModel, L: Any, accuracies: FloatArray) -> FloatArray:
    """Probability of each class for rows on which only fallback functions vote, which the model was not fitted on.

    The posterior given that all fitted functions abstained is updated by each fallback vote, right with its declared accuracy.

    Args:
        L: [n_rows, n_fallbacks] votes; accuracies: float64 [n_fallbacks], strictly between 0 and 1.
    Returns:
        float64 [n_rows, n_classes].
    """
    votes = validate_votes(L, model.cardinality)
    abstained = posterior(model, np.full((1, model.functions), ABSTAIN))[0]
    packed = pack(votes, 1 + model.cardinality)
    joint = sum_tables(packed, one_coin_log_weights(accuracies, model.cardinality)) + np.log(np.maximum(abstained, SMALLEST))[:, None]
    return normalised(joint).T


def votes_of(model: FittedLabelModel, L: Any) -> Votes:
    votes = validate_votes(L, model.cardinality)
    if votes.shape[1] != model.functions:
        raise VotesError(f"the model was fitted on {model.functions} labeling functions; got {votes.shape[1]} columns")
    return votes


def estimated_accuracy(model: FittedLabelModel) -> FloatArray:
    """Estimated probability that a vote of each function is right, float64 [n_functions]; NaN for one that never voted."""
    return model.accuracies


def weights(model: FittedLabelModel) -> FloatArray:
    """How much a vote of each function counts, float64 [n_functions].

    In nats: by how much a vote raises the class it names over the other classes' mean, averaged over the classes in proportion to the
    model's vote rates. For the weighted vote that is log(a (K - 1) / (1 - a)). Majority vote: 1 for all.
    """
    if model.algorithm == "majority-vote":
        return np.ones(model.functions)
    if model.coins is not None:
        return model.coins.copy()
    votes, K = model.log_weights[:, 1:, :], model.cardinality
    own = np.diagonal(votes, axis1=1, axis2=2)
    margin = (own - (votes.sum(axis=2) - own) / (K - 1)) if K > 1 else own
    rate = np.exp(votes) @ model.class_balance
    return np.asarray((margin * rate).sum(axis=1) / rate.sum(axis=1))
