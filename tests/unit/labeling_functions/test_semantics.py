"""What each kind of labeling function means (C2): votes, abstains and errors, row by row."""

import math
from datetime import datetime

import pyarrow as pa
import pytest

from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.labeling_functions.identity import LookupData
from tests.unit.labeling_functions.sets import ERROR, a_lookup, compiled, risky, rows, said

NO, YES = None, "risky"
moment = datetime.fromisoformat


@pytest.mark.parametrize(
    ("words", "text", "vote"),
    [
        (["OOMKilled"], "pod was oomkilled twice", YES),
        (["OOMKilled"], "pod was OOMKilledX", NO),
        (["oom"], "oom_score", NO),
        (["oom"], "oom2", NO),
        (["oom"], "oomé", NO),
        (["oom"], "eoom", NO),
        (["oom"], "(oom)", YES),
        (["oom"], "a\noom\nb", YES),
        (["oom"], "oom", YES),
        (["a.c"], "abc", NO),
        (["a.c"], "x a.c y", YES),
        (["log in"], "please Log In now", YES),
        (["log in"], "please log  in now", NO),
        (["C++"], "use c++.", YES),
        (["C++"], "use C++11", NO),
        (["#sale"], "big #sale today", YES),
        (["#sale"], "a#sale", NO),
        (["CAFE\u0301"], "un café noir", YES),
        (["café"], "un CAFE\u0301 noir", YES),
        (["cafe"], "un café", NO),
        (["ΟΔΟΣ"], "η οδος", YES),
        (["aa"], "aaa aa", YES),
        (["x", "oom"], "oom", YES),
        (["oom"], "", NO),
        (["oom"], None, NO),
    ],
)
def test_keywords_match_whole_words_whatever_their_case(words: list[str], text: str | None, vote: str | None) -> None:
    """C2: literal, case-insensitive, NFC on both sides, bounded by Unicode letters, digits and underscore."""
    assert said(risky(keywords={"column": "message", "any": words}), message=[text]) == [vote]


@pytest.mark.parametrize(
    ("word", "text", "vote"),
    [("oom", "xOOMx", YES), ("a.c", "abc", NO), ("é", "cafe\u0301s", YES), ("oom", None, NO)],
)
def test_keywords_match_substrings_when_asked(word: str, text: str | None, vote: str | None) -> None:
    """C2: match: substring."""
    assert said(risky(keywords={"column": "message", "any": [word], "match": "substring"}), message=[text]) == [vote]


@pytest.mark.parametrize(
    ("pattern", "text", "vote"),
    [
        ("probe failed", "Readiness probe failed: 503", YES),
        ("probe failed", "Probe Failed", NO),
        ("(?i)probe failed", "Probe Failed", YES),
        ("^a$", "xa", NO),
        ("(a+)+$", "a" * 5000 + "b", NO),
        (r"\p{Cyrillic}", "дом", YES),
        ("it's", "it's", YES),
        ("x", None, NO),
    ],
)
def test_regex_searches(pattern: str, text: str | None, vote: str | None) -> None:
    """C2: an RE2 search, case-sensitive, linear in the text."""
    assert said(risky(regex={"column": "message", "pattern": pattern}), message=[text]) == [vote]


BIG = 2**53 + 1


@pytest.mark.parametrize(
    ("bounds", "column", "values", "votes"),
    [
        ({"above": 6}, "score", [6.0, 6.000001, math.inf, math.nan, None], [NO, YES, YES, NO, NO]),
        ({"atLeast": 6}, "score", [6.0, 5.999999, math.nan], [YES, NO, NO]),
        ({"below": 0.1}, "score", [0.1, 0.09999999999999999, -math.inf, math.nan], [NO, YES, YES, NO]),
        ({"atMost": 0.1}, "score", [0.1, 0.10000000000000002], [YES, NO]),
        ({"above": 1, "below": 3}, "score", [1.0, 2.0, 3.0, math.nan], [NO, YES, NO, NO]),
        ({"above": 6.5}, "count", [6, 7, None], [NO, YES, NO]),
        ({"atLeast": 6.5}, "count", [6, 7], [NO, YES]),
        ({"below": 6.5}, "count", [6, 7], [YES, NO]),
        ({"atMost": -6.5}, "count", [-7, -6], [YES, NO]),
        ({"above": float(2**53)}, "count", [2**53, BIG], [NO, YES]),
        ({"above": 1e300}, "count", [2**63 - 1], [NO]),
        ({"below": 1e300}, "count", [2**63 - 1, None], [YES, NO]),
        ({"atLeast": -1e300}, "count", [-(2**63)], [YES]),
    ],
)
def test_threshold_is_exact(bounds: dict[str, float], column: str, values: list[float | None], votes: list[str | None]) -> None:
    """C2: above and below strict, atLeast and atMost inclusive, two bounds AND, NaN and null abstain; no int64 is rounded."""
    assert said(risky(threshold={"column": column, **bounds}), **{column: values}) == votes


@pytest.mark.parametrize(
    ("text", "column", "values", "votes"),
    [
        ("count = 0", "count", [0, 1, None], [YES, NO, NO]),
        ("COUNT = 0", "count", [0], [YES]),
        ("message IS NULL", "message", [None, "x"], [YES, NO]),
        ("flag -- a comment", "flag", [True, False, None], [YES, NO, NO]),
        ("NOT flag", "flag", [True, False, None], [NO, YES, NO]),
        ("hour(seen) >= 22", "seen", [moment("2026-01-01T23:00"), moment("2026-01-01T01:00"), None], [YES, NO, NO]),
        ("seen > timestamp '2026-01-01' + interval 2 day", "seen", [moment("2026-01-04"), moment("2026-01-02")], [YES, NO]),
        ("message LIKE 'a%' AND message NOT IN ('ab', 'ac')", "message", ["ad", "ab", None], [YES, NO, NO]),
        ("CASE WHEN score > 1 THEN true ELSE null END", "score", [2.0, 0.0], [YES, NO]),
        ("try_cast(message AS int) > 3", "message", ["4", "x", None], [YES, NO, NO]),
    ],
)
def test_sql_votes_where_true(text: str, column: str, values: list[object], votes: list[str | None]) -> None:
    """C2: true votes; false and null abstain."""
    assert said(risky(sql=text), **{column: values}) == votes


def test_sql_errors_are_counted_not_abstained() -> None:
    """X9: a cast that fails, an overflow and a division by zero are errors on their rows only."""
    assert said(risky(sql="cast(message AS int) > 3"), message=["4", "x", None, "1", "y"]) == [YES, ERROR, NO, NO, ERROR]
    assert said(risky(sql="count * count > 1"), count=[2, 2**62, -1]) == [YES, ERROR, NO]
    assert said(risky(sql="10 // count > 1"), count=[1, 0, 10]) == [YES, ERROR, NO]


def test_votes_map() -> None:
    """C2, X9: null abstains, a value that is not in the map is an error."""
    function = {"votes": {"column": "message", "map": {"bad": "risky", "good": "normal", "it's": "risky"}}}
    assert said(function, message=["bad", "good", "it's", None, "Bad", ""]) == ["risky", "normal", "risky", None, ERROR, ERROR]


@pytest.mark.parametrize(
    ("column", "keys", "values", "votes"),
    [
        ("count", {"1": "risky", "-2": "normal"}, [1, -2, 3, None], ["risky", "normal", ERROR, None]),
        ("flag", {"true": "risky"}, [True, False, None], ["risky", ERROR, None]),
        ("score", {"0.1": "risky", "1": "normal"}, [0.1, 1.0, 0.2, math.nan, None], ["risky", "normal", ERROR, None, None]),
    ],
)
def test_votes_map_reads_keys_as_the_columns_type(column: str, keys: dict[str, str], values: list[object], votes: list[object]) -> None:
    """C2: the keys of a map are text in a manifest and values of the column's type in the data."""
    assert said({"votes": {"column": column, "map": keys}}, **{column: values}) == votes


def test_votes_bounds() -> None:
    """C2: a teacher's score votes above one bound and below another; between them, at NaN and at null it abstains."""
    function = {"votes": {"column": "score", "above": {"risky": 0.8}, "below": {"normal": 0.2}}}
    assert said(function, score=[0.9, 0.8, 0.5, 0.2, 0.1, math.nan, None]) == ["risky", None, None, None, "normal", None, None]


def test_lookup() -> None:
    """C2: the class of the key; a missing or null key abstains."""
    data = {"f0": LookupData(pa.array(["a", "b'"]), ("risky", "normal"))}
    with compiled(a_lookup(), lookups=data) as functions:
        assert functions.apply(rows(message=["a", "b'", "A", None])).votes[:, 0].tolist() == [1, 0, -1, -1]


def test_lookup_keys_take_the_columns_type() -> None:
    """C2: text keys of an int64 column are numbers; keys that become equal must agree."""
    with compiled(a_lookup("count"), lookups={"f0": LookupData(pa.array(["1", "02"]), ("risky", "normal"))}) as functions:
        assert functions.apply(rows(count=[1, 2, 3])).votes[:, 0].tolist() == [1, 0, -1]
    for keys in (["1", "01"], ["1", "x"]):
        with pytest.raises(JobError) as stopped:
            compiled(a_lookup("count"), lookups={"f0": LookupData(pa.array(keys), ("risky", "normal"))})
        assert stopped.value.reason is JobReason.LOOKUP_INVALID


def test_lookup_table_that_was_not_read() -> None:
    """C2: a set is never compiled without its tables."""
    with pytest.raises(JobError, match="was not read") as stopped:
        compiled(a_lookup())
    assert stopped.value.reason is JobReason.LOOKUP_INVALID


def test_fallback_votes_only_where_no_other_does() -> None:
    """C2: fallbacks are silenced by votes of others, not by their errors, and not by each other."""
    catch_all = {"label": "normal", "sql": "true", "fallback": True}
    with compiled(risky(sql="cast(message AS int) > 0"), catch_all, catch_all) as functions:
        assert functions.fallback == (False, True, True)
        batch = functions.apply(rows(message=["1", "0", None, "x"]))
    assert batch.votes.tolist() == [[1, -1, -1], [-1, 0, 0], [-1, 0, 0], [-1, 0, 0]]
    assert batch.errors.tolist() == [[False] * 3, [False] * 3, [False] * 3, [True, False, False]]


def test_disabled_functions_are_left_out() -> None:
    """C2: enabled: false takes the function out of the vote, with the columns only it reads."""
    with compiled(risky(sql="score > 1", enabled=False), risky(sql="flag"), risky(sql="count > 1")) as functions:
        assert functions.names == ("f1", "f2")
        assert functions.input_columns == ("count", "flag")
