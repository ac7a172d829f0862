"""Everything wrong with a set is said at once, with the field's path and the remedy, before any data is opened."""

import math
import re
from typing import Any

import pytest

from labeljob.contract.functions import KINDS
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.labeling_functions.engine import compile_functions
from labeljob.labeling_functions.problem import MESSAGE_LIMIT, bounded
from labeljob.labeling_functions.validation import problems
from tests.unit.labeling_functions.sets import COLUMNS, a_lookup, a_set, risky

GOOD = risky(sql="flag")
F = "spec.functions[0]"


def found(*functions: dict[str, Any], **more: Any) -> list[tuple[str, str]]:
    return [(problem.path, problem.message) for problem in problems(a_set(*functions, **more))]


@pytest.mark.parametrize(
    ("function", "path", "why"),
    [
        (risky(keywords={"column": "nope", "any": ["x"]}), f"{F}.keywords.column", "not declared: add it"),
        (risky(keywords={"column": "count", "any": ["x"]}), f"{F}.keywords.column", "is int64, this kind needs string"),
        (risky(keywords={"column": "mail", "any": ["x"]}), f"{F}.keywords.column", "sensitive.*remove sensitive: drop"),
        (risky(regex={"column": "score", "pattern": "x"}), f"{F}.regex.column", "needs string"),
        (risky(regex={"column": "mail", "pattern": "x"}), f"{F}.regex.column", "sensitive"),
        (risky(regex={"column": "message", "pattern": "a*"}), f"{F}.regex.pattern", "empty string"),
        (risky(regex={"column": "message", "pattern": "^$"}), f"{F}.regex.pattern", "empty string"),
        (risky(regex={"column": "message", "pattern": "("}), f"{F}.regex.pattern", "not an RE2 pattern"),
        (risky(regex={"column": "message", "pattern": "(?=x)"}), f"{F}.regex.pattern", "no lookaround"),
        (risky(regex={"column": "message", "pattern": "(a{900}){900}"}), f"{F}.regex.pattern", "not an RE2 pattern"),
        (risky(threshold={"column": "message", "above": 1}), f"{F}.threshold.column", "needs int64 or float64"),
        (risky(threshold={"column": "flag", "above": 1}), f"{F}.threshold.column", "needs int64 or float64"),
        (risky(threshold={"column": "score", "above": math.nan}), f"{F}.threshold.above", "finite"),
        (risky(threshold={"column": "score", "atMost": math.inf}), f"{F}.threshold.atMost", "finite"),
        (risky(threshold={"column": "score", "above": 3, "below": 3}), f"{F}.threshold", "never vote"),
        (risky(threshold={"column": "score", "atLeast": 4, "atMost": 3}), f"{F}.threshold", "never vote"),
        (a_lookup("score"), f"{F}.lookup.column", "needs string or int64"),
        (a_lookup("mail"), f"{F}.lookup.column", "sensitive"),
        (a_lookup("resolved"), f"{F}.lookup.column", "availability: later"),
        ({"votes": {"column": "message", "above": {"risky": 1}}}, f"{F}.votes.column", "needs int64 or float64"),
        ({"votes": {"column": "seen", "map": {"x": "risky"}}}, f"{F}.votes.column", "is timestamp"),
        ({"votes": {"column": "message", "map": {"x": "odd"}}}, f"{F}.votes.map[x]", "not in spec.classes: use one of normal, risky"),
        ({"votes": {"column": "count", "map": {"x": "risky"}}}, f"{F}.votes.map[x]", "is int64"),
        ({"votes": {"column": "count", "map": {"1": "risky", "01": "risky"}}}, f"{F}.votes.map[01]", "same int64 value"),
        ({"votes": {"column": "flag", "map": {"yes": "risky"}}}, f"{F}.votes.map[yes]", "is boolean"),
        ({"votes": {"column": "score", "above": {"odd": 1}}}, f"{F}.votes.above.odd", "not in spec.classes"),
        ({"votes": {"column": "score", "below": {"risky": math.nan}}}, f"{F}.votes.below.risky", "finite"),
        ({"votes": {"column": "score", "above": {"risky": 0.2}, "below": {"normal": 0.8}}}, f"{F}.votes", "overlap"),
        ({"votes": {"column": "score", "above": {"risky": 0.2, "normal": 0.8}}}, f"{F}.votes.above", "overlap"),
        ({"votes": {"column": "score", "map": {}}}, f"{F}.votes", "names no class"),
        ({"votes": {"column": "resolved", "map": {"x": "risky"}}}, f"{F}.votes.column", "availability: later"),
    ],
)
def test_functions(function: dict[str, Any], path: str, why: str) -> None:
    """F5, X24, C2: each mistake names its field and the remedy; the good function beside it is not blamed."""
    reported = found(function, GOOD)
    assert path in [where for where, _ in reported]
    assert all(where.startswith(F) for where, _ in reported)
    message = next(message for where, message in reported if where == path)
    assert re.search(why, " ".join(message for where, message in reported if where == path)), message


def with_column(**column: Any) -> list[dict[str, Any]]:
    return [*COLUMNS, column]


@pytest.mark.parametrize(
    ("more", "path", "why"),
    [
        ({"id_column": "nope"}, "spec.idColumn", "not declared"),
        ({"id_column": "score"}, "spec.idColumn", "must be string or int64"),
        ({"id_column": "message"}, "spec.idColumn", "nullable: false"),
        ({"id_column": "mail"}, "spec.idColumn", "sensitive"),
        ({"columns": with_column(name="extra", type="int64", minimum=2, maximum=1)}, "spec.schema.columns[8].minimum", "greater than"),
        ({"columns": with_column(name="extra", type="string", minimum=2)}, "spec.schema.columns[8].minimum", "is for int64 and float64"),
        ({"columns": with_column(name="extra", type="timestamp", maximum=2)}, "spec.schema.columns[8].maximum", "is for int64"),
        ({"columns": with_column(name="extra", type="float64", maximum=math.inf)}, "spec.schema.columns[8].maximum", "finite"),
        ({"columns": with_column(name="FLAG", type="boolean")}, "spec.schema.columns[8].name", "differ only in case"),
        ({"columns": with_column(name="labelplane:x", type="boolean")}, "spec.schema.columns[8].name", "rename it"),
        ({"tests": [{"row": {"nope": 1}, "expect": {"f0": "risky"}}]}, "spec.tests[0].row.nope", "not declared"),
        ({"tests": [{"row": {"count": "1"}, "expect": {"f0": "risky"}}]}, "spec.tests[0].row.count", "whole number"),
        ({"tests": [{"row": {"count": 1.5}, "expect": {"f0": "risky"}}]}, "spec.tests[0].row.count", "whole number"),
        ({"tests": [{"row": {"count": math.inf}, "expect": {"f0": "risky"}}]}, "spec.tests[0].row.count", "whole number"),
        ({"tests": [{"row": {"count": True}, "expect": {"f0": "risky"}}]}, "spec.tests[0].row.count", "whole number"),
        ({"tests": [{"row": {"count": 2**63}, "expect": {"f0": "risky"}}]}, "spec.tests[0].row.count", "whole number"),
        ({"tests": [{"row": {"score": "1"}, "expect": {"f0": "risky"}}]}, "spec.tests[0].row.score", "a number"),
        ({"tests": [{"row": {"flag": 1}, "expect": {"f0": "risky"}}]}, "spec.tests[0].row.flag", "true or false"),
        ({"tests": [{"row": {"message": 5}, "expect": {"f0": "risky"}}]}, "spec.tests[0].row.message", "quotes"),
        ({"tests": [{"row": {"seen": "noon"}, "expect": {"f0": "risky"}}]}, "spec.tests[0].row.seen", "ISO 8601"),
        ({"tests": [{"row": {}, "expect": {"nope": "risky"}}]}, "spec.tests[0].expect.nope", "no function has this name"),
        ({"tests": [{"row": {}, "expect": {"f0": "odd"}}]}, "spec.tests[0].expect.f0", "use one of normal, risky, abstain"),
    ],
)
def test_the_set(more: dict[str, Any], path: str, why: str) -> None:
    """F3, O7: id column, ranges and tests."""
    reported = found(GOOD, **more)
    assert {where for where, _ in reported} == {path}
    assert any(why in message for _, message in reported)


def test_a_set_must_have_a_vote() -> None:
    """C2: all functions disabled, or nothing but fallbacks."""
    assert "all functions are disabled" in found({**GOOD, "enabled": False})[0][1]
    assert "fallbacks" in found({**GOOD, "fallback": True})[0][1]
    assert found({**GOOD, "fallback": True}, GOOD) == []


def test_a_broken_schema_does_not_hide_broken_functions() -> None:
    """O7: columns that SQL cannot tell apart, and a function beside them that cannot work."""
    columns = [*COLUMNS, {"name": "FLAG", "type": "string"}, {"name": "a\0b", "type": "string"}]
    paths = [path for path, _ in found(GOOD, risky(sql="nope = 1"), columns=columns)]
    assert paths == ["spec.schema.columns[8].name", "spec.schema.columns[9].name", "spec.functions[1].sql"]


def test_all_problems_are_reported() -> None:
    """O7: not only the first."""
    reported = found(
        risky(regex={"column": "nope", "pattern": "a*"}),
        risky(sql="mail = 'x'"),
        a_lookup("score"),
        tests=[{"row": {"nope": 1, "count": "x"}, "expect": {"zzz": "odd"}}],
    )
    assert [path for path, _ in reported] == [
        "spec.functions[0].regex.column",
        "spec.functions[0].regex.pattern",
        "spec.functions[1].sql",
        "spec.functions[2].lookup.column",
        "spec.tests[0].row.nope",
        "spec.tests[0].row.count",
        "spec.tests[0].expect.zzz",
        "spec.tests[0].expect.zzz",
    ]


def test_compiling_an_invalid_set_stops_with_a_bounded_message() -> None:
    """O7: 200 problems fit in a termination message, and it says how many are not shown."""
    with pytest.raises(JobError) as stopped:
        compile_functions(a_set(*[risky(sql=f"nope{index} = 1") for index in range(200)]), {})
    assert stopped.value.reason is JobReason.FUNCTIONS_INVALID
    assert len(stopped.value.message) <= MESSAGE_LIMIT
    assert stopped.value.message.startswith("spec.functions[0].sql: column 'nope0'")
    assert stopped.value.message.endswith("more")


def test_bounded() -> None:
    """O7: short lists are whole, long ones are cut at a message, one long message is cut inside."""
    assert bounded([]) == ""
    assert bounded(["a", "b"]) == "a; b"
    assert bounded(["x" * 50] * 4, limit=130) == "; ".join(["x" * 50] * 2 + ["and 2 more"])
    assert len(bounded(["x" * 5000], limit=100)) <= 100


READING: dict[str, dict[str, Any]] = {
    "keywords": risky(keywords={"column": "x", "any": ["a"]}),
    "regex": risky(regex={"column": "x", "pattern": "a"}),
    "threshold": risky(threshold={"column": "x", "above": 1}),
    "sql": risky(sql="x IS NOT NULL"),
    "lookup": a_lookup("x"),
    "votes": {"votes": {"column": "x", "map": {"1": "risky"}}},
    "bounds": {"votes": {"column": "x", "above": {"risky": 1}}},
    "python": {"python": {"entrypoint": "module:function", "columns": ["x"]}},
    "probabilities": {"votes": {"probabilities": {"risky": "x"}}},
}
TYPES = {"threshold": "int64", "bounds": "int64", "probabilities": "float64"}
LATER = {"availability": "later"}
KEY_REF = {"name": "s", "key": "k"}


def reading(form: str, **declared: Any) -> list[tuple[str, str]]:
    """What is wrong with a function of this form whose column is declared so, disabled or not, besides its type."""
    columns = [{"name": "id", "type": "int64", "nullable": False}, {"name": "x", "type": TYPES.get(form, "string"), **declared}]
    given = {"columns": columns} | ({"hashKeyRef": KEY_REF} if declared.get("sensitive") == "hash" else {})
    return [one for enabled in (True, False) for one in found(READING[form] | {"enabled": enabled}, risky(sql="true"), schema=given)]


def test_every_kind_is_tried() -> None:
    """X24, F5: a new kind of labeling function has to say here how it reads a column."""
    assert set(KINDS) <= set(READING)


@pytest.mark.parametrize("form", READING)
@pytest.mark.parametrize(
    ("declared", "why"),
    [
        (LATER, "known only afterwards (availability: later) and would leak the answer"),
        ({"sensitive": "drop"}, "is sensitive and dropped while reading"),
    ],
)
def test_no_kind_reads_what_is_withheld(form: str, declared: dict[str, Any], why: str) -> None:
    """X24, F5: whatever the function's kind, and though it is disabled."""
    messages = [message for path, message in reading(form, **declared) if path.startswith(F)]
    assert len(messages) == 2
    assert all(why in message for message in messages)


def test_a_hashed_column_that_is_known_only_later_is_not_looked_up() -> None:
    """X24."""
    assert "availability: later" in reading("lookup", sensitive="hash", **LATER)[0][1]


@pytest.mark.parametrize("form", [form for form in READING if TYPES.get(form) != "float64"])
def test_a_hashed_column_can_only_be_looked_up(form: str) -> None:
    """F5: a hash has no words, no order and no meaning; tables are hashed alike."""
    messages = [message for path, message in reading(form, sensitive="hash") if path.startswith(F)]
    assert messages == [] if form == "lookup" else all("only a lookup can use it" in message for message in messages)
    assert bool(messages) == (form != "lookup")


@pytest.mark.parametrize("form", READING)
def test_a_column_that_is_known_to_be_fit_for_all_is_read(form: str) -> None:
    """F5: none withholds nothing."""
    assert [message for path, message in reading(form, sensitive="none") if path.startswith(F)] == []


@pytest.mark.parametrize(
    ("declared", "why"),
    [
        ({"sensitive": "hash"}, None),
        ({"sensitive": "none"}, None),
        ({"sensitive": "drop"}, "use sensitive: hash, or another id column"),
        (LATER, "a row without an id has no label: use another id column"),
    ],
)
def test_ids(declared: dict[str, Any], why: str | None) -> None:
    """F5, X24: ids may be hashed; they are in every output row, and known when the row is."""
    given = {"hashKeyRef": KEY_REF, "columns": [{"name": "id", "type": "string", "nullable": False, **declared}]}
    messages = [message for path, message in found(risky(sql="true"), schema=given) if path == "spec.idColumn"]
    assert len(messages) == (why is not None)
    assert why is None or why in messages[0]
