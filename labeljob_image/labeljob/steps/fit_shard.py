"""The fit-shard step: one part of a pinned dataset becomes statistics, and no version (C3, C5, DESIGN §4.9).

    its part -> contract check -> votes -> ids, statistics, counts, rows with gold -> summary
                counted           FunctionsFailing, on the rows of the whole table

What a limit or the contract says of the whole table is decided by whoever has all summaries: the fit. Where a part breaks the contract no function runs on it.
"""

from typing import Any

import pyarrow as pa

from labeljob.artifacts import ArtifactHome
from labeljob.cascade import InputErrors
from labeljob.contract.config import FitTask
from labeljob.contract.reasons import JobReason
from labeljob.contract.result import ShardResult
from labeljob.errors import JobError
from labeljob.io.fit_files import FitFiles, FitSummary
from labeljob.io.parted import Part, open_part
from labeljob.io.spool import Spool
from labeljob.io.typed import ARROW_TYPES
from labeljob.label_model import to_bytes
from labeljob.privacy import seen_id_type
from labeljob.schema import Held, hold
from labeljob.steps.context import StepContext
from labeljob.steps.evaluate import open_voting
from labeljob.steps.fit import prepare, votes_of
from labeljob.steps.fit_votes import FitVotes, key_of


def run_fit_shard(task: FitTask, index: int, context: StepContext) -> ShardResult:
    """Reduce part `index`; where its summary stands, or the version already, there is nothing to do.

    Raises:
        JobError: as the fit step, but SCHEMA_BROKEN, EMPTY_DATASET and NO_COVERAGE, which the fit raises; FUNCTIONS_FAILING only where this part alone
            has too many errors for the whole table.
    """
    if not 0 <= index < task.parts:
        raise JobError(JobReason.CONFIG_INVALID, f"the completion index is {index} and must be 0 to {task.parts - 1}: the operator sets both")
    folder = context.locations.path(task.artifacts)
    if ArtifactHome(folder, task.artifacts).find(task.fit_digest) is not None:
        return ShardResult(shard=index, rows=0)
    files = FitFiles(folder, task)
    summary = files.summary(index) or _reduce_part(task, index, files, context)
    return ShardResult(shard=index, rows=summary.rows)


def _reduce_part(task: FitTask, index: int, files: FitFiles, context: StepContext) -> FitSummary:
    votes, id_column = _votes_of(task, context), task.function_set.id_column
    part = open_part(task.data, task.parts, index, context.locations)
    votes.looks.expect(part.rows)
    with files.attempt_at(index) as work, Spool(context.resources) as spool:
        held = _hold(task, part, votes, spool, context)
        votes.looks.peek(part.source, task.parts)
        errors = {} if held.is_broken else _vote(votes, part, context, timed=index == 0)
        ids = files.write_rows(work, index, "ids", spool.ordered(id_column, context.batch_rows), _id_schema(task))  # after what may refuse the part
        gold = votes.gold_rows()
        summary = FitSummary(
            digest=task.fit_digest,
            shards=task.parts,
            shard=index,
            split=part.split,
            rows=held.rows,
            structure=held.structure,
            violations=held.values,
            ids=ids,
            gold=files.write_rows(work, index, "gold", [gold], gold.schema),
            votes_size=files.write_votes(work, index, to_bytes(votes.statistics())),
            tally_size=files.write_tally(index, votes.tally()),
            read=tuple(part.source.read()),
            input_errors=errors,
        )
        files.finish(summary)
    return summary


def _votes_of(task: FitTask, context: StepContext) -> FitVotes[Any]:
    if task.function_set.is_multi_label:
        from labeljob.steps.fit_sets import prepare_sets, votes_of_sets

        return votes_of_sets(task, *prepare_sets(task, context))
    return votes_of(task, prepare(task, context))


def _hold(task: FitTask, part: Part, votes: FitVotes[Any], spool: Spool, context: StepContext) -> Held:
    """The contract check of a part; its ids are set aside."""

    def take(ids: pa.RecordBatch) -> None:
        spool.add(ids.filter(ids.column(0).is_valid()))

    hasher = context.hasher(task.function_set, key_of(task))
    progress = context.log.progress("check", None)
    return hold(part.source, task.function_set, hasher, progress, context.batch_rows, take, look=votes.looks.add)


def _vote(votes: FitVotes[Any], part: Part, context: StepContext, *, timed: bool) -> InputErrors:
    """Votes of every row, and how often the functions of each input model failed."""
    with open_voting(votes.voting, part.rows, context, timed=timed) as voting:
        for ids, batch in voting.batches(part.source, context.log.progress("vote", part.rows)):
            votes.add(ids, batch)
            votes.check_errors(part.rows)
        return voting.input_errors()


def _id_schema(task: FitTask) -> pa.Schema:
    return pa.schema([pa.field(task.function_set.id_column, ARROW_TYPES[seen_id_type(task.function_set)])])
