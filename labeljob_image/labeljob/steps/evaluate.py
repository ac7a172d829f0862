"""Votes of a pinned dataset, batch by batch: only the id and the columns that functions read leave the reader (C2, F5)."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pyarrow as pa

from labeljob import privacy
from labeljob.cascade import Cascade, InputErrors, open_cascade
from labeljob.contract.function_set import FunctionSet
from labeljob.hashing import Hasher
from labeljob.io.source import Source
from labeljob.logs import Log
from labeljob.looks import Looks
from labeljob.model_artifact import VotingSet
from labeljob.schema import check_contract
from labeljob.steps.context import StepContext
from labeljob.votes import VoteBatch

TIMED_ROWS = 50_000  # of a run; in a smaller one the timing would take longer than what it tells is worth
TIMED_SECONDS = 10.0  # that the first batch may have taken


def checked_rows(source: Source, function_set: FunctionSet, key_id: str | None, looks: Looks, context: StepContext) -> int:
    """The number of rows, after the contract check of them all, which `looks` is shown.

    Raises:
        JobError: as `check_contract`; HASH_KEY_CHANGED, HASH_KEY_INVALID.
    """
    hasher = context.hasher(function_set, key_id)
    rows = check_contract(source, function_set, context.resources, context.log.progress("check", None), context.batch_rows, looks.add, hasher)
    looks.peek(source)
    return rows


@dataclass(frozen=True)
class Voting:
    """Functions and input models at work on a dataset of `rows` rows, or on a part of it; `hasher` of the set's hashed columns."""

    cascade: Cascade
    function_set: FunctionSet
    rows: int
    batch_rows: int
    hasher: Hasher | None
    log: Log
    timed: bool = True

    def batches(self, source: Source, progress: Callable[[int], None]) -> Iterator[tuple[pa.Array, VoteBatch]]:
        """(ids, votes) of each batch; see `vote_batches`."""
        allowance, done = math.floor(self.function_set.max_error_rate * self.rows) + 1, 0
        for part in source.batches(privacy.inputs(self.function_set, self.cascade.input_columns), self.batch_rows):
            batch = privacy.withheld(part.batch, self.function_set, self.hasher)
            started = time.perf_counter()
            votes = self.cascade.apply(batch, allowance)
            if self.timed and not done and self.rows >= TIMED_ROWS and batch.num_rows and time.perf_counter() - started < TIMED_SECONDS:
                self.log.info("functions timed", **self.cascade.cost(batch).as_fields())
            yield batch.column(self.function_set.id_column), votes
            self.cascade.check_errors(self.rows)
            done += part.batch.num_rows
            progress(done)

    def input_errors(self) -> InputErrors:
        """So far."""
        return self.cascade.errors()


@contextmanager
def open_voting(voting: VotingSet, rows: int, context: StepContext, *, timed: bool = True) -> Iterator[Voting]:
    """Functions and inputs, compiled; `timed`: a large run says what each function costs."""
    with ExitStack() as stack:
        cascade = open_cascade(voting, context.resources, context.limits, context.python, stack)
        yield Voting(cascade, voting.function_set, rows, context.batch_rows, context.hasher(voting.function_set, voting.key_id), context.log, timed)


def vote_batches(source: Source, rows: int, voting: VotingSet, context: StepContext, progress: Callable[[int], None]) -> Iterator[tuple[pa.Array, VoteBatch]]:
    """(ids, votes) of each batch; every enabled function is a column, fallbacks included, and behind them every input model.

    `rows` of the whole dataset say how many failures a function may have: as many are told from good rows exactly, wherever the
    batches are cut. With one more the run stops anyway.

    Raises:
        JobError: INPUT_MISMATCH; FUNCTIONS_FAILING of an input model's functions; HASH_KEY_CHANGED, HASH_KEY_INVALID.
    """
    with open_voting(voting, rows, context) as opened:
        yield from opened.batches(source, progress)
