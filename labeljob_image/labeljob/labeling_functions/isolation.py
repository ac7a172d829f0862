"""When one expression fails on one row, only that row's vote of that function is an error.

The one-pass statement fails as a whole. The functions are halved until the failing one stands alone, then its rows are
halved until the failing rows stand alone. `TRY()` would do it in SQL, but slowly and, with CASE, not safely.

The work is bounded by an *allowance*: once more rows than that are found failing, the rows still undecided count as
errors too. So a rate within the allowance is exact, and one beyond it is reported as at least what it is. Each failing
row costs at most 2·log2(rows) statements.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from labeljob.labeling_functions.connection import EvaluationFailed
from labeljob.labeling_functions.scope import ERROR_VOTE

RawVotes: TypeAlias = npt.NDArray[np.int8]  # [n_functions, n_rows]; ERROR_VOTE marks an error
Evaluate: TypeAlias = Callable[[Sequence[int], int, int], RawVotes]  # (functions, start, stop); may raise EvaluationFailed


def evaluate_isolated(evaluate: Evaluate, functions: Sequence[int], n_rows: int, allowance: int) -> RawVotes:
    """The votes of all functions on all rows, with errors only where they belong.

    Args:
        evaluate: gives int8 [len(functions), stop - start] or raises EvaluationFailed.
        functions: positions of the functions.
        n_rows: rows 0 … n_rows - 1 are evaluated.
        allowance: failing rows to find exactly, per function.
    Returns:
        int8 [len(functions), n_rows]: class index, ABSTAIN, or ERROR_VOTE.
    """
    try:
        return evaluate(functions, 0, n_rows)
    except EvaluationFailed as failure:
        if len(functions) == 1:
            return _alone(evaluate, functions, n_rows, allowance, timed_out=failure.timed_out)
    middle = len(functions) // 2
    halves = [evaluate_isolated(evaluate, half, n_rows, allowance) for half in (functions[:middle], functions[middle:])]
    return np.concatenate(halves)


def _alone(evaluate: Evaluate, function: Sequence[int], n_rows: int, allowance: int, *, timed_out: bool) -> RawVotes:
    """A function too slow for the whole batch fails on all of it: searching would take the time limit again and again."""
    votes = np.full(n_rows, ERROR_VOTE, dtype=np.int8)
    if not timed_out:
        _halve_rows(evaluate, function, votes, allowance)
    return votes[None, :]


def _halve_rows(evaluate: Evaluate, function: Sequence[int], votes: npt.NDArray[np.int8], allowance: int) -> None:
    """Fills in the votes of all rows that do not fail; `votes` is ERROR_VOTE everywhere before."""
    failing, found = [(0, len(votes))], 0
    while failing and found <= allowance:
        start, stop = failing.pop()
        if stop - start == 1:
            found += 1
            continue
        middle = (start + stop) // 2
        failing_halves = [half for half in ((start, middle), (middle, stop)) if not _try_rows(evaluate, function, votes, *half)]
        failing.extend(failing_halves)


def _try_rows(evaluate: Evaluate, function: Sequence[int], votes: npt.NDArray[np.int8], start: int, stop: int) -> bool:
    try:
        votes[start:stop] = evaluate(function, start, stop)[0]
    except EvaluationFailed:
        return False
    return True
