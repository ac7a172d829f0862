"""The label step of a multi-label set; as `label`, with a list of labels for each row."""

from collections.abc import Iterator, Mapping
from datetime import datetime

import pyarrow as pa

from labeljob.contract.config import LabelTask
from labeljob.contract.privacy import PrivacyFinding
from labeljob.contract.result import LabelResult
from labeljob.drift.comparison import shifts
from labeljob.drift.reference import reference_in
from labeljob.drift.sample import RowSample
from labeljob.io.datasets import open_pinned
from labeljob.io.delta_writer import DeltaWriter
from labeljob.io.spool import Spool
from labeljob.label_model.side.soft_votes import Levels
from labeljob.model_artifact import VotingSet
from labeljob.multi_label.artifact import SetsArtifact, from_files, reference_of
from labeljob.multi_label.counts import AnswerCounts
from labeljob.multi_label.figures import SetFigures
from labeljob.multi_label.gold import MatchedSets, SetGold, set_gold_of
from labeljob.multi_label.labelling import LabelledSets, label_sets
from labeljob.steps.commit import Digested, output_schema, output_sets
from labeljob.steps.context import StepContext
from labeljob.steps.evaluate import checked_rows, vote_batches
from labeljob.steps.label_record import ID, VOTES, commit_of, result_of, set_aside, unpacked
from labeljob.votes import Votes


def label_with_sets(task: LabelTask, files: Mapping[str, bytes], started: datetime, context: StepContext) -> LabelResult:
    """Label and commit once; `files` are those of the model version."""
    artifact = from_files(files, task.artifacts)
    function_set = artifact.function_set
    schema = output_schema(function_set)
    gold = set_gold_of(task.gold, task.gold_label_column, task.gold_probability_column, function_set, context.locations, artifact.key_id)
    writer = DeltaWriter(context.locations.path(task.output), task.output, task.app_id, task.sequence)
    figures, sample = SetFigures(artifact.voters, artifact.tasks), RowSample(function_set)
    with Spool(context.resources) as spool:
        counts, privacy = _vote(task, artifact, gold, spool, sample, context)
        digested = Digested(_rows(task, artifact, gold, spool, figures, context), progress=context.log.progress("write", counts.rows))
        writer.write(digested, schema)
    metrics, content = figures.metrics(len(gold.labels) if task.gold else None), digested.digest.hexdigest()
    drift = shifts(reference_in(files), reference_of(counts, figures, list(function_set.classes)), sample)
    commit = commit_of(task, function_set, artifact.function_set_digest, figures, metrics, content, started, context, drift, privacy)
    return result_of(task, writer.commit(commit, counts.columns(artifact.models, artifact.estimated), schema))


def _vote(
    task: LabelTask, artifact: SetsArtifact, gold: SetGold, spool: Spool, sample: RowSample, context: StepContext
) -> tuple[AnswerCounts, list[PrivacyFinding]]:
    """Check the contract, set every row's votes aside, and stop when a function fails too often: before anything is written.

    Returns:
        What was counted, and the columns that look like personal data.
    """
    function_set, source = artifact.function_set, open_pinned(task.data, context.locations)
    rows, privacy = checked_rows(source, function_set, artifact.key_id, context, sample.add)
    counts = AnswerCounts(artifact.voters, artifact.tasks)
    for ids, batch in vote_batches(source, rows, VotingSet(function_set, artifact.lookups, key_id=artifact.key_id), context, context.log.progress("vote", rows)):
        counts.add(batch, gold.match(ids))
        counts.check_errors(function_set, rows)
        spool.add(set_aside(ids, batch))
    return counts, privacy


def _rows(task: LabelTask, artifact: SetsArtifact, gold: SetGold, spool: Spool, figures: SetFigures, context: StepContext) -> Iterator[pa.RecordBatch]:
    """Output rows by ascending id; `figures` is filled on the way."""
    schema, classes = output_schema(artifact.function_set), list(artifact.function_set.classes)
    for batch in spool.ordered(ID, context.batch_rows):
        ids, (votes, levels) = batch.column(ID), unpacked(batch.column(VOTES), len(artifact.voters.names))
        labelled = label_sets(artifact.models, artifact.tasks, artifact.voters, votes, levels, artifact.calibration)
        figures.add(votes, levels, labelled)
        figures.add_gold(*judged_sets(artifact, votes, levels, ids, gold))
        yield output_sets(ids, votes, levels, labelled, classes, task.run, schema)


def judged_sets(artifact: SetsArtifact, votes: Votes, levels: Levels | None, ids: pa.Array, gold: SetGold) -> tuple[LabelledSets, MatchedSets]:
    """The rows whose classes are known, labelled by calibrators that have not seen them, and what is known of them."""
    matched = gold.match(ids)
    known = matched.known
    of = None if levels is None else levels[known]
    found = label_sets(artifact.models, artifact.tasks, artifact.voters, votes[known], of, artifact.calibration, ids.filter(pa.array(known)))
    return found, matched.part(known)
