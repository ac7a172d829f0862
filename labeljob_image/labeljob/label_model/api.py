"""`LabelModel` and `MajorityLabelVoter`: thin classes over `fit_statistics` and `posterior`, with the names that notebooks know."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self, overload

import numpy as np

from labeljob.label_model import model_file
from labeljob.label_model.arguments import AlgorithmArgument
from labeljob.label_model.conditional import conditional_probabilities, outcome_rates
from labeljob.label_model.fitting import fit_statistics
from labeljob.label_model.metrics import Scored, score
from labeljob.label_model.model import FittedLabelModel, posterior, weights
from labeljob.label_model.serialization import ModelFormatError
from labeljob.label_model.statistics import from_votes
from labeljob.label_model.tie_breaks import TieBreakPolicy, check_policy, labels_of
from labeljob.label_model.top import Top, posterior_top
from labeljob.label_model.training_arguments import check_cardinality, check_training_arguments
from labeljob.votes import ABSTAIN, FloatArray, IntArray, covered_rows, validate_gold, validate_votes

Predicted = IntArray | tuple[IntArray, FloatArray]


class NotFittedError(ValueError):
    """The label model has no parameters yet: call `fit` first."""


class LabelModel:
    """Estimates the accuracy of every labeling function without gold and turns votes into probabilities.

    `model_` is the fitted value (`FittedLabelModel`), set by `fit`; predicting never changes it. `model_.algorithm` and `model_.why` say
    what `auto` chose. Fitting the same votes gives the same bytes; `seed` (default 0) also fixes the tie-break policy `random`.

    Args:
        cardinality: number of classes, at least 2; abstain is none of them.
        algorithm: see `docs/label-models.md`. seed: of the policy `random`; recorded in the model.
        verbose, device: of Snorkel; checked and ignored. Nothing is printed, and all runs on the CPU.
    """

    model_: FittedLabelModel
    outcome_rates_: FloatArray

    def __init__(self, cardinality: int = 2, algorithm: AlgorithmArgument = "auto", seed: int = 0, *, verbose: bool = True, device: Any = "cpu") -> None:
        check_training_arguments({"verbose": verbose, "device": device})
        self.cardinality = check_cardinality(cardinality)
        self.algorithm: AlgorithmArgument = algorithm
        self.seed = seed

    def fit(
        self,
        L_train: Any,
        Y_dev: Any = None,
        class_balance: Any = None,
        progress_bar: bool = True,
        *,
        prior_accuracy: float | None = None,
        start: FittedLabelModel | None = None,
        **kwargs: Any,
    ) -> Self:
        """Fit on a label matrix.

        Args:
            L_train: [n_rows, n_functions], as `labeljob.votes.validate_votes` accepts: any integer type, or sparse (see `labeljob.sparse`).
            Y_dev: [n] class indices, -1 ignored: gives the class balance when `class_balance` does not. No row of L is matched to it.
            class_balance: [n_classes] positive shares that sum to 1; learned when neither is given.
            prior_accuracy, start: see `fit_statistics`; `start` is the `model_` of an earlier fit.
            seed: as that of the class, from here on.
            n_epochs, lr, l2, optimizer, optimizer_config, lr_scheduler, lr_scheduler_config, prec_init, log_freq, mu_eps, progress_bar,
                verbose, device: of Snorkel; checked and ignored, because nothing here descends a gradient.
        Raises:
            EmptyVotesError: there are no rows. VotesError: a bad vote or gold label. TypeError: an unknown argument.
            ValueError: a bad class balance, or an argument out of range.
        """
        check_training_arguments({"progress_bar": progress_bar} | kwargs)
        votes = validate_votes(L_train, self.cardinality)
        if class_balance is None and Y_dev is not None:
            class_balance = balance_of(Y_dev, self.cardinality)
        seed = self.seed if kwargs.get("seed") is None else int(kwargs["seed"])
        self.model_ = fit_statistics(
            from_votes(votes, self.cardinality),
            self.cardinality,
            algorithm=self.algorithm,
            class_balance=class_balance,
            seed=seed,
            prior_accuracy=prior_accuracy,
            start=start,
        )
        self.seed, self.outcome_rates_ = seed, outcome_rates(votes, self.cardinality)
        return self

    def predict_proba(self, L: Any) -> FloatArray:
        """Probability of each class, float64 [n_rows, n_classes]; a row nobody votes on gets the posterior given that all abstained."""
        return posterior(self._for(L), L)

    def predict_proba_top(self, L: Any, k: int = 5) -> Top:
        """The k likeliest classes of each row, their probabilities, and what is left for the others: for many classes."""
        return posterior_top(self._for(L), L, k)

    @overload
    def predict(self, L: Any, return_probs: Literal[False] | TieBreakPolicy = False, tie_break_policy: TieBreakPolicy = "abstain") -> IntArray: ...

    @overload
    def predict(self, L: Any, return_probs: Literal[True], tie_break_policy: TieBreakPolicy = "abstain") -> tuple[IntArray, FloatArray]: ...

    def predict(self, L: Any, return_probs: bool | TieBreakPolicy = False, tie_break_policy: TieBreakPolicy = "abstain") -> Predicted:
        """Labels, int64 [n_rows]; with `return_probs` also the probabilities, float64 [n_rows, n_classes].

        Under `abstain` a tie (within 1e-9) and a row nobody votes on are -1. `random` draws among the tied classes, the same for equal seed
        and row number; `true-random` draws anew at each call. Both label a row nobody votes on by its probabilities. A policy may also
        stand in the place of `return_probs`.
        """
        policy = return_probs if isinstance(return_probs, str) else tie_break_policy
        check_policy(policy)
        votes = validate_votes(L, self.cardinality)
        probabilities = self.predict_proba(votes)
        labels = labels_of(probabilities, covered_rows(votes), policy, self.seed)
        return (labels, probabilities) if return_probs is True else labels

    def score(self, L: Any, Y: Any, metrics: Sequence[str] = ("accuracy",), tie_break_policy: TieBreakPolicy = "abstain") -> dict[str, float]:
        """How good the labels are. A gold label of -1 is not known and counts nowhere; a score without rows is NaN.

        Over rows with gold and a label: accuracy; f1_micro (the same); f1_macro, the mean over the classes there; and of class 1 (two
        classes only) precision, recall and f1. Over all rows: coverage, the share that gets a label. Over rows with gold that some
        function votes on: roc_auc (for more than two classes the mean of one against the rest), log_loss (nats), brier (0 best, 2
        worst), ece (ten bins).

        Args:
            L: [n_rows, n_functions]. Y: [n_rows] or [n_rows, 1] class indices, -1 unknown. metrics: names of the above.
        Raises:
            VotesError: Y has another length or an impossible class. ValueError: an unknown metric, or one for two classes only.
        """
        votes = validate_votes(L, self.cardinality)
        gold = validate_gold(Y, votes.shape[0], self.cardinality)
        labels, probabilities = self.predict(votes, True, tie_break_policy)
        return score(Scored(labels, gold, probabilities, covered_rows(votes)), metrics)

    def get_weights(self) -> FloatArray:
        """How much a vote of each function counts, float64 [n_functions] in nats; see `weights`. Accuracies: `model_.accuracies`."""
        return weights(self._fitted())

    def get_conditional_probs(self) -> FloatArray:
        """P(outcome | class), float64 [n_functions, 1 + n_classes, n_classes]; outcome 0 is abstain; see `conditional_probabilities`."""
        return conditional_probabilities(self._fitted(), self.outcome_rates_)

    def save(self, path: str | Path) -> None:
        """Write the fitted model as JSON with its SHA-256; floats keep every bit. The same model gives the same bytes."""
        model_file.write_model(path, self._fitted(), self.outcome_rates_, self.seed)

    def load(self, path: str | Path) -> Self:
        """Become the model that `save` wrote, whatever the cardinality here.

        Raises:
            ModelFormatError: a pickle, a file that was changed, a newer format, or an algorithm that this class does not have.
        """
        model, rates, seed = model_file.read_model(path)
        self._accept(model, path)
        self.model_, self.outcome_rates_, self.seed, self.cardinality = model, rates, seed, model.cardinality
        return self

    def _accept(self, model: FittedLabelModel, path: str | Path) -> None:
        """Raises ModelFormatError for a model of another class."""

    def _for(self, L: Any) -> FittedLabelModel:
        return self._fitted()

    def _fitted(self) -> FittedLabelModel:
        if not hasattr(self, "model_"):
            raise NotFittedError("the label model is not fitted: call fit(L) first")
        return self.model_


class MajorityLabelVoter(LabelModel):
    """Soft majority vote: the share of a row's votes. Needs no fit; a row nobody votes on gets equal probabilities."""

    def __init__(self, cardinality: int = 2, seed: int = 0, *, verbose: bool = True, device: Any = "cpu") -> None:
        super().__init__(cardinality, "majority-vote", seed, verbose=verbose, device=device)

    def _accept(self, model: FittedLabelModel, path: str | Path) -> None:
        if model.algorithm != "majority-vote":
            raise ModelFormatError(f"{path}: holds a {model.algorithm} model: load it with LabelModel")

    def _for(self, L: Any) -> FittedLabelModel:
        if hasattr(self, "model_"):
            return self.model_
        nothing = np.full((1, validate_votes(L, self.cardinality).shape[1]), ABSTAIN)
        return fit_statistics(from_votes(nothing, self.cardinality), self.cardinality, algorithm="majority-vote", seed=self.seed)


def balance_of(Y: Any, cardinality: int) -> FloatArray:
    """Class balance of gold labels, half a row added to each class; float64 [n_classes]. -1 is ignored; VotesError names a bad row."""
    gold = validate_gold(Y, cardinality=cardinality)
    counts = np.bincount(gold[gold != ABSTAIN], minlength=cardinality) + 0.5
    return np.asarray(counts / counts.sum())
