"""The one pass: order, batches, threads, isolation of failures, and time limits."""

import math
import random
import threading
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.labeling_functions.connection import EvaluationFailed, fetch, open_locked
from labeljob.labeling_functions.distinct import distinct_rows
from labeljob.labeling_functions.identity import LookupData
from labeljob.labeling_functions.isolation import RawVotes, evaluate_isolated
from labeljob.labeling_functions.limits import TimeLimits
from labeljob.labeling_functions.scope import ERROR_VOTE
from tests.unit.labeling_functions.sets import a_lookup, compiled, risky, rows

ONE_OF_EACH: tuple[dict[str, Any], ...] = (
    risky(keywords={"column": "message", "any": ["café", "x'y"]}),
    risky(regex={"column": "message", "pattern": "[0-9]+"}),
    risky(threshold={"column": "score", "above": 0.5}),
    risky(sql="cast(message AS int) > 3"),
    {"votes": {"column": "message", "map": {"7": "risky", "café": "normal"}}},
    a_lookup(),
    {"label": "normal", "sql": "true", "fallback": True},
)
TABLE = {"f5": LookupData(pa.array(["7", "café"]), ("risky", "normal"))}


def test_rows_keep_their_order_with_threads() -> None:
    """C2: votes stand where their rows stand, whatever order several threads and a join deliver."""
    n_rows = 250_000
    numbers = np.random.default_rng(0).integers(0, 1000, n_rows)
    table = LookupData(pa.array(range(500), pa.int64()), ("risky",) * 500)
    with compiled(risky(sql="count % 2 = 0"), a_lookup("count"), lookups={"f1": table}, threads=4) as functions:
        batch = functions.apply(pa.table({"count": numbers}))
    assert np.array_equal(batch.votes[:, 0], np.where(numbers % 2 == 0, 1, -1))
    assert np.array_equal(batch.votes[:, 1], np.where(numbers < 500, 1, -1))
    assert batch.votes.dtype == np.int8
    assert batch.votes.flags.c_contiguous


def test_any_split_into_batches_gives_the_same_votes() -> None:
    """C2: a function sees one row at a time, errors included."""
    values = ["7", "CAFE\u0301", "x", None, "x'y 1", "4"]

    @settings(max_examples=25, deadline=None)
    @given(st.lists(st.tuples(st.sampled_from(values), st.sampled_from([0.1, 0.9, None])), min_size=1, max_size=30), st.data())
    def check(drawn: list[tuple[str | None, float | None]], data: st.DataObject) -> None:
        table = rows(message=[message for message, _ in drawn], score=[score for _, score in drawn])
        cut = data.draw(st.integers(0, len(drawn)))
        whole = functions.apply(table)
        parts = [functions.apply(part) for part in (table.slice(0, cut), table.slice(cut))]
        assert np.array_equal(whole.votes, np.vstack([part.votes for part in parts]))
        assert np.array_equal(whole.errors, np.vstack([part.errors for part in parts]))

    with compiled(*ONE_OF_EACH, lookups=TABLE) as functions:
        check()


def test_batches_of_any_arrow_shape() -> None:
    """C2: record batches, chunked tables, views, narrower integers and zoned timestamps give the declared types' votes."""
    with compiled(risky(regex={"column": "message", "pattern": "a"}), risky(sql="count > 1"), risky(sql="hour(seen) = 22")) as functions:
        moments = pa.array([1_769_896_800_000_000, None], pa.timestamp("us", tz="Europe/Berlin"))  # 22:00 UTC
        batch = pa.record_batch({"message": pa.array(["a", "b"], pa.string_view()), "count": pa.array([2, 1], pa.int8()), "seen": moments})
        expected = [[1, 1, 1], [-1, -1, -1]]
        assert functions.apply(batch).votes.tolist() == expected
        assert functions.apply(pa.concat_tables([pa.table(batch), pa.table(batch)])).votes.tolist() == expected * 2
        assert functions.apply(batch.slice(1)).votes.tolist() == expected[1:]
        assert functions.apply(batch.slice(0, 0)).votes.shape == (0, 3)


def test_a_column_that_is_missing_or_of_another_type_stops() -> None:
    """F3: the engine never guesses."""
    with compiled(risky(sql="count > 1")) as functions:
        for table, text in ((pa.table({"id": [1]}), "'count' is missing"), (pa.table({"count": ["x"]}), "declared as int64")):
            with pytest.raises(JobError, match=text) as stopped:
                functions.apply(table)
            assert stopped.value.reason is JobReason.SCHEMA_BROKEN


def test_a_failing_function_leaves_the_others_alone() -> None:
    """X9: exactly the failing rows of exactly the failing functions have their error bits."""
    bad = sorted(random.Random(0).sample(range(3000), 40))
    messages = ["x" if row in set(bad) else "5" for row in range(3000)]
    with compiled(risky(sql="count > 1"), risky(sql="cast(message AS int) > 3"), risky(sql="cast(message AS double) > 9")) as functions:
        batch = functions.apply(rows(message=messages, count=[2] * 3000))
    assert np.flatnonzero(batch.errors[:, 1]).tolist() == bad
    assert np.flatnonzero(batch.errors[:, 2]).tolist() == bad
    assert not batch.errors[:, 0].any()
    assert (batch.votes[:, 0] == 1).all()
    assert (batch.votes[:, 1] == 1).sum() == 3000 - len(bad)


def isolated(n_functions: int, values: Any, allowance: int, calls: list[int], failing: Any = (), together: int = 10**9) -> RawVotes:
    """Votes on one column of values; function 1 fails on the failing ones, and everything fails on too much at once."""

    def evaluate(functions: Any, table: pa.Table) -> RawVotes:
        calls.append(table.num_rows)
        if (1 in functions and not set(failing).isdisjoint(table["v"].to_pylist())) or len(functions) * table.num_rows > together:
            raise EvaluationFailed(timed_out=False)
        return np.zeros((len(functions), table.num_rows), dtype=np.int8)

    return evaluate_isolated(evaluate, range(n_functions), [("v",)] * n_functions, pa.table({"v": values}), allowance)


@settings(max_examples=50, deadline=None)
@given(st.sets(st.integers(0, 199), max_size=50))
def test_isolation_finds_exactly_the_failing_rows(failing: set[int]) -> None:
    """X9: within the allowance the rate is exact."""
    calls: list[int] = []
    raw = isolated(3, range(200), 64, calls, failing)
    assert set(np.flatnonzero(raw[1] == ERROR_VOTE)) == failing
    assert (raw[[0, 2]] == 0).all()
    assert len(calls) <= 6 + 2 * 8 * max(len(failing), 1)


def test_isolation_is_bounded_and_never_understates() -> None:
    """X9: beyond the allowance the undecided rows are errors, so the rate stays above the limit."""
    failing, calls = set(range(0, 10_000, 2)), list[int]()
    raw = isolated(2, range(10_000), 100, calls, failing)
    assert failing <= set(np.flatnonzero(raw[1] == ERROR_VOTE))
    assert len(calls) < 2 * 14 * 101 + 10


def test_what_fails_only_together_is_evaluated_apart() -> None:
    """X9: a batch too big for the memory limit is cut, not failed."""
    assert (isolated(8, range(100), 64, [], together=16) == 0).all()


def test_equal_inputs_are_searched_once() -> None:
    """X9: a bad value on any number of rows costs one search, and its rows are all errors even beyond the allowance."""
    calls: list[int] = []
    raw = isolated(2, ["n/a", "1", None] * 20_000, 10, calls, ["n/a"])
    assert np.array_equal(raw[1] == ERROR_VOTE, np.arange(60_000) % 3 == 0)
    assert len(calls) < 10


def test_distinct_rows() -> None:
    """X9: nulls, NaN and the sign of zero are values of their own; without columns all rows are one."""
    table = pa.table({"a": ["x", None, "x", None, "x"], "b": [0.0, math.nan, -0.0, None, 0.0]})
    first, where = distinct_rows(table, ["a", "b"])
    assert (first.tolist(), where.tolist()) == ([0, 1, 2, 3], [0, 1, 2, 3, 0])
    assert [found.tolist() for found in distinct_rows(table, [])] == [[0], [0, 0, 0, 0, 0]]


@pytest.mark.parametrize("seconds", [0.0, 0.002])
def test_a_slow_statement_is_an_error_not_a_hang(seconds: float) -> None:
    """X20, X9: the statement is interrupted even when its time is up before it has begun, and the function fails on the batch."""
    hashes = " OR ".join(f"starts_with(sha256(message || '{salt}'), 'no digest')" for salt in range(15))
    with compiled(risky(sql=hashes), limits=TimeLimits(statement=seconds)) as functions:
        batch = functions.apply(rows(message=["x" * 600] * 100_000))  # seconds of work, interruptible every 2048 rows
    assert batch.errors.all()
    assert (batch.votes == -1).all()


def test_a_statement_in_time_ends_nothing() -> None:
    """X20: the end of the process is for what does not stop."""
    hung = threading.Event()
    with compiled(risky(sql="count > 1"), limits=TimeLimits(statement=0.2, grace=0.0, hung=hung.set)) as functions:
        functions.apply(rows(count=[2]))
        assert not hung.wait(0.5)


def test_errors_never_quote_the_data() -> None:
    """F5: what DuckDB says of a failing row, which may quote it, goes nowhere."""
    connection = open_locked(threads=1, memory_limit="64MB")
    try:
        with pytest.raises(EvaluationFailed) as failure:
            fetch(connection, "SELECT cast(s AS int) FROM (VALUES ('secret'), ('1')) AS t(s)", TimeLimits())
    finally:
        connection.close()
    assert "secret" not in repr(failure.value)
    assert failure.value.__cause__ is None


QUOTES = ["'", "''", "' OR true --", "'; DROP TABLE t; --", "\\", "\\'", "\\E", "é'", '"', "$$"]
OTHERS = ["\0", "a\0b", "%", "{}", "\n", "[", "(", "|", "^$"]
NASTY = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40) | st.sampled_from(QUOTES + OTHERS)


@settings(max_examples=25, deadline=None)
@given(st.lists(NASTY, min_size=6, max_size=6))
def test_user_text_never_ends_its_quotes(texts: list[str]) -> None:
    """X20: whatever a keyword, a map key or a lookup key holds, it matches itself and nothing else. Several texts at once: compiling is most of the work."""
    functions: list[dict[str, Any]] = []
    for text in texts:
        keyword = risky(keywords={"column": "message", "any": [text], "match": "substring"})
        mapped = {"votes": {"column": "message", "map": {text: "risky", text + "#": "normal"}}}
        functions += [keyword, mapped, a_lookup()]
    tables = {f"f{3 * place + 2}": LookupData(pa.array([text]), ("risky",)) for place, text in enumerate(texts)}
    with compiled(*functions, lookups=tables) as together:
        for place, text in enumerate(texts):
            batch, its = together.apply(rows(message=[text, text + "#", "\u4e00"])), slice(3 * place, 3 * place + 3)
            assert batch.votes[:2, its].tolist() == [[1, 1, 1], [1, 0, -1]]
            assert batch.errors[2, its][1] == (text != "\u4e00")
