"""The label step: a pinned dataset, a frozen model version, one commit (C5, F3, F6, X9, X16, DESIGN §4).

    pinned data -> contract check -> votes -> spool -> by id -> label -> files -> one commit
                     SchemaBroken     FunctionsFailing                    VolumeFull  Superseded

Only the artifact says which functions vote and what they are worth; the live set is never read. A run in shards does the same in two steps, `shard`
and `commit`.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime

import pyarrow as pa

from labeljob.content_digest import ContentDigest
from labeljob.contract.config import LabelTask
from labeljob.contract.quarantine import Quarantine
from labeljob.contract.result import LabelResult
from labeljob.errors import JobError
from labeljob.io.datasets import open_pinned
from labeljob.io.delta_writer import DeltaWriter
from labeljob.io.parted import Part, check_all_read, open_whole
from labeljob.io.preflight import require_conditional_put
from labeljob.io.quarantine_files import REPEATED
from labeljob.io.repeated_ids import OnceOnly
from labeljob.io.shard_files import ShardFiles
from labeljob.io.source import Source
from labeljob.io.spool import Spool
from labeljob.quarantined_rows import broken_rows, repeated_rows, schema_apart
from labeljob.steps.clean_up import clean_up
from labeljob.steps.context import StepContext
from labeljob.steps.label_record import ID, commit_of, result_of, standing
from labeljob.steps.labelling import Labelling, labelling_of, output_of, settled, vote
from labeljob.steps.piecewise import piecewise_of, with_kept_votes
from labeljob.steps.setting_apart import Accepted, accept, quarantine_of
from labeljob.vote_cache.places import VotesPlaces
from labeljob.vote_cache.shared_ids import counted_out


def run_label(task: LabelTask, context: StepContext) -> LabelResult:
    """Label and commit once; where this run's transaction stands already, give its record again."""
    result = _committed(task, context)
    clean_up(task, context)
    return result


def _committed(task: LabelTask, context: StepContext) -> LabelResult:
    started = context.clock()
    if (done := standing(task, context)) is not None:
        return result_of(task, done)
    require_conditional_put(context.locations.path(task.output), task.output)
    return with_kept_votes(lambda reuse: _labelled(task, started, context, reuse=reuse), context)


def _labelled(task: LabelTask, started: datetime, context: StepContext, *, reuse: bool) -> LabelResult:
    labelling, source, output = labelling_of(task, context), open_pinned(task.data, context.locations), context.locations.path(task.output)
    writer, digest, shared = DeltaWriter(output, task.output, task.app_id, task.sequence, partition_by=task.partition_by), ContentDigest(), list[pa.Array]()
    part = open_whole(task.data, context.locations) if task.history_limit else None
    with (piecewise_of(task, labelling, part, source, context, reuse=reuse) or nullcontext()) as pieces, Spool(context.resources) as spool:
        with _as_pinned(task, part if pieces else None):
            accepted = accept(source, task, labelling, context, pieces)
            labelling.looks.peek(source)
            if pieces is None:
                vote(labelling, accepted.source, accepted.rows, spool, context)
            else:
                pieces.vote(accepted.rows, spool)
        rows = spool.ordered(ID, context.batch_rows)
        once = OnceOnly(rows, lambda some: shared.append(some.column(ID))) if accepted.sharing else rows
        labelled = output_of(labelling, once, pieces.runs if pieces else ())
        writer.write(settled(labelling, labelled, digest, context.log.progress("write", accepted.rows)), labelling.schema)
        kept = pieces.finish() if pieces else None
        broken = pieces.broken(source) if pieces else source
    apart = _set_apart(task, labelling, broken, accepted, shared, context)
    places = VotesPlaces(output, task, 1)
    kept = counted_out(kept, shared, places, context.batch_rows) if kept else None
    votes = places.write(kept) if kept else None
    commit = commit_of(task, labelling, digest.hexdigest(), started, context, apart, kept, votes)
    return result_of(task, writer.commit(commit, labelling.columns(), labelling.schema))


@contextmanager
def _as_pinned(task: LabelTask, part: Part | None) -> Iterator[None]:
    """What is read of the part is held against the pin in the end, and before anything else is said against it: whoever wrote it anew is told so. Without a part
    whatever is read holds itself against it. JobError PIN_BROKEN."""
    try:
        yield
    except JobError:
        if part is not None:
            check_all_read(task.data, (), part.source.read())
        raise
    if part is not None:
        check_all_read(task.data, (), part.source.read())


def _set_apart(task: LabelTask, labelling: Labelling, source: Source, accepted: Accepted, shared: list[pa.Array], context: StepContext) -> Quarantine | None:
    """Write the rows that are not labelled."""
    files, declared = ShardFiles(context.locations.path(task.output), task, 1), labelling.declared
    if accepted.held.broken:
        files.write_apart_alone("0000", broken_rows(source, declared, labelling.hasher, task.run, context.batch_rows), schema_apart(declared))
    if shared:
        files.write_apart_alone(REPEATED, repeated_rows(shared, declared, task.run), schema_apart(declared))
    return quarantine_of(accepted.held, accepted.sharing, declared, files.quarantine_uri)
