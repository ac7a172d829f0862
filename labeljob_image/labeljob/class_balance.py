"""`parameters.classBalance`: known, from gold, or learned from the votes."""

from typing import Any

import numpy as np

from labeljob.contract.function_set import FunctionSet
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.gold import Matched
from labeljob.gold_scores import effective

HALF_A_ROW = 0.5  # added to each class: a class that gold does not hold is rare, not impossible


def require_gold(given: Any, gold: Matched) -> None:
    """JobError GOLD_INVALID where the balance is that of gold, and no row of the data has gold."""
    if given == "gold" and not gold.known.any():
        message = "spec.parameters.classBalance is gold, but no row of the data has gold: correct spec.goldData, or learn the balance (auto)"
        raise JobError(JobReason.GOLD_INVALID, message)


def class_balance_of(given: Any, function_set: FunctionSet, gold: Matched) -> list[float] | None:
    """The share of each class; None where it is to be learned.

    Args:
        given: of the manifest: None or auto, gold, or a share for each class. gold: what is known of rows of the data, weighed by 1 / inclusion probability;
            of none, all classes are as common.
    Raises:
        JobError: FUNCTIONS_INVALID: other classes than the set's.
    """
    if given is None or given == "auto":
        return None
    if given == "gold":
        return _of_gold(gold, len(function_set.classes))
    if set(given) != set(function_set.classes):
        odd = sorted(set(given) ^ set(function_set.classes))[0]
        message = f"spec.parameters.classBalance must give a share to each class and nothing else: look at {odd}"
        raise JobError(JobReason.FUNCTIONS_INVALID, message)
    return [float(given[name]) for name in function_set.classes]


def _of_gold(gold: Matched, classes: int) -> list[float]:
    known = gold.part(gold.known)
    rows = np.full(classes, HALF_A_ROW)
    if len(known.classes):
        rows += np.bincount(known.classes, weights=effective(known.weights), minlength=classes)
    shares: list[float] = (rows / rows.sum()).tolist()
    return shares
