"""Labeling functions as one SELECT: the row's number, then each function's vote as a TINYINT.

    SELECT "labelplane:row",
        CASE WHEN ("labelplane:may:0" & 1) <> 0 THEN CAST(COALESCE(<vote>, -1) AS TINYINT) ELSE -1 END AS "labelplane:vote:0", …
    FROM (SELECT *, nfc_normalize("message") AS "labelplane:nfc:message" FROM "labelplane:rows")
    LEFT JOIN "labelplane:lookup:trusted_image" ON …

`may` marks the rows on which the function may vote, by its literals (`marks`); on the others DuckDB does not evaluate it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from labeljob.contract.functions import LabelingFunction
from labeljob.labeling_functions import keywords, lookup, regex
from labeljob.labeling_functions.connection import ROWS
from labeljob.labeling_functions.kinds import kind_of
from labeljob.labeling_functions.literal_scan import MAY, WORD_BITS, Sought, is_rare
from labeljob.labeling_functions.quoting import identifier
from labeljob.labeling_functions.scope import RESERVED_PREFIX, ROW_NUMBER, Scope, column_sql
from labeljob.votes import ABSTAIN


@dataclass(frozen=True)
class CompiledFunction:
    """One labeling function as SQL: its vote, the columns it reads, its normalised columns, its joins.

    Attributes:
        sought: literals of which one stands in every text that it votes on; None where nothing is known.
        number: of its bit in the rows' marks; None: it is evaluated on every row.
        sure: its vote where the marks say that it votes.
    """

    vote: str
    columns: tuple[str, ...]
    normalised: tuple[str, ...] = ()
    join: str | None = None
    sought: Sought | None = None
    number: int | None = None
    sure: int | None = None


def compile_function(function: LabelingFunction, scope: Scope) -> CompiledFunction:
    """SQL of a function that has no problems."""
    kind = kind_of(function)
    columns = kind.columns(function, scope)
    return CompiledFunction(
        vote=kind.vote_sql(function, scope),
        columns=columns,
        normalised=columns if function.keywords else (),
        join=lookup.join_sql(function) if function.lookup else None,
        sought=_sought(function),
        sure=scope.vote_of(function) if function.keywords else None,
    )


def _sought(function: LabelingFunction) -> Sought | None:
    found = keywords.sought(function) if function.keywords else regex.sought(function) if function.regex else None
    return found if found and all(map(is_rare, found.literals)) else None


def numbered(functions: Iterable[CompiledFunction]) -> tuple[CompiledFunction, ...]:
    """The functions, with a bit for each that has literals."""
    done, bits = list[CompiledFunction](), 0
    for function in functions:
        done.append(replace(function, number=bits if function.sought else None))
        bits += function.sought is not None
    return tuple(done)


def vote_name(position: int) -> str:
    return f"{RESERVED_PREFIX}vote:{position}"


def mark_name(word: int, kind: int = MAY) -> str:
    return f"{RESERVED_PREFIX}{'may' if kind == MAY else 'sure'}:{word}"


def select(functions: Sequence[CompiledFunction]) -> str:
    """The statement that gives the votes of these functions, in their order."""
    votes = [f"{_vote(function)} AS {identifier(vote_name(position))}" for position, function in enumerate(functions)]
    joins = [function.join for function in functions if function.join]
    items = ",\n".join([identifier(ROW_NUMBER), *votes])
    return "\n".join([f"SELECT {items}", f"FROM ({_rows(functions)}) AS {identifier(RESERVED_PREFIX + 'r')}", *joins])


def _vote(function: CompiledFunction) -> str:
    vote = f"CAST(COALESCE({function.vote}, {ABSTAIN}) AS TINYINT)"
    return vote if function.number is None else f"CASE WHEN {_may([function.number])} THEN {vote} ELSE CAST({ABSTAIN} AS TINYINT) END"


def _may(bits: Iterable[int]) -> str:
    """SQL of: one of these bits is set in the row's marks."""
    words: dict[int, int] = {}
    for bit in bits:
        words[bit // WORD_BITS] = words.get(bit // WORD_BITS, 0) | 1 << bit % WORD_BITS
    return " OR ".join(f"({identifier(mark_name(word))} & CAST({mask} AS UBIGINT)) <> 0" for word, mask in words.items())


def _rows(functions: Iterable[CompiledFunction]) -> str:
    """The rows, and each column in NFC that one of the functions needs, where it needs it."""
    needed: dict[str, list[int | None]] = {}
    for function in functions:
        for column in function.normalised:
            needed.setdefault(column, []).append(function.number)
    extra = [f"{_normalised(column, bits)} AS {identifier(keywords.normalised(column))}" for column, bits in needed.items()]
    return f"SELECT {', '.join(['*', *extra])} FROM {ROWS}"  # noqa: S608 - quoted


def _normalised(column: str, bits: Sequence[int | None]) -> str:
    text, known = f"nfc_normalize({column_sql(column)})", [bit for bit in bits if bit is not None]
    return text if len(known) < len(bits) else f"CASE WHEN {_may(known)} THEN {text} END"
