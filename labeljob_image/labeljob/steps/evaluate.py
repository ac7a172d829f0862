"""Votes of a pinned dataset, batch by batch: only the id and the columns that functions read leave the reader (C2, F5)."""

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pyarrow as pa

from labeljob import privacy
from labeljob.cascade import open_cascade
from labeljob.io.source import Source
from labeljob.model_artifact import VotingSet
from labeljob.steps.context import StepContext
from labeljob.votes import VoteBatch


def vote_batches(
    source: Source, rows: int, voting: VotingSet, context: StepContext, progress: Callable[[int], None]
) -> Iterator[tuple[pa.Array, VoteBatch]]:
    """(ids, votes) of each batch; every enabled function is a column, fallbacks included, and behind them every input model.

    `rows` of the whole dataset say how many failures a function may have: as many are told from good rows exactly, wherever the
    batches are cut. With one more the run stops anyway.

    Raises:
        JobError: INPUT_MISMATCH; FUNCTIONS_FAILING of an input model's functions.
    """
    function_set, done = voting.function_set, 0
    allowance = math.floor(function_set.max_error_rate * rows) + 1
    with ExitStack() as stack:
        cascade = open_cascade(voting, context.resources, context.limits, context.python, stack)
        columns = privacy.inputs(function_set, cascade.input_columns)
        for part in source.batches(columns, context.batch_rows):
            yield part.batch.column(function_set.id_column), cascade.apply(part.batch, allowance)
            cascade.check_errors(rows)
            done += part.batch.num_rows
            progress(done)
