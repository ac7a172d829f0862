"""Votes of a pinned dataset, batch by batch: only the id and the columns that functions read leave the reader (C2, F5)."""

from collections.abc import Callable, Iterator, Mapping

import pyarrow as pa

from labeljob import privacy
from labeljob.contract.function_set import FunctionSet
from labeljob.io.source import Source
from labeljob.labeling_functions import compile_functions
from labeljob.labeling_functions.lookups import LookupData
from labeljob.steps.context import StepContext
from labeljob.votes import VoteBatch


def vote_batches(
    source: Source, function_set: FunctionSet, lookups: Mapping[str, LookupData], context: StepContext, progress: Callable[[int], None]
) -> Iterator[tuple[pa.Array, VoteBatch]]:
    """(ids, votes) of each batch; every enabled function is a column, fallbacks included."""
    resources, done = context.resources, 0
    with compile_functions(function_set, lookups, threads=resources.threads, memory_limit=resources.memory_limit) as functions:
        columns = privacy.inputs(function_set, functions.input_columns)
        for part in source.batches(columns, context.batch_rows):
            yield part.batch.column(function_set.id_column), functions.apply(part.batch)
            done += part.batch.num_rows
            progress(done)
