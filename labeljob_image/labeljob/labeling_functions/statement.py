"""Labeling functions as one SELECT: the row's number, then each function's vote as a TINYINT.

    SELECT "labelplane:row", CAST(COALESCE(<vote>, -1) AS TINYINT) AS "labelplane:vote:0", …
    FROM (SELECT *, nfc_normalize("message") AS "labelplane:nfc:message" FROM "labelplane:rows")
    LEFT JOIN "labelplane:lookup:trusted_image" ON …
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from labeljob.contract.functions import LabelingFunction
from labeljob.labeling_functions import keywords, lookup
from labeljob.labeling_functions.connection import ROWS
from labeljob.labeling_functions.kinds import kind_of
from labeljob.labeling_functions.quoting import identifier
from labeljob.labeling_functions.scope import RESERVED_PREFIX, ROW_NUMBER, Scope, column_sql
from labeljob.votes import ABSTAIN


@dataclass(frozen=True)
class CompiledFunction:
    """One labeling function as SQL: its vote, the columns it reads, its normalised columns, its joins."""

    vote: str
    columns: tuple[str, ...]
    normalised: tuple[str, ...] = ()
    join: str | None = None


def compile_function(function: LabelingFunction, scope: Scope) -> CompiledFunction:
    """SQL of a function that has no problems."""
    kind = kind_of(function)
    columns = kind.columns(function, scope)
    return CompiledFunction(
        vote=kind.vote_sql(function, scope),
        columns=columns,
        normalised=columns if function.keywords else (),
        join=lookup.join_sql(function) if function.lookup else None,
    )


def vote_name(position: int) -> str:
    return f"{RESERVED_PREFIX}vote:{position}"


def select(functions: Sequence[CompiledFunction]) -> str:
    """The statement that gives the votes of these functions, in their order."""
    votes = [
        f"CAST(COALESCE({function.vote}, {ABSTAIN}) AS TINYINT) AS {identifier(vote_name(position))}"
        for position, function in enumerate(functions)
    ]
    joins = [function.join for function in functions if function.join]
    items = ",\n".join([identifier(ROW_NUMBER), *votes])
    return "\n".join([f"SELECT {items}", f"FROM ({_rows(functions)}) AS {identifier(RESERVED_PREFIX + 'r')}", *joins])


def _rows(functions: Iterable[CompiledFunction]) -> str:
    needed = dict.fromkeys(column for function in functions for column in function.normalised)
    extra = [f"nfc_normalize({column_sql(column)}) AS {identifier(keywords.normalised(column))}" for column in needed]
    return f"SELECT {', '.join(['*', *extra])} FROM {ROWS}"  # noqa: S608 - quoted
