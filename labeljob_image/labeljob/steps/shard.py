"""The shard step: one part of a pinned dataset is labelled, and nothing becomes visible (C5, X8, X16, DESIGN §4.2 and §4.3).

    its part -> contract check -> votes -> spool -> by id -> label -> data files -> tally -> summary
                  counted           FunctionsFailing, on the rows of the whole table

What a limit or the contract says of the whole table is decided by whoever has all summaries: the commit. Where a part breaks the contract no function runs on it, unless what is
broken may be set apart; rows that share their id are labelled here, and the commit leaves them out.
"""

from collections.abc import Iterator
from contextlib import nullcontext
from datetime import datetime

import pyarrow as pa

from labeljob.cascade import InputErrors
from labeljob.contract.config import ShardTask
from labeljob.contract.reasons import JobReason
from labeljob.contract.result import ShardResult
from labeljob.errors import JobError
from labeljob.io.data_files import DataFile
from labeljob.io.parted import open_part
from labeljob.io.shard_files import ShardFiles, ShardSummary
from labeljob.io.source import Source
from labeljob.io.spool import Spool
from labeljob.logs import now_text
from labeljob.privacy import withheld
from labeljob.quarantined_rows import broken_rows, schema_apart
from labeljob.schema import Held, checkable, hold
from labeljob.steps.context import StepContext
from labeljob.steps.label_record import ID, result_of, standing
from labeljob.steps.labelling import Labelling, labelling_of, output_of, vote
from labeljob.steps.piecewise import KEPT, Piecewise, piecewise_of, with_kept_votes
from labeljob.steps.setting_apart import good_rows, too_many


def run_shard(task: ShardTask, index: int, context: StepContext) -> ShardResult:
    """Label part `index`; where its summary stands, or the run is committed already, there is nothing to do.

    Raises:
        JobError: as the label step, but SCHEMA_BROKEN, which the commit raises; FUNCTIONS_FAILING only where this part alone has too many errors
            for the whole table.
    """
    if not 0 <= index < task.shards:
        raise JobError(JobReason.CONFIG_INVALID, f"the completion index is {index} and must be 0 to {task.shards - 1}: the operator sets both")
    started, label = context.clock(), task.label
    files = ShardFiles(context.locations.path(label.output), label, task.shards)
    if (record := standing(label, context)) is not None:
        result_of(label, record)
        return ShardResult(shard=index, rows=files.rows_of(index))
    summary = files.summary(index) or with_kept_votes(lambda reuse: _label_part(task, index, files, started, context, reuse=reuse), context)
    return ShardResult(shard=index, rows=summary.rows)


def _label_part(task: ShardTask, index: int, files: ShardFiles, started: datetime, context: StepContext, *, reuse: bool) -> ShardSummary:
    label, labelling = task.label, labelling_of(task.label, context)
    part = open_part(label.data, task.shards, index, context.locations)
    declared, share = labelling.declared, label.quarantine
    if share is None:
        labelling.looks.expect(part.rows)
    data, ids, apart, errors, kept = tuple[DataFile, ...](), tuple[DataFile, ...](), tuple[DataFile, ...](), InputErrors(), None
    with piecewise_of(label, labelling, part, part.source, context, shard=index, shards=task.shards, reuse=reuse) or nullcontext() as pieces:
        held = _held(part.source, labelling, share is not None, pieces, context)
        source = part.source if share is None else good_rows(part.source, held, declared)
        labelling.looks.peek(part.source, task.shards)
        with files.attempt_at(index) as work, Spool(context.resources) as spool:
            if held.structure or (held.is_broken if share is None else too_many(share, held.broken, part.rows)):
                ids = files.write_rows(work, index, "ids", _ids(source, labelling, spool, context), pa.schema([labelling.schema.field(0)]))
            else:
                if pieces is None:
                    errors = vote(labelling, source, part.rows - held.broken, spool, context, timed=index == 0)
                else:
                    pieces.vote(part.rows - held.broken, spool, timed=index == 0)
                rows = output_of(labelling, spool.ordered(ID, context.batch_rows), pieces.runs if pieces else ())
                data = files.write(work, index, rows, labelling.schema)
                kept = pieces.finish() if pieces else None
                if held.broken:
                    rows = broken_rows(pieces.broken(source) if pieces else part.source, declared, labelling.hasher, label.run, context.batch_rows)
                    apart = files.write_apart(work, f"{index:04d}", rows, schema_apart(declared))
            summary = ShardSummary(
                digest=label.run_digest,
                shards=task.shards,
                shard=index,
                split=part.split,
                started_at=now_text(started),
                rows=held.rows,
                structure=held.structure,
                violations=held.values,
                broken=held.broken,
                files=data,
                ids=ids,
                apart=apart,
                read=tuple(part.source.read()),
                tally_size=files.write_tally(index, labelling.tally() | ({} if kept is None else {KEPT: kept.wire()})),
                input_errors=errors,
            )
            files.finish(summary)
    return summary


def _held(source: Source, labelling: Labelling, separate: bool, pieces: Piecewise | None, context: StepContext) -> Held:
    if pieces is not None:
        return pieces.hold(source, None, separate=separate)
    progress = context.log.progress("check", None)
    return hold(source, labelling.declared, labelling.hasher, progress, context.batch_rows, look=labelling.looks.add, separate=separate)


def _ids(source: Source, labelling: Labelling, spool: Spool, context: StepContext) -> Iterator[pa.RecordBatch]:
    """The ids of a part, ascending, where there are any to read: whether other parts have them, too, is part of what is broken."""
    function_set = labelling.declared
    id_column = function_set.id_column
    if id_column in (columns := checkable(source.types(), function_set)):
        for part in source.batches({id_column: columns[id_column]}, context.batch_rows):
            spool.add(withheld(part.batch.filter(part.batch.column(id_column).is_valid()), function_set, labelling.hasher))
        yield from spool.ordered(id_column, context.batch_rows)
