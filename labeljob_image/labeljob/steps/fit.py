"""The fit step: contract check, votes, statistics, label model, calibration, one new version (C3, F3, F6, M8, X9, X11).

    pinned data -> contract check -> votes -> statistics -> label model -> calibration -> v<N>/
                     SchemaBroken     FunctionsFailing  NoCoverage        gold

Up to the statistics, several shards may do it (`fit_shard`), each for a part of the data; from there on it is the same code.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from labeljob.artifacts import ArtifactHome
from labeljob.ballots import ballots_of
from labeljob.class_balance import class_balance_of, require_gold
from labeljob.contract.calibration import CalibrationRecord
from labeljob.contract.config import FitTask
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.inputs import direct_inputs
from labeljob.contract.reasons import JobReason
from labeljob.contract.result import DEPENDENT_LIMIT, DependentPair, FitResult, FunctionColumns, ModelVersion
from labeljob.drift.bins import bins_of
from labeljob.errors import JobError
from labeljob.figures import FunctionCounts, RunFigures
from labeljob.frozen_calibration import id_hashes, to_file
from labeljob.frozen_models import load_inputs
from labeljob.gold import Gold, Matched
from labeljob.gold_in_fit import Calibrated, Fitted, GoldVotes, calibrated, fit_on_balance, fit_with_gold
from labeljob.held_out import not_taught
from labeljob.input_voters import with_inputs
from labeljob.io.content import pin_broken
from labeljob.label_model import FittedLabelModel, VoteStatistics
from labeljob.label_model.dominance import notes_of
from labeljob.label_model.fitting.arguments import check_prior_accuracy
from labeljob.label_model.side.side_model import fit_with_side
from labeljob.labeling_functions.identity import function_set_digest, read_lookups
from labeljob.labeling_functions.python_code import code_digests
from labeljob.labelled import Voters, label_votes, reduced_rows, reducer_of, voters_of
from labeljob.logs import now_text
from labeljob.looks import Looks
from labeljob.model_artifact import VotingSet, reference_of, to_files
from labeljob.steps.context import StepContext, gold_of
from labeljob.steps.fit_parts import leaving_no_shards, read
from labeljob.steps.fit_votes import FitVotes, key_of
from labeljob.votes import ABSTAIN
from labeljob.warm_start import start_of

TAUGHT_NOTHING = "goldData taught nothing: majority vote has nothing to learn"
TAUGHT_AN_INPUT = "gold rows taught an input model: they neither teach nor score here, nor calibrate"


@dataclass(frozen=True)
class Prepared:
    """What a task is made of: all that votes, and the gold that may judge it.

    Attributes:
        voting: as declared. function_set: the set with its input models as functions.
        gold: without the rows that taught an input model. taught: hashed ids of these rows; left_out: how many of them were in gold.
    """

    voting: VotingSet
    function_set: FunctionSet
    gold: Gold
    taught: frozenset[str]
    left_out: int


@dataclass(frozen=True)
class Evaluated:
    """What one pass over the data leaves: its size does not depend on the number of rows (G9) but for gold.

    Attributes:
        statistics: of rows [ordinary votes of the functions that are no fallbacks, outcomes of the side columns]; see `ballots`. Where gold is
            evidence, of the rows without gold.
        gold: the rows with gold.
        looks: at the rows as they were read.
    """

    voters: Voters
    counts: FunctionCounts
    statistics: VoteStatistics
    gold: GoldVotes
    looks: Looks


def run_fit(task: FitTask, context: StepContext) -> FitResult:
    """Fit and publish one version, from the data or from what shards left of it; on a retry, the version that this fit made already."""
    return leaving_no_shards(task, context, lambda: _made(task, context))


def _made(task: FitTask, context: StepContext) -> FitResult:
    home = ArtifactHome(context.locations.path(task.artifacts), task.artifacts)
    if (standing := home.find(task.fit_digest)) is not None:
        return found_again(home, standing)
    home.require_safe()
    prepared = prepare(task, context)
    evaluated = _evaluate(task, prepared, context)
    start, remarks = start_of(task, home)
    fitted = _fit(task, prepared, evaluated, start)
    voters = evaluated.voters
    notes = notes_of(fitted.model, fitted.statistics, [voters.names[place] for place in voters.regular])
    fitted = replace(fitted, model=replace(fitted.model, noted=(*notes, *remarks)))
    seed = int(task.parameters.get("seed", 0))
    after = calibrated(fitted, voters, evaluated.gold, task.calibration, seed, has_gold=task.gold is not None)
    return _publish(task, context, home, prepared, evaluated, fitted, after)


def prepare(task: FitTask, context: StepContext) -> Prepared:
    """Read all that votes, and gold."""
    inputs = load_inputs(context.locations, direct_inputs(task.inputs))
    taught = frozenset[str]().union(*(one.artifact.taught for one in inputs))
    given = gold_of(task.gold, task.gold_label_column, task.gold_probability_column, task.function_set, context, key_of(task))
    gold = not_taught(given, taught)
    voting = replace(pinned_voting(task, context), inputs=inputs)
    effective = with_inputs(task.function_set, [one.pin for one in inputs])
    return Prepared(voting, effective, gold, taught, len(given.classes) - len(gold.classes))


def found_again(home: ArtifactHome, version: ModelVersion) -> FitResult:
    """The result of a version that stands already."""
    home.mend_index()
    files = home.load(version.version, version.sha256)
    return FitResult(version=version, functions=FunctionColumns.model_validate_json(files["functions.json"]))


def pinned_voting(task: FitTask, context: StepContext) -> VotingSet:
    """The set with its lookup tables and code, when they and the key that hashes are those that it was pinned with.

    Raises:
        JobError: PIN_BROKEN, HASH_KEY_CHANGED.
    """
    lookups = read_lookups(task.function_set, context.open_table, context.hasher(task.function_set, key_of(task)))
    code = code_digests(task.function_set, context.python.folders)
    if function_set_digest(task.function_set, lookups, code, key_of(task)) != task.function_set_digest:
        raise pin_broken("spec.functions", f"a lookup table{' or the code of a python function' if code else ''} changed after the set was pinned")
    return VotingSet(task.function_set, lookups, code=code, key_id=key_of(task))


def votes_of(task: FitTask, prepared: Prepared) -> FitVotes[FunctionCounts]:
    """What rows are added to."""
    voters = voters_of(prepared.function_set)
    return FitVotes(
        voting=prepared.voting,
        voters=voters,
        gold=prepared.gold,
        counts=FunctionCounts(voters, len(task.function_set.classes)),
        reducer=reducer_of(voters),
        row_of=lambda batch: reduced_rows(voters, batch.votes, batch.levels),
        levels=sum(column.soft for column in voters.side),
        learns=_learns(task),
    )


def _evaluate(task: FitTask, prepared: Prepared, context: StepContext) -> Evaluated:
    """Contract check, then votes; raises before anything is written."""
    votes = votes_of(task, prepared)
    known, gold = read(votes, task, context)
    return Evaluated(votes.voters, votes.counts, votes.statistics(), GoldVotes(*known, gold), votes.looks)


def _learns(task: FitTask) -> bool:
    """Whether gold is evidence."""
    return task.gold is not None and task.parameters.get("useGold") == "fit"


def _fit(task: FitTask, prepared: Prepared, evaluated: Evaluated, start: FittedLabelModel | None) -> Fitted:
    """The model, and where gold is evidence or gives the class balance those that have not seen one fold of it each."""
    gold, seed, given = evaluated.gold, int(task.parameters.get("seed", 0)), task.parameters.get("classBalance")
    require_gold(given, gold.gold)

    def fit(statistics: VoteStatistics, seen: Matched) -> FittedLabelModel:
        return _fit_statistics(task, prepared, evaluated, statistics, class_balance_of(given, task.function_set, seen), start)

    if not _learns(task):
        if given == "gold":
            return fit_on_balance(evaluated.statistics, gold, seed, fit)
        return Fitted(fit(evaluated.statistics, gold.gold), evaluated.statistics)
    fitted = fit_with_gold(evaluated.statistics, reduced_rows(evaluated.voters, gold.votes, gold.levels), gold, seed, fit)
    if fitted.taught:
        return fitted
    return replace(fitted, model=replace(fitted.model, noted=(*fitted.model.notes, TAUGHT_NOTHING)))


def _fit_statistics(
    task: FitTask, prepared: Prepared, evaluated: Evaluated, statistics: VoteStatistics, balance: list[float] | None, start: FittedLabelModel | None
) -> FittedLabelModel:
    """DESIGN §3: what an abstain means is declared by the functions, not inferred."""
    regular = [function for function in prepared.function_set.enabled_functions if not function.is_fallback]
    given = task.parameters
    optional: dict[str, Any] = {
        "max_iterations": given.get("maxIterations"),
        "tolerance": given.get("tolerance"),
        "seed": given.get("seed"),
        "prior_accuracy": _prior_accuracy(given.get("priorAccuracy"), task.function_set),
    }
    return fit_with_side(
        statistics,
        len(regular),
        evaluated.voters.side,
        len(task.function_set.classes),
        algorithm=task.algorithm,
        abstain=["missing" if function.abstain_is_missing else "evidence" for function in regular],
        start=start,
        class_balance=balance,
        **{name: value for name, value in optional.items() if value is not None},
    )


def _dependent(model: FittedLabelModel, voters: Voters) -> list[DependentPair]:
    """The functions that repeat one another most, by name (F2)."""
    names = [voters.names[place] for place in voters.regular]
    return [DependentPair(functions=[names[i], names[j]], correlation=round(value, 3)) for i, j, value in model.dependent[:DEPENDENT_LIMIT]]


def _prior_accuracy(given: float | None, function_set: FunctionSet) -> float | None:
    try:
        return check_prior_accuracy(given, len(function_set.classes))
    except ValueError as wrong:
        raise JobError(JobReason.FUNCTIONS_INVALID, f"spec.parameters: {wrong}") from None


def _publish(
    task: FitTask,
    context: StepContext,
    home: ArtifactHome,
    prepared: Prepared,
    evaluated: Evaluated,
    fitted: Fitted,
    calibrated: Calibrated,
) -> FitResult:
    figures, uncalibrated = _figures(evaluated, fitted, calibrated), RunFigures(evaluated.voters, evaluated.counts.classes)
    uncalibrated.add_gold(calibrated.before, evaluated.gold.gold)
    model, calibration = fitted.model, calibrated.calibration
    functions = evaluated.counts.columns(model)
    reference = reference_of(evaluated.counts, figures, task.function_set.classes).model_copy(update={"columns": bins_of(evaluated.looks.sample)})
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
        start=task.start,
        metrics=figures.metrics(len(prepared.gold.classes) if task.gold else None),
        intervals=figures.intervals(),
        dependent=_dependent(model, evaluated.voters),
        notes=[*model.notes, *([f"{prepared.left_out} {TAUGHT_AN_INPUT}"] if prepared.left_out else [])],
        inputs=task.inputs,
        hash_key=task.hash_key,
        privacy=evaluated.looks.scan.findings(),
        calibration=CalibrationRecord(method=calibration.method, gold_rows=calibration.gold_rows, why=calibration.why),
    )
    kept = to_file(calibrated.frozen, calibration, uncalibrated.gold_scores(), figures.gold_scores())
    taught = prepared.taught.union(id_hashes(evaluated.gold.ids) if fitted.taught else ())
    voting = prepared.voting
    pins = [one.pin for one in voting.inputs]
    frozen = to_files(
        task.function_set, voting.lookups, model, kept, functions, reference.wire(), sorted(taught), pins, voting.code, voting.key_id
    )
    placed = home.publish(record, frozen)
    return FitResult(version=placed, functions=functions)


def _figures(evaluated: Evaluated, fitted: Fitted, calibrated: Calibrated) -> RunFigures:
    """Indicators from vote patterns; fallbacks do not count but for the labels of gold rows. What a sample cannot say is counted (`counts`)."""
    voters, statistics, counts = evaluated.voters, fitted.statistics, evaluated.counts
    times = statistics.counts if statistics.told is None else np.rint(statistics.weights).astype(np.int64)
    votes = np.full((len(statistics.counts), len(voters.names)), ABSTAIN, dtype=np.int8)
    votes[:, voters.regular], levels = ballots_of(voters.side, statistics.patterns, len(voters.regular))
    figures = RunFigures(voters, counts.classes)
    figures.add(votes, label_votes(fitted.model, voters, votes, levels, calibrated.frozen.calibrator), times)
    figures.scale_to(counts.rows, counts.covered, counts.conflicting)
    figures.add_gold(calibrated.after, evaluated.gold.gold)
    return figures
