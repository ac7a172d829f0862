"""A committed version of labels as counts and arrays, read batch by batch: memory grows with functions and gold, not with rows."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from deltalake import DeltaTable

from labeljob.analysis import conflict_matrix
from labeljob.ballots import disagreeing_rows, ordinary, partial_conflicts
from labeljob.contract.reading import ReadingRequest
from labeljob.figures import FunctionCounts, RunFigures
from labeljob.gold import Gold, Matched
from labeljob.held_out import judged
from labeljob.io.content import pin_broken
from labeljob.io.places import Place, open_table
from labeljob.label_model import VoteReducer
from labeljob.label_model.side.soft_votes import Levels
from labeljob.labelled import Labelled, reduced_rows, reducer_of, voters_of
from labeljob.model_artifact import ModelArtifact
from labeljob.reading.disagreements import Disagreements
from labeljob.row_ids import hashed_ids
from labeljob.steps.output_rows import output_schema
from labeljob.votes import ABSTAIN, IntArray, VoteBatch, Votes

BINS = 20
UNSURE = 12  # rows shown as worth a look


@dataclass
class Labels:
    """Everything a report shows of one version.

    Attributes:
        conflicts: int64 [n_functions, n_functions], rows on which two functions disagree.
        confidence: int64 [n_classes, BINS], covered rows by label and confidence over [1/K, 1].
        confusion: int64 [n_classes, n_classes + 1], gold class by label; the last column is no label.
        votes: reduces what the functions that are no fallbacks say; see `reduced_rows`.
        disagreements: rows on which functions disagree.
        unsure: the covered rows of least confidence, as (confidence, id, label).
    """

    functions: FunctionCounts
    figures: RunFigures
    conflicts: IntArray
    confidence: IntArray
    confusion: IntArray
    gold_rows: int
    votes: VoteReducer
    disagreements: Disagreements = field(default_factory=Disagreements)
    unsure: list[tuple[float, str, str | None]] = field(default_factory=list)

    def metrics(self) -> dict[str, float | None]:
        """Indicators by name, as in status."""
        return self.figures.metrics(self.gold_rows or None)

    def conflicts_of(self, votes: Votes, _: Levels | None = None) -> IntArray:
        """Of rows as they are labelled, as `conflicts`."""
        return conflict_matrix(ordinary(votes)) + partial_conflicts(votes, self.functions.voters.sets)


def read_labels(table: Place, request: ReadingRequest, artifact: ModelArtifact, gold: Gold) -> Labels:
    """Count a version of the output. Gold rows are scored as the run scored them: by calibrators that have not seen them.

    Raises:
        JobError: PIN_BROKEN: the rows have other functions or classes than the model version.
    """
    function_set = artifact.function_set
    voters, classes = voters_of(function_set), list(function_set.classes)
    functions = len(voters.names)
    labels = Labels(
        functions=FunctionCounts(voters, len(classes)),
        figures=RunFigures(voters, len(classes)),
        conflicts=np.zeros((functions, functions), dtype=np.int64),
        confidence=np.zeros((len(classes), BINS), dtype=np.int64),
        confusion=np.zeros((len(classes), len(classes) + 1), dtype=np.int64),
        gold_rows=len(gold.classes),
        votes=reducer_of(voters),
    )
    for batch in batches_of(open_table(table, request.output_version), output_schema(function_set)):
        votes = votes_of_batch(batch, functions, request.output)
        labelled = _labelled(batch, classes)
        ids = batch.column(function_set.id_column)
        _add(labels, ids, votes, labelled, gold.match(ids), classes)
        if len(voters.regular):
            labels.votes.add(reduced_rows(voters, votes, levels_of_batch(batch)), hashed_ids(ids))
        scored, known = judged(artifact.model, voters, votes, levels_of_batch(batch), ids, artifact.calibration, gold)
        labels.figures.add_gold(scored, known)
        np.add.at(labels.confusion, (known.classes, scored.labels), 1)  # no label is -1: the last column
    return labels


def batches_of(table: DeltaTable, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """All rows, in the types that were written."""
    for batch in pa.RecordBatchReader.from_stream(table.scan()):
        yield batch.cast(schema)  # the reader gives views, which most kernels do not take


def votes_of_batch(batch: pa.RecordBatch, functions: int, uri: str) -> Votes:
    """The votes, int8 [n_rows, n_functions]. JobError PIN_BROKEN when they are of other functions."""
    column = batch.column("votes")
    values = column.flatten()
    if len(values) != len(batch) * functions:
        raise pin_broken(uri, "its rows were labelled with other functions than the model version has")
    return np.ascontiguousarray(values.to_numpy(zero_copy_only=False), dtype=np.int8).reshape(len(batch), functions)


def levels_of_batch(batch: pa.RecordBatch) -> Levels | None:
    """The levels of soft votes, int16 [n_rows, n_soft]; None where the set has none."""
    if "levels" not in batch.schema.names:
        return None
    values = batch.column("levels").flatten().to_numpy(zero_copy_only=False)
    return np.ascontiguousarray(values, dtype=np.int16).reshape(len(batch), -1)


def _labelled(batch: pa.RecordBatch, classes: list[str]) -> Labelled:
    probabilities = batch.column("probabilities")
    columns = [probabilities.field(name).to_numpy(zero_copy_only=False) for name in classes]
    index = {name: k for k, name in enumerate(classes)}
    chosen = np.array([ABSTAIN if value is None else index[value] for value in batch.column("label").to_pylist()], dtype=np.int64)
    confidence, weight, covered = (batch.column(name).to_numpy(zero_copy_only=False) for name in ("confidence", "weight", "covered"))
    return Labelled(np.column_stack(columns).astype(np.float64), chosen, confidence.astype(np.float64), weight, covered)


def _add(labels: Labels, ids: pa.Array, votes: Votes, labelled: Labelled, known: Matched, classes: list[str]) -> None:
    labels.functions.add(VoteBatch(votes, np.zeros(votes.shape, dtype=bool)), known)
    labels.figures.add(votes, labelled)
    labels.conflicts += labels.conflicts_of(votes)
    labels.disagreements.add(ids, votes, None, disagreeing_rows(votes, labels.functions.voters.sets))
    shown = labelled.covered & (labelled.labels != ABSTAIN)
    place = (labelled.confidence[shown] - 1 / len(classes)) / (1 - 1 / len(classes))
    index = np.clip((place * BINS).astype(np.int64), 0, BINS - 1)
    np.add.at(labels.confidence, (labelled.labels[shown], index), 1)
    labels.unsure = sorted([*labels.unsure, *_least_sure(ids, labelled, classes)])[:UNSURE]


def _least_sure(ids: pa.Array, labelled: Labelled, classes: list[str]) -> list[tuple[float, str, str | Any]]:
    covered = np.flatnonzero(labelled.covered)
    least = covered[np.argsort(labelled.confidence[covered], kind="stable")[:UNSURE]]
    named = [*classes, "no label"]  # -1 is the last
    return [(float(labelled.confidence[row]), str(ids[int(row)].as_py()), named[labelled.labels[row]]) for row in least]
