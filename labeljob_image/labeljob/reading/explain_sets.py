"""Why a row of a multi-label set has its labels: for each class, what each function adds to the log-odds that the row has it (O6, X10).

Log-odds of the prior + sum of contributions = log-odds of the posterior, exactly; for majority vote the contributions are shares of the votes on
that class. Calibration comes after, and is shown after.
"""

import math
from typing import Any

import numpy as np

from labeljob.io.content import pin_broken
from labeljob.io.places import Place, open_table
from labeljob.label_model import FittedLabelModel
from labeljob.label_model.side.soft_votes import Levels
from labeljob.multi_label.artifact import SetsArtifact
from labeljob.multi_label.calibration import uncalibrated
from labeljob.multi_label.labelling import label_sets
from labeljob.multi_label.tasks import BINARY, Task
from labeljob.reading.explain import added_by, row_of
from labeljob.said import ABSTAINS, said
from labeljob.votes import ABSTAIN, FloatArray, Votes


def explain_sets(table: Place, artifact: SetsArtifact, row_id: str, uri: str, version: int | None = None) -> dict[str, Any]:
    """The provenance of one labelled row, as JSON data; JobErrors as of `explain`."""
    function_set, voters, classes = artifact.function_set, artifact.voters, list(artifact.function_set.classes)
    row = row_of(open_table(table, version), function_set, row_id, uri)
    votes = np.array([row["votes"]], dtype=np.int8)
    if votes.shape[1] != len(voters.names):
        raise pin_broken(uri, "the row was labelled with other functions than this model version has")
    levels = np.array([row["levels"]], dtype=np.int16) if row.get("levels") is not None else None
    labelled, plain = (label_sets(artifact.models, artifact.tasks, voters, votes, levels, one) for one in (artifact.calibration, uncalibrated(len(classes))))
    methods = {one.method for one in artifact.calibration.calibrators} if labelled.covered[0] else {"none"}
    stored = [row["probabilities"][name] for name in classes]
    return {
        "id": row[function_set.id_column],
        "run": row["run"],
        "labels": row["labels"],
        "covered": row["covered"],
        "prior": _by_class(classes, np.array([model.class_balance[1] for model in artifact.models])),
        "functions": _functions(artifact, votes, levels),
        "posterior": _by_class(classes, plain.probabilities[0]),
        "calibration": "by-class" if len(methods) > 1 else methods.pop(),
        "calibrated": _by_class(classes, labelled.probabilities[0]),
        "stored": row["probabilities"],
        "agrees": bool(np.allclose(labelled.probabilities[0], stored, rtol=0, atol=1e-6)),
    }


def _functions(artifact: SetsArtifact, votes: Votes, levels: Levels | None) -> list[dict[str, Any]]:
    classes, functions = list(artifact.function_set.classes), artifact.function_set.enabled_functions
    added = [
        dict(zip(task.functions.tolist(), _added(model, task, votes, levels).tolist(), strict=True)) for model, task in zip(artifact.models, artifact.tasks, strict=True)
    ]
    stated = _stated(artifact, levels)
    return [
        {
            "name": function.name,
            "kind": function.kind,
            "owner": function.owner,
            "fallback": function.is_fallback,
            "vote": stated.get(j, ABSTAINS) if function.is_soft else said(function, int(votes[0, j]), classes),
            "weight": _at(artifact.functions.weight, j),
            "estimatedAccuracy": None if math.isnan(artifact.estimated[j]) else float(artifact.estimated[j]),
            "contribution": None if function.is_fallback else {name: of[j] for name, of in zip(classes, added, strict=True) if j in of},
        }
        for j, function in enumerate(functions)
    ]


def _at(values: list[float | None], j: int) -> float | None:
    return values[j] if j < len(values) else None


def _added(model: FittedLabelModel, task: Task, votes: Votes, levels: Levels | None) -> FloatArray:
    """What each function of the task adds to the log-odds of its class, float64 [m] in nats; majority vote: to its share."""
    majority = model.algorithm == "majority-vote"
    answers, outcomes = task.ballots(votes, levels, silence_answers=not majority)
    added = added_by(model, answers, outcomes)
    return np.asarray(added[:, 1] if majority else added[:, 1] - added[:, 0])


def _stated(artifact: SetsArtifact, levels: Levels | None) -> dict[int, str]:
    """What each soft function says on the row: its classes, each with the bounds of the probability that its level stands for."""
    found: dict[int, list[str]] = {}
    for name, task in zip(artifact.function_set.classes, artifact.tasks, strict=True):
        for place, column in zip(task.soft, task.levels, strict=True):
            level = ABSTAIN if levels is None else int(levels[0, column])
            if level != ABSTAIN:
                low, high = BINARY.bounds(level)
                low, high = (low, high) if BINARY.likeliest()[level] else (1 - high, 1 - low)
                found.setdefault(int(task.functions[place]), []).append(f"{name} {low:.3g}-{high:.3g}")
    return {j: ", ".join(words) for j, words in found.items()}


def _by_class(classes: list[str], values: FloatArray) -> dict[str, float]:
    return dict(zip(classes, values.tolist(), strict=True))
