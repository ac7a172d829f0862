"""The fit step of a multi-label set: as `fit`, with a label model and a calibration for each class, from one pass over the votes (C3, M8).

    pinned data -> contract check -> votes -> statistics of whole rows -> a task a class -> label models -> calibrations -> v<N>/
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from labeljob.artifacts import ArtifactHome
from labeljob.calibration import NONE, Calibration
from labeljob.contract.config import FitTask
from labeljob.contract.multi_label import BY_CLASS, refusal
from labeljob.contract.reasons import JobReason
from labeljob.contract.result import DEPENDENT_LIMIT, DependentPair, FitResult, FunctionColumns, ModelVersion
from labeljob.drift.bins import bins_of
from labeljob.errors import JobError
from labeljob.gold_in_fit import NO_GOLD
from labeljob.label_model import FittedLabelModel, VoteReducer
from labeljob.label_model.dominance import alone_note
from labeljob.label_model.side.soft_votes import Levels
from labeljob.labeling_functions.soft_column import level_columns
from labeljob.labelled import Voters, voters_of
from labeljob.logs import now_text
from labeljob.looks import Looks
from labeljob.model_artifact import VotingSet
from labeljob.multi_label.artifact import reference_of, to_files
from labeljob.multi_label.calibration import SetCalibration, calibrate_sets, record_of, to_file, uncalibrated
from labeljob.multi_label.counts import AnswerCounts, estimated_accuracies
from labeljob.multi_label.figures import SetFigures
from labeljob.multi_label.fitting import Reduced, fit_tasks, reduced, row_of, width
from labeljob.multi_label.gold import MatchedSets, SetGold, set_gold_of
from labeljob.multi_label.influence import set_flips
from labeljob.multi_label.labelling import label_sets
from labeljob.multi_label.tasks import Task, tasks_of
from labeljob.steps.context import StepContext
from labeljob.steps.fit import found_again, pinned_voting
from labeljob.steps.fit_parts import leaving_no_shards, read
from labeljob.steps.fit_votes import FitVotes, key_of
from labeljob.votes import Votes

Known = tuple[pa.Array, Votes, Levels | None, MatchedSets]  # rows whose classes are known
NOTES = 5


@dataclass(frozen=True)
class Evaluated:
    """What one pass over the data leaves; `known` are the gold rows in order of id."""

    voters: Voters
    tasks: tuple[Task, ...]
    counts: AnswerCounts
    rows: Reduced
    known: Known
    looks: Looks


@dataclass(frozen=True)
class Calibrated:
    """The calibration, how it came about, and why where nothing was tried."""

    frozen: SetCalibration
    made: tuple[Calibration, ...]
    why: str | None


def run_fit_sets(task: FitTask, context: StepContext) -> FitResult:
    """Fit and publish one version; on a retry, the version that this fit made already."""
    return leaving_no_shards(task, context, lambda: _made(task, context))


def _made(task: FitTask, context: StepContext) -> FitResult:
    home = ArtifactHome(context.locations.path(task.artifacts), task.artifacts)
    if (standing := home.find(task.fit_digest)) is not None:
        return found_again(home, standing)
    home.require_safe()
    voting, gold = prepare_sets(task, context)
    evaluated = _evaluate(task, voting, gold, context)
    models = fit_tasks(evaluated.rows, evaluated.tasks, task.algorithm, task.parameters)
    return _publish(task, context, home, voting, gold, evaluated, models, _calibrated(task, evaluated, models))


def prepare_sets(task: FitTask, context: StepContext) -> tuple[VotingSet, SetGold]:
    """Read all that votes, and gold."""
    if (why := refusal(task.algorithm, task.parameters)) is not None:
        raise JobError(JobReason.FUNCTIONS_INVALID, why)
    voting = pinned_voting(task, context)
    return voting, set_gold_of(task.gold, task.gold_label_column, task.gold_probability_column, task.function_set, context.locations, key_of(task))


def votes_of_sets(task: FitTask, voting: VotingSet, gold: SetGold) -> FitVotes[AnswerCounts]:
    """What rows are added to."""
    voters, tasks, classes = voters_of(task.function_set), tasks_of(task.function_set, voting.lookups), len(task.function_set.classes)
    return FitVotes(
        voting=voting,
        voters=voters,
        gold=gold,
        counts=AnswerCounts(voters, tasks),
        reducer=VoteReducer(*width(voters, sum(level_columns(task.function_set)), classes)),
        row_of=lambda batch: row_of(batch, voters, classes),
        levels=sum(level_columns(task.function_set)),
    )


def _evaluate(task: FitTask, voting: VotingSet, gold: SetGold, context: StepContext) -> Evaluated:
    """Contract check, then votes; raises before anything is written."""
    votes = votes_of_sets(task, voting, gold)
    known, matched = read(votes, task, context)
    rows = reduced(votes.statistics(), votes.voters, len(task.function_set.classes))
    return Evaluated(votes.voters, votes.counts.tasks, votes.counts, rows, (*known, matched), votes.looks)


def _calibrated(task: FitTask, evaluated: Evaluated, models: Sequence[FittedLabelModel]) -> Calibrated:
    """Tuned on covered gold rows; the folds depend on ids and seed alone."""
    classes = len(task.function_set.classes)
    plain = uncalibrated(classes)
    if task.gold is None and task.calibration != "none":
        return Calibrated(plain, (Calibration(NONE, task.calibration, NO_GOLD),) * classes, NO_GOLD)
    ids, votes, levels, gold = evaluated.known
    before = label_sets(models, evaluated.tasks, evaluated.voters, votes, levels, plain)
    covered = before.covered
    frozen, made = calibrate_sets(
        before.probabilities[covered], gold.part(covered), ids.filter(pa.array(covered)), task.calibration, int(task.parameters.get("seed", 0))
    )
    return Calibrated(frozen, made, None)


def _publish(
    task: FitTask,
    context: StepContext,
    home: ArtifactHome,
    voting: VotingSet,
    gold: SetGold,
    evaluated: Evaluated,
    models: Sequence[FittedLabelModel],
    calibrated: Calibrated,
) -> FitResult:
    classes, counts = list(task.function_set.classes), evaluated.counts
    figures, before = _figures(evaluated, models, calibrated.frozen), _figures(evaluated, models, uncalibrated(len(classes)))
    functions = _columns(evaluated, models)
    reference = reference_of(counts, figures, classes).model_copy(update={"columns": bins_of(evaluated.looks.sample)})
    record = ModelVersion(
        version=task.version,
        fit_digest=task.fit_digest,
        sha256="",
        function_set_digest=task.function_set_digest,
        data=task.data,
        gold=task.gold,
        image=task.image,
        build=context.build,
        algorithm=_algorithm(models),
        why=_why(models, classes),
        iterations=max(model.iterations for model in models),
        converged=all(model.converged for model in models),
        fitted_at=now_text(context.clock()),
        metrics=figures.metrics(len(gold.labels) if task.gold else None),
        intervals=figures.intervals(),
        dependent=_dependent(evaluated, models),
        notes=[*_dominance(evaluated, models), *(f"{name}: {note}" for name, model in zip(classes, models, strict=True) for note in model.notes)][:NOTES],
        hash_key=task.hash_key,
        privacy=evaluated.looks.scan.findings(),
        calibration=record_of(calibrated.made, classes, calibrated.why),
    )
    kept = to_file(calibrated.frozen, calibrated.made, classes, before.gold_scores(), figures.gold_scores())
    frozen = to_files(task.function_set, voting.lookups, models, kept, functions, reference.wire(), voting.code, voting.key_id)
    placed = home.publish(record, frozen)
    return FitResult(version=placed, functions=functions)


def _figures(evaluated: Evaluated, models: Sequence[FittedLabelModel], calibration: SetCalibration) -> SetFigures:
    """Indicators from distinct rows; fallbacks do not count but for the labels of gold rows. What a sample cannot say is counted (`counts`)."""
    voters, tasks, rows, counts = evaluated.voters, evaluated.tasks, evaluated.rows, evaluated.counts
    figures = SetFigures(voters, tasks)
    figures.add(rows.votes, rows.levels, label_sets(models, tasks, voters, rows.votes, rows.levels, calibration), rows.counts)
    figures.scale_to(counts.rows, counts.covered, counts.conflicting)
    ids, votes, levels, gold = evaluated.known
    figures.add_gold(label_sets(models, tasks, voters, votes, levels, calibration, ids), gold)
    return figures


def _columns(evaluated: Evaluated, models: Sequence[FittedLabelModel]) -> FunctionColumns:
    rows, functions = evaluated.rows, len(evaluated.voters.names)
    return evaluated.counts.columns(models, estimated_accuracies(models, evaluated.tasks, functions, rows.votes, rows.levels, rows.counts))


def _dominance(evaluated: Evaluated, models: Sequence[FittedLabelModel]) -> tuple[str, ...]:
    """A note for the function that decides most label sets, where others vote, too (X19)."""
    voters, counts = evaluated.voters, evaluated.counts
    flips = np.nan_to_num(set_flips(models, evaluated.tasks, voters, evaluated.rows)) * counts.rows / max(counts.covered, 1)
    j = int(np.argmax(flips))
    return alone_note(voters.names[j], float(flips[j])) if np.count_nonzero(counts.cast[voters.regular]) > 1 else ()


def _algorithm(models: Sequence[FittedLabelModel]) -> str:
    named = {model.algorithm for model in models}
    return named.pop() if len(named) == 1 else BY_CLASS


def _why(models: Sequence[FittedLabelModel], classes: Sequence[str]) -> str:
    """Which label model each class has."""
    of = {model.algorithm: [name for name, one in zip(classes, models, strict=True) if one.algorithm == model.algorithm] for model in models}
    return "a label model for each class: " + "; ".join(f"{algorithm} ({', '.join(names)})" for algorithm, names in of.items())


def _dependent(evaluated: Evaluated, models: Sequence[FittedLabelModel]) -> list[DependentPair]:
    """The functions that repeat one another most in some task, by name (F2)."""
    strongest: dict[tuple[int, int], float] = {}
    for task, model in zip(evaluated.tasks, models, strict=True):
        for i, j, value in model.dependent:
            pair = (int(task.functions[i]), int(task.functions[j]))
            strongest[pair] = max(value, strongest.get(pair, 0.0))
    names = evaluated.voters.names
    ordered = sorted(strongest.items(), key=lambda item: (-item[1], item[0]))[:DEPENDENT_LIMIT]
    return [DependentPair(functions=[names[i], names[j]], correlation=round(value, 3)) for (i, j), value in ordered]
