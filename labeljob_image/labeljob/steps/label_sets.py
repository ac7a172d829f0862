"""Several labels a row: the frozen label models of a multi-label set at work."""

import pyarrow as pa

from labeljob.contract.config import LabelTask
from labeljob.contract.drift import Shift
from labeljob.contract.privacy import PrivacyFinding
from labeljob.contract.reasons import JobReason
from labeljob.contract.result import FunctionColumns
from labeljob.drift.comparison import shifts
from labeljob.drift.reference import Reference
from labeljob.errors import JobError
from labeljob.figures import Figure
from labeljob.label_model.side.soft_votes import Levels
from labeljob.looks import Looks
from labeljob.multi_label.artifact import SetsArtifact, reference_of
from labeljob.multi_label.counts import AnswerCounts
from labeljob.multi_label.figures import SetFigures
from labeljob.multi_label.gold import MatchedSets, SetGold, set_gold_of
from labeljob.multi_label.labelling import LabelledSets, label_sets
from labeljob.steps.context import StepContext
from labeljob.steps.labelling import Tally
from labeljob.steps.output_rows import output_schema, output_sets, said_of
from labeljob.tallies import negative
from labeljob.votes import VoteBatch, Votes


class SetLabelling:
    """See `Labelling`."""

    def __init__(self, task: LabelTask, artifact: SetsArtifact, reference: Reference, context: StepContext) -> None:
        self._artifact, self._run = artifact, task.run
        self.declared, self.function_set_digest = artifact.function_set, artifact.function_set_digest
        self.voting = artifact.voting
        if task.partition_by == "label":
            what = "label is no column of the output of a multi-label set, which has a list, labels: use covered, or leave it out, in a new LabelJob"
            raise JobError(JobReason.FUNCTIONS_INVALID, f"spec.output.partitionBy: {what}")
        self.schema = output_schema(artifact.function_set)
        self.functions = len(artifact.voters.names)
        self._gold = set_gold_of(
            task.gold, task.gold_label_column, task.gold_probability_column, artifact.function_set, context.locations, artifact.key_id
        )
        self._gold_size = len(self._gold.labels) if task.gold else None
        self._counts = AnswerCounts(artifact.voters, artifact.tasks)
        self._figures = SetFigures(artifact.voters, artifact.tasks)
        self._reference, self.looks = reference, Looks(self.declared)
        self.hasher = context.hasher(self.declared, artifact.key_id)

    def count(self, ids: pa.Array, batch: VoteBatch) -> None:
        self._counts.add(batch, self._gold.match(ids))

    def check_errors(self, total: int) -> None:
        self._counts.check_errors(self.declared, total)

    def label(self, ids: pa.Array, votes: Votes, levels: Levels | None) -> pa.RecordBatch:
        artifact = self._artifact
        labelled = label_sets(artifact.models, artifact.tasks, artifact.voters, votes, levels, artifact.calibration)
        self._figures.add(votes, levels, labelled)
        return output_sets(ids, votes, levels, labelled, list(self.declared.classes), self._run, self.schema)

    def forget(self, rows: pa.RecordBatch) -> None:
        artifact, (votes, levels) = self._artifact, said_of(rows, self.functions)
        figures = SetFigures(artifact.voters, artifact.tasks)
        figures.add(votes, levels, label_sets(artifact.models, artifact.tasks, artifact.voters, votes, levels, artifact.calibration))
        self._figures.add_data(negative(figures.data()))

    def judge(self, rows: pa.RecordBatch) -> None:
        known = rows.filter(pa.array(self._gold.match(rows.column(0)).known))
        if known.num_rows:
            self._figures.add_gold(*judged_sets(self._artifact, *said_of(known, self.functions), known.column(0), self._gold))

    def tally(self) -> Tally:
        return {"counts": self._counts.data(), "figures": self._figures.data()} | self.looks.data()

    def add_tally(self, tally: Tally) -> None:
        self._counts.add_data(tally["counts"])
        self._figures.add_data(tally["figures"])
        self.looks.add_data(self.declared, tally)

    def columns(self) -> FunctionColumns:
        return self._counts.columns(self._artifact.models, self._artifact.estimated)

    def metrics(self) -> dict[str, Figure]:
        return self._figures.metrics(self._gold_size)

    def drift(self) -> list[Shift]:
        return shifts(self._reference, reference_of(self._counts, self._figures, list(self.declared.classes)), self.looks.sample)

    def privacy(self) -> list[PrivacyFinding]:
        return self.looks.scan.findings()

    def label_distribution(self) -> dict[str, float]:
        return self._figures.label_distribution(list(self.declared.classes))


def judged_sets(artifact: SetsArtifact, votes: Votes, levels: Levels | None, ids: pa.Array, gold: SetGold) -> tuple[LabelledSets, MatchedSets]:
    """The rows whose classes are known, labelled by calibrators that have not seen them, and what is known of them."""
    matched = gold.match(ids)
    known = matched.known
    of = None if levels is None else levels[known]
    found = label_sets(artifact.models, artifact.tasks, artifact.voters, votes[known], of, artifact.calibration, ids.filter(pa.array(known)))
    return found, matched.part(known)
