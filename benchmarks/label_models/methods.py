"""Every label model that is measured: the plain ones, ours, the peers."""

from typing import get_args

import numpy as np

from benchmarks.label_models import prototype
from benchmarks.label_models.method import AUTO, OURS, PLAIN, Method
from benchmarks.label_models.peer_methods import peer_methods
from labeljob.label_model import LabelModel
from labeljob.label_model.fitting.arguments import AbstainArgument, AlgorithmArgument
from labeljob.votes import FloatArray, Votes

FIXED: AlgorithmArgument = "one-coin"  # the model that the targets are for: one algorithm at every size
FIXED_NAMES = tuple(f"{OURS} {FIXED}, {reading}" for reading in ("missing", "evidence"))
UNREAD = ("majority-vote", "weighted-vote")  # an abstain says nothing in these, whatever its reading
PROTOTYPE = "NumPy prototype"


def all_methods() -> dict[str, Method]:
    """Every method by name: the plain ones, ours (auto and every algorithm), the peers."""
    fixed: list[AlgorithmArgument] = sorted(name for name in get_args(AlgorithmArgument) if name != "auto")
    readings: tuple[AbstainArgument, ...] = ("missing", "evidence")
    methods = [
        Method(PLAIN, lambda votes, classes: None, _plain),
        Method(PROTOTYPE, prototype.fit, prototype.predict),
        _ours("auto", "auto"),
        *(_ours(name, reading) for name in fixed for reading in (("missing",) if name in UNREAD else readings)),
        *peer_methods(),
    ]
    return {method.name: method for method in methods}


def _plain(_: object, votes: Votes, classes: int) -> FloatArray:
    counts = np.stack([np.count_nonzero(votes == k, axis=1) for k in range(classes)], axis=1).astype(np.float64)
    counts[counts.sum(axis=1) == 0] = 1
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))


def _ours(algorithm: AlgorithmArgument, abstain: AbstainArgument) -> Method:
    """With `auto` the reading of an abstain is inferred; a fixed model is measured with both, if it heeds them."""
    reading = "" if algorithm in UNREAD or algorithm == "auto" else f", {abstain}"
    return Method(
        AUTO if algorithm == "auto" else f"{OURS} {algorithm}{reading}",
        lambda votes, classes: LabelModel(classes, algorithm, abstain=abstain).fit(votes),
        lambda model, votes, _: np.asarray(model.predict_proba(votes)),
        evidence=abstain == "evidence",
    )
