"""Figures of each function of a multi-label set, counted batch by batch: whole numbers that can be added in any order (X9, X23).

An *answer* is what a vote says of one class: a vote for a class one yes, `labels` and `notLabel` one no to each class that they exclude, a soft
vote one for each class with a number. A function that chooses passes over the classes that it does not name: in the fit that counts a little
against them, but it is no answer. Accuracy is right answers ÷ answers; functions *overlap* on a row when they answer for the same class, and are
in *conflict* when one says yes and the other no. Naming different classes is no conflict: a row may have both.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from labeljob.contract.function_set import FunctionSet
from labeljob.contract.multi_label import AGAINST
from labeljob.contract.result import FunctionColumns
from labeljob.figures import check_error_rates, in_thousandths, thousandths
from labeljob.label_model.model import FittedLabelModel
from labeljob.label_model.side.soft_votes import Levels
from labeljob.labelled import Voters
from labeljob.multi_label.gold import MatchedSets
from labeljob.multi_label.labelling import task_posterior
from labeljob.multi_label.tasks import NO, YES, Task
from labeljob.tallies import add_data, to_data
from labeljob.votes import ABSTAIN, BoolArray, FloatArray, IntArray, VoteBatch, Votes

COUNTS = ("rows", "covered", "conflicting", "cast", "yes", "no", "overlaps", "conflicts", "errors", "judged", "judged_weight", "right_weight")
MOST_CELLS = 1 << 24  # rows x functions x functions that are compared at a time


def answers_of(task: Task, votes: Votes, levels: Levels | None) -> Votes:
    """The answers for the task's class, int8 [n_rows, m] of 1, 0 and -1: `Task.said` but for classes that were passed over."""
    said = task.said(votes, levels)
    said[(said == NO) & (votes[:, task.functions] >= 0)] = ABSTAIN
    return said


def in_conflict(answers: Votes) -> BoolArray:
    """Rows with a yes and a no, bool [n_rows]."""
    return np.asarray((answers == YES).any(axis=1) & (answers == NO).any(axis=1))


@dataclass
class AnswerCounts:
    """Counts of each function, int64 [n_functions] (`yes`, `no`: answers for each class, [n_functions, n_classes]), and of rows.

    `judged` counts gold rows with an answer; `judged_weight` and `right_weight` are sums over answers of the rows' weights.
    """

    voters: Voters
    tasks: tuple[Task, ...]
    rows: int = 0
    covered: int = 0
    conflicting: int = 0
    cast: IntArray = field(init=False)
    yes: IntArray = field(init=False)
    no: IntArray = field(init=False)
    overlaps: IntArray = field(init=False)
    conflicts: IntArray = field(init=False)
    errors: IntArray = field(init=False)
    judged: IntArray = field(init=False)
    judged_weight: FloatArray = field(init=False)
    right_weight: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        functions, classes = len(self.voters.names), len(self.tasks)
        for name in ("cast", "overlaps", "conflicts", "errors", "judged"):
            setattr(self, name, np.zeros(functions, dtype=np.int64))
        self.yes, self.no = np.zeros((functions, classes), dtype=np.int64), np.zeros((functions, classes), dtype=np.int64)
        self.judged_weight, self.right_weight = np.zeros(functions), np.zeros(functions)

    def add(self, batch: VoteBatch, gold: MatchedSets | None) -> None:
        """Count a batch, and where it is given what is known of its rows."""
        voted = batch.votes != ABSTAIN
        self.rows += len(voted)
        self.covered += int(voted[:, self.voters.regular].any(axis=1).sum())
        self.errors += batch.errors.sum(axis=0)
        self.cast += voted.sum(axis=0)
        overlapping, conflicting = (np.zeros(voted.shape, dtype=bool) for _ in range(2))
        for k, task in enumerate(self.tasks):
            answers = answers_of(task, batch.votes, batch.levels)
            answered = answers != ABSTAIN
            overlapping[:, task.functions] |= answered & (answered.sum(axis=1, keepdims=True) > 1)
            conflicting[:, task.functions] |= answered & in_conflict(answers)[:, None]
            self._count(k, task.functions, answers)
        for column in np.flatnonzero(self.voters.fallback):
            self._count_fallback(int(column), batch.votes[:, column])
        self.overlaps += overlapping.sum(axis=0)
        self.conflicts += conflicting.sum(axis=0)
        self.conflicting += int(conflicting.any(axis=1).sum())
        if gold is not None:
            self.judge(batch, gold)

    def _count(self, k: int, functions: IntArray, answers: Votes) -> None:
        self.yes[functions, k] += (answers == YES).sum(axis=0)
        self.no[functions, k] += (answers == NO).sum(axis=0)

    def _count_fallback(self, column: int, votes: Votes) -> None:
        self.yes[column] += np.bincount(votes[votes >= 0], minlength=len(self.tasks))

    def judge(self, batch: VoteBatch, gold: MatchedSets) -> None:
        """Count how right answers are on the rows whose classes are known."""
        known = np.flatnonzero(gold.known)
        votes, levels, labels, weights = batch.votes[known], None if batch.levels is None else batch.levels[known], gold.labels[known], gold.weights[known]
        judged = np.zeros(votes.shape, dtype=bool)
        for k, task in enumerate(self.tasks):
            answers = answers_of(task, votes, levels)
            answered = answers != ABSTAIN
            judged[:, task.functions] |= answered
            self.judged_weight[task.functions] += weights @ answered
            self.right_weight[task.functions] += weights @ (answered & ((answers == YES) == labels[:, [k]]))
        for column in np.flatnonzero(self.voters.fallback):
            named = votes[:, column] >= 0
            judged[:, column] |= named
            self.judged_weight[column] += weights[named].sum()
            self.right_weight[column] += weights[named] @ labels[named, votes[named, column]]
        self.judged += judged.sum(axis=0)

    def check_errors(self, function_set: FunctionSet, total: int) -> None:
        """Raises JobError FUNCTIONS_FAILING once a function has failed on more of `total` rows than limits.maxErrorRate allows (X9)."""
        check_error_rates(self.errors, self.rows, self.voters.names, function_set, total)

    def data(self) -> dict[str, Any]:
        """All counts as JSON data."""
        return to_data(self, COUNTS)

    def add_data(self, data: dict[str, Any]) -> None:
        """Add the counts of other rows."""
        add_data(self, COUNTS, data)

    def columns(self, models: Sequence[FittedLabelModel], estimated: FloatArray) -> FunctionColumns:
        """The figures as they are reported, in function order; shares in thousandths. `estimated`: float64 [n_functions], see `estimated_accuracies`."""
        named = [
            [str(k) for k in np.flatnonzero(yes)] + [f"{AGAINST}{k}" for k in np.flatnonzero((no > 0) & (yes == 0))] for yes, no in zip(self.yes, self.no, strict=True)
        ]
        return FunctionColumns(
            polarity=[".".join(one) for one in named],
            coverage=thousandths(self.cast, self.rows),
            overlaps=thousandths(self.overlaps, self.rows),
            conflicts=thousandths(self.conflicts, self.rows),
            error_rate=thousandths(self.errors, self.rows),
            estimated_accuracy=in_thousandths(estimated),
            empirical_accuracy=[round(1000 * r / n) if n else None for r, n in zip(self.right_weight.tolist(), self.judged_weight.tolist(), strict=True)],
            weight=[None if math.isnan(value) else round(value, 4) for value in self._weights(models).tolist()],
        )

    def _weights(self, models: Sequence[FittedLabelModel]) -> FloatArray:
        """By how much an answer of each function moves the log-odds of its class to its side, in nats, mean over its answers; votes for majority vote."""
        moved, total = np.zeros(len(self.voters.names)), np.zeros(len(self.voters.names))
        for k, (task, model) in enumerate(zip(self.tasks, models, strict=True)):
            odds = model.log_weights[:, 1:, 1] - model.log_weights[:, 1:, 0]
            if model.algorithm == "majority-vote":
                odds = np.tile([-1.0, 1.0], (len(task.functions), 1))
            yes, no = self.yes[task.functions, k], self.no[task.functions, k]
            moved[task.functions] += yes * odds[:, YES] - no * odds[:, NO]
            total[task.functions] += yes + no
        return np.asarray(np.divide(moved, total, out=np.full(len(total), np.nan), where=total > 0))


def estimated_accuracies(
    models: Sequence[FittedLabelModel], tasks: Sequence[Task], functions: int, votes: Votes, levels: Levels | None, counts: IntArray
) -> FloatArray:
    """Expected share of right answers of each function under the models, float64 [n_functions]; NaN for one without answers.

    Args:
        votes, levels, counts: rows, or distinct rows and how many each stands for.
    """
    right, total = np.zeros(functions), np.zeros(functions)
    for model, task in zip(models, tasks, strict=True):
        answers, p = answers_of(task, votes, levels), task_posterior(model, task, votes, levels)
        yes, no = answers == YES, answers == NO
        right[task.functions] += (counts * p) @ yes + (counts * (1 - p)) @ no
        total[task.functions] += counts @ (yes | no)
    return np.asarray(np.divide(right, total, out=np.full(functions, np.nan), where=total > 0))


def disagreeing(tasks: Sequence[Task], votes: Votes, levels: Levels | None) -> BoolArray:
    """Rows on which some two functions are in conflict, bool [n_rows]."""
    found = np.zeros(len(votes), dtype=np.bool_)
    for task in tasks:
        found |= in_conflict(answers_of(task, votes, levels))
    return found


def conflict_counts(tasks: Sequence[Task], functions: int, votes: Votes, levels: Levels | None) -> IntArray:
    """Rows on which two functions are in conflict, int64 [n_functions, n_functions], symmetric, zero diagonal."""
    size = max(1, MOST_CELLS // functions**2)
    if len(votes) > size:
        parts = [(votes[start : start + size], None if levels is None else levels[start : start + size]) for start in range(0, len(votes), size)]
        return np.asarray(sum(conflict_counts(tasks, functions, *part) for part in parts))
    found = np.zeros((len(votes), functions, functions), dtype=bool)
    for task in tasks:
        answers = answers_of(task, votes, levels)
        yes, no = answers == YES, answers == NO
        among = (yes[:, :, None] & no[:, None, :]) | (no[:, :, None] & yes[:, None, :])
        found[:, task.functions[:, None], task.functions[None, :]] |= among
    return np.asarray(found.sum(axis=0))

