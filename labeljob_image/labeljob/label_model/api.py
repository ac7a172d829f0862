"""`LabelModel` and `MajorityLabelVoter`: thin classes over `fit_statistics` and `posterior`, with the names that notebooks know."""

from typing import Any, Literal, Self, TypeAlias

import numpy as np

from labeljob.label_model.fitting import AlgorithmArgument, fit_statistics
from labeljob.label_model.model import FittedLabelModel, posterior, weights
from labeljob.label_model.statistics import from_votes
from labeljob.votes import ABSTAIN, BoolArray, FloatArray, IntArray, covered_rows, validate_votes

TieBreakPolicy: TypeAlias = Literal["abstain", "random", "true-random"]
TIE = 1e-9


class NotFittedError(ValueError):
    """The label model has no parameters yet: call `fit` first."""


class LabelModel:
    """Estimates the accuracy of every labeling function without gold and turns votes into probabilities.

    `model_` is the fitted value (`FittedLabelModel`), set by `fit`; predicting never changes it. `model_.algorithm` and `model_.why` say
    what `auto` chose. Fitting the same votes gives the same bytes; `seed` (default 0) also fixes the tie-break policy `random`.
    """

    model_: FittedLabelModel

    def __init__(self, cardinality: int = 2, algorithm: AlgorithmArgument = "auto", seed: int = 0) -> None:
        self.cardinality = cardinality
        self.algorithm: AlgorithmArgument = algorithm
        self.seed = seed

    def fit(self, L: Any, Y_dev: Any = None, class_balance: Any = None) -> Self:
        """Fit on a label matrix.

        Args:
            L: [n_rows, n_functions], as `labeljob.votes.validate_votes` accepts.
            Y_dev: [n] class indices, -1 ignored: gives the class balance when `class_balance` does not. No row of L is matched to it.
            class_balance: [n_classes] positive shares that sum to 1; learned when neither is given.
        Raises:
            EmptyVotesError: there are no rows. VotesError: a bad vote. ValueError: a bad class balance.
        """
        if class_balance is None and Y_dev is not None:
            class_balance = balance_of(Y_dev, self.cardinality)
        statistics = from_votes(L, self.cardinality)
        self.model_ = fit_statistics(statistics, self.cardinality, algorithm=self.algorithm, class_balance=class_balance, seed=self.seed)
        return self

    def predict_proba(self, L: Any) -> FloatArray:
        """Probability of each class, float64 [n_rows, n_classes]; a row nobody votes on gets the posterior given that all abstained."""
        return posterior(self._fitted(), L)

    def predict(self, L: Any, tie_break_policy: TieBreakPolicy = "abstain") -> IntArray:
        """Labels, int64 [n_rows].

        Under `abstain` a tie (within 1e-9) and a row nobody votes on are -1. `random` draws among the tied classes, the same for equal seed
        and row number; `true-random` draws anew at each call. Both label a row nobody votes on by its probabilities.
        """
        model = self._fitted()
        votes = validate_votes(L, model.cardinality)
        return _labels(posterior(model, votes), covered_rows(votes), tie_break_policy, self.seed)

    def get_weights(self) -> FloatArray:
        """How much a vote of each function counts, float64 [n_functions] in nats; see `weights`. Accuracies: `model_.accuracies`."""
        return weights(self._fitted())

    def _fitted(self) -> FittedLabelModel:
        if not hasattr(self, "model_"):
            raise NotFittedError("the label model is not fitted: call fit(L) first")
        return self.model_


class MajorityLabelVoter(LabelModel):
    """Soft majority vote: the share of a row's votes. Needs no fit; a row nobody votes on gets equal probabilities."""

    def __init__(self, cardinality: int = 2, seed: int = 0) -> None:
        super().__init__(cardinality, "majority-vote", seed)

    def predict_proba(self, L: Any) -> FloatArray:
        """Share of votes for each class, float64 [n_rows, n_classes]."""
        return posterior(self._for(L), L)

    def predict(self, L: Any, tie_break_policy: TieBreakPolicy = "abstain") -> IntArray:
        """As `LabelModel.predict`."""
        votes = validate_votes(L, self.cardinality)
        return _labels(posterior(self._for(votes), votes), covered_rows(votes), tie_break_policy, self.seed)

    def _for(self, L: Any) -> FittedLabelModel:
        if hasattr(self, "model_"):
            return self.model_
        nothing = np.full((1, np.asarray(L).shape[1]), ABSTAIN)
        return fit_statistics(from_votes(nothing, self.cardinality), self.cardinality, algorithm="majority-vote", seed=self.seed)


def balance_of(Y: Any, cardinality: int) -> FloatArray:
    """Class balance of gold labels, half a row added to each class; float64 [n_classes]. -1 is ignored; ValueError names a bad row."""
    gold = np.asarray(Y)
    wrong = np.flatnonzero((gold < ABSTAIN) | (gold >= cardinality))
    if wrong.size:
        raise ValueError(f"the gold label of row {wrong[0]} is {gold[wrong[0]]}, which is not one of {cardinality} classes or -1")
    counts = np.bincount(gold[gold != ABSTAIN].astype(np.int64), minlength=cardinality) + 0.5
    return np.asarray(counts / counts.sum())


def _labels(probabilities: FloatArray, covered: BoolArray, policy: TieBreakPolicy, seed: int) -> IntArray:
    tied = probabilities >= probabilities.max(axis=1, keepdims=True, initial=0) - TIE
    alone = (np.count_nonzero(tied, axis=1) == 1) & (covered | (policy != "abstain"))
    labels = np.where(alone, tied.argmax(axis=1), ABSTAIN).astype(np.int64)
    if policy == "abstain":
        return labels
    if policy not in ("random", "true-random"):
        raise ValueError(f"unknown tie_break_policy {policy!r}: use abstain, random or true-random")
    draw = np.random.default_rng(seed if policy == "random" else None).random(len(labels))
    position = np.floor(draw * np.count_nonzero(tied, axis=1))
    chosen = (tied.cumsum(axis=1) > position[:, None]).argmax(axis=1)
    return np.where(labels == ABSTAIN, chosen, labels)
