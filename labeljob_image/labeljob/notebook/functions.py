"""Labeling functions written in Python, and what counts as their vote."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from labeljob.votes import ABSTAIN, VotesError

LARGEST = 32_766  # class index; a label matrix is at most int16


class LabelingFunction:
    """A function of one row that returns a class index, or -1 to abstain.

    Args:
        name: how tables and errors call it. f: called as f(row, **resources).
        resources: keyword arguments of every call. pre: applied to the row first, one after the other.
    """

    def __init__(self, name: str, f: Callable[..., int], resources: Mapping[str, Any] | None = None, pre: Sequence[Callable[[Any], Any]] | None = None) -> None:
        self.name = name
        self._f, self._resources, self._pre = f, dict(resources or {}), tuple(pre or ())

    def __call__(self, x: Any) -> int:
        """What the function returns for one row, unchecked."""
        for step in self._pre:
            x = step(x)
            if x is None:
                raise ValueError(f"labeling function {self.name}: its preprocessor {getattr(step, 'name', step)!r} returned None")
        return self._f(x, **self._resources)

    def __repr__(self) -> str:
        return f"LabelingFunction {self.name}"


class labeling_function:  # noqa: N801 - the name that notebooks know
    """Decorator: `@labeling_function()` or `@labeling_function(name="…", resources={…})` makes a LabelingFunction of a function."""

    def __init__(self, name: str | None = None, resources: Mapping[str, Any] | None = None, pre: Sequence[Callable[[Any], Any]] | None = None) -> None:
        if not isinstance(name, str | None):
            raise ValueError("the decorator is missing its parentheses: write @labeling_function()")
        self._name: str | None = name
        self._resources, self._pre = resources, pre

    def __call__(self, f: Callable[..., int]) -> LabelingFunction:
        return LabelingFunction(self._name or str(getattr(f, "__name__", "labeling_function")), f, self._resources, self._pre)


def vote_of(value: object) -> int:
    """The vote that a returned value is. VotesError for None, a negative other than -1, and whatever is no whole number."""
    if value is None:
        raise VotesError("returned None, which is not a vote: return -1 to abstain")
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
        raise VotesError(f"returned {value!r} ({type(value).__name__}), which is not a vote: return a class index, or -1 to abstain")
    if not ABSTAIN <= value <= LARGEST:
        raise VotesError(f"returned {int(value)}, which is not a vote: -1 is the only abstain, and {LARGEST} the largest class index")
    return int(value)
