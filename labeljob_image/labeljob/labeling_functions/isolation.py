"""When one expression fails on one row, only that row's vote of that function is an error.

The one-pass statement fails as a whole. The functions are halved until the failing one stands alone; then its distinct
inputs are halved until the failing ones stand alone. `TRY()` would do it in SQL, but slowly and, with CASE, not safely.

The work is bounded by an *allowance*: once more inputs than that are found failing, those still undecided count as errors
too. Every input stands for at least one row, so a share of failing rows within the allowance is exact, and one beyond it
is reported as at least what it is. Each failing input costs at most 2·log2(inputs) statements.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from labeljob.labeling_functions.connection import EvaluationFailed
from labeljob.labeling_functions.distinct import distinct_rows
from labeljob.labeling_functions.scope import ERROR_VOTE

RawVotes: TypeAlias = npt.NDArray[np.int8]  # [n_functions, n_rows]; ERROR_VOTE marks an error
Evaluate: TypeAlias = Callable[[Sequence[int], Any], RawVotes]  # (functions, pyarrow.Table); may raise EvaluationFailed
Columns: TypeAlias = Sequence[Sequence[str]]  # per function, the columns it reads


def evaluate_isolated(evaluate: Evaluate, functions: Sequence[int], columns: Columns, rows: Any, allowance: int) -> RawVotes:
    """The votes of all functions on all rows, with errors only where they belong.

    Args:
        evaluate: gives int8 [len(functions), n_rows] of a table, or raises EvaluationFailed.
        functions: positions of the functions.
        columns: what each function reads, by position.
        rows: pyarrow.Table [n_rows].
        allowance: failing inputs to find exactly, per function.
    Returns:
        int8 [len(functions), n_rows]: class index, ABSTAIN, or ERROR_VOTE.
    """
    try:
        return evaluate(functions, rows)
    except EvaluationFailed as failure:
        timed_out = failure.timed_out
    if len(functions) > 1:
        middle = len(functions) // 2
        halves = (functions[:middle], functions[middle:])
        return np.concatenate([evaluate_isolated(evaluate, half, columns, rows, allowance) for half in halves])
    if timed_out:  # searching would take the time limit again and again
        return np.full((1, rows.num_rows), ERROR_VOTE, dtype=np.int8)
    first, where = distinct_rows(rows, columns[functions[0]])
    return _halve_rows(evaluate, functions, rows.take(first), allowance)[None, where]


def _halve_rows(evaluate: Evaluate, function: Sequence[int], rows: Any, allowance: int) -> npt.NDArray[np.int8]:
    """int8 [n_rows]: ERROR_VOTE where the function fails, and where that is undecided when the allowance is used up."""
    votes = np.full(rows.num_rows, ERROR_VOTE, dtype=np.int8)
    pending, found = [(0, rows.num_rows)], 0
    while pending and found <= allowance:
        start, stop = pending.pop()
        try:
            votes[start:stop] = evaluate(function, rows.slice(start, stop - start))[0]
        except EvaluationFailed:
            middle = (start + stop) // 2
            halves = [(start, middle), (middle, stop)] if stop - start > 1 else []
            pending.extend(halves)
            found += not halves
    return votes
