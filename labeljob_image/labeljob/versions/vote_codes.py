"""Votes of two versions in numbers that both share: classes and functions stand at other places in each, and a partial vote is one number in all."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from labeljob.contract.function_set import FunctionSet
from labeljob.contract.functions import LabelingFunction
from labeljob.io.content import pin_broken
from labeljob.votes import ABSTAIN, PARTIAL, IntArray


@dataclass(frozen=True, eq=False)
class VoteCodes:
    """Of one version.

    Attributes:
        functions: how many voted in it. columns: int64 [n_common], where the common functions stand.
        classes: int64 [n_classes + 2], the shared number of each vote, at the index of the vote (ABSTAIN the last, PARTIAL the one before).
        partial: int64 [n_common], PARTIAL or less: what the function's partial vote names.
    """

    functions: int
    columns: IntArray
    classes: IntArray
    partial: IntArray

    def votes(self, column: pa.Array, uri: str) -> IntArray:
        """Votes of the common functions, int64 [n_rows, n_common]. JobError PIN_BROKEN when they are of other functions."""
        values = column.flatten()
        if len(values) != len(column) * self.functions:
            raise pin_broken(uri, "its rows were labelled with other functions than the model version has")
        votes = self.classes[values.to_numpy(zero_copy_only=False).astype(np.int64).reshape(len(column), self.functions)[:, self.columns]]
        return np.asarray(np.where(votes == PARTIAL, self.partial, votes))


def codes_of(sets: Sequence[FunctionSet], classes: Sequence[str], common: Sequence[str]) -> list[VoteCodes]:
    """The codes of each set. `classes`: all of any, which are numbered so; `common`: names of the functions of all."""
    numbers = {name: k for k, name in enumerate(classes)}
    said: dict[str, int] = {}
    found = []
    for one in sets:
        functions = {function.name: function for function in one.enabled_functions}
        places = {name: column for column, name in enumerate(functions)}
        partial = [PARTIAL - said.setdefault(_named(functions[name]), len(said)) for name in common]
        found.append(
            VoteCodes(
                len(functions),
                np.array([places[name] for name in common], dtype=np.int64),
                np.array([*(numbers[name] for name in one.classes), PARTIAL, ABSTAIN]),
                np.array(partial, dtype=np.int64),
            )
        )
    return found


def _named(function: LabelingFunction) -> str:
    """What a partial vote of the function says."""
    return f"not {function.not_label}" if function.not_label is not None else "|".join(sorted(function.labels or ()))
