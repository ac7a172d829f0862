"""A frozen model version at work, and what it counts meanwhile: one interface for one label a row (`label_one`) and for several (`label_sets`).

    pinned data -> contract check -> votes -> spool -> by id -> label -> output rows -> held against gold
                     SchemaBroken     FunctionsFailing

Everything that is counted can be added up (`tally`, `add_tally`): whoever labels a part hands its counts to whoever commits. Scores against gold need
rows in order of id, and are found where all rows pass in that order.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

import pyarrow as pa

from labeljob.artifacts import ArtifactHome
from labeljob.cascade import InputErrors
from labeljob.content_digest import ContentDigest
from labeljob.contract.config import LabelTask
from labeljob.contract.drift import Shift
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.privacy import PrivacyFinding
from labeljob.contract.result import FunctionColumns
from labeljob.drift.reference import reference_in
from labeljob.figures import Figure
from labeljob.frozen_models import opened
from labeljob.hashing import Hasher
from labeljob.io.source import Source
from labeljob.io.spool import Spool
from labeljob.label_model.side.soft_votes import Levels
from labeljob.looks import Looks
from labeljob.model_artifact import VotingSet
from labeljob.multi_label.artifact import from_files, is_multi_label
from labeljob.steps.context import StepContext
from labeljob.steps.evaluate import open_voting
from labeljob.steps.label_record import ID, VOTES, set_aside, unpacked
from labeljob.votes import VoteBatch, Votes

Tally = dict[str, Any]


class Labelling(Protocol):
    """See the module."""

    declared: FunctionSet
    function_set_digest: str
    schema: pa.Schema  # of the output
    voting: VotingSet
    functions: int  # columns of votes
    looks: Looks  # at the rows as they were read
    hasher: Hasher | None  # of the set's hashed columns

    def count(self, ids: pa.Array, batch: VoteBatch) -> None:
        """Count votes, and how right they are where the class is known."""

    def check_errors(self, total: int) -> None:
        """Raises JobError FUNCTIONS_FAILING once a function has failed on more of `total` rows than is allowed (X9)."""

    def label(self, ids: pa.Array, votes: Votes, levels: Levels | None) -> pa.RecordBatch:
        """Output rows, counted."""

    def forget(self, rows: pa.RecordBatch) -> None:
        """Take output rows that `label` has counted, here or in a shard, out of its counts."""

    def judge(self, rows: pa.RecordBatch) -> None:
        """Keep output rows whose class is known."""

    def tally(self) -> Tally:
        """All counts, as JSON data."""

    def add_tally(self, tally: Tally) -> None:
        """Add the counts of other rows."""

    def columns(self) -> FunctionColumns:
        """Figures of each function."""

    def metrics(self) -> dict[str, Figure]:
        """Indicators of all rows, and scores of those that were judged."""

    def label_distribution(self) -> dict[str, float]:
        """Shares of the classes."""

    def drift(self) -> list[Shift]:
        """What has moved since the model version was fitted."""

    def privacy(self) -> list[PrivacyFinding]:
        """Columns that look like personal data."""


def labelling_of(task: LabelTask, context: StepContext) -> Labelling:
    """The pinned version, verified, and the task's gold.

    Raises:
        JobError: MODEL_MISMATCH; GOLD_INVALID; HASH_KEY_CHANGED, HASH_KEY_INVALID; FUNCTIONS_INVALID where the id column has the name of an output column.
    """
    files = ArtifactHome(context.locations.path(task.artifacts), task.artifacts).load(task.model_version, task.model_sha256)
    if is_multi_label(files):
        from labeljob.steps.label_sets import SetLabelling

        return SetLabelling(task, from_files(files, task.artifacts), reference_in(files), context)
    from labeljob.steps.label_one import OneLabel

    return OneLabel(task, opened(context.locations, files, task.artifacts), reference_in(files), context)


def vote(labelling: Labelling, source: Source, total: int, spool: Spool, context: StepContext, *, timed: bool = True) -> InputErrors:
    """Set every row's votes aside, and stop when a function fails too often on `total` rows, those of the whole dataset: before anything is written.

    Returns:
        How often the functions of each input model failed.
    """
    progress = context.log.progress("vote", total)
    with open_voting(labelling.voting, total, context, timed=timed) as voting:
        for ids, batch in voting.batches(source, progress):
            labelling.count(ids, batch)
            labelling.check_errors(total)
            spool.add(set_aside(ids, batch))
        return voting.input_errors()


def output_of(labelling: Labelling, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Output rows of what `vote` has set aside, in the order given."""
    for batch in batches:
        yield labelling.label(batch.column(ID), *unpacked(batch.column(VOTES), labelling.functions))


def settled(labelling: Labelling, rows: Iterable[pa.RecordBatch], digest: ContentDigest, progress: Callable[[int], None]) -> Iterator[pa.RecordBatch]:
    """Pass output rows through, by ascending id: digested, and held against gold."""
    done = 0
    for batch in rows:
        digest.update(batch)
        labelling.judge(batch)
        yield batch
        done += batch.num_rows
        progress(done)
