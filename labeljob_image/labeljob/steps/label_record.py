"""What a labelling run sets aside between its two passes, and the record of its commit."""

from datetime import datetime
from typing import Protocol

import numpy as np
import pyarrow as pa

from labeljob.contract.config import LabelTask
from labeljob.contract.drift import Shift
from labeljob.contract.privacy import PrivacyFinding
from labeljob.contract.quarantine import Quarantine
from labeljob.contract.reasons import JobReason
from labeljob.contract.result import Commit, LabelResult
from labeljob.errors import JobError
from labeljob.figures import Figure
from labeljob.io.delta_commits import CommitRecord, committed, open_output, require_partitions
from labeljob.label_model.side.soft_votes import Levels
from labeljob.logs import now_text
from labeljob.steps.context import StepContext
from labeljob.vote_cache.manifest import PartVotes
from labeljob.votes import IntArray, VoteBatch, Votes

ID, VOTES, RUN = "id", "votes", "run"  # columns of the spool


class Outcome(Protocol):
    """What a run has found."""

    function_set_digest: str
    functions: int  # columns of votes

    def metrics(self) -> dict[str, Figure]:
        """Indicators by name."""

    def label_distribution(self) -> dict[str, float]:
        """Shares of the classes."""

    def drift(self) -> list[Shift]:
        """What has moved since the model version was fitted."""

    def privacy(self) -> list[PrivacyFinding]:
        """Columns that look like personal data."""


def set_aside(ids: pa.Array, batch: VoteBatch, runs: IntArray | None = None) -> pa.RecordBatch:
    """Ids and packed votes, with the levels of soft votes behind them, and the number of the run that labelled each row, where there are several; for the time of
    the run only."""
    rows = len(batch.votes)
    data = batch.votes if batch.levels is None else np.concatenate([batch.votes, np.ascontiguousarray(batch.levels).view(np.int8)], axis=1)
    packed = pa.FixedSizeBinaryArray.from_buffers(pa.binary(data.shape[1]), rows, [None, pa.py_buffer(np.ascontiguousarray(data))])
    if runs is None:
        return pa.RecordBatch.from_arrays([ids, packed], names=[ID, VOTES])
    return pa.RecordBatch.from_arrays([ids, packed, pa.array(runs, pa.int32())], names=[ID, VOTES, RUN])


def unpacked(column: pa.Array, functions: int) -> tuple[Votes, Levels | None]:
    """(votes int8 [n_rows, n_functions], levels) of a batch that `set_aside` made."""
    data = np.frombuffer(_content(column), dtype=np.int8).reshape(len(column), -1)
    levels = np.ascontiguousarray(data[:, functions:]).view(np.int16) if data.shape[1] > functions else None
    return np.ascontiguousarray(data[:, :functions]), levels


def _content(column: pa.Array) -> memoryview:
    """The bytes of all rows, one behind the other; the column is binary, as the spool gives it, and without nulls."""
    _, offsets, data = column.cast(pa.binary()).buffers()
    bounds = np.frombuffer(offsets, dtype=np.int32)[column.offset : column.offset + len(column) + 1]
    return memoryview(data)[bounds[0] : bounds[-1]]


def commit_of(
    task: LabelTask, outcome: Outcome, content: str, started: datetime, context: StepContext, apart: Quarantine | None, kept: PartVotes | None, votes: str | None
) -> Commit:
    """The record as far as it is known before the commit; table id and version are the log's. `votes`: the manifest of `kept`."""
    finished, metrics = context.clock(), outcome.metrics()
    seconds, rows = round((finished - started).total_seconds(), 3), metrics["rows"]
    if task.quarantine is not None:
        metrics = metrics | {"quarantinedRows": float(apart.rows if apart else 0)}
    if kept is not None:
        reused_rows, reused_votes = kept.reused(outcome.functions)
        metrics = metrics | {"reusedRows": float(reused_rows), "reusedVotes": round(reused_votes / (rows * outcome.functions), 4) if rows else None}
    timing = {"latencySeconds": seconds, "rowsPerSecond": round(rows / seconds, 1) if seconds > 0 and rows else None}
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
        function_set_digest=outcome.function_set_digest,
        image=task.image,
        metrics=metrics | timing,
        label_distribution=outcome.label_distribution(),
        drift=outcome.drift(),
        privacy=outcome.privacy(),
        quarantine=apart,
        votes=votes,
    )


def standing(task: LabelTask, context: StepContext) -> CommitRecord | None:
    """The record of this task's sequence when it is committed. JobError SUPERSEDED, OUTPUT_CONFLICT: it must not be."""
    table = open_output(context.locations.path(task.output), task.output, task.app_id)
    if table is not None:
        require_partitions(table, task.output, task.partition_by)
    return committed(table, task.output, task.app_id, task.sequence)


def result_of(task: LabelTask, record: CommitRecord) -> LabelResult:
    """What was committed under this sequence, when it is this run."""
    if record.commit.run_digest != task.run_digest:
        message = f"{task.output}: sequence {task.sequence} is taken by another run of this LabelJob: nothing was written"
        raise JobError(JobReason.SUPERSEDED, message)
    return LabelResult(commit=record.commit, functions=record.functions)
