"""The label models under one signature: `fit(votes, classes)` gives a state, `predict(state, votes, classes)` float64 [n, K].

What turns the matrix into a method's own input is part of its fit; its packages are imported before (`load`).
"""

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from labeljob.label_model import LabelModel
from labeljob.label_model.fitting.arguments import AbstainArgument, AlgorithmArgument
from labeljob.votes import ABSTAIN, FloatArray, Votes, covered_rows

PLAIN = "NumPy majority vote"
SNORKEL = "Snorkel LabelModel"
SNORKEL_BALANCE = "Snorkel, true balance given"
AUTO = "Labelplane auto"


@dataclass(frozen=True)
class Method:
    """One label model.

    Attributes:
        fit, predict: see above.
        packages: what is imported before anything is timed.
        most_rows, most_functions: above so many it is left out unless asked for.
        two_classes: it takes only two classes.
        least_functions: it needs that many.
        predicts: it gives probabilities for rows that it was not fitted on.
        evidence: it reads an abstain as evidence.
    """

    name: str
    fit: Callable[[Votes, int], Any]
    predict: Callable[[Any, Votes, int], FloatArray]
    packages: tuple[str, ...] = ()
    most_rows: int = 10_000_000
    most_functions: int = 10_000
    two_classes: bool = False
    least_functions: int = 1
    predicts: bool = True
    evidence: bool = False

    @property
    def is_peer(self) -> bool:
        return bool(self.packages)

    def takes(self, rows: int, functions: int, classes: int, slow: bool = False) -> bool:
        """Whether it is measured on votes of this shape."""
        few = rows <= self.most_rows and functions <= self.most_functions
        return (slow or few) and functions >= self.least_functions and (classes == 2 or not self.two_classes)

    def load(self) -> None:
        for package in self.packages:
            importlib.import_module(package)
        if "torch" in self.packages:
            importlib.import_module("torch").set_num_threads(1)


def _plain(_: object, votes: Votes, classes: int) -> FloatArray:
    counts = np.stack([np.count_nonzero(votes == k, axis=1) for k in range(classes)], axis=1).astype(np.float64)
    counts[counts.sum(axis=1) == 0] = 1
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))


def _ours(algorithm: AlgorithmArgument, abstain: AbstainArgument) -> Method:
    """With `auto` the reading of an abstain is inferred; a fixed model is measured with both."""
    return Method(
        AUTO if algorithm == "auto" else f"Labelplane {algorithm}, {abstain}",
        lambda votes, classes: LabelModel(classes, algorithm, abstain=abstain).fit(votes),
        lambda model, votes, _: np.asarray(model.predict_proba(votes)),
        evidence=abstain == "evidence",
    )


def _snorkel(name: str, epochs: int, balance: list[float] | None = None) -> Method:
    def fit(votes: Votes, classes: int) -> Any:
        from snorkel.labeling.model import LabelModel as Peer

        model = Peer(cardinality=classes, verbose=False)
        model.fit(votes, n_epochs=epochs, seed=0, progress_bar=False, class_balance=balance)
        return model

    return Method(name, fit, lambda model, votes, _: np.asarray(model.predict_proba(votes), dtype=np.float64), ("snorkel.labeling.model", "torch"), least_functions=3)


def with_balance(balance: Iterable[float]) -> Method:
    """Snorkel told the class balance, which it never learns."""
    return _snorkel(SNORKEL_BALANCE, 100, list(balance))


def _crowd_kit(name: str, most_rows: int, most_functions: int = 10_000, **options: Any) -> Method:
    """crowd-kit's models take a frame of task, worker, label; those that keep no probabilities compute them when predicting."""

    def fit(votes: Votes, _: int) -> Any:
        import pandas as pd
        from crowdkit import aggregation

        tasks, workers = np.nonzero(votes != ABSTAIN)
        frame = pd.DataFrame({"task": tasks, "worker": workers, "label": votes[tasks, workers].astype(np.int64)})
        return getattr(aggregation, name)(**options).fit(frame), frame

    def predict(state: Any, votes: Votes, classes: int) -> FloatArray:
        model, frame = state
        kept = getattr(model, "probas_", None)
        probabilities = model.predict_proba(frame) if kept is None else kept
        P = np.zeros((len(votes), classes))
        P[np.ix_(probabilities.index.to_numpy(), probabilities.columns.to_numpy().astype(np.int64))] = probabilities.fillna(0).to_numpy()
        P[~covered_rows(votes)] = 1 / classes
        return P

    return Method(f"crowd-kit {name}", fit, predict, ("crowdkit.aggregation",), most_rows, most_functions, predicts=False)


def _flying_squid() -> Method:
    def signed(votes: Votes) -> Any:
        return np.where(votes == ABSTAIN, 0, np.where(votes == 1, 1, -1)).astype(np.int64)

    def fit(votes: Votes, _: int) -> Any:
        from flyingsquid.label_model import LabelModel as Peer

        model = Peer(votes.shape[1], triplet_seed=0)
        model.fit(signed(votes))
        return model

    def predict(model: Any, votes: Votes, _: int) -> FloatArray:
        return np.asarray(model.predict_proba(signed(votes), verbose=False), dtype=np.float64)

    return Method("FlyingSquid", fit, predict, ("flyingsquid.label_model",), 100_000, two_classes=True, least_functions=3)


FIXED: AlgorithmArgument = "one-coin"  # the model that the targets are for: one algorithm at every size


def all_methods() -> dict[str, Method]:
    """Every method by name: the plain one, ours (auto and every algorithm), the peers."""
    fixed: list[AlgorithmArgument] = sorted(name for name in get_args(AlgorithmArgument) if name != "auto")
    readings: tuple[AbstainArgument, ...] = ("missing", "evidence")
    methods = [
        Method(PLAIN, lambda votes, classes: None, _plain),
        _ours("auto", "auto"),
        *(_ours(name, reading) for name in fixed for reading in readings),
        _snorkel(SNORKEL, 100),
        _snorkel("Snorkel, 500 epochs", 500),
        _crowd_kit("MajorityVote", 100_000),
        _crowd_kit("Wawa", 100_000),
        _crowd_kit("DawidSkene", 100_000),
        _crowd_kit("OneCoinDawidSkene", 100_000),
        _crowd_kit("GLAD", 10_000, 10),
        _crowd_kit("MACE", 10_000, 10, random_state=0),
        _flying_squid(),
    ]
    return {method.name: method for method in methods}
