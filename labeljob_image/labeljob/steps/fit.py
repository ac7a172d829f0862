"""The fit step: contract check, votes, statistics, label model, calibration, one new version (C3, F3, F6, M8, X9, X11).

    pinned data -> contract check -> votes -> statistics -> label model -> calibration -> v<N>/
                     SchemaBroken     FunctionsFailing  NoCoverage        gold
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labeljob.artifacts import ArtifactHome
from labeljob.ballots import ballots_of, ordinary, outcomes
from labeljob.calibration import NONE, Calibration, GoldRows, calibrate, shuffled
from labeljob.contract.calibration import CalibrationRecord
from labeljob.contract.config import FitTask
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.reasons import JobReason
from labeljob.contract.result import DEPENDENT_LIMIT, DependentPair, FitResult, FunctionColumns, ModelVersion
from labeljob.errors import JobError
from labeljob.figures import FunctionCounts, RunFigures
from labeljob.frozen_calibration import FrozenCalibration, freeze, id_keys, to_file
from labeljob.gold import Gold, Matched, nothing_known
from labeljob.held_out import label_held_out, of_rows
from labeljob.io.content import pin_broken
from labeljob.io.datasets import open_pinned
from labeljob.label_model import FittedLabelModel, VoteReducer, VoteStatistics
from labeljob.label_model.arguments import check_prior_accuracy
from labeljob.label_model.side import fit_with_side
from labeljob.label_model.soft_votes import Levels
from labeljob.labeling_functions.identity import LookupData, function_set_digest, read_lookups
from labeljob.labelled import Labelled, Voters, label_votes, voters_of
from labeljob.logs import now_text
from labeljob.model_artifact import drift_reference, to_files
from labeljob.row_ids import hashed_ids
from labeljob.schema import check_contract
from labeljob.steps.context import StepContext, gold_of
from labeljob.steps.evaluate import vote_batches
from labeljob.votes import ABSTAIN, VoteBatch, Votes

Known = tuple[pa.Array, Votes, Levels | None, Matched]  # rows whose class is known: ids, votes, levels, what is known
NO_GOLD = "there is no goldData, so nothing says how honest the probabilities are; functions that copy each other make them too sure"


@dataclass(frozen=True)
class Evaluated:
    """What one pass over the data leaves: its size does not depend on the number of rows (G9) but for gold.

    Attributes:
        statistics: of rows [ordinary votes of the functions that are no fallbacks, outcomes of the side columns]; see `ballots`.
        gold_ids: [n_gold], ascending; gold_votes: int8 [n_gold, n_functions]; gold_levels: int16 [n_gold, n_soft]; gold: what is known of
            these rows.
    """

    voters: Voters
    counts: FunctionCounts
    statistics: VoteStatistics
    gold_ids: pa.Array
    gold_votes: Votes
    gold_levels: Levels | None
    gold: Matched


@dataclass(frozen=True)
class Calibrated:
    """The calibration, and gold rows as they are labelled without it and, each by a calibrator that has not seen it, with it."""

    calibration: Calibration
    frozen: FrozenCalibration
    before: Labelled
    after: Labelled


def run_fit(task: FitTask, context: StepContext) -> FitResult:
    """Fit and publish one version; on a retry, the version that this fit made already."""
    home = ArtifactHome(context.locations.path(task.artifacts), task.artifacts)
    if (standing := home.find(task.fit_digest)) is not None:
        return _found(home, standing)
    lookups = _pinned_lookups(task, context)
    gold = gold_of(task.gold, task.gold_label_column, task.gold_probability_column, task.function_set, context)
    evaluated = _evaluate(task, lookups, gold, context)
    model = _fit(task, evaluated)
    return _publish(task, context, home, lookups, gold, evaluated, model, _calibrated(task, evaluated, model))


def _found(home: ArtifactHome, version: ModelVersion) -> FitResult:
    files = home.load(version.version, version.sha256)
    return FitResult(version=version, functions=FunctionColumns.model_validate_json(files["functions.json"]))


def _pinned_lookups(task: FitTask, context: StepContext) -> dict[str, LookupData]:
    lookups = read_lookups(task.function_set, context.open_table)
    if function_set_digest(task.function_set, lookups) != task.function_set_digest:
        raise pin_broken("spec.functions", "a lookup table changed after the set was pinned")
    return lookups


def _evaluate(task: FitTask, lookups: dict[str, LookupData], gold: Gold, context: StepContext) -> Evaluated:
    """Contract check, then votes; raises before anything is written."""
    function_set, source = task.function_set, open_pinned(task.data, context.locations)
    rows = check_contract(source, function_set, context.resources, context.log.progress("check", None), context.batch_rows)
    if rows == 0:
        raise JobError(JobReason.EMPTY_DATASET, f"{task.data.uri}: it has no rows, so there is nothing to learn from: add rows")
    voters = voters_of(function_set)
    counts = FunctionCounts(voters, len(function_set.classes))
    reducer = VoteReducer(max(len(voters.regular) + len(voters.side), 1), _outcomes(voters, len(function_set.classes)))
    known: list[Known] = []
    for ids, batch in vote_batches(source, rows, function_set, lookups, context, context.log.progress("vote", rows)):
        matched = gold.match(ids)
        counts.add(batch, matched)
        counts.check_errors(function_set, rows)
        if len(voters.regular):
            reducer.add(_evidence(voters, batch), hashed_ids(ids))
        if (chosen := matched.known).any():
            known.append((ids.filter(pa.array(chosen)), batch.votes[chosen], of_rows(batch.levels, chosen), matched.part(chosen)))
    _require_coverage(counts)
    return Evaluated(voters, counts, reducer.statistics(), *_in_id_order(known, gold.ids.type, len(voters.names)))


def _evidence(voters: Voters, batch: VoteBatch) -> Votes:
    """Rows as the statistics take them."""
    votes = batch.votes[:, voters.regular]
    return np.column_stack([ordinary(votes), outcomes(voters.side, votes, batch.levels)]).astype(np.int16) if voters.side else votes


def _outcomes(voters: Voters, classes: int) -> int:
    """How many values a column of the statistics has at most, -1 aside."""
    return max(classes, *(len(column.stated) for column in voters.side)) if voters.side else classes


def _require_coverage(counts: FunctionCounts) -> None:
    if not counts.cast[counts.voters.regular].any():
        message = "no labeling function votes on any row, so there is nothing to learn from: check the functions against the data"
        raise JobError(JobReason.NO_COVERAGE, message)


def _in_id_order(known: list[Known], kind: pa.DataType, functions: int) -> tuple[pa.Array, Votes, Levels | None, Matched]:
    """Readers promise no order; sums of floats need one."""
    if not known:
        return pa.array([], kind), np.empty((0, functions), dtype=np.int8), None, nothing_known(0)
    parts, votes, levels, gold = zip(*known, strict=True)
    ids = pa.concat_arrays(parts)
    order = pc.sort_indices(ids).to_numpy()
    matched = Matched(*(np.concatenate([getattr(one, name) for one in gold])[order] for name in ("classes", "weights")))
    soft = None if levels[0] is None else np.concatenate(levels)[order]
    return ids.take(pa.array(order)), np.concatenate(votes)[order], soft, matched


def _fit(task: FitTask, evaluated: Evaluated) -> FittedLabelModel:
    """DESIGN §3: what an abstain means is declared by the functions, not inferred."""
    regular = [function for function in task.function_set.enabled_functions if not function.is_fallback]
    given = task.parameters
    optional: dict[str, Any] = {
        "max_iterations": given.get("maxIterations"),
        "tolerance": given.get("tolerance"),
        "seed": given.get("seed"),
        "prior_accuracy": _prior_accuracy(given.get("priorAccuracy"), task.function_set),
    }
    return fit_with_side(
        evaluated.statistics,
        len(regular),
        evaluated.voters.side,
        len(task.function_set.classes),
        algorithm=task.algorithm,
        abstain=["missing" if function.abstain_is_missing else "evidence" for function in regular],
        class_balance=_class_balance(given.get("classBalance"), task.function_set),
        **{name: value for name, value in optional.items() if value is not None},
    )


def _dependent(model: FittedLabelModel, voters: Voters) -> list[DependentPair]:
    """The functions that repeat one another most, by name (F2)."""
    names = [voters.names[place] for place in voters.regular]
    return [DependentPair(functions=[names[i], names[j]], correlation=round(value, 3)) for i, j, value in model.dependent[:DEPENDENT_LIMIT]]


def _calibrated(task: FitTask, evaluated: Evaluated, model: FittedLabelModel) -> Calibrated:
    """Tuned on covered gold rows; the folds depend on ids and seed alone."""
    before = label_votes(model, evaluated.voters, evaluated.gold_votes, evaluated.gold_levels, NONE)
    covered, gold = before.covered, evaluated.gold.part(before.covered)
    ids = evaluated.gold_ids.filter(pa.array(covered))
    rows = GoldRows(before.probabilities[covered], gold.classes, gold.weights, shuffled(id_keys(ids), int(task.parameters.get("seed", 0))))
    no_gold = task.gold is None and task.calibration != "none"
    calibration = Calibration(NONE, task.calibration, NO_GOLD) if no_gold else calibrate(rows, task.calibration)
    frozen = freeze(calibration, ids)
    after = label_held_out(model, evaluated.voters, evaluated.gold_votes, evaluated.gold_levels, evaluated.gold_ids, frozen)
    return Calibrated(calibration, frozen, before, after)


def _prior_accuracy(given: float | None, function_set: FunctionSet) -> float | None:
    try:
        return check_prior_accuracy(given, len(function_set.classes))
    except ValueError as wrong:
        raise JobError(JobReason.FUNCTIONS_INVALID, f"spec.parameters: {wrong}") from None


def _class_balance(given: Any, function_set: FunctionSet) -> list[float] | None:
    if given is None or given == "auto":
        return None
    if set(given) != set(function_set.classes):
        odd = sorted(set(given) ^ set(function_set.classes))[0]
        message = f"spec.parameters.classBalance must give a share to each class and nothing else: look at {odd}"
        raise JobError(JobReason.FUNCTIONS_INVALID, message)
    return [float(given[name]) for name in function_set.classes]


def _publish(
    task: FitTask,
    context: StepContext,
    home: ArtifactHome,
    lookups: dict[str, LookupData],
    gold: Gold,
    evaluated: Evaluated,
    model: FittedLabelModel,
    calibrated: Calibrated,
) -> FitResult:
    figures, uncalibrated = _figures(evaluated, model, calibrated), RunFigures(evaluated.voters, evaluated.counts.classes)
    uncalibrated.add_gold(calibrated.before, evaluated.gold)
    calibration = calibrated.calibration
    functions = evaluated.counts.columns(model)
    reference = drift_reference(evaluated.counts, figures, task.function_set.classes)
    record = ModelVersion(
        version=task.version,
        fit_digest=task.fit_digest,
        sha256="",
        function_set_digest=task.function_set_digest,
        data=task.data,
        gold=task.gold,
        image=task.image,
        build=context.build,
        algorithm=model.algorithm,
        why=model.why,
        iterations=model.iterations,
        converged=model.converged,
        fitted_at=now_text(context.clock()),
        metrics=figures.metrics(len(gold.classes) if task.gold else None),
        intervals=figures.intervals(),
        dependent=_dependent(model, evaluated.voters),
        notes=list(model.notes),
        calibration=CalibrationRecord(method=calibration.method, gold_rows=calibration.gold_rows, why=calibration.why),
    )
    kept = to_file(calibrated.frozen, calibration, uncalibrated.gold_scores(), figures.gold_scores())
    placed = home.publish(record, to_files(task.function_set, lookups, model, kept, functions, reference))
    return FitResult(version=placed, functions=functions)


def _figures(evaluated: Evaluated, model: FittedLabelModel, calibrated: Calibrated) -> RunFigures:
    """Indicators from vote patterns; fallbacks do not count but for the labels of gold rows. What a sample cannot say is counted (`counts`)."""
    voters, statistics, counts = evaluated.voters, evaluated.statistics, evaluated.counts
    votes = np.full((len(statistics.counts), len(voters.names)), ABSTAIN, dtype=np.int8)
    votes[:, voters.regular], levels = ballots_of(voters.side, statistics.patterns, len(voters.regular))
    figures = RunFigures(voters, counts.classes)
    figures.add(votes, label_votes(model, voters, votes, levels, calibrated.frozen.calibrator), statistics.counts)
    figures.scale_to(counts.rows, counts.covered, counts.conflicting)
    figures.add_gold(calibrated.after, evaluated.gold)
    return figures
