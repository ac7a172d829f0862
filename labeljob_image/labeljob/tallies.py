"""Counts as JSON data, and added up again: of FunctionCounts and RunFigures, and of their multi-label kin."""

from collections.abc import Sequence
from typing import Any

import numpy as np


def to_data(counts: object, names: Sequence[str]) -> dict[str, Any]:
    """The named numbers, arrays and lists of numbers."""
    values = {name: getattr(counts, name) for name in names}
    return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in values.items()}


def negative(data: dict[str, Any]) -> dict[str, Any]:
    """What takes the same counts away when it is added."""
    return {name: (-np.asarray(value)).tolist() for name, value in data.items()}


def add_data(counts: object, names: Sequence[str], data: dict[str, Any]) -> None:
    """Add what `to_data` made; lists are joined. ValueError: arrays of another shape."""
    for name in names:
        value = getattr(counts, name)
        if isinstance(value, np.ndarray):
            other = np.asarray(data[name], dtype=value.dtype).reshape(value.shape)
            setattr(counts, name, value + other)
        else:
            setattr(counts, name, value + data[name])
