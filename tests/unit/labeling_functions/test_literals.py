"""Literals read off patterns, found in texts, and never at the price of a vote: the marked path beside the plain one."""

import unicodedata
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeljob.labeling_functions.connection import ROWS_NAME, fetch, open_locked
from labeljob.labeling_functions.limits import TimeLimits
from labeljob.labeling_functions.literal_scan import MAY, PIECE_BYTES, SURE, TURNING_ASCII, WORD_BITS, LiteralScan, Sought, lowered
from labeljob.labeling_functions.pattern_literals import literals_of
from labeljob.labeling_functions.scope import ROW_NUMBER, Scope
from labeljob.labeling_functions.statement import compile_function, select, vote_name
from tests.unit.labeling_functions.sets import a_set, compiled, risky, rows


@pytest.mark.parametrize(
    ("pattern", "literals"),
    [
        ("probe failed", {"probe failed"}),
        ("probe|OOM", {"probe", "OOM"}),
        (r"( |^)(call|ringtone|ringtone)[^\w]* ([^\s]+ )*(free\.|free)[^\w]*( |$)", {"free"}),
        (r"(?i)\b(e-?mail)s?\b", {"email", "e-mail"}),
        ("colou?r", {"color", "colour"}),
        ("ab+cde", {"cde"}),
        ("(abc){2,}d", {"abc"}),
        ("(abc){0,2}de", {"de"}),
        ("(abc)*", None),
        ("[Ff]ree", {"Free", "free"}),
        ("[^a]bcd[x-z]ef", {"bcd"}),
        ("[]a]bc", {"bc"}),
        (r"[[:alpha:]\]]bc", {"bc"}),
        (r"a\.b\$\\", {"a.b$\\"}),
        (r"a\n\tb", {"a\n\tb"}),
        (r"ab\dcde\pLfghi\p{Greek}j", {"fghi"}),
        ("(?i)straße", {"stra"}),
        ("straße", {"straße"}),
        ("(?i:ab)é", {"abé"}),
        ("x(?i)éa|bé", {"x", "b"}),
        ("(?-i)é", {"é"}),
        ("(?i)a(?-i:é)", {"aé"}),
        ("(?P<name>abc)", {"abc"}),
        ("a{", {"a{"}),
        ("a{,2}", {"a{,2}"}),
        ("ab|", None),
        (".", None),
        (r"\Qab\E", None),
        (r"\x41bc", None),
        (r"[[:nothing]bc", None),
        ("(" * 60 + "a" + ")" * 60, None),
    ],
)
def test_literals_of_a_pattern(pattern: str, literals: set[str] | None) -> None:
    """C2: what is required is read off the pattern, and what is not understood requires nothing."""
    assert literals_of(pattern) == literals


def plain(functions: list[dict[str, Any]], texts: list[str | None]) -> npt.NDArray[np.int8]:
    """Votes of functions that DuckDB evaluates on every row."""
    function_set, connection = a_set(*functions), open_locked(threads=1, memory_limit="256MB")
    try:
        whole = [compile_function(function, Scope(function_set, connection)) for function in function_set.enabled_functions]
        connection.register(ROWS_NAME, rows(message=texts).append_column(ROW_NUMBER, pa.array(range(len(texts)), pa.int64())))
        found = fetch(connection, select(whole), TimeLimits())
    finally:
        connection.close()
    return np.array([found[vote_name(position)] for position in range(len(whole))]).T


ALPHABET = ["a", "b", "K", "s", "S", "1", ".", "=", " ", "_", "é", "’", "\n", *TURNING_ASCII, "\u0301", "\u0338"]
TEXTS = st.lists(st.none() | st.text(st.sampled_from(ALPHABET), max_size=12), min_size=1, max_size=30)
ATOMS = st.sampled_from(["a", "b", "k", "s", "S", r"\.", " ", "_", "é", r"\n", "[ab]", "[^a]", "[[:alpha:]]", r"[\]a]", r"\s", r"\pL", "^", "$", r"\b", "."])


def larger(patterns: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    groups = st.sampled_from(["(?:{})", "({})", "(?i:{})", "(?-i:{})", "(?i){}", "((?i){})", "(?s){}"])
    repeats = st.sampled_from(["(?:{})*", "(?:{})+", "(?:{})?", "(?:{}){{2}}", "(?:{}){{0,1}}", "(?:{})+?", "(?:{}){{1,1}}"])
    several = st.lists(patterns, min_size=2, max_size=4)
    formatted = st.builds(str.format, groups | repeats, patterns)
    return several.map("".join) | several.map("|".join) | formatted


@settings(max_examples=30, deadline=None)
@given(st.lists(st.recursive(ATOMS, larger, max_leaves=8), min_size=1, max_size=6), TEXTS)
def test_a_regex_votes_as_it_does_on_every_row(patterns: list[str], texts: list[str | None]) -> None:
    """C2: rows passed over for want of a literal are rows that the pattern does not match."""
    longer = [f"(?:{pattern})ab" for pattern in patterns] + [f"s(?:{pattern})k|ab" for pattern in patterns]
    functions = [risky(regex={"column": "message", "pattern": pattern}) for pattern in longer]
    with compiled(*functions) as marked:
        assert np.array_equal(marked.apply(rows(message=texts)).votes, plain(functions, texts))


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.lists(st.text(st.sampled_from(ALPHABET), min_size=1, max_size=5), min_size=1, max_size=3), min_size=1, max_size=4),
    st.sampled_from(["word", "substring"]),
    TEXTS,
)
def test_keywords_vote_as_they_do_on_every_row(words: list[list[str]], match: str, texts: list[str | None]) -> None:
    """C2: case folding and NFC make ASCII of signs that are none; those rows are not passed over."""
    functions = [risky(keywords={"column": "message", "any": any_, "match": match}) for any_ in words]
    seen = [*texts, *("".join(of) for of in words), *("".join(of).swapcase() for of in words)]
    with compiled(*functions) as marked:
        assert np.array_equal(marked.apply(rows(message=seen)).votes, plain(functions, seen))


@pytest.mark.parametrize(("word", "text"), [("Ks", "\u212a\u017f"), ("a;b", "a\u037eb"), ("a`", "a\u1fef"), ("kiss", "\u212aiSſ")])
def test_signs_that_turn_into_ascii(word: str, text: str) -> None:
    """C2: the signs by name."""
    function = risky(keywords={"column": "message", "any": [word]})
    with compiled(function) as functions:
        assert functions.apply(rows(message=[text, "x", None])).votes[:, 0].tolist() == [1, -1, -1]


def test_no_other_sign_turns_into_ascii() -> None:
    """C2: all of Unicode: what NFC makes ASCII of, what RE2 takes for an ASCII letter, and what a mark makes of an ASCII sign that is no letter."""
    beyond = [chr(point) for point in range(0x80, 0x110000) if not 0xD800 <= point < 0xE000]
    normalised = {sign for sign in beyond if any(part.isascii() for part in unicodedata.normalize("NFC", sign))}
    connection = open_locked(threads=1, memory_limit="256MB")
    try:
        connection.register("signs", pa.table({"sign": beyond}))
        matched = connection.execute(r"SELECT sign FROM signs WHERE regexp_matches(sign, '(?i)[\x00-\x7f]')").fetchall()
    finally:
        connection.close()
    assert normalised | {sign for (sign,) in matched} == set(TURNING_ASCII)
    marked = {sign for sign in beyond if (parts := unicodedata.normalize("NFD", sign))[0].isascii() and not parts[0].isalpha()} - normalised
    assert {unicodedata.category(sign) for sign in marked} == {"Sm"}  # never a letter or a digit, which would join a word


LETTERS = st.text(st.sampled_from("abAB é"), min_size=2, max_size=40).filter(lambda literal: len(literal.encode()) >= 2)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.frozensets(LETTERS, min_size=1, max_size=3), min_size=1, max_size=5),
    st.lists(st.text(st.sampled_from("abAB é"), max_size=80), min_size=1, max_size=20),
    st.integers(0, 30),
)
def test_the_scan_finds_every_literal(wanted: list[frozenset[str]], texts: list[str], skipped: int) -> None:
    """C2: exactly the rows that hold a literal in any ASCII case, wherever rows begin."""
    numbers = [30 * place for place in range(len(wanted))]  # more bits than one word has
    words = numbers[-1] // WORD_BITS + 1
    column = pa.chunked_array([pa.array(["ab"] * skipped + texts).slice(skipped), pa.array(texts)])
    marks = np.zeros((2, words, len(column)), dtype=np.uint64)
    LiteralScan(dict(zip(numbers, map(Sought, wanted), strict=True)), words).mark(column, marks, threads=1)
    for number, literals in zip(numbers, wanted, strict=True):
        found = (marks[MAY, number // WORD_BITS] >> np.uint64(number % WORD_BITS)) & np.uint64(1)
        expected = [any(lowered(one) in text.encode().lower() for one in literals) for text in texts * 2]
        assert found.astype(bool).tolist() == expected


def test_a_literal_is_found_in_any_piece_by_any_thread() -> None:
    """C2: texts longer than a piece, empty texts, and several threads."""
    texts = ["x" * PIECE_BYTES + "needle", "", *(["hay"] * 100_000), "needle", "need", "le"]
    marks, needle = np.zeros((2, 1, len(texts)), dtype=np.uint64), frozenset({"needle"})
    LiteralScan({3: Sought(needle), 5: Sought(needle, needle)}, 1).mark(pa.chunked_array([texts]), marks, threads=4)
    for kind, bit in ((MAY, 8), (SURE, 32)):
        assert np.flatnonzero(marks[kind, 0]).tolist() == [0, len(texts) - 3]
        assert marks[kind, 0].max() == bit


def test_more_functions_than_a_word_has_bits() -> None:
    """C2: every function has its own bit."""
    names = [f"word{chr(97 + number // 26)}{chr(97 + number % 26)}" for number in range(150)]
    with compiled(*(risky(regex={"column": "message", "pattern": name}) for name in names)) as functions:
        votes = functions.apply(rows(message=names)).votes
    assert np.array_equal(votes == 1, np.eye(150, dtype=bool))


def test_what_stands_below_a_null_is_no_text() -> None:
    """C2: Arrow allows bytes under a null, as Polars leaves them; a null input abstains."""
    texts, offsets = b"a winnera winnera winner", np.arange(0, 25, 8, dtype=np.int32)
    column = pa.StringArray.from_buffers(3, pa.py_buffer(offsets), pa.py_buffer(texts), pa.py_buffer(bytes([0b101])), 1)
    with compiled(risky(keywords={"column": "message", "any": ["winner"]}), risky(regex={"column": "message", "pattern": "winner"})) as functions:
        found = functions.apply(pa.table({"message": column}))
    assert found.votes.tolist() == [[1, 1], [-1, -1], [1, 1]]
