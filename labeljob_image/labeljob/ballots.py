"""Between what the functions of a set say of a row and what the label model takes: votes for one class, and outcomes of side columns.

    votes int8 [n, m] (PARTIAL for several classes), levels int16 [n, n_soft]
        -> ordinary votes int8 [n, n_regular] (PARTIAL is -1)  and  outcomes int16 [n, n_side_columns]

Side columns are the functions with `labels` or `notLabel`, and those with `probabilities`, each at its place among the functions that are
no fallbacks. A partial vote's outcomes are 0 for the vote and, where silence is evidence, 1 for silence.
"""

from collections.abc import Sequence

import numpy as np

from labeljob.contract.function_set import FunctionSet
from labeljob.label_model.side.side_tables import Outcomes, SideColumn, partial_column, soft_column
from labeljob.label_model.side.soft_votes import Grid, Levels, votes_of_levels
from labeljob.votes import ABSTAIN, PARTIAL, BoolArray, IntArray, Votes, conflicting_rows


def partial_sets(function_set: FunctionSet) -> BoolArray:
    """The classes of each function's partial vote, bool [n_functions, n_classes]; none for a function that has no such vote."""
    sets = np.zeros((len(function_set.enabled_functions), len(function_set.classes)), dtype=bool)
    for j, function in enumerate(function_set.enabled_functions):
        named = function.named(function_set.classes) if function.votes_partially else ()
        if len(named) > 1:
            sets[j] = [name in named for name in function_set.classes]
    return sets


def side_columns(function_set: FunctionSet) -> tuple[SideColumn, ...]:
    """What the label model needs to know of partial and soft votes, in function order."""
    classes, sets = len(function_set.classes), partial_sets(function_set)
    columns, regular = list[SideColumn](), 0
    for j, function in enumerate(function_set.enabled_functions):
        if function.is_soft:
            columns.append(soft_column(regular, classes))
        elif sets[j].any():
            columns.append(partial_column(regular, sets[j : j + 1], evidence=not function.abstain_is_missing))
        regular += not function.is_fallback
    return tuple(columns)


def ordinary(votes: Votes) -> Votes:
    """Votes for one class; a partial vote is an abstain here."""
    return np.where(votes == PARTIAL, votes.dtype.type(ABSTAIN), votes)


def outcomes(columns: Sequence[SideColumn], votes: Votes, levels: Levels | None) -> Outcomes:
    """The outcomes of side columns, int16 [n_rows, n_side_columns], from votes of the functions that are no fallbacks, and levels."""
    found, place = np.empty((len(votes), len(columns)), dtype=np.int16), 0
    for c, column in enumerate(columns):
        if column.soft:
            found[:, c] = ABSTAIN if levels is None else levels[:, place]
            place += 1
        else:
            found[:, c] = np.where(votes[:, column.function] == PARTIAL, 0, ABSTAIN if column.votes.all() else 1)
    return found


def ballots_of(columns: Sequence[SideColumn], patterns: Votes, functions: int) -> tuple[Votes, Levels | None]:
    """(votes, levels) of rows [ordinary votes, outcomes]: the inverse of `ordinary` and `outcomes`."""
    votes, levels = patterns[:, :functions].astype(np.int8), list[Levels]()
    for column, of in zip(columns, patterns[:, functions:].T, strict=True):
        if column.soft:
            levels.append(of.astype(np.int16))
            votes[:, column.function] = votes_of_levels(levels[-1], Grid(column.stated.shape[1]))
        else:
            votes[of == 0, column.function] = PARTIAL
    return votes, np.stack(levels, axis=1) if levels else None


def disagreeing_rows(votes: Votes, sets: BoolArray) -> BoolArray:
    """Rows whose votes leave no class that all of them name, bool [n_rows]; sets: bool [n_functions, n_classes]."""
    partial = np.flatnonzero(sets.any(axis=1))
    if not partial.size:
        return conflicting_rows(votes)
    left, single = np.ones((len(votes), sets.shape[1]), dtype=bool), ordinary(votes)
    for j in partial:
        left &= sets[j] | (votes[:, j] != PARTIAL)[:, None]
    highest = single.max(axis=1, initial=ABSTAIN).astype(np.int64)
    outside = (highest != ABSTAIN) & ~left[np.arange(len(votes)), highest]
    return np.asarray(conflicting_rows(single) | outside | ~left.any(axis=1))


def partial_conflicts(votes: Votes, sets: BoolArray) -> IntArray:
    """Rows on which a partial vote and another vote exclude each other, int64 [n_functions, n_functions], symmetric."""
    found = np.zeros((votes.shape[1], votes.shape[1]), dtype=np.int64)
    for j in np.flatnonzero(sets.any(axis=1)):
        fired = votes[votes[:, j] == PARTIAL]
        outside = (fired >= 0) & ~sets[j][np.maximum(fired, 0)]
        disjoint = (fired == PARTIAL) & ~(sets & sets[j]).any(axis=1)
        found[j] = (outside | disjoint).sum(axis=0)
    return np.maximum(found, found.T)
