"""The commit step: what the shards of a run wrote becomes visible in one table version (C5, F3, X9, X16, DESIGN §4.1 to §4.3).

    summaries, all of them -> read what was pinned? -> contract kept? -> counts added up -> rows merged by id -> one commit -> clean-up
                               PinBroken                SchemaBroken     FunctionsFailing    SchemaBroken (repeated ids)

The merge finds the digest of the content and the scores against gold, which need rows in order of id; it holds a few rows of each shard at a time. It
reads what the shards wrote and writes nothing, unless rows of two shards share their id and may be set apart: then the files that hold them are written anew
without them. What is refused here is removed, and why is left in its place; what only failed is left for the next attempt.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial

import pyarrow as pa

from labeljob.cascade import added_errors, check_input_errors
from labeljob.content_digest import LEFT_OUT, ContentDigest
from labeljob.contract.config import CommitTask, LabelTask
from labeljob.contract.reasons import JobReason
from labeljob.contract.result import LabelResult
from labeljob.errors import JobError
from labeljob.io.data_files import DataFile
from labeljob.io.delta_writer import DeltaWriter
from labeljob.io.parted import check_all_read
from labeljob.io.preflight import require_conditional_put
from labeljob.io.quarantine_files import REPEATED
from labeljob.io.repeated_ids import OnceOnly, Repeated
from labeljob.io.shard_files import ShardFiles, ShardSummary
from labeljob.io.shard_place import DECIDED
from labeljob.io.sorted_merge import chains_of, merged
from labeljob.quarantined_rows import repeated_rows, schema_apart
from labeljob.schema import Held, require
from labeljob.steps.clean_up import clean_up, told
from labeljob.steps.context import StepContext
from labeljob.steps.label_record import commit_of, result_of, standing
from labeljob.steps.labelling import Labelling, labelling_of, settled
from labeljob.steps.piecewise import KEPT as KEPT_VOTES
from labeljob.steps.setting_apart import quarantine_of, require_few, too_many
from labeljob.vote_cache.manifest import PartVotes, together
from labeljob.vote_cache.places import VotesPlaces
from labeljob.vote_cache.shared_ids import counted_out

SAID_BY_THE_TABLE = (JobReason.SUPERSEDED, JobReason.OUTPUT_CONFLICT)  # to whoever asks again: nothing of ours stays there


def run_commit(task: CommitTask, context: StepContext) -> LabelResult:
    """Commit once; where this run's transaction stands already, give its record again.

    Raises:
        JobError: as the label step; INTERNAL_ERROR while a shard has not finished, which another attempt may find otherwise. Where these shards
            were refused already, that again.
    """
    files = ShardFiles(context.locations.path(task.label.output), task.label, task.shards)
    try:
        result = _committed(task, files, context)
    except JobError as error:
        if error.reason in SAID_BY_THE_TABLE:
            with told(context.log):
                files.discard()
        elif error.reason in DECIDED:
            with told(context.log):
                files.refuse(error)
        raise
    clean_up(task.label, context)
    return result


def _committed(task: CommitTask, files: ShardFiles, context: StepContext) -> LabelResult:
    label = task.label
    if (record := standing(label, context)) is not None:
        return result_of(label, record)
    require_conditional_put(files.folder, label.output)
    summaries = files.summaries()
    check_all_read(label.data, (one.split for one in summaries), (file for one in summaries for file in one.read))
    labelling, digest = labelling_of(label, context), ContentDigest()
    held = _require_contract(label, summaries, files, labelling, context)
    rows = held.rows - held.broken
    parts = list[PartVotes]()
    for tally in files.tallies():
        labelling.add_tally(tally)
        parts += [PartVotes.model_validate(tally[KEPT_VOTES])] if KEPT_VOTES in tally else []
    labelling.check_errors(rows)
    check_input_errors(labelling.voting.inputs, added_errors(one.input_errors for one in summaries), rows)
    merge = _Merge(label, held, labelling)
    columns = [name for name in labelling.schema.names if name not in LEFT_OUT]
    for _ in settled(labelling, merge.rows(_merged(summaries, files, columns, context)), digest, context.log.progress("merge", rows)):
        pass
    started = min(datetime.fromisoformat(one.started_at) for one in summaries)
    data = [file for one in summaries for file in one.files]
    if merge.shared:
        data = _set_apart(task, data, merge.shared, files, labelling)
    writer = DeltaWriter(files.folder, label.output, label.app_id, label.sequence, (files.attempt, data), label.partition_by)
    apart = quarantine_of(held, merge.sharing, labelling.declared, files.quarantine_uri)
    places = VotesPlaces(files.folder, label, task.shards)
    kept = counted_out(together(parts), merge.shared, places, context.batch_rows) if parts else None
    votes = places.write(kept) if kept else None
    commit = commit_of(label, labelling, digest.hexdigest(), started, context, apart, kept, votes)
    return result_of(label, writer.commit(commit, labelling.columns(), labelling.schema))


def _require_contract(label: LabelTask, summaries: Sequence[ShardSummary], files: ShardFiles, labelling: Labelling, context: StepContext) -> Held:
    """What all parts break. JobError SCHEMA_BROKEN where that is too much; ids that several rows have are looked for then."""
    held, id_column = Held(), labelling.declared.id_column
    for one in summaries:
        held = held.together(Held(one.rows, one.structure, one.violations, one.broken))
    if held.structure or (held.is_broken if label.quarantine is None else too_many(label.quarantine, held.broken, held.rows)):
        once = OnceOnly(_merged(summaries, files, [id_column], context), lambda _: None)
        for _ in once:
            pass
        found = held.with_repeated(id_column, once.beyond)
        if label.quarantine is not None:
            require_few(label.quarantine, found, held.broken + once.rows, labelling.declared)
        require(found, labelling.declared)
    return held


class _Merge:
    """All output rows by ascending id, but those that share theirs, which are counted out.

    Attributes:
        sharing: rows that share their id; 0 unless they may be set apart. shared: their ids.
    """

    def __init__(self, label: LabelTask, held: Held, labelling: Labelling) -> None:
        self._label, self._held, self._labelling = label, held, labelling
        self.sharing, self.shared = 0, list[pa.Array]()

    def rows(self, merged_rows: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """JobError SCHEMA_BROKEN after the last where they are too many."""
        if self._label.quarantine is None:
            repeated = Repeated(merged_rows)  # moves no row: quicker
            yield from repeated
            require(self._held.with_repeated(self._labelling.declared.id_column, repeated.count), self._labelling.declared)
            return
        once = OnceOnly(merged_rows, partial(self._take, self._label.quarantine))
        yield from once
        held = self._held.with_repeated(self._labelling.declared.id_column, once.beyond)
        require_few(self._label.quarantine, held, held.broken + once.rows, self._labelling.declared)

    def _take(self, share: float, rows: pa.RecordBatch) -> None:
        self.sharing += rows.num_rows
        if not too_many(share, self._held.broken + self.sharing, self._held.rows):
            self._labelling.forget(rows)
            self.shared.append(rows.column(0))


def _set_apart(task: CommitTask, data: Sequence[DataFile], shared: Sequence[pa.Array], files: ShardFiles, labelling: Labelling) -> list[DataFile]:
    """The data files without the rows that share their id; these rows go to the others that are not labelled."""
    ids, declared = list(dict.fromkeys(one for some in shared for one in some.to_pylist())), labelling.declared
    with files.attempt_at(task.shards) as work:
        files.write_apart(work, REPEATED, repeated_rows(shared, declared, task.label.run), schema_apart(declared))
        return [kept for file in data for kept in files.without(work, file, ids, labelling.schema)]


def _merged(summaries: Sequence[ShardSummary], files: ShardFiles, columns: list[str], context: StepContext) -> Iterator[pa.RecordBatch]:
    chains = [[files.path(file) for file in chain] for chain in chains_of(file for one in summaries for file in (*one.files, *one.ids))]
    return merged(chains, columns, context.batch_rows, context.resources.memory_bytes)
