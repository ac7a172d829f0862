"""The commit step: what the shards of a run wrote becomes visible in one table version (C5, F3, X9, X16, DESIGN §4.1 to §4.3).

    summaries, all of them -> read what was pinned? -> contract kept? -> counts added up -> rows merged by id -> one commit -> summaries removed
                               PinBroken                SchemaBroken     FunctionsFailing    SchemaBroken (repeated ids)

The merge finds the digest of the content and the scores against gold, which need rows in order of id; it holds a few rows of each shard at a time. It
reads what the shards wrote and writes nothing. What is refused here is removed; what only failed is left for the next attempt.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from labeljob.cascade import InputErrors, check_input_errors
from labeljob.content_digest import LEFT_OUT, ContentDigest
from labeljob.contract.config import CommitTask
from labeljob.contract.reasons import ExitCode, JobReason, exit_code
from labeljob.contract.result import LabelResult
from labeljob.errors import JobError
from labeljob.io.delta_writer import DeltaWriter
from labeljob.io.parted import check_all_read
from labeljob.io.preflight import require_conditional_put
from labeljob.io.shard_files import ShardFiles, ShardSummary, discard_until
from labeljob.io.sorted_merge import chains_of, merged
from labeljob.schema import Held, require
from labeljob.steps.context import StepContext
from labeljob.steps.label_record import commit_of, result_of, standing
from labeljob.steps.labelling import Labelling, labelling_of, settled

NAMED = 10  # shards that a message names
KEPT = (ExitCode.TRANSIENT, ExitCode.NO_ROOM)  # a failure with which the run may go on later


def run_commit(task: CommitTask, context: StepContext) -> LabelResult:
    """Commit once; where this run's transaction stands already, give its record again.

    Raises:
        JobError: as the label step; INTERNAL_ERROR while a shard has not finished, which another attempt may find otherwise.
    """
    files = ShardFiles(context.locations.path(task.label.output), task.label, task.shards)
    try:
        result = _committed(task, files, context)
    except JobError as error:
        if exit_code(error.reason) not in KEPT:
            files.discard()
        raise
    discard_until(files.folder, task.label.app_id, task.label.sequence)
    return result


def _committed(task: CommitTask, files: ShardFiles, context: StepContext) -> LabelResult:
    label = task.label
    if (record := standing(label, context)) is not None:
        return result_of(label, record)
    require_conditional_put(files.folder, label.output)
    summaries = _all_of(files)
    check_all_read(label.data, (one.split for one in summaries), (file for one in summaries for file in one.read))
    labelling, digest = labelling_of(label, context), ContentDigest()
    _require_contract(summaries, files, labelling, context)
    rows = sum(one.rows for one in summaries)
    for tally in files.tallies():
        labelling.add_tally(tally)
    labelling.check_errors(rows)
    check_input_errors(labelling.voting.inputs, _added(summaries), rows)
    for _ in settled(labelling, _rows(summaries, files, labelling, context), digest, context.log.progress("merge", rows)):
        pass
    started = min(datetime.fromisoformat(one.started_at) for one in summaries)
    writer = DeltaWriter(files.folder, label.output, label.app_id, label.sequence, (files.attempt, [file for one in summaries for file in one.files]))
    commit = commit_of(label, labelling, digest.hexdigest(), started, context)
    return result_of(label, writer.commit(commit, labelling.columns(), labelling.schema))


def _all_of(files: ShardFiles) -> list[ShardSummary]:
    found = files.summaries()
    missing = [str(shard) for shard, summary in enumerate(found) if summary is None]
    if missing:
        more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
        message = f"shards {', '.join(missing[:NAMED])}{more} of {len(found)} have not finished, or their files are gone: run them again"
        raise JobError(JobReason.INTERNAL_ERROR, message)
    return [summary for summary in found if summary is not None]


def _require_contract(summaries: Sequence[ShardSummary], files: ShardFiles, labelling: Labelling, context: StepContext) -> None:
    """Raises JobError SCHEMA_BROKEN where a part breaks the contract, with what all parts break; ids that several rows have are looked for then."""
    held = Held()
    for one in summaries:
        held = held.together(Held(one.rows, one.structure, one.violations))
    if held.is_broken:
        id_column = labelling.declared.id_column
        repeated = Repeated(_merged(summaries, files, [id_column], context))
        for _ in repeated:
            pass
        require(held.with_repeated(id_column, repeated.count), labelling.declared)


def _rows(summaries: Sequence[ShardSummary], files: ShardFiles, labelling: Labelling, context: StepContext) -> Iterator[pa.RecordBatch]:
    """All output rows by ascending id. JobError SCHEMA_BROKEN after the last: an id is there more than once."""
    repeated = Repeated(_merged(summaries, files, [name for name in labelling.schema.names if name not in LEFT_OUT], context))
    yield from repeated
    require(Held().with_repeated(labelling.declared.id_column, repeated.count), labelling.declared)


def _merged(summaries: Sequence[ShardSummary], files: ShardFiles, columns: list[str], context: StepContext) -> Iterator[pa.RecordBatch]:
    chains = [[files.path(file) for file in chain] for chain in chains_of(file for one in summaries for file in (*one.files, *one.ids))]
    return merged(chains, columns, context.batch_rows, context.resources.memory_bytes)


class Repeated:
    """Passes batches on and counts the rows whose id, the first column, the row before has, too."""

    def __init__(self, batches: Iterable[pa.RecordBatch]) -> None:
        self._batches, self.count = batches, 0

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        last = None
        for batch in self._batches:
            ids = batch.column(0)
            self.count += pc.sum(pc.equal(ids.slice(1), ids.slice(0, len(ids) - 1)), min_count=0).as_py() + (ids[0].as_py() == last)
            last = ids[-1].as_py()
            yield batch


def _added(summaries: Sequence[ShardSummary]) -> InputErrors:
    """Failures of input models' functions in all parts."""
    totals: dict[str, Counter[int]] = {}
    for one in summaries:
        for path, errors in one.input_errors.items():
            totals.setdefault(path, Counter()).update(dict(enumerate(errors)))
    return {path: [count for _, count in sorted(of.items())] for path, of in totals.items()}
