"""`compile_functions`: a function set as one vectorised pass over Arrow data."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from labeljob.contract.function_set import FunctionSet
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.labeling_functions import lookup, soft_column, validation
from labeljob.labeling_functions.connection import ARROW_TYPES, ROWS_NAME, fetch, open_locked
from labeljob.labeling_functions.cost import Cost, cost_of
from labeljob.labeling_functions.fallback import mask_fallbacks
from labeljob.labeling_functions.identity import LookupData
from labeljob.labeling_functions.isolation import RawVotes, evaluate_isolated
from labeljob.labeling_functions.limits import DEFAULT_LIMITS, TimeLimits
from labeljob.labeling_functions.lookups import with_key_type
from labeljob.labeling_functions.marks import Marker, settle
from labeljob.labeling_functions.problem import summarise
from labeljob.labeling_functions.python_functions import python_functions
from labeljob.labeling_functions.python_runtime import DEFAULT_RUNTIME, PythonRuntime
from labeljob.labeling_functions.quoting import identifier
from labeljob.labeling_functions.scope import ERROR_VOTE, RESERVED_PREFIX, ROW_NUMBER, Scope
from labeljob.labeling_functions.statement import CompiledFunction, compile_function, numbered, select, vote_name
from labeljob.votes import ABSTAIN, VoteBatch

if TYPE_CHECKING:
    from labeljob.label_model.side.soft_votes import Levels

MIN_ALLOWANCE = 64
MIN_PIECE = 8192  # rows; DuckDB scans one Arrow batch on one thread
GIVEN = f"{RESERVED_PREFIX}given"


def compile_functions(
    function_set: FunctionSet,
    lookups: Mapping[str, LookupData],
    *,
    threads: int = 1,
    memory_limit: str = "512MB",
    limits: TimeLimits = DEFAULT_LIMITS,
    python: PythonRuntime = DEFAULT_RUNTIME,
) -> "CompiledFunctions":
    """The enabled functions of a set, ready to vote.

    Args:
        function_set: the set; disabled functions are left out.
        lookups: the table of each `lookup` function, by function name.
        threads, memory_limit: what DuckDB may use.
        limits: for one statement over a batch; a function that alone takes longer is an error there.
        python: where `python` functions come from, and what they may use.
    Raises:
        JobError: FUNCTIONS_INVALID with every problem (bounded), a module that cannot be imported included, or LOOKUP_INVALID when a table is not given.
    """
    found = validation.problems(function_set)
    if found:
        raise JobError(JobReason.FUNCTIONS_INVALID, summarise(found))
    connection = open_locked(threads=threads, memory_limit=memory_limit)
    try:
        _create_lookups(connection, function_set, lookups)
        return CompiledFunctions(function_set, connection, threads, limits, python)
    except BaseException:
        connection.close()
        raise


def _create_lookups(connection: Any, function_set: FunctionSet, lookups: Mapping[str, LookupData]) -> None:
    for function in function_set.enabled_functions:
        if function.lookup is None:
            continue
        if function.name not in lookups:
            raise JobError(JobReason.LOOKUP_INVALID, f"function {function.name}: its table {function.lookup.table.uri} was not read")
        data = with_key_type(function, lookups[function.name], Scope(function_set, connection).column_type(function.lookup.column))
        votes = pa.array([function_set.classes.index(label) for label in data.labels], pa.int8())
        connection.register(GIVEN, pa.table({lookup.KEY: data.keys, lookup.VOTE: votes}))
        table = identifier(lookup.table_name(function))
        connection.execute(f"CREATE TEMP TABLE {table} AS SELECT * FROM {identifier(GIVEN)}")  # noqa: S608 - quoted
        connection.unregister(GIVEN)


class CompiledFunctions:
    """Votes on batches. One at a time: the connection inside is not for several threads of the caller.

    Attributes:
        names: the enabled functions, in vote order.
        input_columns: the columns that `apply` reads, in schema order.
        fallback: per function, whether it is a fallback.
        python: the `python` functions among them.
    """

    def __init__(self, function_set: FunctionSet, connection: Any, threads: int, limits: TimeLimits, python: PythonRuntime) -> None:
        functions, scope = function_set.enabled_functions, Scope(function_set, connection)
        self.names: tuple[str, ...] = tuple(function.name for function in functions)
        self.fallback: tuple[bool, ...] = tuple(function.is_fallback for function in functions)
        self._functions = numbered(compile_function(function, scope) for function in functions)
        self._marker = Marker(self._functions)
        self._columns = [function.columns for function in self._functions]
        read = {column for columns in self._columns for column in columns}
        self._types = {column.name: ARROW_TYPES[column.seen_as] for column in function_set.schema_.columns if column.name in read}
        self.input_columns: tuple[str, ...] = tuple(self._types)
        self._connection = connection
        self._threads = threads
        self._limits = limits
        self._classes, self._multi_label = list(function_set.classes), function_set.is_multi_label
        self._soft = {i: one.votes.probabilities for i, one in enumerate(functions) if one.votes is not None and one.votes.probabilities is not None}
        self._levels = sum(soft_column.level_columns(function_set))
        self._max_error_rate = function_set.max_error_rate
        self.python = python_functions(function_set, python, threads)

    def apply(self, batch: Any, *, error_allowance: int | None = None) -> VoteBatch:
        """The votes on a batch; any split of the rows into batches gives the same votes.

        Args:
            batch: pyarrow.RecordBatch or Table with at least `input_columns`; further columns are not looked at.
            error_allowance: failing rows to find exactly for one function; beyond, its undecided rows in this batch count
                as errors. When None, what the set's maxErrorRate allows in this batch (at least 64). A caller who knows
                the rows of the whole run passes what the run may still have, and stops when it is exceeded.
        Returns:
            votes int8 [n_rows, n_functions], errors bool [n_rows, n_functions], levels of soft votes; rows in the order given.
        Raises:
            JobError: SCHEMA_BROKEN when an input column is missing or of a type that cannot be read as declared.
        """
        said = self.unmasked(batch, error_allowance=error_allowance)
        return VoteBatch(np.ascontiguousarray(mask_fallbacks(said.votes, self.fallback), dtype=np.int8), said.errors, said.levels)

    def unmasked(self, batch: Any, *, error_allowance: int | None = None) -> VoteBatch:
        """As `apply`, but what a fallback says stands beside other votes: each column depends on its function and the row alone."""
        n_rows = batch.num_rows
        if n_rows == 0:
            levels = np.empty((0, self._levels), np.int16) if self._soft else None
            return VoteBatch(np.empty((0, len(self.names)), np.int8), np.empty((0, len(self.names)), np.bool_), levels)
        rows = self._typed(batch)
        allowance = max(MIN_ALLOWANCE, math.ceil(self._max_error_rate * n_rows)) if error_allowance is None else error_allowance
        raw = evaluate_isolated(self._evaluate, range(len(self.names)), self._columns, rows, allowance)
        self.python.fill(raw, rows, allowance)
        levels = self._soft_votes(raw, rows)
        errors = np.ascontiguousarray(raw.T == ERROR_VOTE)
        votes: npt.NDArray[np.int8] = np.where(errors, np.int8(ABSTAIN), raw.T)
        return VoteBatch(np.ascontiguousarray(votes, dtype=np.int8), errors, levels)

    def cost(self, batch: Any) -> Cost:
        """What each function costs on a batch of at least one row; DuckDB is asked for one function after the other, those in Python were timed when they were called."""
        asked = {position: name for position, name in enumerate(self.names) if position not in self.python.paths}
        cost = cost_of(asked, lambda: self._typed(batch), self._evaluate)
        return replace(cost, functions={**cost.functions, **self.python.seconds(cost.rows)})

    def _soft_votes(self, raw: RawVotes, rows: Any) -> "Levels | None":
        """The level of each soft vote, int16 [n_rows, n_soft]; its likeliest class, or its failure, goes into `raw`.

        Of a multi-label set, the levels of each soft function's classes stand side by side, and PARTIAL goes into `raw`.
        """
        if not self._soft:
            return None
        levels, read = list["Levels"](), soft_column.answers if self._multi_label else soft_column.vote
        for position, probabilities in self._soft.items():
            votes, of, failed = read(probabilities, self._classes, rows)
            levels.append(of)
            raw[position] = np.where(failed, ERROR_VOTE, votes)
        return np.column_stack(levels)

    def _typed(self, batch: Any) -> Any:
        """The input columns in their declared types, and the row numbers, in pieces that several threads can share."""
        columns = {name: typed_column(batch, name, arrow_type) for name, arrow_type in self._types.items()}
        rows = pa.table({ROW_NUMBER: np.arange(batch.num_rows, dtype=np.int64), **columns})
        rows = self._marker.marked(rows, self._threads)
        piece = max(MIN_PIECE, math.ceil(batch.num_rows / (2 * self._threads)))
        return pa.Table.from_batches(rows.to_batches(max_chunksize=piece), rows.schema)

    def _evaluate(self, chosen: Sequence[int], rows: Any) -> RawVotes:
        """int8 [len(chosen), n_rows] in row order, whatever order DuckDB's threads deliver; may raise EvaluationFailed.

        Row numbers ascend in `rows` but may have gaps.
        """
        functions = [self._functions[position] for position in chosen]
        asked = self._marker.open_functions(functions, rows)
        raw: RawVotes = np.full((len(chosen), rows.num_rows), ABSTAIN, dtype=np.int8)
        if asked:
            raw[asked] = self._ask([functions[place] for place in asked], rows)
        settle(raw, functions, rows)
        return raw

    def _ask(self, functions: Sequence[CompiledFunction], rows: Any) -> RawVotes:
        self._connection.register(ROWS_NAME, rows)
        try:
            result = fetch(self._connection, select(functions), self._limits)
        finally:
            self._connection.unregister(ROWS_NAME)
        raw: RawVotes = np.array([result[vote_name(position)] for position in range(len(functions))], dtype=np.int8)
        numbers = result[ROW_NUMBER]
        return raw if (np.diff(numbers) > 0).all() else raw[:, np.argsort(numbers)]

    def close(self) -> None:
        """Frees DuckDB's memory, and ends the process of `python` functions."""
        self.python.close()
        self._connection.close()

    def __enter__(self) -> "CompiledFunctions":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def typed_column(batch: Any, name: str, arrow_type: Any) -> Any:
    """The column in its declared type; JobError SCHEMA_BROKEN when it is missing or cannot be read so."""
    if name not in batch.schema.names:
        raise JobError(JobReason.SCHEMA_BROKEN, f"column {name!r} is missing, a labeling function reads it: add it to the data")
    column = batch.column(name)
    if column.type == arrow_type:
        return column
    try:
        return column.cast(arrow_type, safe=not pa.types.is_timestamp(column.type))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        what = f"column {name!r} is {column.type}, declared as {arrow_type}: fix the data or the schema"
        raise JobError(JobReason.SCHEMA_BROKEN, what) from None
