"""From what a notebook has (a label matrix, perhaps with partial votes, and a teacher's probabilities) to votes and outcomes of side columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from labeljob.label_model.fitting.arguments import READINGS, AbstainArgument
from labeljob.label_model.side.side_tables import Outcomes, SideColumn, SideTable, named_classes, partial_column, soft_column
from labeljob.label_model.side.soft_votes import Grid, levels_of, validate_soft_votes, votes_of_levels
from labeljob.votes import ABSTAIN, INT8_CLASSES, BoolArray, Votes, VotesError, unread_votes, validate_votes

KNOWN_READINGS: dict[str, AbstainArgument] = {name: name for name in READINGS}


@dataclass(frozen=True, eq=False)
class PartialClasses:
    """What the partial votes of a label matrix mean: K + i is a vote for "one of the classes of row i".

    Attributes:
        sets: bool [n_sets, n_classes]; "not class 2" of four classes is [True, True, False, True].
    """

    sets: BoolArray

    def __post_init__(self) -> None:
        size = self.sets.sum(axis=1) if self.sets.ndim == 2 else np.zeros(1)
        if self.sets.dtype != np.bool_ or self.sets.ndim != 2 or (size < 1).any() or (size >= self.sets.shape[1]).any():
            raise ValueError("partial classes are bool [n_sets, n_classes], each set with at least one class and not all of them")


def partial_classes_of(side: Sequence[SideTable]) -> PartialClasses | None:
    """The sets that a fitted model knows."""
    return next((PartialClasses(named_classes(table.stated[table.votes])) for table in side if not table.soft), None)


@dataclass(frozen=True, eq=False)
class Evidence:
    """Rows as `fit_with_side` and `side_posterior` take them.

    Attributes:
        votes: [n_rows, n_functions]: functions, then teachers; a partial vote is -1, a soft vote its likeliest class.
        outcomes: int16 [n_rows, n_side_columns]. columns: the side columns (of a fit).
        abstain: the reading of each function (of a fit); a partial column's own is in its side column.
        checked: whether the votes have been looked at; else what reads them first has to (see `unread_votes`).
    """

    votes: Votes
    outcomes: Outcomes
    columns: tuple[SideColumn, ...]
    abstain: tuple[AbstainArgument, ...]
    checked: bool = True


def gather(
    L: Any,
    soft: Any,
    cardinality: int,
    partial: PartialClasses | None,
    fitted: Sequence[SideTable] | None = None,
    asked: AbstainArgument | Sequence[AbstainArgument] = "auto",
) -> Evidence:
    """Votes and outcomes.

    Unless its reading is asked for, a function that casts partial votes only is a rule: its silence is evidence. One that also votes for single classes
    is not, and its is missing.

    Args:
        L: [n_rows, n_functions], as `validate_votes` accepts; with `partial`, K + i stands for its i-th set.
        soft: [n_rows, n_teachers, n_classes] or None, as `validate_soft_votes` accepts.
        fitted: the side tables of a model, when the rows are for it.
        asked: what an abstain of each column of L says, one for all or one for each.
    Raises:
        ValueError: a reading that is none, or not one for each column of L.
        VotesError: a vote or probability that cannot be, or rows with another number of teachers, or partial votes of another function, than it was fitted on.
    """
    if partial is None and soft is None and not fitted:
        codes, checked = unread_votes(L, cardinality)
        return Evidence(codes, np.empty((len(codes), 0), dtype=np.int16), (), _readings(asked, codes.shape[1]), checked)
    codes = validate_votes(L, cardinality + (0 if partial is None else len(partial.sets)))
    readings = _readings(asked, codes.shape[1])
    votes = np.where(codes < cardinality, codes, ABSTAIN)
    levels = np.empty((len(codes), 0), dtype=np.int16)
    if soft is not None:
        levels = levels_of(validate_soft_votes(soft, len(codes), cardinality), Grid(cardinality))
    columns = _columns(codes, levels.shape[1], cardinality, partial, readings)
    shape = columns if fitted is None else _refuse_others(codes, levels.shape[1], cardinality, fitted)
    outcomes = [_of_sets(codes[:, one.function], one.votes, cardinality) for one in shape if not one.soft]
    likeliest = [votes_of_levels(of, Grid(cardinality)) for of in levels.T]
    teachers: list[AbstainArgument] = ["missing"] * levels.shape[1]
    together = np.column_stack([votes, *likeliest]).astype(np.int8 if cardinality <= INT8_CLASSES else np.int16)
    said = np.column_stack([np.empty((len(codes), 0)), *outcomes, levels]).astype(np.int16)
    return Evidence(validate_votes(together, cardinality), said, columns, (*readings, *teachers))


def _refuse_others(codes: Votes, teachers: int, cardinality: int, fitted: Sequence[SideTable]) -> Sequence[SideTable]:
    """`fitted`, when these rows have its teachers, and partial votes only of its functions."""
    expected = sum(one.soft for one in fitted)
    if teachers != expected:
        raise VotesError(f"the model was fitted with soft votes of {expected} teachers; got {teachers}")
    for j in np.flatnonzero((codes >= cardinality).any(axis=0)):
        if not any(one.function == j and not one.soft for one in fitted):
            raise VotesError(f"column {j} has a partial vote, and had none when the model was fitted")
    return fitted


def _readings(asked: AbstainArgument | Sequence[AbstainArgument], functions: int) -> tuple[AbstainArgument, ...]:
    """One reading for each column of L."""
    if isinstance(asked, str) and asked in KNOWN_READINGS:
        return (asked,) * functions
    given = [asked] * functions if isinstance(asked, str) else list(asked)
    unknown = [reading for reading in given if reading not in KNOWN_READINGS]
    if unknown or len(given) != functions:
        found = repr(str(unknown[0])) if unknown else f"{len(given)} readings"
        raise ValueError(f"abstain is one of auto, evidence, missing, for all functions or for each of the {functions} columns of L; got {found}")
    return tuple(KNOWN_READINGS[reading] for reading in given)


def _columns(
    codes: Votes, teachers: int, cardinality: int, partial: PartialClasses | None, readings: Sequence[AbstainArgument]
) -> tuple[SideColumn, ...]:
    """The side columns: first those with partial votes, then the teachers."""
    with_sets = np.flatnonzero((codes >= cardinality).any(axis=0))
    alone = np.asarray(~((codes >= 0) & (codes < cardinality)).any(axis=0))
    evidence = [bool(own) if reading == "auto" else reading == "evidence" for own, reading in zip(alone, readings, strict=True)]
    sets = [] if partial is None else [partial_column(int(j), partial.sets, evidence=evidence[j]) for j in with_sets]
    return (*sets, *(soft_column(codes.shape[1] + t, cardinality) for t in range(teachers)))


def _of_sets(codes: Votes, is_vote: BoolArray, cardinality: int) -> Outcomes:
    silent = ABSTAIN if is_vote.all() else len(is_vote) - 1
    return np.where(codes >= cardinality, codes.astype(np.int16) - cardinality, silent).astype(np.int16)
