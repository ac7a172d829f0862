"""What each labeling function costs: evaluated alone on rows that were just voted on, so that a rule which makes a run slow has a name.

Together they cost less than the sum: one pass over the texts serves all, and so does what DuckDB computes once. Each is timed with its own literals
known already; finding them is a cost of all (`marks`).
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labeljob.labeling_functions.connection import EvaluationFailed

SHOWN = 20


@dataclass(frozen=True)
class Cost:
    """Seconds on `rows` rows: of reading and marking them, and of each function alone."""

    rows: int
    marks: float
    functions: Mapping[str, float]

    def as_fields(self) -> dict[str, object]:
        """For the log, in microseconds a row; the dearest functions first."""
        dearest = sorted(self.functions.items(), key=lambda item: -item[1])[:SHOWN]
        return {"rows": self.rows, "marks_us_per_row": self._each(self.marks), "us_per_row": {name: self._each(seconds) for name, seconds in dearest}}

    def _each(self, seconds: float) -> float:
        return round(1e6 * seconds / max(self.rows, 1), 3)


def cost_of(names: Mapping[int, str], mark: Callable[[], Any], evaluate: Callable[[Sequence[int], Any], object], clock: Callable[[], float] = time.perf_counter) -> Cost:
    """Time every function, by its position, on the rows that `mark` gives; one that fails is left out, for how soon it fails says nothing."""
    started = clock()
    rows = mark()
    marks, seconds = clock() - started, dict[str, float]()
    for position, name in names.items():
        started = clock()
        try:
            evaluate([position], rows)
        except EvaluationFailed:
            continue
        seconds[name] = clock() - started
    return Cost(rows.num_rows, marks, seconds)
