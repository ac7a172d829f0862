"""What a multi-label set must have: for each class, a function that can vote for it, and something that can say that a row has it not."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from labeljob.contract.function_set import FunctionSet
from labeljob.contract.functions import LabelingFunction
from labeljob.labeling_functions.problem import Problem


@dataclass(frozen=True)
class Answers:
    """The classes that a function may vote for, and those that it may vote against; what it never speaks of is in neither."""

    yes: frozenset[str]
    no: frozenset[str]


def answers_of(function: LabelingFunction, classes: list[str], table: Collection[str] | None = None) -> Answers:
    """What a function may say of the classes of a multi-label set.

        label: A                   for A                          says nothing of the others
        labels: [A, B]             against all but A and B        the row may have either, both or none
        notLabel: A                against A
        lookup, map, above, below  for the one it names           against the others that it could have named
        probabilities              for or against each class that has a column

    Args:
        table: the classes that a lookup's table names; None when it is not known yet: then it may name any.
    """
    if function.is_soft:
        given = frozenset(function.votes.probabilities or ()) if function.votes else frozenset[str]()
        return Answers(given, given)
    if function.votes_partially:
        return Answers(frozenset(), frozenset(classes) - set(function.named(classes)))
    if function.label is not None:
        return Answers(frozenset([function.label]), frozenset())
    named = _choices(function, classes, table)
    return Answers(named, named if len(named) > 1 else frozenset())


def _choices(function: LabelingFunction, classes: list[str], table: Collection[str] | None) -> frozenset[str]:
    """The classes that a function chooses from, row by row."""
    if function.votes is None:
        return frozenset(classes if table is None else table)
    return frozenset((function.votes.map or {}).values()) | set(function.votes.above or ()) | set(function.votes.below or ())


def problems(function_set: FunctionSet) -> Iterator[Problem]:
    """Classes of a multi-label set of which nothing can be learned; none for other sets."""
    if not function_set.is_multi_label:
        return
    regular = [function for function in function_set.enabled_functions if not function.is_fallback]
    said = [(function, answers_of(function, function_set.classes)) for function in regular]
    for index, name in enumerate(function_set.classes):
        speaking = [(function, answers) for function, answers in said if name in answers.yes | answers.no]
        if not any(name in answers.yes for _, answers in speaking):
            yield Problem(f"spec.classes[{index}]", f"no enabled function votes for {name}, so no row would ever have it: add a function with label: {name}, or remove the class")
        elif not any(name in answers.no or not function.abstain_is_missing for function, answers in speaking):
            yield Problem(
                f"spec.classes[{index}]",
                f"nothing can say that a row does not have {name}: functions vote for it only, and their silence is missing;"
                f" add a function with notLabel: {name}, or set abstain: evidence where silence says something",
            )
