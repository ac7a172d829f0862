"""`python` functions at work: all in one process, each function's failures its own.

A function whose process ends works in a process of its own from then on, so that every further end is its doing. Its rows are tried again in
smaller pieces, down to the one that ends it, which alone is an error. One that has ended its process `most_ends` times is quarantined:
it abstains with an error on all rows that are left. The error rate decides what that means for the run, as it does for any function.
"""

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt

from labeljob.contract.function_set import FunctionSet
from labeljob.contract.functions import PythonFunction
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.labeling_functions.problem import Problem, summarise
from labeljob.labeling_functions.python_code import no_module, places
from labeljob.labeling_functions.python_process import Ended, FunctionProcess
from labeljob.labeling_functions.python_runtime import PythonRuntime
from labeljob.labeling_functions.scope import ERROR_VOTE

CALL_ROWS = 8192
PIECES = (128, 1)  # rows of a call after one that ended the process
RawVotes = npt.NDArray[np.int8]


class PythonFunctions:
    """The enabled `python` functions of a set; there may be none. They are known by their positions among all that are enabled.

    Attributes:
        paths: field path of each, by position.
    """

    def __init__(self, function_set: FunctionSet, runtime: PythonRuntime, threads: int) -> None:
        enabled = [(i, one) for i, one in enumerate(function_set.functions) if one.is_enabled]
        chosen = {position: (f"spec.functions[{i}]", one) for position, (i, one) in enumerate(enabled) if one.python is not None}
        self._functions: dict[int, PythonFunction] = {position: one.python for position, (_, one) in chosen.items() if one.python is not None}
        self._names = {position: one.name for position, (_, one) in chosen.items()}
        self.paths = {position: path for position, (path, _) in chosen.items()}
        self._classes, self._runtime, self._threads = list(function_set.classes), runtime, threads
        self._readable = places([one.entrypoint for one in self._functions.values()], runtime.folders)
        self._shared: FunctionProcess | None = None
        self._own: tuple[int, FunctionProcess] | None = None
        self._alone: set[int] = set()
        self._ends, self._failures = Counter[int](), {position: Counter[str]() for position in self._functions}
        self._rows, self._seconds = 0, dict[int, float]()

    def load(self) -> None:
        """Import all of them. Raises JobError FUNCTIONS_INVALID with every one that cannot be."""
        found: list[Problem] = []
        for position, function in self._functions.items():
            try:
                why = self._process(position).load(position, function.entrypoint)
            except Ended as ended:
                self._close_of(position)
                why = f"the process {ended.how} while importing it: correct the module"
            if why is not None:
                what = no_module(function.entrypoint.partition(":")[0]) if why == "missing" else why
                found.append(Problem(f"{self.paths[position]}.python.entrypoint", what))
        if found:
            raise JobError(JobReason.FUNCTIONS_INVALID, summarise(found))

    def fill(self, raw: RawVotes, rows: Any, allowance: int) -> None:
        """Write the votes of each function into its line of `raw`, int8 [n_functions, n_rows]; ERROR_VOTE where it fails.

        Args:
            rows: pyarrow.Table [n_rows] with the functions' columns in their declared types.
            allowance: failing rows to find one by one, for each function.
        """
        self._rows += rows.num_rows
        for position, function in self._functions.items():
            start, began = 0, self._runtime.clock()
            for batch in rows.select(function.columns).to_batches(max_chunksize=CALL_ROWS):
                line = raw[position, start : start + batch.num_rows]
                line[:] = self._votes(position, batch, max(0, allowance - int((raw[position, :start] == ERROR_VOTE).sum())))
                start += batch.num_rows
            self._seconds[position] = self._seconds.get(position, 0.0) + self._runtime.clock() - began

    def seconds(self, rows: int) -> dict[str, float]:
        """What each function has taken so far, its failures and the way to its process included, for so many rows."""
        return {self._names[position]: seconds * rows / max(self._rows, 1) for position, seconds in self._seconds.items()}

    def why(self, position: int) -> str | None:
        """What a function failed of on most rows so far."""
        most = self._failures[position].most_common(1) if position in self._failures else []
        return most[0][0] if most else None

    def is_quarantined(self, position: int) -> bool:
        """Whether the function is called no more."""
        return self._ends[position] >= self._runtime.most_ends

    def close(self) -> None:
        """End the processes."""
        for process in (self._shared, self._own[1] if self._own else None):
            if process is not None:
                process.close()
        self._shared = self._own = None

    def _votes(self, position: int, batch: Any, allowance: int) -> RawVotes:
        """int8 [n_rows], whatever the function does to its process."""
        pending, done = [batch], list[RawVotes]()
        while pending:
            part = pending.pop(0)
            if self.is_quarantined(position):
                done.append(self._failed(position, part.num_rows, "ended its process too often"))
                continue
            try:
                done.append(self._called(position, part, allowance))
            except Ended as ended:
                was_alone = position in self._alone
                self._after(position, ended)
                if was_alone and part.num_rows == 1:
                    done.append(self._failed(position, 1, f"its process {ended.how}"))
                else:
                    pending[:0] = _pieces(part) if was_alone else [part]
        return np.concatenate(done)

    def _called(self, position: int, batch: Any, allowance: int) -> RawVotes:
        function = self._functions[position]
        process = self._process(position)
        if process.load(position, function.entrypoint) is not None:
            return self._failed(position, batch.num_rows, "could not be imported again")
        votes, failures = process.call(position, batch, allowance, function.seconds)
        for what, rows in failures.items():
            self._count(position, what, rows)
        return votes

    def _failed(self, position: int, rows: int, what: str) -> RawVotes:
        self._count(position, what, rows)
        return np.full(rows, ERROR_VOTE, dtype=np.int8)

    def _count(self, position: int, what: str, rows: int) -> None:
        if what not in self._failures[position]:
            self._runtime.tell("python_function_failed", function=self._names[position], what=what)
        self._failures[position][what] += rows

    def _after(self, position: int, ended: Ended) -> None:
        """Clear up, and see to it that the next end of a process has one function that can have caused it."""
        self._close_of(position)
        self._ends[position] += position in self._alone
        self._alone.add(position)
        self._runtime.tell("python_function_ended", function=self._names[position], how=ended.how, ends=self._ends[position])
        if self.is_quarantined(position):
            self._runtime.tell("python_function_quarantined", function=self._names[position], ends=self._ends[position])

    def _process(self, position: int) -> FunctionProcess:
        """The process that the function works in, started when there is none. There are never more than two."""
        if position not in self._alone:
            self._shared = self._shared or self._start()
            return self._shared
        if self._own is None or self._own[0] != position:
            if self._own is not None:
                self._own[1].close()
            self._own = (position, self._start())
        return self._own[1]

    def _start(self) -> FunctionProcess:
        return FunctionProcess(self._classes, self._runtime.folders, self._runtime.memory_bytes, self._threads, self._readable)

    def _close_of(self, position: int) -> None:
        self._process(position).close()
        if position in self._alone:
            self._own = None
        else:
            self._shared = None


def python_functions(function_set: FunctionSet, runtime: PythonRuntime, threads: int) -> PythonFunctions:
    """The `python` functions of a set, imported. Raises JobError FUNCTIONS_INVALID."""
    functions = PythonFunctions(function_set, runtime, threads)
    try:
        functions.load()
    except BaseException:
        functions.close()
        raise
    return functions


def _pieces(batch: Any) -> list[Any]:
    size = next(size for size in PIECES if size < batch.num_rows or size == 1)
    return [batch.slice(start, size) for start in range(0, batch.num_rows, size)]
