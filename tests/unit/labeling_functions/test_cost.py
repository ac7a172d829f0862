"""What each function costs, by name."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from labeljob.labeling_functions.connection import EvaluationFailed
from labeljob.labeling_functions.cost import cost_of
from tests.unit.labeling_functions.sets import compiled, risky, rows


def test_each_function_is_timed_alone_and_a_failing_one_is_left_out() -> None:
    """C2: seconds by name, from a clock that is given."""
    now, lasts = [0.0], [2.0, 0.5, 1.0]

    def evaluate(chosen: Sequence[int], table: pa.Table) -> None:
        assert table.num_rows == 4
        now[0] += lasts[chosen[0]]
        if chosen[0] == 1:
            raise EvaluationFailed(timed_out=False)

    def mark() -> Any:
        now[0] += 8.0
        return pa.table({"v": range(4)})

    found = cost_of({0: "a", 1: "b", 2: "c"}, mark, evaluate, clock=lambda: now[0])
    assert (found.rows, found.marks, found.functions) == (4, 8.0, {"a": 2.0, "c": 1.0})
    assert found.as_fields() == {"rows": 4, "marks_us_per_row": 2e6, "us_per_row": {"a": 500_000.0, "c": 250_000.0}}


def test_a_slow_function_has_a_name() -> None:
    """C2: of a rule that hashes every text and one that compares a number, the first is dearer."""
    hashes = " OR ".join(f"starts_with(sha256(message || '{salt}'), 'no digest')" for salt in range(8))
    with compiled(risky(sql="count > 1"), risky(sql=hashes)) as functions:
        cost = functions.cost(rows(message=["x" * 500] * 5_000))
    assert cost.functions["f1"] > cost.functions["f0"]
