"""What a fit learns of rows in one pass over their votes: counts, statistics, and the rows whose class is known (C3, X9, DESIGN §4.9).

    rows -> contract check -> votes -> FitVotes              in one pod
    a shard's FitVotes, and another's, and so on -> FitVotes   of a fit in shards: equal to the last bit

Its size does not depend on the number of rows but for gold.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labeljob.contract.config import FitTask
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.held_out import of_rows
from labeljob.io.datasets import open_pinned
from labeljob.label_model import VoteReducer, VoteStatistics
from labeljob.label_model.side.soft_votes import Levels
from labeljob.label_model.statistics.vote_statistics import merge
from labeljob.labelled import Voters
from labeljob.looks import Looks
from labeljob.model_artifact import VotingSet
from labeljob.row_ids import hashed_ids
from labeljob.steps.context import StepContext
from labeljob.steps.evaluate import checked_rows, vote_batches
from labeljob.steps.label_record import ID, VOTES, set_aside, unpacked
from labeljob.votes import IntArray, VoteBatch, Votes

KnownRows = tuple[pa.Array, Votes, Levels | None]  # ids, int8 [n_gold, n_functions], int16 [n_gold, n_soft]


class Counts(Protocol):
    """Counts of functions: `FunctionCounts`, or `AnswerCounts` of a multi-label set."""

    @property
    def cast(self) -> IntArray: ...

    def add(self, batch: VoteBatch, gold: Any) -> None: ...

    def judge(self, batch: VoteBatch, gold: Any) -> None: ...

    def check_errors(self, function_set: FunctionSet, total: int) -> None: ...

    def data(self) -> dict[str, Any]: ...

    def add_data(self, data: dict[str, Any]) -> None: ...


class KnownClasses(Protocol):
    """`Gold`, or `SetGold` of a multi-label set."""

    @property
    def ids(self) -> pa.Array: ...

    def match(self, ids: pa.Array) -> Any: ...


C = TypeVar("C", bound=Counts)


@dataclass
class FitVotes(Generic[C]):
    """See the module.

    Attributes:
        voting: all that votes; voters: as columns. row_of: a batch as the statistics take it. levels: how many levels a row has.
        learns: gold is evidence: its rows are left out of the statistics.
    """

    voting: VotingSet
    voters: Voters
    gold: KnownClasses
    counts: C
    reducer: VoteReducer
    row_of: Callable[[VoteBatch], Votes]
    levels: int
    learns: bool = False
    looks: Looks = field(init=False)
    _merged: VoteStatistics | None = None
    _known: list[KnownRows] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.looks = Looks(self.voting.function_set)

    def add(self, ids: pa.Array, batch: VoteBatch) -> None:
        """Rows of one batch; how right functions are is counted by `settle`."""
        self.counts.add(batch, None)
        chosen = self.gold.match(ids).known
        if len(self.voters.regular):
            others = ~chosen if self.learns else np.ones(len(ids), dtype=bool)
            self.reducer.add(self.row_of(batch)[others], hashed_ids(ids)[others])
        if chosen.any():
            self._known.append((ids.filter(pa.array(chosen)), batch.votes[chosen], of_rows(batch.levels, chosen)))

    def check_errors(self, total: int) -> None:
        """Raises JobError FUNCTIONS_FAILING once a function has failed on more of `total` rows than is allowed (X9)."""
        self.counts.check_errors(self.voting.function_set, total)

    def statistics(self) -> VoteStatistics:
        """Of all rows so far."""
        own = self.reducer.statistics()
        return own if self._merged is None else merge(self._merged, own)

    def known(self) -> KnownRows:
        """The rows whose class is known, by ascending id: readers promise no order, and sums of floats need one."""
        if not self._known:
            levels = np.empty((0, self.levels), dtype=np.int16) if self.levels else None
            return self.gold.ids.slice(0, 0), np.empty((0, len(self.voters.names)), dtype=np.int8), levels
        ids = pa.concat_arrays([of for of, _, _ in self._known])
        order = pc.sort_indices(ids).to_numpy()
        levels_of = [of for _, _, of in self._known if of is not None]
        return ids.take(pa.array(order)), np.concatenate([of for _, of, _ in self._known])[order], np.concatenate(levels_of)[order] if levels_of else None

    def gold_rows(self) -> pa.RecordBatch:
        """`known` for another process; `add_gold_rows` reads it."""
        return set_aside(*_as_batch(self.known()))

    def add_gold_rows(self, rows: pa.RecordBatch) -> None:
        """Rows whose class is known, of another part."""
        self._known.append((rows.column(ID), *unpacked(rows.column(VOTES), len(self.voters.names))))

    def tally(self) -> dict[str, Any]:
        """Counts and looks, as JSON data."""
        return {"counts": self.counts.data()} | self.looks.data()

    def add_part(self, tally: dict[str, Any], statistics: VoteStatistics) -> None:
        """What another part has."""
        self.counts.add_data(tally["counts"])
        self.looks.add_data(self.voting.function_set, tally)
        self._merged = statistics if self._merged is None else merge(self._merged, statistics)

    def settle(self) -> tuple[KnownRows, Any]:
        """After the last row: count how right functions are, over rows in order of id, since weights of gold rows need not be whole numbers. These rows, and what is known of them.

        Raises:
            JobError: NO_COVERAGE.
        """
        require_coverage(self.counts.cast[self.voters.regular])
        known = self.known()
        ids, batch = _as_batch(known)
        matched = self.gold.match(ids)
        self.counts.judge(batch, matched)
        return known, matched


def _as_batch(known: KnownRows) -> tuple[pa.Array, VoteBatch]:
    ids, votes, levels = known
    return ids, VoteBatch(votes, np.zeros(votes.shape, dtype=bool), levels)


def read_rows(votes: FitVotes[Any], task: FitTask, context: StepContext) -> tuple[KnownRows, Any]:
    """The whole dataset, in one pod: contract check, then votes; raises before anything is written. See `settle`."""
    function_set, source = task.function_set, open_pinned(task.data, context.locations)
    rows = checked_rows(source, function_set, key_of(task), votes.looks, context)
    require_rows(rows, task)
    for ids, batch in vote_batches(source, rows, votes.voting, context, context.log.progress("vote", rows)):
        votes.add(ids, batch)
        votes.check_errors(rows)
    return votes.settle()


def require_rows(rows: int, task: FitTask) -> None:
    """JobError EMPTY_DATASET."""
    if rows == 0:
        raise JobError(JobReason.EMPTY_DATASET, f"{task.data.uri}: it has no rows, so there is nothing to learn from: add rows")


def require_coverage(cast: IntArray) -> None:
    """JobError NO_COVERAGE when no function casts a vote; int64 [n_functions], without fallbacks."""
    if not cast.any():
        message = "no labeling function votes on any row, so there is nothing to learn from: check the functions against the data"
        raise JobError(JobReason.NO_COVERAGE, message)


def key_of(task: FitTask) -> str | None:
    """The id of the key that was pinned."""
    return task.hash_key.id if task.hash_key else None
