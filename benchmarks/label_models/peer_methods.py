"""The peers: each is given the matrix in the form that it takes, and gives probabilities of its own."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from benchmarks.label_models.method import SNORKEL, SNORKEL_BALANCE, Method
from labeljob.votes import ABSTAIN, FloatArray, Votes, covered_rows


def peer_methods() -> tuple[Method, ...]:
    """All peers. The limits of rows and functions keep what takes minutes a run out of the tables of time."""
    return (
        _snorkel(SNORKEL, 100),
        _snorkel("Snorkel, 500 epochs", 500),
        _crowd_kit("MajorityVote", 100_000),
        _crowd_kit("Wawa", 100_000),
        _crowd_kit("DawidSkene", 100_000),
        _crowd_kit("OneCoinDawidSkene", 100_000),
        _crowd_kit("GLAD", 10_000, 10),
        _crowd_kit("MACE", 10_000, 10, random_state=0),
        _flying_squid(),
        _skweak(),
        _hyper_label_model(),
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


def _skweak() -> Method:
    """Given the frame that it makes of documents, which spares it making them: that takes longer than its fit."""

    def frame(covered: Votes) -> Any:
        import pandas as pd

        names = [f"function {j:04d}" for j in range(covered.shape[1])]  # of one length: a name that another begins with counts as related
        return pd.DataFrame(covered.astype(np.int16), columns=names)

    def fit(votes: Votes, classes: int) -> Any:
        from skweak.generative import NaiveBayes

        model = NaiveBayes("all", [str(k) for k in range(classes)])
        model._fit([frame(votes[covered_rows(votes)])])
        return model

    def predict(model: Any, votes: Votes, classes: int) -> FloatArray:
        return _of_covered(votes, classes, lambda covered: model.aggregate(frame(covered)).to_numpy())

    return Method("skweak NaiveBayes", fit, predict, ("skweak.generative",), 10_000)


def _hyper_label_model() -> Method:
    """A network that was trained on generated votes, and is not fitted to any; it takes no row without a vote."""

    def fit(_: Votes, __: int) -> Any:
        from hyperlm import HyperLabelModel

        return HyperLabelModel(device="cpu")

    def predict(model: Any, votes: Votes, classes: int) -> FloatArray:
        return _of_covered(votes, classes, lambda covered: model.infer(covered.astype(np.int64), return_probs=True))

    return Method("hyperlm HyperLabelModel", fit, predict, ("hyperlm", "torch"), 10_000, predicts=False)


def _of_covered(votes: Votes, classes: int, of: Callable[[Votes], Any]) -> FloatArray:
    """What `of` says of the covered rows, as shares (not finite where all are 0); uniform for the others, 0 for classes that it leaves out."""
    covered = covered_rows(votes)
    P = np.full((len(votes), classes), 1 / classes)
    said = np.asarray(of(votes[covered]), dtype=np.float64)
    P[covered] = 0
    with np.errstate(invalid="ignore"):
        P[np.ix_(covered, np.arange(said.shape[1]))] = said / said.sum(axis=1, keepdims=True)
    return P
