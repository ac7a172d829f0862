"""The binary task of each class: which functions speak of it, and what their votes answer.

    vote of a function                 in the task of class c
    the class c                        1
    another class, where it chooses    0    (lookup, map, above, below: it could have named c)
    `labels`, `notLabel` without c     0    (any class but those named is excluded)
    a soft vote                        its level for c, of (1 - p, p)
    anything else                      -1, or where silence is evidence and it only ever votes *for* c: 0, an answer whose weight is learned

A function that can say nothing of c takes no part in its task. Fallbacks take part in none (`labelling` adds them).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labeljob.contract.function_set import FunctionSet
from labeljob.label_model.side.side_tables import Outcomes, SideColumn, soft_column
from labeljob.label_model.side.soft_votes import Grid, Levels, votes_of_levels
from labeljob.labeling_functions.identity import LookupData
from labeljob.labeling_functions.multi_label import answers_of
from labeljob.votes import ABSTAIN, BoolArray, Votes

YES, NO = 1, 0
BINARY = Grid(2)


@dataclass(frozen=True, eq=False)
class Task:
    """The task of one class.

    Attributes:
        functions: int64 [m], the columns of votes that speak of the class.
        answers: int8 [m, n_classes + 2], the answer to each vote, at the index of the vote (-1 abstains: the last; -2: the one before).
        evidence: bool [m], whether silence that is no answer is evidence.
        looking: bool [m], functions that only ever vote for the class and whose silence is evidence.
        soft: int64 [s], places in `functions` of soft functions; levels: int64 [s], the column of each one's level.
    """

    functions: npt.NDArray[np.int64]
    answers: npt.NDArray[np.int8]
    evidence: BoolArray
    looking: BoolArray
    soft: npt.NDArray[np.int64]
    levels: npt.NDArray[np.int64]

    def said(self, votes: Votes, levels: Levels | None) -> Votes:
        """What functions say of the class: int8 [n_rows, m] of 1, 0 and -1; a soft vote says what is likelier."""
        found = self.answers[np.arange(len(self.functions)), votes[:, self.functions]]
        for place, column in zip(self.soft, self.levels, strict=True):
            found[:, place] = ABSTAIN if levels is None else votes_of_levels(levels[:, column], BINARY)
        return found

    def ballots(self, votes: Votes, levels: Levels | None, silence_answers: bool = True) -> tuple[Votes, Outcomes]:
        """(answers int8 [n_rows, m] as the label model takes them, levels int16 [n_rows, s]).

        Args:
            silence_answers: the silence of `looking` functions is the answer 0; else, as for the others, none.
        """
        found = self.said(votes, levels)
        if silence_answers:
            found[:, self.looking] = np.maximum(found[:, self.looking], np.int8(NO))
        return found, np.empty((len(votes), 0), np.int16) if levels is None else levels[:, self.levels]

    def columns(self) -> tuple[SideColumn, ...]:
        """The side columns of its label model."""
        return tuple(soft_column(int(place), 2) for place in self.soft)


def tasks_of(function_set: FunctionSet, lookups: Mapping[str, LookupData]) -> tuple[Task, ...]:
    """The task of each class, in class order."""
    classes, functions = list(function_set.classes), function_set.enabled_functions
    said = [answers_of(one, classes, frozenset(lookups[one.name].labels) if one.lookup else None) for one in functions]
    first = np.cumsum([0, *(len(answers.yes) if one.is_soft else 0 for one, answers in zip(functions, said, strict=True))])
    tasks = []
    for k, name in enumerate(classes):
        speaking = [j for j, one in enumerate(functions) if not one.is_fallback and name in said[j].yes | said[j].no]
        soft = [place for place, j in enumerate(speaking) if functions[j].is_soft]
        only_for = np.array([name in said[j].yes and name not in said[j].no for j in speaking], dtype=bool)
        evidence = np.array([not functions[j].abstain_is_missing for j in speaking], dtype=bool)
        tasks.append(
            Task(
                np.array(speaking, dtype=np.int64),
                np.array([_answers(k, functions[j].votes_partially, name in said[j].no, len(classes)) for j in speaking], np.int8).reshape(len(speaking), -1),
                evidence,
                evidence & only_for,
                np.array(soft, dtype=np.int64),
                np.array([first[speaking[place]] + sum(other in said[speaking[place]].yes for other in classes[:k]) for place in soft], dtype=np.int64),
            )
        )
    return tuple(tasks)


def _answers(k: int, partial: bool, excludes: bool, classes: int) -> Sequence[int]:
    """The answer to each vote."""
    table = [NO if excludes and not partial else ABSTAIN] * classes + [NO if partial else ABSTAIN, ABSTAIN]
    if not partial:
        table[k] = YES
    return table


def answered(tasks: Sequence[Task], votes: Votes, levels: Levels | None) -> list[Votes]:
    """What is said of each class, `Task.said`; the same for any split of the rows."""
    return [task.said(votes, levels) for task in tasks]

