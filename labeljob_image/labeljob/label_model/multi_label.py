"""Multi-label: a row may have several labels or none. Each class is a binary task of its own: does the row have it, or not?

    votes [n_rows, n_functions, n_classes]: 1 has it, 0 has it not, -1 says nothing  ->  one label model a class  ->  P(has it)

Independent tasks ("binary relevance": Boutell et al. 2004; Tsoumakas & Katakis 2007) leave out what labels say of one another. A class that
functions only vote *for* cannot be learned, because nothing says what a row without it looks like: let some function vote against it, or
read a vote for one class as a vote against the others (`binary_votes`), or let the silence of those that look for it answer (0 in the place of
-1, as `LFSet.answers` has it), or give its prevalence. The sets of manifests are fitted so: `labeljob.multi_label`.
"""

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from labeljob.label_model.fitting.arguments import AlgorithmArgument
from labeljob.label_model.fitting.fit import fit_statistics
from labeljob.label_model.model import FittedLabelModel, posterior
from labeljob.label_model.statistics.vote_statistics import VoteStatistics, from_votes, merge
from labeljob.label_model.training_arguments import check_cardinality
from labeljob.votes import ABSTAIN, BoolArray, FloatArray, VotesError, validate_votes

BinaryVotes = npt.NDArray[np.int8]


class TaskVotes:
    """Votes of a multi-label task, int8 [n_rows, n_functions, n_classes] of 1, 0 and -1, of which one class at a time is made when it is asked for.

    `votes[:, :, k]` is the label matrix of class k; `np.asarray(votes)` makes all of it, which is as large as it says.

    Args:
        shape: (n_rows, n_functions, n_classes). task: the votes of a class, int8 [n_rows, n_functions].
    """

    dtype, ndim = np.dtype(np.int8), 3

    def __init__(self, shape: tuple[int, int, int], task: Callable[[int], BinaryVotes]) -> None:
        self.shape, self.task = shape, task

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        place = key if isinstance(key, tuple) else (key,)
        if len(place) == 3 and isinstance(place[2], int | np.integer):
            return self.task(range(self.shape[2])[place[2]])[place[:2]]
        if any(one is Ellipsis for one in place):
            return self[:][key]
        rows = np.stack([self.task(k)[place[:1]] for k in range(self.shape[2])], axis=-1)
        return rows[(slice(None),) * (rows.ndim - 2) + place[1:]]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        if copy is False:
            raise ValueError("these votes are made when they are asked for: they cannot be had without a copy")
        return np.asarray(self[:], dtype=dtype)


def task_votes(L: Any, classes: int) -> TaskVotes:
    """The votes of so many classes.

    Args:
        L: [n_rows, n_functions, n_classes] of 1, 0 and -1, or what `binary_votes` and `LFSet.answers` give.
    Raises:
        VotesError: another shape; a class whose votes are others, when they are asked for.
    """
    votes = L if isinstance(L, TaskVotes) else np.asarray(L)
    if votes.ndim != 3 or votes.shape[2] != classes:
        raise VotesError(f"multi-label votes are [n_rows, n_functions, {classes} classes] of 1, 0 or -1; got shape {votes.shape}")
    if isinstance(votes, TaskVotes):
        return votes

    def task(k: int) -> BinaryVotes:
        try:
            return validate_votes(votes[:, :, k], 2).astype(np.int8, copy=False)
        except VotesError as error:
            raise VotesError(f"class {k}: {error}") from None

    return TaskVotes((len(votes), votes.shape[1], classes), task)


def binary_votes(L: Any, cardinality: int, exclusive: Sequence[bool] | bool = False) -> TaskVotes:
    """Multi-label votes from a label matrix: a vote for a class says that the row has it.

    Args:
        L: [n_rows, n_functions], as `validate_votes` accepts.
        exclusive: for each function, or for all, whether its vote also says that the row has none of the other classes.
    """
    votes = validate_votes(L, cardinality)
    only = np.broadcast_to(np.asarray(exclusive, dtype=bool), votes.shape[1])

    def task(k: int) -> BinaryVotes:
        found = np.where((votes != ABSTAIN) & only, np.int8(0), np.int8(ABSTAIN))
        found[votes == k] = 1
        return found

    return TaskVotes((*votes.shape, cardinality), task)


def task_statistics(L: Any, classes: int) -> tuple[VoteStatistics, ...]:
    """The statistics of every class's task, which merge one by one (`merge_tasks`)."""
    votes = task_votes(L, classes)
    return tuple(from_votes(votes.task(k), 2) for k in range(classes))


def merge_tasks(a: Sequence[VoteStatistics], b: Sequence[VoteStatistics]) -> tuple[VoteStatistics, ...]:
    """The statistics of the rows of both."""
    return tuple(merge(one, other) for one, other in zip(a, b, strict=True))


class MultiLabelModel:
    """One label model a class; see the module's docstring.

    Args:
        cardinality: number of classes. algorithm, seed: as of `LabelModel`, for each class.
    """

    models_: tuple[FittedLabelModel, ...]

    def __init__(self, cardinality: int, algorithm: AlgorithmArgument = "auto", seed: int = 0) -> None:
        self.cardinality, self.algorithm, self.seed = check_cardinality(cardinality), algorithm, seed

    def fit(self, L: Any, prevalence: Any = None) -> Self:
        """Fit on votes [n_rows, n_functions, n_classes], class by class.

        Args:
            L: see `task_votes`.
            prevalence: [n_classes], the share of rows that have each class, strictly between 0 and 1; NaN where it is to be learned.
        Raises:
            EmptyVotesError: there are no rows. VotesError: a bad vote. ValueError: a prevalence that cannot be.
        """
        return self.fit_statistics(task_statistics(L, self.cardinality), prevalence)

    def fit_statistics(self, tasks: Sequence[VoteStatistics], prevalence: Any = None) -> Self:
        """As `fit`, from the statistics of every class's task."""
        shares = _prevalence(prevalence, self.cardinality)
        if len(tasks) != self.cardinality:
            raise VotesError(f"statistics of {len(tasks)} tasks were given for {self.cardinality} classes")
        self.models_ = tuple(
            fit_statistics(task, 2, algorithm=self.algorithm, class_balance=None if np.isnan(share) else [1 - share, share], seed=self.seed)
            for task, share in zip(tasks, shares, strict=True)
        )
        return self

    def predict_proba(self, L: Any) -> FloatArray:
        """Probability that a row has each class, float64 [n_rows, n_classes]; rows need not sum to 1."""
        votes = task_votes(L, self.cardinality)
        return np.stack([posterior(model, votes.task(k))[:, 1] for k, model in enumerate(self.models_)], axis=1)

    def predict(self, L: Any, threshold: float = 0.5) -> BoolArray:
        """The labels, bool [n_rows, n_classes]: more probable than the threshold, and some function said something of that class."""
        tasks = task_votes(L, self.cardinality)
        labels = np.empty((len(tasks), self.cardinality), dtype=np.bool_)
        for k, model in enumerate(self.models_):
            votes = tasks.task(k)
            labels[:, k] = (votes != ABSTAIN).any(axis=1) & (posterior(model, votes)[:, 1] > threshold)
        return labels


def _prevalence(prevalence: Any, classes: int) -> FloatArray:
    shares = np.full(classes, np.nan) if prevalence is None else np.asarray(prevalence, dtype=np.float64)
    if shares.shape != (classes,) or not (np.isnan(shares) | ((shares > 0) & (shares < 1))).all():
        raise ValueError(f"prevalence is one share strictly between 0 and 1 for each of {classes} classes, or NaN; got {np.asarray(prevalence).tolist()}")
    return shares
