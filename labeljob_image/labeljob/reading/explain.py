"""Why a row has its label: each function's vote, what it adds, the prior, and the posterior (O6, X10).

For the weighted vote and Dawid-Skene: log prior + sum of contributions = log posterior up to the normaliser, exactly; calibration comes
after, and is shown after.
"""

import math
from typing import Any

import numpy as np
import pyarrow as pa
from deltalake import DeltaTable

from labeljob.ballots import ordinary, outcomes
from labeljob.calibration import NONE
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.io.content import pin_broken
from labeljob.io.places import Place, open_table
from labeljob.label_model import FittedLabelModel, contributions, estimated_accuracy, weights
from labeljob.label_model.side.side_model import side_contributions
from labeljob.label_model.side.side_tables import Outcomes
from labeljob.label_model.side.soft_votes import Grid, Levels
from labeljob.labelled import Voters, label_votes, voters_of
from labeljob.model_artifact import ModelArtifact
from labeljob.privacy import seen_id_type
from labeljob.said import said
from labeljob.votes import ABSTAIN, FloatArray, Votes


def explain(table: Place, artifact: ModelArtifact, row_id: str, uri: str, version: int | None = None) -> dict[str, Any]:
    """The provenance of one labelled row, as JSON data.

    Raises:
        JobError: SOURCE_NOT_FOUND: no such row; PIN_BROKEN: the row was labelled by another model version than `artifact`.
    """
    row = row_of(open_table(table, version), artifact.function_set, row_id, uri)
    votes = np.array([row["votes"]], dtype=np.int8)
    voters, classes = voters_of(artifact.function_set), artifact.function_set.classes
    if votes.shape[1] != len(voters.names):
        raise pin_broken(uri, "the row was labelled with other functions than this model version has")
    levels = np.array([row["levels"]], dtype=np.int16) if row.get("levels") is not None else None
    labelled, uncalibrated = (label_votes(artifact.model, voters, votes, levels, one) for one in (artifact.calibration.calibrator, NONE))
    added = np.full((len(voters.names), len(classes)), np.nan)
    added[voters.regular] = _contributions(artifact.model, voters, votes[:, voters.regular], levels)
    return {
        "id": row[artifact.function_set.id_column],
        "run": row["run"],
        "label": row["label"],
        "covered": row["covered"],
        "prior": _by_class(classes, artifact.model.class_balance),
        "functions": _functions(artifact, votes[0], levels, added),
        "posterior": _by_class(classes, uncalibrated.probabilities[0]),
        "calibration": artifact.calibration.calibrator.method if labelled.covered[0] else "none",
        "calibrated": _by_class(classes, labelled.probabilities[0]),
        "stored": row["probabilities"],
        "agrees": bool(np.allclose(labelled.probabilities[0], [row["probabilities"][name] for name in classes], rtol=0, atol=1e-6)),
    }


def _contributions(model: FittedLabelModel, voters: Voters, votes: Votes, levels: Levels | None) -> FloatArray:
    """What each function that is no fallback adds, float64 [n_regular, n_classes]."""
    return added_by(model, ordinary(votes) if model.side else votes, outcomes(voters.side, votes, levels))


def added_by(model: FittedLabelModel, votes: Votes, side: Outcomes) -> FloatArray:
    """What each function adds on one row, float64 [n_functions, n_classes], as `contributions`, side columns included.

    Args:
        votes: [1, n_functions], votes for one class; side: int16 [1, n_side_columns].
    """
    if not model.side:
        return contributions(model, votes[0])
    alone = votes.copy()
    alone[:, [table.function for table in model.side if table.soft]] = ABSTAIN
    added = contributions(model, alone[0])
    beside = side_contributions(model, side[0])
    if model.algorithm != "majority-vote":
        return added + beside
    alone_votes, beside_votes = int(np.count_nonzero(alone != ABSTAIN)), int(np.count_nonzero(beside.any(axis=1)))
    return np.asarray((added * alone_votes + beside) / max(alone_votes + beside_votes, 1))


def row_of(table: DeltaTable, function_set: FunctionSet, row_id: str, uri: str) -> dict[str, Any]:
    """One row of the output. JobError SOURCE_NOT_FOUND."""
    column, kind = function_set.id_column, seen_id_type(function_set)
    hint = ": ids are hashed, so give the hash as the output has it" if column in function_set.schema_.hashed else ""
    missing = JobError(JobReason.SOURCE_NOT_FOUND, f"{uri}: it has no row with {column} {row_id}{hint}")
    value = _literal(row_id, kind)
    if value is None:
        raise missing
    name = '"' + column.replace('"', '""') + '"'
    found = pa.table(pa.RecordBatchReader.from_stream(table.scan(predicate=f"{name} = {value}")).read_all()).to_pylist()
    if not found:
        raise missing
    return dict(found[0])


def _literal(row_id: str, kind: str) -> str | None:
    """The id in a predicate; None when it cannot be one of this type."""
    if kind != "int64":
        return "'" + row_id.replace("'", "''") + "'"
    try:
        return str(int(row_id))
    except ValueError:
        return None


def _functions(artifact: ModelArtifact, votes: Any, levels: Levels | None, added: FloatArray) -> list[dict[str, Any]]:
    classes, functions = artifact.function_set.classes, artifact.function_set.enabled_functions
    regular = voters_of(artifact.function_set).regular
    weight, accuracy = (np.full(len(functions), np.nan) for _ in range(2))
    weight[regular], accuracy[regular] = weights(artifact.model), estimated_accuracy(artifact.model)
    soft = [i for i, function in enumerate(functions) if function.is_soft]
    stated = {i: _stated(classes, level) for i, level in zip(soft, [] if levels is None else levels[0].tolist(), strict=True)}
    return [
        {
            "name": function.name,
            "kind": function.kind,
            "owner": function.owner,
            "fallback": function.is_fallback,
            "vote": said(function, int(votes[i]), classes),
            **stated.get(i, {}),
            "weight": _number(weight[i]),
            "estimatedAccuracy": _number(accuracy[i]),
            "contribution": None if function.is_fallback else _by_class(classes, added[i]),
        }
        for i, function in enumerate(functions)
    ]


def _stated(classes: list[str], level: int) -> dict[str, Any]:
    """What a soft vote's level stands for: the bounds of its likeliest class's probability, and the second class where levels tell it."""
    if level == ABSTAIN:
        return {}
    grid = Grid(len(classes))
    second = np.argsort(-grid.stated()[level], kind="stable")[1] if grid.seconds > 1 else None
    return {"stated": {"probability": list(grid.bounds(level)), "second": None if second is None else classes[int(second)]}}


def _by_class(classes: list[str], values: FloatArray) -> dict[str, float]:
    return dict(zip(classes, values.tolist(), strict=True))


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
