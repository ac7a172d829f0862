"""keywords: literal words, case-insensitive by Unicode simple case folding, both sides in NFC.

One RE2 alternation per function, every word escaped. `match: word` asks that the characters beside the whole word are
not a Unicode letter, digit or underscore, whatever the word itself holds: `log in` needs its one space, `C++` is found
in "C++." but not in "C++11", `#sale` is not found in "a#sale". `substring` asks nothing.
"""

import re
import unicodedata
from collections.abc import Iterator

from labeljob.contract.columns import ColumnType
from labeljob.contract.functions import Keywords, LabelingFunction
from labeljob.labeling_functions.literal_scan import Sought
from labeljob.labeling_functions.problem import Problem
from labeljob.labeling_functions.quoting import text
from labeljob.labeling_functions.scope import RESERVED_PREFIX, Scope, column_sql, vote_where

TYPES: tuple[ColumnType, ...] = ("string",)
NORMAL_PREFIX = f"{RESERVED_PREFIX}nfc:"
_ASCII = re.compile("[\0-\x7f]+")
BOUNDARY = r"[^\p{L}\p{Nd}_]"


def declared(function: LabelingFunction) -> Keywords:
    assert function.keywords is not None  # noqa: S101 - the kind says so
    return function.keywords


def problems(function: LabelingFunction, path: str, scope: Scope) -> Iterator[Problem]:
    yield from scope.input_problems(declared(function).column, f"{path}.keywords.column", TYPES)


def columns(function: LabelingFunction, scope: Scope) -> tuple[str, ...]:
    return (declared(function).column,)


def normalised(column: str) -> str:
    """The name, inside a statement, of the column in NFC (computed once for all functions that need it)."""
    return NORMAL_PREFIX + column


def vote_sql(function: LabelingFunction, scope: Scope) -> str:
    keywords = declared(function)
    found = f"regexp_matches({column_sql(normalised(keywords.column))}, {text(_pattern(keywords, scope))})"
    return vote_where(found, scope.vote_of(function))


def _pattern(keywords: Keywords, scope: Scope) -> str:
    """Escaped and normalised by DuckDB, as the texts are; once, and not again with every batch."""
    before, after = ("(?i)", "") if keywords.match == "substring" else (rf"(?i)(?:\A|{BOUNDARY})", rf"(?:{BOUNDARY}|\z)")
    words = ", ".join(f"regexp_escape(nfc_normalize({text(word)}))" for word in keywords.any)
    ((escaped,),) = scope.connection.execute(f"SELECT concat_ws('|', {words})").fetchall()
    return f"{before}(?:{escaped}){after}"


def sought(function: LabelingFunction) -> Sought | None:
    """ASCII parts of its words, one of which stands, up to ASCII case, in every text that it votes on; None when a word has none.

    NFC deletes nothing and puts nothing between ASCII characters, so they stand in the text as it came.
    """
    keywords = declared(function)
    parts = [_ASCII.findall(unicodedata.normalize("NFC", word)) for word in keywords.any]
    if not all(parts):
        return None
    whole = frozenset(word for word in keywords.any if word.isascii())
    return Sought(frozenset(max(of, key=len) for of in parts), whole, bounded=keywords.match != "substring")
