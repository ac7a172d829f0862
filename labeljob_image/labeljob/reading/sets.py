"""A committed version of label sets as counts and arrays, read batch by batch: memory grows with functions and gold, not with rows."""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from labeljob.contract.reading import ReadingRequest
from labeljob.io.places import Place, open_table
from labeljob.label_model import VoteReducer
from labeljob.label_model.side.soft_votes import Levels
from labeljob.labeling_functions.soft_column import level_columns
from labeljob.multi_label.artifact import SetsArtifact
from labeljob.multi_label.counts import AnswerCounts, conflict_counts, disagreeing
from labeljob.multi_label.figures import SetFigures
from labeljob.multi_label.fitting import row_of, width
from labeljob.multi_label.gold import SetGold
from labeljob.multi_label.labelling import LabelledSets
from labeljob.reading.disagreements import Disagreements
from labeljob.reading.labels import BINS, UNSURE, batches_of, levels_of_batch, votes_of_batch
from labeljob.row_ids import hashed_ids
from labeljob.steps.label_sets import judged_sets
from labeljob.steps.output_rows import output_schema
from labeljob.votes import FloatArray, IntArray, VoteBatch, Votes

SIZES = 4  # rows with 0, 1, 2, and 3 labels or more are told apart


@dataclass
class SetLabels:
    """Everything a report shows of one version.

    Attributes:
        conflicts: int64 [n_functions, n_functions], rows on which two functions are in conflict; disagreements: some of the rows.
        confidence: int64 [SIZES, BINS], covered rows by number of labels and confidence over [1/2, 1].
        votes: reduces what functions say of a row; see `row_of`.
        unsure: the covered rows of least confidence, as (confidence, id, labels).
    """

    functions: AnswerCounts
    figures: SetFigures
    conflicts: IntArray
    confidence: IntArray
    gold_rows: int
    votes: VoteReducer
    disagreements: Disagreements = field(default_factory=Disagreements)
    unsure: list[tuple[float, str, str]] = field(default_factory=list)


def read_sets(table: Place, request: ReadingRequest, artifact: SetsArtifact, gold: SetGold) -> SetLabels:
    """Count a version of the output. Gold rows are scored as the run scored them: by calibrators that have not seen them.

    Raises:
        JobError: PIN_BROKEN: the rows have other functions or classes than the model version.
    """
    functions = len(artifact.voters.names)
    labels = SetLabels(
        functions=AnswerCounts(artifact.voters, artifact.tasks),
        figures=SetFigures(artifact.voters, artifact.tasks),
        conflicts=np.zeros((functions, functions), dtype=np.int64),
        confidence=np.zeros((SIZES, BINS), dtype=np.int64),
        gold_rows=len(gold.labels),
        votes=VoteReducer(*width(artifact.voters, sum(level_columns(artifact.function_set)), len(artifact.tasks))),
    )
    for batch in batches_of(open_table(table, request.output_version), output_schema(artifact.function_set)):
        ids, votes, levels = batch.column(artifact.function_set.id_column), votes_of_batch(batch, functions, request.output), levels_of_batch(batch)
        _add(labels, artifact, batch, ids, votes, levels)
        said = VoteBatch(votes, np.zeros(votes.shape, dtype=bool), levels)
        labels.functions.add(said, gold.match(ids))
        if len(artifact.voters.regular):
            labels.votes.add(row_of(said, artifact.voters, len(artifact.tasks)), hashed_ids(ids))
        labels.figures.add_gold(*judged_sets(artifact, votes, levels, ids, gold))
    return labels


def _add(labels: SetLabels, artifact: SetsArtifact, batch: pa.RecordBatch, ids: pa.Array, votes: Votes, levels: Levels | None) -> None:
    found = _labelled(batch, list(artifact.function_set.classes))
    labels.figures.add(votes, levels, found)
    labels.conflicts += conflict_counts(artifact.tasks, len(artifact.voters.names), votes, levels)
    labels.disagreements.add(ids, votes, levels, disagreeing(artifact.tasks, votes, levels))
    sizes = np.minimum(found.labels.sum(axis=1), SIZES - 1)
    index = np.clip(((found.confidence - 0.5) * 2 * BINS).astype(np.int64), 0, BINS - 1)
    np.add.at(labels.confidence, (sizes[found.covered], index[found.covered]), 1)
    covered = np.flatnonzero(found.covered)
    least = covered[np.argsort(found.confidence[covered], kind="stable")[:UNSURE]]
    named = batch.column("labels")
    unsure = [(float(found.confidence[row]), str(ids[int(row)].as_py()), ", ".join(named[int(row)].as_py()) or "none of them") for row in least]
    labels.unsure = sorted([*labels.unsure, *unsure])[:UNSURE]


def _labelled(batch: pa.RecordBatch, classes: list[str]) -> LabelledSets:
    probabilities, labels = batch.column("probabilities"), batch.column("labels")
    P: FloatArray = np.column_stack([probabilities.field(name).to_numpy(zero_copy_only=False) for name in classes]).astype(np.float64)
    known = labels.is_valid().to_numpy(zero_copy_only=False)
    has = np.array([[name in (of or ()) for name in classes] for of in labels.to_pylist()], dtype=bool).reshape(len(batch), len(classes))
    confidence, weight, covered = (batch.column(name).to_numpy(zero_copy_only=False) for name in ("confidence", "weight", "covered"))
    return LabelledSets(P, has, known, confidence.astype(np.float64), weight, covered)
