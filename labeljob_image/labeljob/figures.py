"""Figures of labeling functions and of a run, counted batch by batch: whole numbers that can be added in any order (X9, X23, M1–M5, M8)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from labeljob.ballots import disagreeing_rows
from labeljob.contract.calibration import Interval
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.reasons import JobReason
from labeljob.contract.result import FunctionColumns
from labeljob.drift.reference import CONFIDENCES, confidence_counts
from labeljob.errors import JobError
from labeljob.gold import Matched
from labeljob.gold_scores import Estimate, GoldScores, gold_scores
from labeljob.label_model import FittedLabelModel, estimated_accuracy, weights
from labeljob.labelled import Labelled, Voters
from labeljob.tallies import add_data, to_data
from labeljob.votes import ABSTAIN, PARTIAL, BoolArray, FloatArray, IntArray, VoteBatch, Votes, covered_rows

Figure = float | None
COUNTS = ("rows", "covered", "conflicting", "votes", "overlaps", "conflicts", "errors", "judged", "partial", "judged_weight", "right_weight")
FIGURES = ("rows", "covered", "conflicting", "confidence_sums", "labels", "confidences")


@dataclass
class FunctionCounts:
    """Counts of each function, int64 [n_functions] (`votes`: [n_functions, n_classes]), and of rows.

    Overlaps, conflicts, covered and conflicting rows are among the functions that are no fallbacks. `judged` counts gold rows that a function
    votes on; `judged_weight` and `right_weight` are sums of their weights, float64, whole numbers where gold has no inclusion probabilities.
    `partial` counts votes for several classes, which are not in `votes`.
    """

    voters: Voters
    classes: int
    rows: int = 0
    covered: int = 0
    conflicting: int = 0
    votes: IntArray = field(init=False)
    overlaps: IntArray = field(init=False)
    conflicts: IntArray = field(init=False)
    errors: IntArray = field(init=False)
    judged: IntArray = field(init=False)
    partial: IntArray = field(init=False)
    judged_weight: FloatArray = field(init=False)
    right_weight: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        functions = len(self.voters.names)
        self.votes = np.zeros((functions, self.classes), dtype=np.int64)
        for name in ("overlaps", "conflicts", "errors", "judged", "partial"):
            setattr(self, name, np.zeros(functions, dtype=np.int64))
        self.judged_weight, self.right_weight = np.zeros(functions), np.zeros(functions)

    def add(self, batch: VoteBatch, gold: Matched | None) -> None:
        """Count a batch, and where it is given what is known of its rows."""
        regular = self.voters.regular
        voted = batch.votes != ABSTAIN
        among = voted[:, regular]
        conflicting = disagreeing_rows(batch.votes[:, regular], self.voters.sets[regular])
        self.rows += len(voted)
        self.covered += int(among.any(axis=1).sum())
        self.conflicting += int(conflicting.sum())
        self.errors += batch.errors.sum(axis=0)
        self.overlaps[regular] += (among & (among.sum(axis=1, keepdims=True) > 1)).sum(axis=0)
        self.conflicts[regular] += (among & conflicting[:, None]).sum(axis=0)
        for k in range(self.classes):
            self.votes[:, k] += (batch.votes == k).sum(axis=0)
        partial = batch.votes == PARTIAL
        self.partial += partial.sum(axis=0)
        if gold is not None:
            self.judge(batch, gold)

    def judge(self, batch: VoteBatch, gold: Matched) -> None:
        """Count how right functions are on the rows whose class is known."""
        votes, classes, weights = batch.votes[gold.known], gold.classes[gold.known], gold.weights[gold.known]
        voted = votes != ABSTAIN
        right = (votes == classes[:, None]) | ((votes == PARTIAL) & self.voters.sets[:, classes].T)
        self.judged += voted.sum(axis=0)
        self.judged_weight += weights @ voted
        self.right_weight += weights @ right

    def data(self) -> dict[str, Any]:
        """All counts as JSON data."""
        return to_data(self, COUNTS)

    def add_data(self, data: dict[str, Any]) -> None:
        """Add the counts of other rows."""
        add_data(self, COUNTS, data)

    @property
    def cast(self) -> IntArray:
        """Votes of each function, for one class or several, int64 [n_functions]."""
        return np.asarray(self.votes.sum(axis=1) + self.partial)

    def named(self) -> BoolArray:
        """The classes that each function has named, alone or among others, bool [n_functions, n_classes]."""
        return np.asarray((self.votes > 0) | (self.voters.sets & (self.partial > 0)[:, None]))

    def check_errors(self, function_set: FunctionSet, total: int) -> None:
        """Raises JobError FUNCTIONS_FAILING once a function has failed on more of `total` rows than limits.maxErrorRate allows (X9)."""
        check_error_rates(self.errors, self.rows, self.voters.names, function_set, total)

    def columns(self, model: FittedLabelModel) -> FunctionColumns:
        """The figures as they are reported, in function order; shares in thousandths."""
        regular = self.voters.regular
        accuracy, weight = (np.full(len(self.voters.names), np.nan) for _ in range(2))
        accuracy[regular], weight[regular] = estimated_accuracy(model), weights(model)
        interval = np.full((len(self.voters.names), 2), np.nan)
        interval[regular] = np.nan if model.accuracy_intervals is None else model.accuracy_intervals
        return FunctionColumns(
            polarity=[".".join(str(k) for k in np.flatnonzero(row)) for row in self.named()],
            coverage=thousandths(self.cast, self.rows),
            overlaps=thousandths(self.overlaps, self.rows),
            conflicts=thousandths(self.conflicts, self.rows),
            error_rate=thousandths(self.errors, self.rows),
            estimated_accuracy=in_thousandths(accuracy),
            accuracy_low=in_thousandths(interval[:, 0]),
            accuracy_high=in_thousandths(interval[:, 1]),
            empirical_accuracy=[round(1000 * r / n) if n else None for r, n in zip(self.right_weight.tolist(), self.judged_weight.tolist(), strict=True)],
            weight=[None if math.isnan(value) else round(value, 4) for value in weight.tolist()],
        )


def check_error_rates(errors: IntArray, rows: int, names: Sequence[str], function_set: FunctionSet, total: int) -> None:
    """Raises JobError FUNCTIONS_FAILING once a function has failed, so far on `errors` of `rows` rows, more often than is allowed on `total` rows (X9)."""
    limit = function_set.max_error_rate
    rates = errors / max(rows, 1)
    failing = [index for index in np.argsort(-rates, kind="stable") if errors[index] > limit * total]
    if failing:
        named = "; ".join(f"{names[i]} on {rates[i]:.2%} of {rows} rows" for i in failing[:10])
        message = f"labeling functions fail too often: {named}; limits.maxErrorRate is {limit:g}: fix or disable them"
        raise JobError(JobReason.FUNCTIONS_FAILING, f"{message}; nothing was written")


def thousandths(counts: IntArray, rows: int) -> list[int]:
    """Shares of rows, rounded, but never down to 0 what happened."""
    shares = [1000 * int(count) / max(rows, 1) for count in counts]
    return [max(1, round(share)) if share > 0 else 0 for share in shares]


def indicators(rows: int, covered: int, conflicting: int, confidence_sums: list[float]) -> dict[str, Figure]:
    """What is known of a run without gold; None where a ratio has no rows."""
    return {
        "rows": float(rows),
        "coverage": ratio(covered, rows),
        "conflictRate": ratio(conflicting, covered),
        "meanConfidence": ratio(math.fsum(confidence_sums), covered),
    }


def score_figures(found: GoldScores, gold_size: int) -> dict[str, Figure]:
    """What gold says of a run; `gold_size` counts the rows of gold, found in the data or not."""
    counts: dict[str, Figure] = {"goldRows": float(found.rows), "goldUnmatched": float(gold_size - found.rows)}
    return counts | {name: figure(estimate.value) for name, estimate in estimates(found).items()}


def score_intervals(found: GoldScores) -> dict[str, Interval]:
    """95 % intervals of the scores that have one, by name."""
    known = {name: one for name, one in estimates(found).items() if not math.isnan(one.low)}
    return {name: Interval(low=round(one.low, 4), high=round(one.high, 4)) for name, one in known.items()}


@dataclass
class RunFigures:
    """Indicators of labelled rows, added batch by batch; gold rows are kept, so memory grows with gold and not with rows."""

    voters: Voters
    classes: int
    rows: int = 0
    covered: int = 0
    conflicting: int = 0
    confidence_sums: list[float] = field(default_factory=list)
    labels: IntArray = field(init=False)
    confidences: IntArray = field(init=False)
    known: list[tuple[Labelled, Matched]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.labels, self.confidences = np.zeros(self.classes, dtype=np.int64), np.zeros(CONFIDENCES, dtype=np.int64)

    def add(self, votes: Votes, labelled: Labelled, counts: IntArray | None = None) -> None:
        """Count rows, or with `counts` distinct patterns that stand for so many rows each."""
        times = np.ones(len(votes), dtype=np.int64) if counts is None else counts
        regular = votes[:, self.voters.regular]
        self.rows += int(times.sum())
        self.covered += int(times[covered_rows(regular)].sum())
        self.conflicting += int(times[disagreeing_rows(regular, self.voters.sets[self.voters.regular])].sum())
        self.confidence_sums.append(math.fsum((labelled.confidence * times)[labelled.covered].tolist()))
        self.confidences += confidence_counts(labelled.confidence, labelled.covered, times)
        chosen = labelled.labels != ABSTAIN
        self.labels += np.bincount(labelled.labels[chosen], weights=times[chosen], minlength=self.classes).astype(np.int64)

    def data(self) -> dict[str, Any]:
        """All counts as JSON data; gold rows are left out."""
        return to_data(self, FIGURES) | {"confidence_sums": [math.fsum(self.confidence_sums)]}

    def add_data(self, data: dict[str, Any]) -> None:
        """Add the counts of other rows."""
        add_data(self, FIGURES, data)

    def scale_to(self, rows: int, covered: int, conflicting: int) -> None:
        """Put the counts of all rows in the place of those of a sample, and scale the sums over it; nothing changes when it was no sample."""
        share = covered / max(self.covered, 1)
        self.rows, self.covered, self.conflicting = rows, covered, conflicting
        self.confidence_sums = [share * total for total in self.confidence_sums]
        self.labels, self.confidences = (np.rint(share * counted).astype(np.int64) for counted in (self.labels, self.confidences))

    def add_gold(self, labelled: Labelled, gold: Matched) -> None:
        """Keep rows whose class is known, as labelled by a calibrator that has not seen them (`held_out`)."""
        if len(gold.classes):
            self.known.append((labelled, gold))

    def metrics(self, gold_size: int | None) -> dict[str, Figure]:
        """Indicators by name; None where a ratio has no rows. Scores are there only with gold (`gold_size` given)."""
        figures = indicators(self.rows, self.covered, self.conflicting, self.confidence_sums)
        return figures if gold_size is None else figures | score_figures(self.gold_scores(), gold_size)

    def intervals(self) -> dict[str, Interval]:
        """95 % intervals of the scores that have one, by name."""
        return score_intervals(self.gold_scores())

    def label_distribution(self, names: list[str]) -> dict[str, float]:
        """Share of each class among rows that have a label; empty when none has."""
        total = int(self.labels.sum())
        return {name: round(int(count) / total, 9) for name, count in zip(names, self.labels, strict=True)} if total else {}

    def gold_scores(self) -> GoldScores:
        """Scores of the rows whose class is known."""
        labelled, gold = self.labelled_gold()
        equal = bool((gold.weights == 1).all())
        return gold_scores(labelled.probabilities, labelled.labels, labelled.covered, gold.classes, None if equal else gold.weights)

    def labelled_gold(self) -> tuple[Labelled, Matched]:
        """The rows whose class is known, in the order in which they came."""
        parts = self.known or [(_nothing(self.classes), Matched(np.empty(0, dtype=np.int64), np.empty(0)))]
        arrays = [np.concatenate([getattr(labelled, name) for labelled, _ in parts]) for name in ("probabilities", "labels", "confidence", "weight", "covered")]
        return Labelled(*arrays), Matched(np.concatenate([gold.classes for _, gold in parts]), np.concatenate([gold.weights for _, gold in parts]))


def estimates(found: GoldScores) -> dict[str, Estimate]:
    """Scores by the name that metrics give them."""
    return {"precision": found.precision, "recall": found.recall, "brier": found.brier, "logLoss": found.log_loss, "ece": found.ece}


def in_thousandths(shares: FloatArray) -> list[int | None]:
    """Shares that may be unknown (NaN)."""
    return [None if math.isnan(value) else round(1000 * value) for value in shares.tolist()]


def _nothing(classes: int) -> Labelled:
    none = np.empty(0)
    return Labelled(np.empty((0, classes)), none.astype(np.int64), none, none, none.astype(bool))


def ratio(part: float, whole: int) -> Figure:
    """A share; None of no rows."""
    return figure(part / whole) if whole else None


def figure(value: float) -> Figure:
    """Nine decimals: the last bits of a sum depend on its order."""
    return None if math.isnan(value) else round(value, 9)
