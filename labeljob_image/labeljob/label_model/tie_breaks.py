"""From probabilities to labels: what becomes of a tie."""

from typing import Literal, TypeAlias, get_args

import numpy as np

from labeljob.votes import ABSTAIN, BoolArray, FloatArray, IntArray

TieBreakPolicy: TypeAlias = Literal["abstain", "random", "true-random"]
TIE = 1e-9


def check_policy(policy: object) -> None:
    """ValueError unless `policy` is a TieBreakPolicy."""
    if policy not in get_args(TieBreakPolicy):
        raise ValueError(f"unknown tie_break_policy {policy!r}: use abstain, random or true-random")


def draws_of(policy: TieBreakPolicy, seed: int) -> np.random.Generator:
    """What breaks ties: rows that are labelled part by part from one generator get the labels that they get together."""
    return np.random.default_rng(seed if policy == "random" else None)


def labels_of(probabilities: FloatArray, covered: BoolArray, policy: TieBreakPolicy, draws: int | np.random.Generator, tolerance: float = TIE) -> IntArray:
    """The most probable class of each row, int64 [n_rows].

    Under `abstain` a tie and a row that is not covered are -1; `random` draws among the tied classes, the same for equal seed and row
    number; `true-random` draws anew at each call. Both label a row that is not covered by its probabilities.

    Args:
        probabilities: float64 [n_rows, n_classes]; covered: bool [n_rows]; draws: a seed, or a generator of `draws_of`; tolerance: how near to the largest counts as a tie.
    Raises:
        ValueError: an unknown policy.
    """
    check_policy(policy)
    tied = probabilities >= probabilities.max(axis=1, keepdims=True, initial=0) - tolerance
    alone = (np.count_nonzero(tied, axis=1) == 1) & (covered | (policy != "abstain"))
    labels = np.where(alone, tied.argmax(axis=1), ABSTAIN).astype(np.int64)
    if policy == "abstain":
        return labels
    draw = (draws if isinstance(draws, np.random.Generator) else draws_of(policy, draws)).random(len(labels))
    position = np.floor(draw * np.count_nonzero(tied, axis=1))
    chosen = (tied.cumsum(axis=1) > position[:, None]).argmax(axis=1)
    return np.where(labels == ABSTAIN, chosen, labels)
