"""Figures of labeling functions and of a run, counted batch by batch: whole numbers that can be added in any order (X9, X23, M1–M5, M8)."""

import math
from dataclasses import dataclass, field

import numpy as np

from labeljob import scores
from labeljob.ballots import disagreeing_rows
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.reasons import JobReason
from labeljob.contract.result import FunctionColumns
from labeljob.errors import JobError
from labeljob.label_model import FittedLabelModel, estimated_accuracy, weights
from labeljob.labelled import Labelled, Voters
from labeljob.votes import ABSTAIN, PARTIAL, BoolArray, FloatArray, IntArray, VoteBatch, Votes, covered_rows

Figure = float | None


@dataclass
class FunctionCounts:
    """Counts of each function, int64 [n_functions] (`votes`: [n_functions, n_classes]).

    Overlaps and conflicts are among the functions that are no fallbacks. `partial` counts votes for several classes, which are not in `votes`.
    """

    voters: Voters
    classes: int
    rows: int = 0
    votes: IntArray = field(init=False)
    overlaps: IntArray = field(init=False)
    conflicts: IntArray = field(init=False)
    errors: IntArray = field(init=False)
    right: IntArray = field(init=False)
    judged: IntArray = field(init=False)
    partial: IntArray = field(init=False)

    def __post_init__(self) -> None:
        functions = len(self.voters.names)
        self.votes = np.zeros((functions, self.classes), dtype=np.int64)
        for name in ("overlaps", "conflicts", "errors", "right", "judged", "partial"):
            setattr(self, name, np.zeros(functions, dtype=np.int64))

    def add(self, batch: VoteBatch, gold: IntArray) -> None:
        """Count a batch; gold is int64 [n_rows], -1 where it is not known."""
        regular = self.voters.regular
        voted = batch.votes != ABSTAIN
        among = voted[:, regular]
        self.rows += len(voted)
        self.errors += batch.errors.sum(axis=0)
        self.overlaps[regular] += (among & (among.sum(axis=1, keepdims=True) > 1)).sum(axis=0)
        self.conflicts[regular] += (among & disagreeing_rows(batch.votes[:, regular], self.voters.sets[regular])[:, None]).sum(axis=0)
        for k in range(self.classes):
            self.votes[:, k] += (batch.votes == k).sum(axis=0)
        partial = batch.votes == PARTIAL
        self.partial += partial.sum(axis=0)
        known = gold != ABSTAIN
        self.judged += voted[known].sum(axis=0)
        right = (batch.votes[known] == gold[known, None]) | (partial[known] & self.voters.sets[:, gold[known]].T)
        self.right += (voted[known] & right).sum(axis=0)

    @property
    def cast(self) -> IntArray:
        """Votes of each function, for one class or several, int64 [n_functions]."""
        return np.asarray(self.votes.sum(axis=1) + self.partial)

    def named(self) -> BoolArray:
        """The classes that each function has named, alone or among others, bool [n_functions, n_classes]."""
        return np.asarray((self.votes > 0) | (self.voters.sets & (self.partial > 0)[:, None]))

    def check_errors(self, function_set: FunctionSet, total: int) -> None:
        """Raises JobError FUNCTIONS_FAILING once a function has failed on more of `total` rows than limits.maxErrorRate allows (X9)."""
        limit = function_set.max_error_rate
        rates = self.errors / max(self.rows, 1)
        failing = [index for index in np.argsort(-rates, kind="stable") if self.errors[index] > limit * total]
        if failing:
            named = "; ".join(f"{self.voters.names[i]} on {rates[i]:.2%} of {self.rows} rows" for i in failing[:10])
            message = f"labeling functions fail too often: {named}; limits.maxErrorRate is {limit:g}: fix or disable them"
            raise JobError(JobReason.FUNCTIONS_FAILING, f"{message}; nothing was written")

    def columns(self, model: FittedLabelModel) -> FunctionColumns:
        """The figures as they are reported, in function order; shares in thousandths."""
        regular = self.voters.regular
        accuracy, weight = (np.full(len(self.voters.names), np.nan) for _ in range(2))
        accuracy[regular], weight[regular] = estimated_accuracy(model), weights(model)
        return FunctionColumns(
            polarity=[".".join(str(k) for k in np.flatnonzero(row)) for row in self.named()],
            coverage=self._thousandths(self.cast),
            overlaps=self._thousandths(self.overlaps),
            conflicts=self._thousandths(self.conflicts),
            error_rate=self._thousandths(self.errors),
            estimated_accuracy=[None if math.isnan(value) else round(1000 * value) for value in accuracy.tolist()],
            empirical_accuracy=[round(1000 * int(r) / int(n)) if n else None for r, n in zip(self.right, self.judged, strict=True)],
            weight=[None if math.isnan(value) else round(value, 4) for value in weight.tolist()],
        )

    def _thousandths(self, counts: IntArray) -> list[int]:
        """Rounded, but never down to 0 what happened."""
        shares = [1000 * int(count) / max(self.rows, 1) for count in counts]
        return [max(1, round(share)) if share > 0 else 0 for share in shares]


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
    known: list[tuple[Labelled, IntArray]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.labels = np.zeros(self.classes, dtype=np.int64)

    def add(self, votes: Votes, labelled: Labelled, gold: IntArray, counts: IntArray | None = None) -> None:
        """Count rows, or with `counts` distinct patterns that stand for so many rows each."""
        times = np.ones(len(votes), dtype=np.int64) if counts is None else counts
        regular = votes[:, self.voters.regular]
        self.rows += int(times.sum())
        self.covered += int(times[covered_rows(regular)].sum())
        self.conflicting += int(times[disagreeing_rows(regular, self.voters.sets[self.voters.regular])].sum())
        self.confidence_sums.append(math.fsum((labelled.confidence * times)[labelled.covered].tolist()))
        chosen = labelled.labels != ABSTAIN
        self.labels += np.bincount(labelled.labels[chosen], weights=times[chosen], minlength=self.classes).astype(np.int64)
        self.add_gold(labelled, gold)

    def add_gold(self, labelled: Labelled, gold: IntArray) -> None:
        """Keep the rows whose class is known."""
        known = gold != ABSTAIN
        if known.any():
            parts = (getattr(labelled, name)[known] for name in ("probabilities", "labels", "confidence", "weight", "covered"))
            self.known.append((Labelled(*parts), gold[known]))

    def metrics(self, gold_size: int | None) -> dict[str, Figure]:
        """Indicators by name; None where a ratio has no rows. Scores are there only with gold (`gold_size` given)."""
        figures: dict[str, Figure] = {
            "rows": float(self.rows),
            "coverage": _ratio(self.covered, self.rows),
            "conflictRate": _ratio(self.conflicting, self.covered),
            "meanConfidence": _ratio(math.fsum(self.confidence_sums), self.covered),
        }
        if gold_size is not None:
            figures |= self._scores(gold_size)
        return figures

    def label_distribution(self, names: list[str]) -> dict[str, float]:
        """Share of each class among rows that have a label; empty when none has."""
        total = int(self.labels.sum())
        return {name: round(int(count) / total, 9) for name, count in zip(names, self.labels, strict=True)} if total else {}

    def _scores(self, gold_size: int) -> dict[str, Figure]:
        probabilities, labels, covered, gold = self._known()
        by_class = scores.class_scores(labels, gold, self.classes)
        return {
            "goldRows": float(len(gold)),
            "goldUnmatched": float(gold_size - len(gold)),
            "precision": _figure(by_class.macro_precision),
            "recall": _figure(by_class.macro_recall),
            "brier": _figure(scores.brier(probabilities[covered], gold[covered])),
            "ece": _figure(scores.calibration_error(probabilities, gold, covered)),
        }

    def _known(self) -> tuple[FloatArray, IntArray, "np.ndarray[tuple[int], np.dtype[np.bool_]]", IntArray]:
        parts = self.known or [(_nothing(self.classes), np.empty(0, dtype=np.int64))]
        return (
            np.concatenate([part.probabilities for part, _ in parts]),
            np.concatenate([part.labels for part, _ in parts]),
            np.concatenate([part.covered for part, _ in parts]),
            np.concatenate([gold for _, gold in parts]),
        )


def _nothing(classes: int) -> Labelled:
    none = np.empty(0)
    return Labelled(np.empty((0, classes)), none.astype(np.int64), none, none, none.astype(bool))


def _ratio(part: float, whole: int) -> Figure:
    return _figure(part / whole) if whole else None


def _figure(value: float) -> Figure:
    """Nine decimals: the last bits of a sum depend on its order."""
    return None if math.isnan(value) else round(value, 9)
