"""The label step: a pinned dataset, a frozen model version, one commit (C5, F3, F6, X9, X16, DESIGN §4).

    pinned data -> contract check -> votes -> spool -> by id -> label -> files -> one commit
                     SchemaBroken     FunctionsFailing                    VolumeFull  Superseded

Only the artifact says which functions vote and what they are worth; the live set is never read.
"""

from collections.abc import Iterator

import pyarrow as pa

from labeljob.artifacts import ArtifactHome
from labeljob.contract.config import LabelTask
from labeljob.contract.result import LabelResult
from labeljob.figures import FunctionCounts, RunFigures
from labeljob.frozen_models import opened
from labeljob.gold import Gold
from labeljob.held_out import judged, not_taught
from labeljob.io.datasets import open_pinned
from labeljob.io.delta_commits import committed, open_output
from labeljob.io.delta_writer import DeltaWriter
from labeljob.io.preflight import require_conditional_put
from labeljob.io.spool import Spool
from labeljob.labelled import Voters, label_votes, voters_of
from labeljob.model_artifact import ModelArtifact
from labeljob.multi_label.artifact import is_multi_label
from labeljob.schema import check_contract
from labeljob.steps.commit import Digested, output_rows, output_schema
from labeljob.steps.context import StepContext, gold_of
from labeljob.steps.evaluate import vote_batches
from labeljob.steps.label_record import ID, VOTES, commit_of, result_of, set_aside, unpacked
from labeljob.steps.label_sets import label_with_sets


def run_label(task: LabelTask, context: StepContext) -> LabelResult:
    """Label and commit once; where this run's transaction stands already, give its record again."""
    started, folder = context.clock(), context.locations.path(task.output)
    done = committed(open_output(folder, task.output, task.app_id), task.output, task.app_id, task.sequence)
    if done is not None:
        return result_of(task, done)
    require_conditional_put(folder, task.output)
    files = _files(task, context)
    if is_multi_label(files):
        return label_with_sets(task, files, started, context)
    artifact = opened(context.locations, files, task.artifacts)
    schema = output_schema(artifact.function_set)
    given = gold_of(task.gold, task.gold_label_column, task.gold_probability_column, artifact.function_set, context)
    gold = not_taught(given, artifact.taught)
    writer = DeltaWriter(folder, task.output, task.app_id, task.sequence)
    with Spool(context.resources) as spool:
        voters = voters_of(artifact.function_set)
        counts = _vote(task, artifact, gold, spool, voters, context)
        figures = RunFigures(voters, len(artifact.function_set.classes))
        rows = _rows(task, artifact, gold, spool, figures, context)
        digested = Digested(rows, progress=context.log.progress("write", counts.rows))
        writer.write(digested, schema)
    metrics = figures.metrics(len(gold.classes) if task.gold else None)
    if left_out := len(given.classes) - len(gold.classes):
        metrics["goldTaught"] = float(left_out)
    commit = commit_of(task, artifact.declared, artifact.function_set_digest, figures, metrics, digested.digest.hexdigest(), started, context)
    return result_of(task, writer.commit(commit, counts.columns(artifact.model), schema))


def _files(task: LabelTask, context: StepContext) -> dict[str, bytes]:
    """The content of the pinned version, verified."""
    return ArtifactHome(context.locations.path(task.artifacts), task.artifacts).load(task.model_version, task.model_sha256)


def _vote(
    task: LabelTask, artifact: ModelArtifact, gold: Gold, spool: Spool, voters: Voters, context: StepContext
) -> FunctionCounts:
    """Check the contract, set every row's votes aside, and stop when a function fails too often: before anything is written."""
    function_set, source = artifact.declared, open_pinned(task.data, context.locations)
    rows = check_contract(source, function_set, context.resources, context.log.progress("check", None), context.batch_rows)
    counts = FunctionCounts(voters, len(function_set.classes))
    for ids, batch in vote_batches(source, rows, artifact.voting, context, context.log.progress("vote", rows)):
        counts.add(batch, gold.match(ids))
        counts.check_errors(function_set, rows)
        spool.add(set_aside(ids, batch))
    return counts


def _rows(
    task: LabelTask, artifact: ModelArtifact, gold: Gold, spool: Spool, figures: RunFigures, context: StepContext
) -> Iterator[pa.RecordBatch]:
    """Output rows by ascending id; `figures` is filled on the way."""
    schema, voters, classes = output_schema(artifact.function_set), figures.voters, list(artifact.function_set.classes)
    for batch in spool.ordered(ID, context.batch_rows):
        ids, (votes, levels) = batch.column(ID), unpacked(batch.column(VOTES), len(voters.names))
        labelled = label_votes(artifact.model, voters, votes, levels, artifact.calibration.calibrator)
        figures.add(votes, labelled)
        figures.add_gold(*judged(artifact.model, voters, votes, levels, ids, artifact.calibration, gold))
        yield output_rows(ids, votes, levels, labelled, classes, task.run, schema)
