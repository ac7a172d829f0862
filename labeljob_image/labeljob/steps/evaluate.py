"""Votes of a pinned dataset, batch by batch: only the id and the columns that functions read leave the reader (C2, F5)."""

import math
from collections.abc import Callable, Iterator, Mapping

import pyarrow as pa

from labeljob import privacy
from labeljob.contract.function_set import FunctionSet
from labeljob.io.source import Source
from labeljob.labeling_functions.engine import compile_functions
from labeljob.labeling_functions.identity import LookupData
from labeljob.steps.context import StepContext
from labeljob.votes import VoteBatch


def vote_batches(
    source: Source,
    rows: int,
    function_set: FunctionSet,
    lookups: Mapping[str, LookupData],
    context: StepContext,
    progress: Callable[[int], None],
) -> Iterator[tuple[pa.Array, VoteBatch]]:
    """(ids, votes) of each batch; every enabled function is a column, fallbacks included.

    `rows` of the whole dataset say how many failures a function may have: as many are told from good rows exactly, wherever the
    batches are cut. With one more the run stops anyway.
    """
    resources, done = context.resources, 0
    allowance = math.floor(function_set.max_error_rate * rows) + 1
    with compile_functions(
        function_set, lookups, threads=resources.threads, memory_limit=resources.memory_limit, limits=context.limits
    ) as functions:
        columns = privacy.inputs(function_set, functions.input_columns)
        for part in source.batches(columns, context.batch_rows):
            yield part.batch.column(function_set.id_column), functions.apply(part.batch, error_allowance=allowance)
            done += part.batch.num_rows
            progress(done)
