"""A fitted model as plain JSON data and back, to the last bit; never pickle."""

from collections.abc import Mapping
from typing import Any, get_args

import numpy as np

from labeljob.label_model.fitting.selection import Abstain, Algorithm, Reason
from labeljob.label_model.model import FittedLabelModel, Member
from labeljob.label_model.side.side_tables import SideTable
from labeljob.votes import FloatArray

FORMAT_VERSION = 3


class ModelFormatError(ValueError):
    """The data is not a label model that this version can read; the message says what is wrong."""


def to_dict(model: FittedLabelModel) -> dict[str, Any]:
    """JSON-compatible data; floats keep every bit because JSON writes them in shortest round-trip form, NaN becomes null."""
    return {
        "formatVersion": FORMAT_VERSION,
        "algorithm": model.algorithm,
        "reason": model.reason,
        "why": model.why,
        "classBalance": model.class_balance.tolist(),
        "logWeights": model.log_weights.tolist(),
        "abstain": list(model.abstain),
        "accuracies": [None if np.isnan(value) else value for value in model.accuracies.tolist()],
        "iterations": model.iterations,
        "converged": model.converged,
        "seed": model.seed,
        "members": [_member(member) for member in model.members],
        "discounts": None if model.discounts is None else model.discounts.tolist(),
        "dependent": [list(pair) for pair in model.dependent],
        "notes": list(model.notes),
        "side": [_side(table) for table in model.side],
        "accuracyIntervals": _pairs(model.accuracy_intervals),
        "coins": None if model.coins is None else model.coins.tolist(),
    }


def _pairs(intervals: FloatArray | None) -> list[list[float] | None] | None:
    return None if intervals is None else [None if np.isnan(pair).any() else pair.tolist() for pair in intervals]


def _side(table: SideTable) -> dict[str, Any]:
    arrays = {"logWeights": table.log_weights.tolist(), "stated": table.stated.tolist(), "votes": table.votes.tolist()}
    return {"function": table.function, "soft": table.soft, "weight": None if np.isnan(table.weight) else table.weight} | arrays


def _member(member: Member) -> dict[str, Any]:
    arrays = {"logPrior": member.log_prior.tolist(), "logWeights": member.log_weights.tolist(), "classes": member.classes.tolist()}
    return {"name": member.name, "share": member.share} | arrays


def from_dict(data: Mapping[str, Any]) -> FittedLabelModel:
    """The model that `to_dict` wrote. ModelFormatError: a newer format, a missing field, or values that cannot be a model."""
    if not isinstance(data, Mapping):
        raise ModelFormatError(f"the label model is {type(data).__name__}, and no object")
    version = data.get("formatVersion")
    if version != FORMAT_VERSION:
        newer = isinstance(version, int) and version > FORMAT_VERSION
        hint = "written by a newer Labelplane: upgrade to read it" if newer else f"this version reads format {FORMAT_VERSION}"
        raise ModelFormatError(f"label model of format {version!r}: {hint}")
    try:
        model = _read(data)
    except KeyError as missing:
        raise ModelFormatError(f"the label model has no field {missing}") from None
    except (TypeError, ValueError, AttributeError) as wrong:
        raise ModelFormatError(f"the label model cannot be read: {wrong}") from None
    _check(model)
    return model


def _read(data: Mapping[str, Any]) -> FittedLabelModel:
    accuracies = [np.nan if value is None else value for value in data["accuracies"]]
    return FittedLabelModel(
        algorithm=data["algorithm"],
        reason=data["reason"],
        why=str(data["why"]),
        class_balance=_floats(data["classBalance"]),
        log_weights=_floats(data["logWeights"]) if data["logWeights"] else np.empty((0, 0, 0)),
        abstain=tuple(data["abstain"]),
        accuracies=_floats(accuracies),
        iterations=int(data["iterations"]),
        converged=bool(data["converged"]),
        seed=int(data["seed"]),
        members=tuple(_read_member(one) for one in data["members"]),
        discounts=None if data["discounts"] is None else _floats(data["discounts"]),
        dependent=tuple((int(i), int(j), float(value)) for i, j, value in data["dependent"]),
        noted=tuple(str(note) for note in data["notes"]),
        side=tuple(_read_side(table) for table in data["side"]),
        intervals=_read_pairs(data["accuracyIntervals"]),
        coins=None if data["coins"] is None else _floats(data["coins"]),
    )


def _read_pairs(data: Any) -> FloatArray | None:
    return None if data is None else _floats([[np.nan, np.nan] if pair is None else pair for pair in data])


def _read_side(data: Mapping[str, Any]) -> SideTable:
    weight = np.nan if data["weight"] is None else float(data["weight"])
    votes = np.array(data["votes"], dtype=np.bool_)
    return SideTable(int(data["function"]), bool(data["soft"]), _floats(data["logWeights"]), _floats(data["stated"]), votes, weight)


def _read_member(data: Mapping[str, Any]) -> Member:
    classes = np.array(data["classes"], dtype=np.int64)
    return Member(str(data["name"]), float(data["share"]), _floats(data["logPrior"]), _floats(data["logWeights"]), classes)


def _floats(values: Any) -> FloatArray:
    return np.array(values, dtype=np.float64)


def _fits(member: Member, functions: int, classes: int) -> bool:
    states = len(member.classes)
    known = bool(((member.classes >= -1) & (member.classes < classes)).all()) and set(range(classes)) <= set(member.classes.tolist())
    shapes = member.log_prior.shape == (states,) and member.log_weights.shape == (functions, 1 + classes, states)
    return known and shapes and bool(np.isfinite(member.log_weights).all() and np.isfinite(member.log_prior).all())


def _side_fits(table: SideTable, functions: int, classes: int) -> bool:
    outcomes = len(table.votes)
    shapes = table.log_weights.shape == table.stated.shape == (outcomes, classes) and outcomes > 0
    return shapes and 0 <= table.function < functions and bool(np.isfinite(table.log_weights).all() and np.isfinite(table.stated).all())


def _check(model: FittedLabelModel) -> None:
    classes, functions, compact = model.class_balance.size, len(model.abstain), model.coins is not None
    problems = (
        (model.algorithm not in get_args(Algorithm), f"unknown algorithm {model.algorithm!r}"),
        (model.reason not in get_args(Reason), f"unknown reason {model.reason!r}"),
        (any(reading not in get_args(Abstain) for reading in model.abstain), "unknown reading of an abstain"),
        (model.class_balance.ndim != 1 or classes < 2, "classBalance is not a list of at least two shares"),
        (model.log_weights.shape != ((0, 0, 0) if compact else (functions, 1 + classes, classes)), f"logWeights has shape {model.log_weights.shape}"),
        (model.accuracies.shape != (functions,), f"accuracies has shape {model.accuracies.shape}"),
        (not np.isfinite(model.log_weights).all() or not (model.class_balance > 0).all(), "a weight or share is not finite"),
        (model.discounts is not None and model.discounts.shape != (functions,), "discounts has not one value for each function"),
        (model.accuracy_intervals is not None and model.accuracy_intervals.shape != (functions, 2), "accuracyIntervals has not one pair for each function"),
        (model.coins is not None and not (model.coins.shape == (functions,) and np.isfinite(model.coins).all()), "coins has not one value for each function"),
        *((not _fits(member, functions, classes), f"its member {member.name} does not fit its functions and classes") for member in model.members),
        *((not _side_fits(table, functions, classes), f"its side table of function {table.function} does not fit") for table in model.side),
    )
    for wrong, message in problems:
        if wrong:
            raise ModelFormatError(f"the label model cannot be read: {message}")
