"""The fit step: contract check, votes, statistics, label model, one new version (C3, F3, F6, X9).

    pinned data -> contract check -> votes -> statistics -> label model -> v<N>/
                     SchemaBroken     FunctionsFailing  NoCoverage
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labeljob.artifacts import ArtifactHome
from labeljob.ballots import ballots_of, ordinary, outcomes
from labeljob.contract.config import FitTask
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.reasons import JobReason
from labeljob.contract.result import FitResult, FunctionColumns, ModelVersion
from labeljob.errors import JobError
from labeljob.figures import FunctionCounts, RunFigures
from labeljob.gold import Gold
from labeljob.io.content import pin_broken
from labeljob.io.datasets import open_pinned
from labeljob.label_model import FittedLabelModel, VoteStatistics, from_votes, merge, merge_all
from labeljob.label_model.semi_supervised import FOLDS, fit_of, fold_models, split, with_codes
from labeljob.label_model.soft_votes import Levels
from labeljob.labeling_functions.lookups import LookupData, function_set_digest
from labeljob.labelled import Voters, label_votes, voters_of
from labeljob.logs import now_text
from labeljob.model_artifact import drift_reference, to_files
from labeljob.schema import check_contract
from labeljob.steps.check import read_lookups
from labeljob.steps.context import StepContext, gold_of
from labeljob.steps.evaluate import vote_batches
from labeljob.votes import ABSTAIN, IntArray, VoteBatch, Votes

Known = tuple[pa.Array, Votes, Levels, IntArray]  # rows whose class is known: ids, votes, levels, classes


@dataclass(frozen=True)
class Evaluated:
    """What one pass over the data leaves: its size does not depend on the number of rows (G9) but for distinct patterns and gold.

    Attributes:
        statistics: of rows [ordinary votes of the functions that are no fallbacks, outcomes of the side columns]; see `ballots`.
            With `useGold: fit`, rows [code, …]: see `semi_supervised`.
        gold_votes: int8 [n_gold, n_functions], gold_levels: int16 [n_gold, n_soft], gold_classes and gold_folds: int64 [n_gold], in order of id.
        learns: whether gold is evidence.
    """

    voters: Voters
    counts: FunctionCounts
    statistics: VoteStatistics
    gold_votes: Votes
    gold_levels: Levels | None
    gold_classes: IntArray
    gold_folds: IntArray
    learns: bool


def run_fit(task: FitTask, context: StepContext) -> FitResult:
    """Fit and publish one version; on a retry, the version that this fit made already."""
    home = ArtifactHome(context.locations.path(task.artifacts), task.artifacts)
    if (standing := home.find(task.fit_digest)) is not None:
        return _found(home, standing)
    lookups = _pinned_lookups(task, context)
    gold = gold_of(task.gold, task.gold_label_column, task.function_set, context)
    evaluated = _evaluate(task, lookups, gold, context)
    model, scorers = _fit(task, evaluated)
    return _publish(task, context, home, lookups, gold, evaluated, model, scorers)


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
    learns = _learns_from_gold(task)
    statistics = merge_all([], max(len(voters.regular) + len(voters.side), 1) + learns)
    known: list[Known] = []
    for ids, batch in vote_batches(source, rows, function_set, lookups, context, context.log.progress("vote", rows)):
        classes = gold.match(ids)
        counts.add(batch, classes)
        counts.check_errors(function_set, rows)
        if len(voters.regular):
            rows_of = _rows_of(voters, batch)
            part = with_codes(rows_of, classes, fold_of(ids, classes)) if learns else from_votes(rows_of, None if voters.side else len(function_set.classes))
            statistics = merge(statistics, part)
        if (chosen := classes != ABSTAIN).any():
            levels = np.empty((len(ids), 0), dtype=np.int16) if batch.levels is None else batch.levels
            known.append((ids.filter(pa.array(chosen)), batch.votes[chosen], levels[chosen], classes[chosen]))
    _require_coverage(counts)
    return Evaluated(voters, counts, statistics, *_in_id_order(known, len(voters.names)), learns)


def _learns_from_gold(task: FitTask) -> bool:
    return task.gold is not None and task.parameters.get("useGold") == "fit"


def fold_of(ids: pa.Array, classes: IntArray) -> IntArray:
    """The fold of each row whose class is known, by a hash of its id, int64 [n_rows]: the same in every shard and run; 0 elsewhere."""
    folds = np.zeros(len(classes), dtype=np.int64)
    for row in np.flatnonzero(classes != ABSTAIN):
        folds[row] = int.from_bytes(hashlib.sha256(str(ids[int(row)].as_py()).encode()).digest()[:8]) % FOLDS
    return folds


def _rows_of(voters: Voters, batch: VoteBatch) -> Votes:
    """Rows of the statistics: votes for one class, then outcomes of side columns."""
    votes = batch.votes[:, voters.regular]
    if not voters.side:
        return votes
    return np.column_stack([ordinary(votes), outcomes(voters.side, votes, batch.levels)]).astype(np.int16)


def _require_coverage(counts: FunctionCounts) -> None:
    if not counts.cast[counts.voters.regular].any():
        message = "no labeling function votes on any row, so there is nothing to learn from: check the functions against the data"
        raise JobError(JobReason.NO_COVERAGE, message)


def _in_id_order(known: list[Known], functions: int) -> tuple[Votes, Levels | None, IntArray, IntArray]:
    """Readers promise no order; sums of floats need one."""
    if not known:
        return np.empty((0, functions), dtype=np.int8), None, np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    parts, votes, levels, classes = zip(*known, strict=True)
    ids = pa.concat_arrays(parts)
    order, gold = pc.sort_indices(ids).to_numpy(), np.concatenate(classes)
    return np.concatenate(votes)[order], np.concatenate(levels)[order], gold[order], fold_of(ids, gold)[order]


def _fit(task: FitTask, evaluated: Evaluated) -> tuple[FittedLabelModel, dict[int, FittedLabelModel]]:
    """(the model, and by fold the models that score its gold rows, where gold is evidence).

    DESIGN §3: what an abstain means is declared by the functions, not inferred.
    """
    regular = [function for function in task.function_set.enabled_functions if not function.is_fallback]
    given = task.parameters
    optional = {"max_iterations": given.get("maxIterations"), "tolerance": given.get("tolerance"), "seed": given.get("seed")}
    fit = fit_of(
        len(regular),
        evaluated.voters.side,
        len(task.function_set.classes),
        algorithm=task.algorithm,
        abstain=["missing" if function.abstain_is_missing else "evidence" for function in regular],
        class_balance=_class_balance(given.get("classBalance"), task.function_set),
        **{name: value for name, value in optional.items() if value is not None},
    )
    if not evaluated.learns:
        return fit(evaluated.statistics, None), {}
    rows, known, _ = split(evaluated.statistics)
    return fit(rows, known), dict(fold_models(evaluated.statistics, fit))


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
    scorers: dict[int, FittedLabelModel],
) -> FitResult:
    figures = _figures(evaluated, model, scorers)
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
    )
    placed = home.publish(record, to_files(task.function_set, lookups, model, functions, reference, gold.ids if evaluated.learns else None))
    return FitResult(version=placed, functions=functions)


def _figures(evaluated: Evaluated, model: FittedLabelModel, scorers: dict[int, FittedLabelModel]) -> RunFigures:
    """Indicators from distinct patterns; fallbacks do not count but for the labels of gold rows. Of `scorers`, each scores the fold it has not seen."""
    voters, statistics = evaluated.voters, split(evaluated.statistics)[0] if evaluated.learns else evaluated.statistics
    votes = np.full((len(statistics.counts), len(voters.names)), ABSTAIN, dtype=np.int8)
    votes[:, voters.regular], levels = ballots_of(voters.side, statistics.patterns, len(voters.regular))
    unknown = np.full(len(votes), ABSTAIN, dtype=np.int64)
    figures = RunFigures(voters, evaluated.counts.classes)
    figures.add(votes, label_votes(model, voters, votes, levels), unknown, statistics.counts)
    for scorer, rows in [(scorer, evaluated.gold_folds == fold) for fold, scorer in scorers.items()] or [(model, evaluated.gold_folds >= 0)]:
        levels = None if evaluated.gold_levels is None else evaluated.gold_levels[rows]
        figures.add_gold(label_votes(scorer, voters, evaluated.gold_votes[rows], levels), evaluated.gold_classes[rows])
    return figures
