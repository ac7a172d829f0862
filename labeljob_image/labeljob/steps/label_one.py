"""One label a row: a frozen label model at work."""

import pyarrow as pa

from labeljob.contract.config import LabelTask
from labeljob.contract.drift import Shift
from labeljob.contract.privacy import PrivacyFinding
from labeljob.contract.result import FunctionColumns
from labeljob.drift.comparison import shifts
from labeljob.drift.reference import Reference
from labeljob.figures import Figure, FunctionCounts, RunFigures
from labeljob.held_out import judged, not_taught
from labeljob.label_model.side.soft_votes import Levels
from labeljob.labelled import label_votes, voters_of
from labeljob.looks import Looks
from labeljob.model_artifact import ModelArtifact, reference_of
from labeljob.steps.context import StepContext, gold_of
from labeljob.steps.labelling import Tally
from labeljob.steps.output_rows import output_rows, output_schema, said_of
from labeljob.tallies import negative
from labeljob.votes import VoteBatch, Votes


class OneLabel:
    """See `Labelling`."""

    def __init__(self, task: LabelTask, artifact: ModelArtifact, reference: Reference, context: StepContext) -> None:
        self._artifact, self._run = artifact, task.run
        self.declared, self.function_set_digest, self.voting = artifact.declared, artifact.function_set_digest, artifact.voting
        self.schema = output_schema(artifact.function_set)
        self._voters = voters_of(artifact.function_set)
        self.functions = len(self._voters.names)
        given = gold_of(task.gold, task.gold_label_column, task.gold_probability_column, artifact.function_set, context, artifact.key_id)
        self._gold = not_taught(given, artifact.taught)
        self._gold_size = len(self._gold.classes) if task.gold else None
        self._left_out = len(given.classes) - len(self._gold.classes)
        self._counts = FunctionCounts(self._voters, len(self.declared.classes))
        self._figures = RunFigures(self._voters, len(self.declared.classes))
        self._reference, self.looks = reference, Looks(self.declared)
        self.hasher = context.hasher(self.declared, artifact.key_id)

    def count(self, ids: pa.Array, batch: VoteBatch) -> None:
        self._counts.add(batch, self._gold.match(ids))

    def check_errors(self, total: int) -> None:
        self._counts.check_errors(self.declared, total)

    def label(self, ids: pa.Array, votes: Votes, levels: Levels | None) -> pa.RecordBatch:
        labelled = label_votes(self._artifact.model, self._voters, votes, levels, self._artifact.calibration.calibrator)
        self._figures.add(votes, labelled)
        return output_rows(ids, votes, levels, labelled, list(self.declared.classes), self._run, self.schema)

    def forget(self, rows: pa.RecordBatch) -> None:
        votes, levels = said_of(rows, self.functions)
        figures = RunFigures(self._voters, len(self.declared.classes))
        figures.add(votes, label_votes(self._artifact.model, self._voters, votes, levels, self._artifact.calibration.calibrator))
        self._figures.add_data(negative(figures.data()))

    def judge(self, rows: pa.RecordBatch) -> None:
        known = rows.filter(pa.array(self._gold.match(rows.column(0)).known))
        if known.num_rows:
            votes, levels = said_of(known, self.functions)
            self._figures.add_gold(*judged(self._artifact.model, self._voters, votes, levels, known.column(0), self._artifact.calibration, self._gold))

    def tally(self) -> Tally:
        return {"counts": self._counts.data(), "figures": self._figures.data()} | self.looks.data()

    def add_tally(self, tally: Tally) -> None:
        self._counts.add_data(tally["counts"])
        self._figures.add_data(tally["figures"])
        self.looks.add_data(self.declared, tally)

    def columns(self) -> FunctionColumns:
        return self._counts.columns(self._artifact.model)

    def metrics(self) -> dict[str, Figure]:
        taught = {"goldTaught": float(self._left_out)} if self._left_out else {}
        return self._figures.metrics(self._gold_size) | taught

    def drift(self) -> list[Shift]:
        return shifts(self._reference, reference_of(self._counts, self._figures, list(self.declared.classes)), self.looks.sample)

    def privacy(self) -> list[PrivacyFinding]:
        return self.looks.scan.findings()

    def label_distribution(self) -> dict[str, float]:
        return self._figures.label_distribution(list(self.declared.classes))
