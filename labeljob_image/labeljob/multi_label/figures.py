"""Indicators of rows labelled with sets, added batch by batch; gold rows are kept (M1-M5, M8).

    coverage            rows on which a function that is no fallback votes
    conflictRate        covered rows on which, for some class, a function votes for it and another against it
    meanConfidence      mean over covered rows of the share of classes that the labels are expected to be right about
    labelDistribution   share of the rows with labels that have each class; the shares need not sum to 1
"""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from labeljob.contract.calibration import Interval
from labeljob.drift.reference import CONFIDENCES, confidence_counts
from labeljob.figures import Figure, indicators, score_figures, score_intervals
from labeljob.gold_scores import GoldScores
from labeljob.label_model.side.soft_votes import Levels
from labeljob.labelled import Voters
from labeljob.multi_label.counts import answers_of, in_conflict
from labeljob.multi_label.gold import MatchedSets
from labeljob.multi_label.labelling import PARTS, LabelledSets
from labeljob.multi_label.scores import set_scores
from labeljob.multi_label.tasks import Task
from labeljob.tallies import add_data, to_data
from labeljob.votes import IntArray, Votes

FIGURES = ("rows", "covered", "conflicting", "labelled", "confidence_sums", "with_class", "confidences", "sizes")


@dataclass
class SetFigures:
    """Counts of labelled rows. `labelled` counts rows with labels, be the set empty; `with_class` int64 [n_classes]; `sizes` int64 [n_classes + 1]: rows by
    how many labels they have."""

    voters: Voters
    tasks: tuple[Task, ...]
    rows: int = 0
    covered: int = 0
    conflicting: int = 0
    labelled: int = 0
    confidence_sums: list[float] = field(default_factory=list)
    with_class: IntArray = field(init=False)
    confidences: IntArray = field(init=False)
    sizes: IntArray = field(init=False)
    known: list[tuple[LabelledSets, MatchedSets]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.with_class, self.sizes = np.zeros(len(self.tasks), dtype=np.int64), np.zeros(len(self.tasks) + 1, dtype=np.int64)
        self.confidences = np.zeros(CONFIDENCES, dtype=np.int64)

    def add(self, votes: Votes, levels: Levels | None, found: LabelledSets, counts: IntArray | None = None) -> None:
        """Count rows, or with `counts` distinct rows that stand for so many each."""
        times = np.ones(len(votes), dtype=np.int64) if counts is None else counts
        differ = np.zeros(len(votes), dtype=bool)
        for task in self.tasks:
            differ |= in_conflict(answers_of(task, votes, levels))
        self.rows += int(times.sum())
        self.covered += int(times[found.covered].sum())
        self.conflicting += int(times[differ].sum())
        self.confidence_sums.append(math.fsum((found.confidence * times)[found.covered].tolist()))
        self.confidences += confidence_counts(found.confidence, found.covered, times)
        self.labelled += int(times[found.known].sum())
        self.with_class += times @ found.labels
        sizes = found.labels.sum(axis=1)[found.known]
        self.sizes += np.bincount(sizes, weights=times[found.known], minlength=len(self.sizes)).astype(np.int64)

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
        self.confidences = np.rint(share * self.confidences).astype(np.int64)
        self.labelled, self.with_class = round(share * self.labelled), np.rint(share * self.with_class).astype(np.int64)

    def add_gold(self, found: LabelledSets, gold: MatchedSets) -> None:
        """Keep rows whose classes are known, as labelled by calibrators that have not seen them."""
        if len(gold.known):
            self.known.append((found, gold))

    def metrics(self, gold_size: int | None) -> dict[str, Figure]:
        """Indicators by name; None where a ratio has no rows. Scores are there only with gold (`gold_size` given)."""
        figures = indicators(self.rows, self.covered, self.conflicting, self.confidence_sums)
        return figures if gold_size is None else figures | score_figures(self.gold_scores(), gold_size)

    def intervals(self) -> dict[str, Interval]:
        """95 % intervals of the scores that have one, by name."""
        return score_intervals(self.gold_scores())

    def label_distribution(self, names: list[str]) -> dict[str, float]:
        """Share of the rows with labels that have each class; empty when none has labels."""
        return {name: round(int(count) / self.labelled, 9) for name, count in zip(names, self.with_class, strict=True)} if self.labelled else {}

    def gold_scores(self) -> GoldScores:
        """Scores of the rows whose classes are known."""
        return set_scores(*self.labelled_gold())

    def labelled_gold(self) -> tuple[LabelledSets, MatchedSets]:
        """The rows whose classes are known, in the order in which they came."""
        parts = self.known or [(_nothing(len(self.tasks)), MatchedSets(np.empty(0, dtype=bool), np.empty((0, len(self.tasks)), dtype=bool), np.empty(0)))]
        found = LabelledSets(*(np.concatenate([getattr(one, name) for one, _ in parts]) for name in PARTS))
        return found, MatchedSets(*(np.concatenate([getattr(gold, name) for _, gold in parts]) for name in ("known", "labels", "weights")))


def _nothing(classes: int) -> LabelledSets:
    none, flags = np.empty(0), np.empty(0, dtype=bool)
    return LabelledSets(np.empty((0, classes)), np.empty((0, classes), dtype=bool), flags, none, none, flags)
