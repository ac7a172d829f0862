"""votes.probabilities: a teacher's probability of each class, from columns, as a soft vote.

Nulls in all columns abstain. NaN, a value outside [0, 1], a sum that is not 1 (within 0.01), and nulls in some of the columns only are errors.

In a multi-label set each column is a soft vote of its own, on whether the row has that class: any of the classes may have one, they need not
sum to 1, and a null says nothing of its class alone.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from labeljob.contract.function_set import FunctionSet
from labeljob.labeling_functions.problem import Problem
from labeljob.labeling_functions.scope import Scope
from labeljob.votes import ABSTAIN, PARTIAL, BoolArray, FloatArray


def problems(probabilities: Mapping[str, str], path: str, scope: Scope) -> Iterator[Problem]:
    """Why these columns cannot be probabilities."""
    for name, column in probabilities.items():
        yield from scope.class_problems(name, f"{path}.{name}")
        yield from scope.input_problems(column, f"{path}.{name}", ("float64",))
    missing = [name for name in scope.function_set.classes if name not in probabilities]
    if len(missing) > 1 and not scope.function_set.is_multi_label:
        yield Problem(path, f"has no column for {' and '.join(missing)}: give one to every class, or to all but one, which gets the rest")
    columns = list(probabilities.values())
    repeated = sorted({column for column in columns if columns.count(column) > 1})
    if repeated:
        yield Problem(path, f"reads column {repeated[0]!r} for two classes: give each class its own")


def level_columns(function_set: FunctionSet) -> tuple[int, ...]:
    """How many columns of levels each enabled function has: none unless its votes are soft, then one, in a multi-label set one for each class that it names."""
    given = [None if one.votes is None else one.votes.probabilities for one in function_set.enabled_functions]
    return tuple(0 if one is None else len(one) if function_set.is_multi_label else 1 for one in given)


def vectors(probabilities: Mapping[str, str], classes: list[str], rows: Any) -> tuple[FloatArray, BoolArray]:
    """(soft votes float64 [n_rows, n_classes], NaN where it abstains or fails; failures bool [n_rows]) of a pyarrow.Table with its columns."""
    from labeljob.label_model.side.soft_votes import SUM_TOLERANCE, wrong_vectors  # the label model is loaded by sets that have soft votes

    soft, null = np.full((rows.num_rows, len(classes)), np.nan), np.ones((rows.num_rows, len(probabilities)), dtype=bool)
    for i, (name, column) in enumerate(probabilities.items()):
        values = rows.column(column)
        null[:, i] = values.is_null().to_numpy()
        soft[:, classes.index(name)] = values.to_numpy()
    abstains = null.all(axis=1)
    for k in (k for k, name in enumerate(classes) if name not in probabilities):
        others = np.delete(soft, k, axis=1).sum(axis=1)
        soft[:, k] = np.where((others > 1) & (others <= 1 + SUM_TOLERANCE), 0.0, 1 - others)
    failed = np.asarray((wrong_vectors(soft) | np.isnan(soft).any(axis=1)) & ~abstains)
    soft[failed | abstains] = np.nan
    return np.asarray(soft / np.where(np.isnan(soft).all(axis=1), 1.0, soft.sum(axis=1))[:, None]), failed


def vote(probabilities: Mapping[str, str], classes: list[str], rows: Any) -> tuple[Any, Any, BoolArray]:
    """(likeliest class int8 [n_rows], level int16 [n_rows], failures bool [n_rows]); -1 where it abstains, fails or the likeliest tie."""
    from labeljob.label_model.side.soft_votes import Grid, levels_of, votes_of_levels

    soft, failed = vectors(probabilities, classes, rows)
    grid = Grid(len(classes))
    levels = levels_of(soft, grid)
    return votes_of_levels(levels, grid), levels, failed


def answers(probabilities: Mapping[str, str], classes: list[str], rows: Any) -> tuple[Any, Any, BoolArray]:
    """The votes of a multi-label set: (int8 [n_rows], levels int16 [n_rows, n_named], failures bool [n_rows]), named classes in class order.

    The vote is PARTIAL where some level says something, and ABSTAIN elsewhere. A level is that of (1 - p, p); -1 for null and for exactly 1/2.
    """
    from labeljob.label_model.side.soft_votes import Grid, levels_of

    named = [name for name in classes if name in probabilities]
    p = np.full((rows.num_rows, len(named)), np.nan)
    null = np.empty(p.shape, dtype=bool)
    for place, name in enumerate(named):
        values = rows.column(probabilities[name])
        null[:, place], p[:, place] = values.is_null().to_numpy(), values.to_numpy()
    failed = np.asarray((~null & ~((p >= 0) & (p <= 1))).any(axis=1))
    p[failed] = np.nan
    levels = levels_of(np.stack([1 - p, p], axis=2), Grid(2))
    return np.where((levels != ABSTAIN).any(axis=1), np.int8(PARTIAL), np.int8(ABSTAIN)), levels, failed
