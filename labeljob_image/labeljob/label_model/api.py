"""`LabelModel` and `MajorityLabelVoter`: thin classes over `fit_statistics` and `posterior`, with the names that notebooks know."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, Self, overload

import numpy as np

from labeljob.calibration import NONE, Calibration, Calibrator, calibrate, calibrated_where
from labeljob.contract.calibration import CalibrationChoice
from labeljob.gold_scores import GoldScores
from labeljob.label_model import model_file
from labeljob.label_model.algorithms import compact
from labeljob.label_model.conditional import conditional_probabilities, outcome_rates
from labeljob.label_model.dominance import notes_of
from labeljob.label_model.fitting.arguments import AbstainArgument, AlgorithmArgument
from labeljob.label_model.fitting.fit import fit_statistics
from labeljob.label_model.fitting.semi_supervised import part_known
from labeljob.label_model.gold import held_out_scores, rows_of
from labeljob.label_model.influence import thinned
from labeljob.label_model.metrics import Scored, score
from labeljob.label_model.model import Deferred, FittedLabelModel, check_functions, posterior_of, weights
from labeljob.label_model.serialization import ModelFormatError
from labeljob.label_model.side.evidence import Evidence, PartialClasses, gather, partial_classes_of
from labeljob.label_model.side.side_model import fit_with_side, side_posterior
from labeljob.label_model.statistics.patterns import votes_by_class
from labeljob.label_model.statistics.vote_statistics import Totals, VoteStatistics, from_votes, reduce_votes
from labeljob.label_model.tie_breaks import TieBreakPolicy, check_policy, draws_of, labels_of
from labeljob.label_model.top import Top, posterior_top
from labeljob.label_model.training_arguments import check_cardinality, check_training_arguments
from labeljob.votes import ABSTAIN, BoolArray, FloatArray, IntArray, Votes, covered_rows, validate_gold, validate_votes

CELLS = 1 << 21  # probabilities that `predict` holds at a time
Predicted = IntArray | tuple[IntArray, FloatArray]


class NotFittedError(ValueError):
    """The label model has no parameters yet: call `fit` first."""


class LabelModel:
    """Estimates the accuracy of every labeling function without gold and turns votes into probabilities.

    `model_` is the fitted value (`FittedLabelModel`), set by `fit`; predicting never changes it. `model_.algorithm` and `model_.why` say
    what `auto` chose. `calibrate` sets `calibration_` and `held_out_scores_`.

    Fitting the same votes gives the same bytes; `seed` (default 0) also fixes the tie-break policy `random`.

    Args:
        cardinality: number of classes, at least 2; abstain is none of them.
        algorithm: see `docs/label-models.md`. seed: of the policy `random`; recorded in the model.
        abstain: what an abstain says: `missing` nothing, `evidence` something, `auto` what the votes show; for all functions, or one for each column
            of L. The functions of a manifest declare it: `LFSet.abstain`.
        verbose, device: of Snorkel; checked and ignored. Nothing is printed, and all runs on the CPU.
        partial: what votes beyond the classes mean: cardinality + i is a vote for "one of the classes of set i".
    """

    model_: FittedLabelModel
    outcome_rates_: FloatArray
    calibrator_: Calibrator = NONE
    calibration_: Calibration
    held_out_scores_: GoldScores

    def __init__(
        self,
        cardinality: int = 2,
        algorithm: AlgorithmArgument = "auto",
        seed: int = 0,
        abstain: AbstainArgument | Sequence[AbstainArgument] = "auto",
        *,
        verbose: bool = True,
        device: Any = "cpu",
        partial: PartialClasses | None = None,
    ) -> None:
        check_training_arguments({"verbose": verbose, "device": device})
        self.cardinality, self.partial = check_cardinality(cardinality), partial
        self.algorithm: AlgorithmArgument = algorithm
        self.seed = seed
        self.abstain = abstain

    def fit(
        self,
        L_train: Any,
        Y_dev: Any = None,
        class_balance: Any = None,
        progress_bar: bool = True,
        *,
        prior_accuracy: float | None = None,
        start: FittedLabelModel | None = None,
        soft: Any = None,
        gold: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Fit on a label matrix.

        Args:
            L_train: [n_rows, n_functions], as `labeljob.votes.validate_votes` accepts: any integer type, or sparse (see `labeljob.sparse`).
            Y_dev: [n] class indices, -1 ignored: gives the class balance when `class_balance` does not. No row of L is matched to it.
            class_balance: [n_classes] positive shares that sum to 1; learned when neither is given.
            soft: [n_rows, n_teachers, n_classes] probabilities of weak teachers, NaN where one says nothing; see `soft_votes`. Teachers
                come after the functions of L in all figures, and predicting needs their probabilities of its rows.
            gold: [n_rows] known classes of rows of L_train, -1 unknown: evidence of what the functions are worth. Calibrate and score with other
                gold, or with what `cross_fitted_proba` says of this. Y_dev is something else: it gives the class balance alone.
            prior_accuracy, start: see `fit_statistics`; `start` is the `model_` of an earlier fit.
            seed: as that of the class, from here on.
            n_epochs, lr, l2, optimizer, optimizer_config, lr_scheduler, lr_scheduler_config, prec_init, log_freq, mu_eps, progress_bar,
                verbose, device: of Snorkel; checked and ignored, because nothing here descends a gradient.
        Raises:
            EmptyVotesError: there are no rows. VotesError: a bad vote or gold label. TypeError: an unknown argument.
            ValueError: a bad class balance, or an argument out of range.
        """
        check_training_arguments({"progress_bar": progress_bar} | kwargs)
        given = gather(L_train, soft, self.cardinality, self.partial, asked=self.abstain)
        if class_balance is None and Y_dev is not None:
            class_balance = balance_of(Y_dev, self.cardinality)
        seed = self.seed if kwargs.get("seed") is None else int(kwargs["seed"])
        statistics = statistics_of(given, self.cardinality, gold)
        model = fit_with_side(
            statistics, given.votes.shape[1], given.columns, self.cardinality, given.abstain,
            algorithm=self.algorithm, class_balance=class_balance, seed=seed, prior_accuracy=prior_accuracy, start=start,
        )  # fmt: skip
        self.model_ = model.later(noted=Deferred(partial(notes_of, model, thinned(model, statistics))))
        self.seed, self.outcome_rates_, self.calibrator_ = seed, outcome_rates(reduce_votes(given.votes) if given.columns else statistics, self.cardinality), NONE
        return self

    def calibrate(self, L_gold: Any, Y_gold: Any, method: CalibrationChoice = "auto", sample_weight: Any = None, *, soft: Any = None) -> Self:
        """Make the probabilities of the fitted model honest with gold; a later `fit` undoes it.

        `calibration_.method` and `calibration_.why` say what was done, `held_out_scores_` what it is worth on rows that did not tune it.
        Rows that nobody votes on tune nothing and are not calibrated. See `docs/label-models.md` for how much gold each method needs.

        Args:
            L_gold: [n_rows, n_functions]. Y_gold: [n_rows] class indices, -1 ignored.
            method: auto, none, temperature, sigmoid or isotonic.
            sample_weight: [n_rows] > 0, 1 / the probability with which a row was drawn for gold; None for equal ones.
        Raises:
            NotFittedError. VotesError: bad votes or gold. ValueError: an unknown method, or a weight that is not above 0 and finite.
        """
        probabilities, seen = self._uncalibrated(L_gold, soft)
        gold = validate_gold(Y_gold, len(seen), self.cardinality)
        judged = rows_of(seen, probabilities, gold, sample_weight, self.seed)
        self.calibration_ = calibrate(judged.rows, method)
        self.calibrator_ = self.calibration_.calibrator
        self.held_out_scores_ = held_out_scores(judged, self.calibration_)
        return self

    def predict_proba(self, L: Any, soft: Any = None) -> FloatArray:
        """Probability of each class, float64 [n_rows, n_classes], calibrated after `calibrate`.

        A row nobody votes on gets the posterior given that all abstained.
        """
        probabilities, seen = self._uncalibrated(L, soft)
        return probabilities if self.calibrator_ is NONE else calibrated_where(self.calibrator_, probabilities, covered_rows(seen))

    def _uncalibrated(self, L: Any, soft: Any = None) -> tuple[FloatArray, Votes]:
        """(probabilities as the model gives them, votes and the outcomes beside them)."""
        model = self._for(L)
        given = gather(L, soft, self.cardinality, self.partial, model.side)
        if model.side:
            return side_posterior(model, given.votes, given.outcomes), seen_of(given)
        check_functions(model, given.votes)
        return posterior_of(model, given.votes, checked=given.checked), seen_of(given)

    def predict_proba_top(self, L: Any, k: int = 5) -> Top:
        """The k likeliest classes of each row, their probabilities, and what is left for the others: for many classes."""
        return posterior_top(self._for(L), L, k)

    @overload
    def predict(
        self, L: Any, return_probs: Literal[False] | TieBreakPolicy = False, tie_break_policy: TieBreakPolicy = "abstain", *, soft: Any = None
    ) -> IntArray: ...

    @overload
    def predict(self, L: Any, return_probs: Literal[True], tie_break_policy: TieBreakPolicy = "abstain", *, soft: Any = None) -> tuple[IntArray, FloatArray]: ...

    def predict(
        self, L: Any, return_probs: bool | TieBreakPolicy = False, tie_break_policy: TieBreakPolicy = "abstain", *, soft: Any = None
    ) -> Predicted:
        """Labels, int64 [n_rows]; with `return_probs` also the probabilities, float64 [n_rows, n_classes].

        Under `abstain` a tie (within 1e-9) and a row nobody votes on are -1. `random` draws among the tied classes, the same for equal seed
        and row number; `true-random` draws anew at each call. Both label a row nobody votes on by its probabilities. A policy may also
        stand in the place of `return_probs`.
        """
        policy = return_probs if isinstance(return_probs, str) else tie_break_policy
        check_policy(policy)
        if return_probs is True:
            probabilities = self.predict_proba(L, soft)
            return labels_of(probabilities, self._covered(L, soft), policy, self.seed), probabilities
        votes = validate_votes(L, self.cardinality + (0 if self.partial is None else len(self.partial.sets)))
        labels, size, draws = np.empty(len(votes), dtype=np.int64), max(1, CELLS // self.cardinality), draws_of(policy, self.seed)
        for start in range(0, max(len(votes), 1), size):  # the probabilities of all rows need not be there at once
            part, said = votes[start : start + size], None if soft is None else np.asarray(soft)[start : start + size]
            labels[start : start + size] = labels_of(self.predict_proba(part, said), self._covered(part, said), policy, draws)
        return labels

    def score(
        self, L: Any, Y: Any, metrics: Sequence[str] = ("accuracy",), tie_break_policy: TieBreakPolicy = "abstain", *, soft: Any = None
    ) -> dict[str, float]:
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
        covered = self._covered(L, soft)
        gold = validate_gold(Y, len(covered), self.cardinality)
        labels, probabilities = self.predict(L, True, tie_break_policy, soft=soft)
        return score(Scored(labels, gold, probabilities, covered), metrics)

    def _covered(self, L: Any, soft: Any) -> BoolArray:
        """Rows on which somebody says something, bool [n_rows]."""
        votes = validate_votes(L, self.cardinality + (0 if self.partial is None else len(self.partial.sets)))
        return covered_rows(votes) if soft is None else covered_rows(votes) | covered_rows(gather(L, soft, self.cardinality, self.partial).votes)

    def get_weights(self) -> FloatArray:
        """How much a vote of each function counts, float64 [n_functions] in nats; see `weights`. Accuracies: `model_.accuracies`."""
        return weights(self._fitted())

    def get_conditional_probs(self) -> FloatArray:
        """P(outcome | class), float64 [n_functions, 1 + n_classes, n_classes]; outcome 0 is abstain; see `conditional_probabilities`."""
        return conditional_probabilities(self._fitted(), self.outcome_rates_)

    def save(self, destination: str | Path) -> None:
        """Write the fitted model and its calibrator as JSON with its SHA-256; floats keep every bit. The same model gives the same bytes."""
        model_file.write_model(destination, self._fitted(), self.outcome_rates_, self.seed, self.calibrator_)

    def load(self, source: str | Path) -> Self:
        """Become the model that `save` wrote, whatever the cardinality here.

        Raises:
            ModelFormatError: a pickle, a file that was changed, a newer format, or an algorithm that this class does not have.
        """
        model, rates, seed, calibrator = model_file.read_model(source)
        self._accept(model, source)
        self.model_, self.outcome_rates_, self.seed, self.cardinality, self.calibrator_ = model, rates, seed, model.cardinality, calibrator
        self.partial = partial_classes_of(model.side)
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


def seen_of(given: Evidence) -> Votes:
    """Votes, and the outcomes of side columns beside them."""
    return np.column_stack([given.votes, given.outcomes]).astype(np.int16) if given.outcomes.shape[1] else given.votes


def statistics_of(given: Evidence, cardinality: int, gold: Any = None) -> VoteStatistics:
    """The statistics of votes, of the outcomes beside them and of what is known; all rows as they are where a model of one weight a function reads them once (`compact`)."""
    seen = seen_of(given)
    if not given.checked and gold is None and not compact.is_needed(seen.shape[1], cardinality):
        return reduce_votes(seen, cardinality=cardinality, checked=False)
    if not given.checked:
        validate_votes(seen, cardinality)
    votes = seen if seen is given.votes and seen.dtype == np.int8 else validate_votes(seen)  # `gather` gives int8 where it can; others may become it
    if gold is not None:
        return part_known(votes, validate_gold(gold, len(votes), cardinality))
    if compact.is_needed(votes.shape[1], cardinality):
        return VoteStatistics(votes, np.ones(len(votes), dtype=np.int64), None, Totals(len(votes), votes_by_class(votes, cardinality), None))
    return reduce_votes(votes, cardinality=0 if given.outcomes.shape[1] else cardinality)


def balance_of(Y: Any, cardinality: int) -> FloatArray:
    """Class balance of gold labels, half a row added to each class; float64 [n_classes]. -1 is ignored; VotesError names a bad row."""
    gold = validate_gold(Y, cardinality=cardinality)
    counts = np.bincount(gold[gold != ABSTAIN], minlength=cardinality) + 0.5
    return np.asarray(counts / counts.sum())
