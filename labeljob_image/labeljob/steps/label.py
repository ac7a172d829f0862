"""The label step: a pinned dataset, a frozen model version, one commit (C5, F3, F6, X9, X16, DESIGN §4).

    pinned data -> contract check -> votes -> spool -> by id -> label -> files -> one commit
                     SchemaBroken     FunctionsFailing                    VolumeFull  Superseded

Only the artifact says which functions vote and what they are worth; the live set is never read.
"""

from collections.abc import Iterator
from datetime import datetime

import numpy as np
import pyarrow as pa

from labeljob.contract.config import LabelTask
from labeljob.contract.reasons import JobReason
from labeljob.contract.result import Commit, LabelResult
from labeljob.errors import JobError
from labeljob.figures import Figure, FunctionCounts, RunFigures
from labeljob.frozen_models import load_model
from labeljob.gold import Gold
from labeljob.held_out import judged, not_taught
from labeljob.io.datasets import open_pinned
from labeljob.io.delta_commits import CommitRecord, committed, open_output
from labeljob.io.delta_writer import DeltaWriter
from labeljob.io.spool import Spool
from labeljob.label_model.soft_votes import Levels
from labeljob.labelled import Voters, label_votes, voters_of
from labeljob.logs import now_text
from labeljob.model_artifact import ModelArtifact
from labeljob.schema import check_contract
from labeljob.steps.commit import Digested, output_rows, output_schema
from labeljob.steps.context import StepContext, gold_of
from labeljob.steps.evaluate import vote_batches
from labeljob.votes import VoteBatch, Votes

ID, VOTES = "id", "votes"  # columns of the spool


def run_label(task: LabelTask, context: StepContext) -> LabelResult:
    """Label and commit once; where this run's transaction stands already, give its record again."""
    started, folder = context.clock(), context.locations.path(task.output)
    done = committed(open_output(folder, task.output, task.app_id), task.output, task.app_id, task.sequence)
    if done is not None:
        return _result(task, done)
    artifact = _artifact(task, context)
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
    commit = _commit(task, artifact, figures, digested.digest.hexdigest(), started, context, metrics)
    return _result(task, writer.commit(commit, counts.columns(artifact.model), schema))


def _artifact(task: LabelTask, context: StepContext) -> ModelArtifact:
    return load_model(context.locations, task.artifacts, task.model_version, task.model_sha256)


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
        spool.add(_set_aside(ids, batch))
    return counts


def _set_aside(ids: pa.Array, batch: VoteBatch) -> pa.RecordBatch:
    """Ids and packed votes, with the levels of soft votes behind them; for the time of the run only."""
    rows = len(batch.votes)
    data = batch.votes if batch.levels is None else np.concatenate([batch.votes, np.ascontiguousarray(batch.levels).view(np.int8)], axis=1)
    packed = pa.FixedSizeBinaryArray.from_buffers(pa.binary(data.shape[1]), rows, [None, pa.py_buffer(np.ascontiguousarray(data))])
    return pa.RecordBatch.from_arrays([ids, packed], names=[ID, VOTES])


def _unpacked(column: pa.Array, functions: int) -> tuple[Votes, Levels | None]:
    data = np.frombuffer(b"".join(column.to_pylist()), dtype=np.int8).reshape(len(column), -1)
    levels = np.ascontiguousarray(data[:, functions:]).view(np.int16) if data.shape[1] > functions else None
    return np.ascontiguousarray(data[:, :functions]), levels


def _rows(
    task: LabelTask, artifact: ModelArtifact, gold: Gold, spool: Spool, figures: RunFigures, context: StepContext
) -> Iterator[pa.RecordBatch]:
    """Output rows by ascending id; `figures` is filled on the way."""
    schema, voters, classes = output_schema(artifact.function_set), figures.voters, list(artifact.function_set.classes)
    for batch in spool.ordered(ID, context.batch_rows):
        ids, (votes, levels) = batch.column(ID), _unpacked(batch.column(VOTES), len(voters.names))
        labelled = label_votes(artifact.model, voters, votes, levels, artifact.calibration.calibrator)
        figures.add(votes, labelled)
        figures.add_gold(*judged(artifact.model, voters, votes, levels, ids, artifact.calibration, gold))
        yield output_rows(ids, votes, levels, labelled, classes, task.run, schema)


def _commit(
    task: LabelTask, artifact: ModelArtifact, figures: RunFigures, content: str, started: datetime, context: StepContext, metrics: dict[str, Figure]
) -> Commit:
    """The record as far as it is known before the commit; table id and version are the log's."""
    finished = context.clock()
    seconds = round((finished - started).total_seconds(), 3)
    timing = {"latencySeconds": seconds, "rowsPerSecond": round(figures.rows / seconds, 1) if seconds > 0 and figures.rows else None}
    return Commit(
        sequence=task.sequence,
        run_digest=task.run_digest,
        run=task.run,
        table_id="",
        version=-1,
        content_digest=content,
        started_at=now_text(started),
        finished_at=now_text(finished),
        data=task.data,
        model_version=task.model_version,
        model_sha256=task.model_sha256,
        function_set_digest=artifact.function_set_digest,
        image=task.image,
        metrics=metrics | timing,
        label_distribution=figures.label_distribution(artifact.function_set.classes),
    )


def _result(task: LabelTask, record: CommitRecord) -> LabelResult:
    """What was committed under this sequence, when it is this run."""
    if record.commit.run_digest != task.run_digest:
        message = f"{task.output}: sequence {task.sequence} is taken by another run of this LabelJob: nothing was written"
        raise JobError(JobReason.SUPERSEDED, message)
    return LabelResult(commit=record.commit, functions=record.functions)
