"""Votes of a pinned dataset, batch by batch: only the id and the columns that functions read leave the reader (C2, F5)."""

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pyarrow as pa

from labeljob import privacy
from labeljob.cascade import open_cascade
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.privacy import PrivacyFinding
from labeljob.io.source import Source
from labeljob.model_artifact import VotingSet
from labeljob.privacy_scan import PrivacyScan
from labeljob.schema import Look, check_contract
from labeljob.steps.context import StepContext
from labeljob.votes import VoteBatch


def checked_rows(source: Source, function_set: FunctionSet, key_id: str | None, context: StepContext, look: Look) -> tuple[int, list[PrivacyFinding]]:
    """The number of rows, after the contract check of them all, and the columns that look like personal data; `look` is shown every batch on the way.

    Raises:
        JobError: as `check_contract`; HASH_KEY_CHANGED, HASH_KEY_INVALID.
    """
    scan, hasher = PrivacyScan(function_set), context.hasher(function_set, key_id)

    def look_twice(batch: pa.RecordBatch) -> None:
        look(batch)
        scan.add(batch)

    rows = check_contract(source, function_set, context.resources, context.log.progress("check", None), context.batch_rows, look_twice, hasher)
    scan.peek(source)
    return rows, scan.findings()


def vote_batches(
    source: Source, rows: int, voting: VotingSet, context: StepContext, progress: Callable[[int], None]
) -> Iterator[tuple[pa.Array, VoteBatch]]:
    """(ids, votes) of each batch; every enabled function is a column, fallbacks included, and behind them every input model.

    `rows` of the whole dataset say how many failures a function may have: as many are told from good rows exactly, wherever the
    batches are cut. With one more the run stops anyway.

    Raises:
        JobError: INPUT_MISMATCH; FUNCTIONS_FAILING of an input model's functions; HASH_KEY_CHANGED, HASH_KEY_INVALID.
    """
    function_set, done = voting.function_set, 0
    allowance = math.floor(function_set.max_error_rate * rows) + 1
    with ExitStack() as stack:
        cascade = open_cascade(voting, context.resources, context.limits, stack)
        columns, hasher = privacy.inputs(function_set, cascade.input_columns), context.hasher(function_set, voting.key_id)
        for part in source.batches(columns, context.batch_rows):
            batch = privacy.withheld(part.batch, function_set, hasher)
            yield batch.column(function_set.id_column), cascade.apply(batch, allowance)
            cascade.check_errors(rows)
            done += part.batch.num_rows
            progress(done)
