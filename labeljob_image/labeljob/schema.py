"""The contract check: every row is held against the declared columns before any labeling function runs (F3, X5).

All violations are found in one pass and named by column and count, never by value. Columns declared `sensitive: drop` are not read;
those with `availability: later` are checked where they are there. NaN is a number like any other and within any bounds.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from labeljob import privacy
from labeljob.contract.columns import Column, ColumnType
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.hashing import Hasher
from labeljob.io.source import BATCH_ROWS, Rows, Source
from labeljob.io.spool import Spool
from labeljob.io.typed import holds
from labeljob.resources import Resources

SHOWN = 12
REMEDY = ". Correct the data, or spec.schema of the function set"
Progress = Callable[[int], None]
Look = Callable[[pa.RecordBatch], None]


def _nothing(_batch: pa.RecordBatch) -> None:
    """Nobody looks."""


def check_contract(
    source: Source,
    function_set: FunctionSet,
    resources: Resources,
    progress: Progress,
    batch_rows: int = BATCH_ROWS,
    look: Look = _nothing,
    hasher: Hasher | None = None,
) -> int:
    """Read everything once and hold it against the contract; `look` is shown every batch on the way.

    Args:
        look: is shown values as they are.
        hasher: of the set's hashed columns; bounds and nulls are checked on the values, and nothing but hashes is set aside.
    Returns:
        The number of rows.
    Raises:
        JobError: SCHEMA_BROKEN with all violations; PIN_BROKEN or SOURCE_UNREADABLE from reading.
    """
    stored = source.types()
    if not stored:  # JSON Lines without a line have no columns and no rows
        return 0
    violations = list(structure(stored, function_set))
    columns = _checkable(stored, function_set)
    rows, counts = _count(source, columns, function_set, resources, progress, batch_rows, look, hasher)
    violations += [f"{_field(name)}: {count} {what}" for (name, what), count in _in_declared_order(counts, columns)]
    if violations:
        more = f"; and {len(violations) - SHOWN} more" if len(violations) > SHOWN else ""
        raise JobError(JobReason.SCHEMA_BROKEN, "; ".join(violations[:SHOWN]) + more + REMEDY)
    return rows


def structure(stored: Mapping[str, pa.DataType | None], function_set: FunctionSet) -> Iterator[str]:
    """Violations that the columns' names and types show. Where no declared column is there, what stands in the place of names may be values."""
    if not any(column.name in stored for column in function_set.schema_.columns):
        yield "spec.schema.columns: none of them is there: has the data a header, and is it the right data?"
        return
    for column in function_set.schema_.columns:
        if column.is_dropped:
            continue
        if column.name not in stored:
            if column.availability != "later":
                yield f"{_field(column.name)}: the column is missing"
        elif (kind := stored[column.name]) is not None and not holds(kind, column.type):
            yield f"{_field(column.name)}: has type {kind}, declared {column.type}"
    if function_set.schema_.refuses_additional:
        for name in sorted(set(stored) - {column.name for column in function_set.schema_.columns}):
            yield f"spec.schema.additionalColumns: column {name} is not declared"


def violations_of(column: Column, values: pa.Array, is_id: bool) -> dict[str, int]:
    """What values of one column break, with the number of values."""
    found = {}
    if not column.allows_null or is_id:
        found["null ids" if is_id else "nulls, declared nullable: false"] = values.null_count
    if column.minimum is not None:
        found[f"values below minimum {column.minimum:g}"] = _true(pc.less(values, _bound(column.minimum)))
    if column.maximum is not None:
        found[f"values above maximum {column.maximum:g}"] = _true(pc.greater(values, _bound(column.maximum)))
    return {what: count for what, count in found.items() if count}


def _checkable(stored: Mapping[str, pa.DataType | None], function_set: FunctionSet) -> dict[str, ColumnType]:
    """Columns whose values can be looked at: there, and of a fitting type."""
    privacy.id_type(function_set)
    readable = privacy.readable(function_set)
    return {
        name: kind for name, kind in readable.items() if name in stored and ((found := stored[name]) is None or holds(found, kind))
    }


def _count(
    source: Source,
    columns: Mapping[str, ColumnType],
    function_set: FunctionSet,
    resources: Resources,
    progress: Progress,
    batch_rows: int,
    look: Look,
    hasher: Hasher | None,
) -> tuple[int, Counter[tuple[str, str]]]:
    """Number of rows, and of violations by (column, what)."""
    counts: Counter[tuple[str, str]] = Counter()
    if not columns:
        return 0, counts
    declared = [function_set.schema_.column(name) for name in columns]
    id_column, rows = function_set.id_column, 0
    with Spool(resources) as ids:
        for part in source.batches(columns, batch_rows):
            _count_batch(part, [column for column in declared if column], id_column, counts)
            if id_column in columns:
                ids.add(privacy.withheld(part.batch.select([id_column]), function_set, hasher))
            look(part.batch)
            rows += part.batch.num_rows
            progress(rows)
        if repeated := ids.repeated(id_column):
            counts[id_column, "duplicate ids"] = repeated
    return rows, counts


def _count_batch(part: Rows, declared: list[Column], id_column: str, counts: Counter[tuple[str, str]]) -> None:
    for column in declared:
        unreadable = part.unreadable.get(column.name, 0)
        if unreadable:
            counts[column.name, f"values that are not {column.type}"] += unreadable
        for what, count in violations_of(column, part.batch.column(column.name), column.name == id_column).items():
            counts[column.name, what] += count - (unreadable if "null" in what else 0)


def _in_declared_order(counts: Counter[tuple[str, str]], columns: Mapping[str, ColumnType]) -> list[tuple[tuple[str, str], int]]:
    order = {name: index for index, name in enumerate(columns)}
    return sorted(((key, count) for key, count in counts.items() if count), key=lambda item: order[item[0][0]])


def _bound(value: float) -> int | float:
    return int(value) if float(value).is_integer() else value


def _true(flags: pa.Array) -> int:
    return int(pc.sum(flags, min_count=0).as_py())


def _field(name: str) -> str:
    return f"spec.schema.columns[{name}]"
