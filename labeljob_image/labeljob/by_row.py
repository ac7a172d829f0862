"""`by_row`: a function of one row, as notebooks have them, as a `python` labeling function of a manifest. For the modules of users."""

import operator
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

ABSTAIN = -1


def by_row(classes: Sequence[str]) -> Callable[[Callable[[Any], object]], Callable[[Any], Any]]:
    """Decorator: `@by_row(["ham", "spam"])` above a function of one row.

    The function gets the columns as attributes (`row.subject`), None where they are null. It returns the name of a class or its index in
    `classes`, and None or -1 to abstain. A function made with `@labeling_function()` can be given as well: `entry = by_row([…])(function)`.
    What it makes takes a pyarrow.RecordBatch [n_rows] and returns a pyarrow.Array of strings [n_rows].
    """

    def decorate(function: Callable[[Any], object]) -> Callable[[Any], Any]:
        def on_batch(batch: Any) -> Any:
            import pyarrow as pa

            return pa.array([_name(function(SimpleNamespace(**row)), classes) for row in batch.to_pylist()], pa.string())

        return on_batch

    return decorate


def _name(vote: object, classes: Sequence[str]) -> str | None:
    """The class of a vote. TypeError or IndexError for what is none."""
    if vote is None or isinstance(vote, str):
        return vote
    if isinstance(vote, bool):
        raise TypeError("a vote is a class, not true or false")
    index = operator.index(vote)  # type: ignore[arg-type]
    if index == ABSTAIN:
        return None
    if index < 0:
        raise IndexError("-1 is the only abstain")
    return classes[index]
