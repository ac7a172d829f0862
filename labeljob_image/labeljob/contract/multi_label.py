"""What goes with a multi-label set, and what does not."""

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, get_args

MultiLabelAlgorithm: TypeAlias = Literal["auto", "majority-vote", "dawid-skene"]
BY_CLASS = "by-class"  # an algorithm or calibration that differs from class to class
AGAINST = "!"  # before the index of a class that a function votes against, in FunctionColumns.polarity


def refusal(algorithm: str, parameters: Mapping[str, Any]) -> str | None:
    """Why a LabelModel of a multi-label set cannot be fitted so, naming the field and what to do; None when it can.

    Args:
        parameters: of the LabelModel, by their names on the wire; those that were left out may be absent or null.
    """
    if algorithm not in get_args(MultiLabelAlgorithm):
        known = ", ".join(get_args(MultiLabelAlgorithm))
        return f"spec.algorithm: {algorithm} cannot tell from silence that a row does not have a class, which a multi-label set needs: use one of {known}"
    if parameters.get("classBalance") not in (None, "auto"):
        return "spec.parameters.classBalance: its shares sum to 1, and rows of a multi-label set have several classes or none: remove it, how common each class is is learned"
    if parameters.get("useGold") == "fit":
        return "spec.parameters.useGold: fit does not go with a multi-label set: remove it; gold scores and calibrates each class"
    if parameters.get("startFrom") is not None:
        return "spec.parameters.startFrom does not go with a multi-label set: remove it; every fit starts afresh"
    accuracy = parameters.get("priorAccuracy")
    if accuracy is not None and accuracy <= 0.5:
        return f"spec.parameters.priorAccuracy: {accuracy:g} is no better than a guess where each class is a question of two answers: give more than 0.5"
    return None
