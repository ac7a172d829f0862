"""SQL is locked down (X20): one harmless BOOLEAN expression over declared columns, or a refusal that says what to do."""

import pytest

from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.labeling_functions.connection import open_locked
from labeljob.labeling_functions.validation import problems
from tests.unit.labeling_functions.sets import a_set, compiled, risky

ONE = "must be one expression|is not a DuckDB expression"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("true; DROP TABLE t", ONE),
        ("true;", ONE),
        ("true) FROM t WHERE (true", ONE),
        ("true) OR (true", ONE),
        ("true) FROM read_csv('/etc/passwd') --", ONE),
        ("true /*", ONE),
        ("*/ true /*", ONE),
        ("true, false", ONE),
        ("flag AS x", ONE),
        ("flag x", ONE),
        ("flag FROM t", ONE),
        ("DISTINCT flag", ONE),
        ("COPY t TO '/tmp/x'", ONE),
        ("ATTACH '/tmp/x.db'", "may not cast to ATTACH"),
        ("SET threads = 8", ONE),
        ("INSTALL httpfs", ONE),
        ("WITH RECURSIVE r AS (SELECT 1) SELECT true", ONE),
        ("(WITH RECURSIVE r AS (SELECT 1 UNION ALL SELECT 1 FROM r) SELECT true FROM r)", "subquery"),
        ("(SELECT true)", "subquery.*lookup"),
        ("EXISTS (SELECT 1)", "subquery"),
        ("message IN (SELECT message)", "subquery"),
        ("count = ANY (SELECT 1)", "subquery"),
        ("(FROM query('SELECT true'))", "subquery"),
        ("query('SELECT true')", "declared columns only"),
        ("read_csv('/etc/passwd')", "declared columns only"),
        ("getenv('HOME') = 'x'", "declared columns only"),
        ("repeat(message, 1000000000) = 'x'", "not bounded"),
        ("rpad(message, 1000000000, 'x') = 'x'", "not bounded"),
        ("len(range(500000000)) > 1", "not bounded"),
        ("printf('%1000000000d', count) = 'x'", "not bounded"),
        ("hex(message) = 'x'", "not bounded"),
        ("[count][1] = 1", "may not use"),
        ("{'a': flag}.a", "may not use"),
        ("list_filter([count], lambda x: x > 1) = []", "lambda"),
        ("replace(message, 'a', 'aa') = 'x'", "cannot grow"),
        ("replace(message, 'a', message) = 'x'", "constants only"),
        ("regexp_replace(message, 'a*', 'b', 'g') = 'x'", "cannot grow"),
        ("regexp_matches(message, message)", "constants only"),
        ("random() < 0.5", "deterministic"),
        ("uuid() = message", "deterministic"),
        ("now() > seen", "change with time"),
        ("current_date > seen", "change with time"),
        ("today() > seen", "change with time"),
        ("age(seen) > interval 1 day", "change with time"),
        ("count(*) > 1", "sees one row"),
        ("sum(count) > 1", "sees one row"),
        ("row_number() OVER () = 1", "window"),
        ("levenshtein(message, 'x') < 3", "quadratic"),
        ("try(cast(message AS int) > 1)", "may not use try"),
        ("message COLLATE nocase = 'a'", "COLLATE"),
        ("count = $1", "parameter"),
        ("count = ?", "parameter"),
        ("#1 = 1", "name the column"),
        ("*", "name the columns"),
        ("COLUMNS(*)", "name the columns"),
        ("rowid = 1", "not declared"),
        ("t.flag", "qualified name"),
        ('"labelplane:row" = 1', "not declared"),
        ("main.lower(message) = 'x'", "plainly"),
        ("message.lower() = 'x'", "plainly"),
        ("lower(DISTINCT message) = 'x'", "plainly|may not"),
        ("cast(message AS json) IS NULL", "may not cast"),
        ("cast(message AS int[]) IS NULL", "may not cast"),
        ("x'00' = 'a'", "literal"),
        ("count", "is BIGINT, must be BOOLEAN"),
        ("null", "must be BOOLEAN"),
        ("message > seen + 1", "does not fit"),
        ("cast('x' AS int) = 1", "cannot be evaluated|does not fit"),
        ("nope = 1", "'nope' is not declared"),
        ("mail = 'x'", "'mail' is sensitive"),
        ("lower(mail) = 'x'", "'mail' is sensitive"),
        ("resolved IS NULL", "availability: later"),
        ("(" * 400 + "true" + ")" * 400, "nested too deeply"),
        ("1" + "+1" * 1500 + " > 1", "nested too deeply"),
        (" OR ".join(["upper(message) = 'a'"] * 40), "more than 32 times"),
        ("message = ", ONE),
        (" ", ONE),
        ("--", ONE),
    ],
)
def test_refused(text: str, why: str) -> None:
    """X20, F5, X24: refused with the field and the reason, and never compiled."""
    found = problems(a_set(risky(sql=text)))
    assert [problem.path for problem in found] == ["spec.functions[0].sql"] * len(found)
    assert found
    with pytest.raises(JobError, match=why) as stopped:
        compiled(risky(sql=text))
    assert stopped.value.reason is JobReason.FUNCTIONS_INVALID


def test_every_offence_in_one_text_is_named() -> None:
    """X20: not only the first."""
    messages = " ".join(problem.message for problem in problems(a_set(risky(sql="random() < nope AND mail = repeat('x', 3)"))))
    assert all(word in messages for word in ("random", "nope", "mail", "repeat"))


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT getenv('HOME')",
        "COPY (SELECT 1) TO '/tmp/labelplane-test'",
        "ATTACH '/tmp/labelplane-test.db' AS x",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET threads = 8",
        "SET enable_external_access = true",
        "SET memory_limit = '100GB'",
        "SELECT * FROM local_variable",
    ],
)
def test_the_connection_is_locked_behind_the_guard(statement: str) -> None:
    """X20: files, extensions, environment, settings and the caller's variables are out of reach even for statements."""
    import duckdb
    import pyarrow as pa

    local_variable = pa.table({"a": [1]})
    connection = open_locked(threads=1, memory_limit="64MB")
    try:
        with pytest.raises(duckdb.Error):
            connection.execute(statement).fetchall()
    finally:
        connection.close()
    assert local_variable.num_rows == 1
