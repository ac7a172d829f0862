"""What every algorithm starts from: counts of votes, how often functions agree, and with gold how often they are right."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from labeljob.label_model.algorithms import weighted_vote
from labeljob.label_model.fitting.arguments import READINGS, AbstainArgument
from labeljob.label_model.fitting.selection import Abstain, infer_abstain, one_sided
from labeljob.label_model.model import FittedLabelModel
from labeljob.label_model.statistics.vote_statistics import VoteStatistics, weighted_patterns
from labeljob.label_model.statistics.vote_statistics import vote_counts as exact_vote_counts
from labeljob.label_model.statistics.weighted_votes import WeightedVotes
from labeljob.votes import ABSTAIN, BoolArray, FloatArray, IntArray, Votes


@dataclass(frozen=True)
class Evidence:
    """What every algorithm starts from.

    Attributes:
        statistics: of the votes. rows: their patterns and counts, packed.
        vote_counts: float64 [n_functions, n_classes].
        exact: whether `agreeing` and `comparable` are of all patterns, and not of a part of them.
        abstain: the reading of each function's abstain.
        class_balance: float64 [n_classes], when it is given.
        prior_accuracy: of a vote, before functions are compared, when it is given.
        start: the model whose posterior EM starts from, when it is given.
    """

    statistics: VoteStatistics
    rows: WeightedVotes
    vote_counts: FloatArray
    exact: bool
    abstain: tuple[Abstain, ...]
    class_balance: FloatArray | None
    prior_accuracy: float | None
    start: FittedLabelModel | None

    @property
    def patterns(self) -> Votes:
        """int8 [n_patterns, n_functions] (int16 above 127 classes)."""
        return self.statistics.patterns

    @property
    def counts(self) -> FloatArray:
        """Rows of each pattern, float64 [n_patterns]."""
        return self.rows.counts

    @cached_property
    def known(self) -> IntArray | None:
        """The class of the rows of each pattern, or -1, int64 [n_patterns]; None when none is known."""
        return self.statistics.known

    @property
    def classes(self) -> int:
        """Number of classes."""
        return int(self.vote_counts.shape[1])

    @cached_property
    def sided(self) -> BoolArray:
        """Functions that vote for one class only, bool [n_functions]."""
        return one_sided(self.vote_counts)

    @property
    def agreeing(self) -> FloatArray:
        """Votes of each function that agree, float64 [n_functions], see `weighted_vote.agreement`."""
        return self._agreement[0]

    @property
    def comparable(self) -> FloatArray:
        """Votes of each function that could agree, likewise."""
        return self._agreement[1]

    @cached_property
    def _agreement(self) -> tuple[FloatArray, FloatArray]:
        """With the others' plurality, and with the class where it is known.

        Agreement stands in for gold: beside gold it counts for SHRINKAGE votes at most, and for nothing of a one-sided function.
        """
        rows, known, classes = self.rows, self.known, self.classes
        if known is None:
            return weighted_vote.agreement(rows if self.exact else rows.part, rows.counts, classes)
        unknown = rows.take(known == ABSTAIN)
        agreeing, comparable = weighted_vote.agreement(unknown, unknown.counts, classes)
        right, judged = against_known(self.patterns, rows.counts, known)
        most = np.where(self.sided, 0.0, weighted_vote.SHRINKAGE / np.maximum(comparable, 1.0))
        share = np.where(judged > 0, np.minimum(1.0, most), 1.0)
        return agreeing * share + right, comparable * share + judged

    @property
    def pooled(self) -> float:
        """Accuracy of a vote before anything is known of its function: as given, else how often functions agree. Better than random."""
        if self.prior_accuracy is not None:
            return self.prior_accuracy
        return weighted_vote.pooled_agreement(self.agreeing, self.comparable, self.classes)

    def accuracies(self) -> FloatArray:
        """Shrunk agreement of each function, float64 [n_functions]."""
        judged = 0.0 if self.known is None else against_known(self.patterns, self.counts, self.known)[1]
        return weighted_vote.shrunk_accuracies(self.agreeing, self.comparable, self.classes, self.sided & (judged == 0), self.pooled)


def gather_counts(
    statistics: VoteStatistics,
    classes: int,
    abstain: Sequence[AbstainArgument] | None,
    class_balance: FloatArray | None,
    prior_accuracy: float | None,
    start: FittedLabelModel | None,
    *,
    exact: bool,
) -> Evidence:
    """Where not `exact`, how often functions agree is of a part of the patterns."""
    rows = weighted_patterns(statistics, 1 + classes)
    vote_counts = exact_vote_counts(statistics, classes).astype(np.float64)
    readings = _readings(statistics, rows.counts, vote_counts, abstain)
    return Evidence(statistics, rows, vote_counts, exact, readings, class_balance, prior_accuracy, start)


def against_known(patterns: Votes, counts: FloatArray, known: IntArray) -> tuple[FloatArray, FloatArray]:
    """(right votes, votes) of each function on rows whose class is known, float64 [n_functions] each."""
    given = counts * (known != ABSTAIN)
    return given @ (patterns == known[:, None]), given @ (patterns != ABSTAIN)


def _readings(
    statistics: VoteStatistics, counts: FloatArray, vote_counts: FloatArray, abstain: Sequence[AbstainArgument] | None
) -> tuple[Abstain, ...]:
    given = tuple(abstain) if abstain is not None else ("auto",) * statistics.functions
    if len(given) != statistics.functions or not all(map(READINGS.__contains__, given)):
        raise ValueError(f"abstain is one of auto, evidence, missing for each of {statistics.functions} functions; got {list(given)}")
    if "auto" not in given:
        return given  # type: ignore[return-value]
    inferred = infer_abstain(statistics.patterns, counts, vote_counts)
    return tuple(guess if reading == "auto" else reading for reading, guess in zip(given, inferred, strict=True))  # type: ignore[misc]
