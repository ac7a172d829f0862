"""`FittedLabelModel`: the learned parameters as a frozen value, and what it says of votes.

A model with one accuracy or confusion a function is log-linear: log p(class | row) = log prior + sum of one log weight for each function's
outcome, up to the normaliser. Majority vote is not: its probabilities are shares of votes. Nor is a committee: its probabilities are a mean
over members, each log-linear in hidden states that may be finer than the classes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

import numpy as np

from labeljob.label_model.algorithms.weighted_vote import one_coin_log_weights
from labeljob.label_model.fitting.selection import Abstain, Algorithm, Reason
from labeljob.label_model.posteriors import normalised, state_posterior, vote_share_posterior
from labeljob.label_model.side.side_tables import SideTable
from labeljob.label_model.statistics.sums import class_sums
from labeljob.votes import ABSTAIN, FloatArray, IntArray, Votes, VotesError, validate_votes

CHUNK_ROWS = 1 << 14
COMPACT_CELLS = 1 << 20
SMALLEST = float(np.finfo(np.float64).tiny)
T = TypeVar("T")


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
class Deferred(Generic[T]):
    """A pure function's answer, computed when it is first asked for."""

    compute: Callable[[], T]

    @cached_property
    def value(self) -> T:
        """The answer; an array is read-only."""
        found = self.compute()
        if isinstance(found, np.ndarray):
            found.setflags(write=False)
        return found


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
        noted: what a person should know of this fit, or what finds it out when `notes` is first asked for.
        side: what soft and partial votes mean; see `side`. `posterior` knows only their columns in the label matrix.
        intervals: 95 % interval of each accuracy, float64 [n_functions, 2], or what computes it when `accuracy_intervals` is first asked for.
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
    noted: tuple[str, ...] | Deferred[tuple[str, ...]] = ()
    side: tuple[SideTable, ...] = ()
    intervals: FloatArray | Deferred[FloatArray] | None = None
    coins: FloatArray | None = None

    def __post_init__(self) -> None:
        for array in (self.class_balance, self.log_weights, self.accuracies, self.discounts, self.coins):
            if array is not None:
                array.setflags(write=False)
        if isinstance(self.intervals, np.ndarray):
            self.intervals.setflags(write=False)

    def later(self, *, noted: "Deferred[tuple[str, ...]] | None" = None, intervals: "Deferred[FloatArray] | None" = None) -> "FittedLabelModel":
        """The same model with one or the other, which nobody has asked for yet, in place of its own: a copy without a second look at its fields."""
        copy = object.__new__(FittedLabelModel)
        copy.__dict__.update(self.__dict__)
        copy.__dict__.update({name: one for name, one in (("noted", noted), ("intervals", intervals)) if one is not None})
        return copy

    @property
    def cardinality(self) -> int:
        """Number of classes."""
        return len(self.class_balance)

    @property
    def accuracy_intervals(self) -> FloatArray | None:
        """95 % interval of each accuracy, float64 [n_functions, 2]; see `intervals`. None where there was nothing to compute it from."""
        return self.intervals.value if isinstance(self.intervals, Deferred) else self.intervals

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of this fit."""
        return self.noted.value if isinstance(self.noted, Deferred) else self.noted

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
    return posterior_of(model, votes_of(model, L))


def posterior_of(model: FittedLabelModel, votes: Votes, *, checked: bool = True) -> FloatArray:
    """As `posterior`, of votes that `votes_of` gave, or that have not been `checked` (see `unread_votes`): VotesError then for one that cannot be."""
    if not checked and (model.coins is not None or model.algorithm == "majority-vote" or model.members):
        votes = validate_votes(votes, model.cardinality)
    if model.coins is not None:
        return _posterior_of_coins(model, votes)
    if model.algorithm == "majority-vote":
        return vote_share_posterior(votes, model.class_balance)
    if not model.members:
        return state_posterior(votes, np.log(model.class_balance), model.log_weights, checked=checked)
    probabilities = np.zeros((votes.shape[0], model.cardinality))
    for start in range(0, votes.shape[0], CHUNK_ROWS):
        for member in model.members:
            _add_member(member, votes[start : start + CHUNK_ROWS], probabilities[start : start + CHUNK_ROWS])
    return probabilities


def _posterior_of_coins(model: FittedLabelModel, votes: Votes) -> FloatArray:
    assert model.coins is not None  # noqa: S101 for the type
    probabilities = np.empty((votes.shape[0], model.cardinality))
    size = max(1, COMPACT_CELLS // model.cardinality)
    for start in range(0, votes.shape[0], size):
        sums = class_sums(votes[start : start + size], model.coins, model.cardinality)
        probabilities[start : start + size] = posterior_of_sums(model, sums.T).T
    return probabilities


def posterior_of_sums(model: FittedLabelModel, sums: FloatArray) -> FloatArray:
    """The posterior float64 [n_classes, n_rows] of a model with `coins` from the sums of a row's votes, likewise."""
    if model.algorithm == "majority-vote":
        total = sums.sum(axis=0)
        return np.where(total > 0, sums / np.where(total > 0, total, 1), model.class_balance[:, None])
    return normalised(sums + np.log(model.class_balance)[:, None])


def _add_member(member: Member, votes: Votes, probabilities: FloatArray) -> None:
    """Add a member's share to float64 [n_rows, n_classes], state by state: the last bit does not depend on the rows around."""
    states = state_posterior(votes, member.log_prior, member.log_weights)
    balance = prior_of_classes(member, probabilities.shape[1])
    for of_state, k in zip(states.T, member.classes, strict=True):
        if k == ABSTAIN:
            probabilities += member.share * of_state[:, None] * balance
        else:
            probabilities[:, k] += member.share * of_state


def prior_of_classes(member: Member, classes: int) -> FloatArray:
    """A member's class balance before any outcome counts, float64 [n_classes]."""
    known = member.classes != ABSTAIN
    balance = np.bincount(member.classes[known], weights=np.exp(member.log_prior[known]), minlength=classes)
    return np.asarray(balance / balance.sum())


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
    return state_posterior(votes, np.log(np.maximum(abstained, SMALLEST)), one_coin_log_weights(accuracies, model.cardinality))


def votes_of(model: FittedLabelModel, L: Any) -> Votes:
    """The label matrix in its canonical form; VotesError when it is not one for this model. TypeError when that is no fitted model."""
    require_model(model)
    votes = validate_votes(L, model.cardinality)
    check_functions(model, votes)
    return votes


def require_model(model: Any) -> None:
    """TypeError for what is no `FittedLabelModel`, as a `LabelModel` is not."""
    if not isinstance(model, FittedLabelModel):
        raise TypeError(f"this takes the fitted model; got {type(model).__name__}: after fit it is label_model.model_")


def check_functions(model: FittedLabelModel, votes: Votes) -> None:
    """VotesError for another number of functions than the model was fitted on."""
    if votes.shape[1] != model.functions:
        raise VotesError(f"the model was fitted on {model.functions} labeling functions; got {votes.shape[1]} columns")


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
    result = np.asarray((margin * rate).sum(axis=1) / rate.sum(axis=1))
    for table in model.side:
        result[table.function] = result[table.function] if np.isnan(table.weight) else table.weight
    return result
