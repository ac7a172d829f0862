"""Where a fit has its votes from: it reads the data itself, or merges what the shards of the fit left (C3, C5, DESIGN §4.9).

    summaries, all of them -> read what was pinned? -> contract kept? -> ids merged   -> counts and statistics added up -> as in one pod
                               PinBroken                SchemaBroken     repeated ids    FunctionsFailing, NoCoverage

The merge finds what no shard knows, in memory that does not grow with rows: an id that two parts have is in neither twice. What is refused here is
removed, and why is left in its place; what only failed is left for the next attempt.
"""

from collections.abc import Callable, Sequence
from typing import Any

from labeljob.cascade import added_errors, check_input_errors
from labeljob.contract.config import FitTask
from labeljob.contract.result import FitResult
from labeljob.errors import JobError
from labeljob.io.fit_files import FitFiles, FitSummary, discard_fits_until
from labeljob.io.parted import check_all_read
from labeljob.io.repeated_ids import Repeated
from labeljob.io.shard_place import DECIDED
from labeljob.label_model import from_bytes
from labeljob.schema import Held, require
from labeljob.steps.clean_up import told
from labeljob.steps.context import StepContext
from labeljob.steps.fit_votes import FitVotes, KnownRows, read_rows, require_rows
from labeljob.steps.label_record import ID, VOTES


def read(votes: FitVotes[Any], task: FitTask, context: StepContext) -> tuple[KnownRows, Any]:
    """All rows' votes; those whose class is known in order of id, and what is known of them.

    Raises:
        JobError: SCHEMA_BROKEN, EMPTY_DATASET, FUNCTIONS_FAILING, NO_COVERAGE, PIN_BROKEN; INTERNAL_ERROR while a shard has not finished. Where
            these shards were refused already, that again.
    """
    if task.parts == 1:
        return read_rows(votes, task, context)
    return _merge_shards(votes, task, FitFiles(context.locations.path(task.artifacts), task), context)


def leaving_no_shards(task: FitTask, context: StepContext, fit: Callable[[], FitResult]) -> FitResult:
    """The result of `fit`. What shards have left goes when a version stands, and when nothing can come of it."""
    folder = context.locations.path(task.artifacts)
    try:
        result = fit()
    except JobError as error:
        if task.parts > 1 and error.reason in DECIDED:
            with told(context.log):
                FitFiles(folder, task).refuse(error)
        raise
    with told(context.log):
        FitFiles(folder, task).discard()  # of a version that was found, which may have an earlier number
    with told(context.log):
        discard_fits_until(folder, result.version.version)
    return result


def _merge_shards(votes: FitVotes[Any], task: FitTask, files: FitFiles, context: StepContext) -> tuple[KnownRows, Any]:
    summaries = files.summaries()
    check_all_read(task.data, (one.split for one in summaries), (file for one in summaries for file in one.read))
    rows = _require_contract(task, summaries, files, context)
    require_rows(rows, task)
    for one in summaries:
        votes.add_part(files.tally(one.shard), from_bytes(files.votes(one.shard)))
        for batch in files.gold(one, [ID, VOTES]):
            votes.add_gold_rows(batch)
    votes.check_errors(rows)
    check_input_errors(votes.voting.inputs, added_errors(one.input_errors for one in summaries), rows)
    return votes.settle()


def _require_contract(task: FitTask, summaries: Sequence[FitSummary], files: FitFiles, context: StepContext) -> int:
    """The number of rows. JobError SCHEMA_BROKEN with all that the parts break, and the ids that several rows have."""
    held, id_column = Held(), task.function_set.id_column
    for one in summaries:
        held = held.together(Held(one.rows, one.structure, one.violations))
    repeated = Repeated(files.ids(summaries, id_column, context.batch_rows, context.resources.memory_bytes))
    progress, done = context.log.progress("merge", held.rows), 0
    for batch in repeated:
        done += batch.num_rows
        progress(done)
    require(held.with_repeated(id_column, repeated.count), task.function_set)
    return held.rows
