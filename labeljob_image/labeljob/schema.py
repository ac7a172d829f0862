"""The contract check: every row is held against the declared columns before any labeling function runs (F3, X5).

All violations are found in one pass and named by column and count, never by value. Columns declared `sensitive: drop` are not read;
those with `availability: later` are checked where they are there. NaN is a number like any other and within any bounds.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

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
ORDER = ("that are not", "minimum", "maximum", "null", "duplicate")  # of the violations of one column
REMEDY = ". Correct the data, or spec.schema of the function set"
Progress = Callable[[int], None]
Look = Callable[[pa.RecordBatch], None]


def _nothing(_batch: pa.RecordBatch) -> None:
    """Nobody looks."""


@dataclass(frozen=True)
class Held:
    """Rows held against the contract: how many, and what they break.

    Attributes:
        structure: what the columns' names and types break.
        values: (column, what, number of values).
    """

    rows: int = 0
    structure: tuple[str, ...] = ()
    values: tuple[tuple[str, str, int], ...] = ()

    @property
    def is_broken(self) -> bool:
        return bool(self.structure or self.values)

    def together(self, other: "Held") -> "Held":
        """With other rows of the same dataset."""
        counts = Counter({(name, what): count for name, what, count in self.values})
        for name, what, count in other.values:
            counts[name, what] += count
        return Held(self.rows + other.rows, self.structure or other.structure, tuple((*key, count) for key, count in counts.items()))

    def with_repeated(self, id_column: str, repeated: int) -> "Held":
        """With so many rows whose id another row has already."""
        return self.together(Held(values=((id_column, "duplicate ids", repeated),) if repeated else ()))


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
    id_column = function_set.id_column
    with Spool(resources) as ids:
        held = hold(source, function_set, progress, batch_rows, lambda batch: ids.add(privacy.withheld(batch, function_set, hasher)), look)
        held = held.with_repeated(id_column, ids.repeated(id_column))
    require(held, function_set)
    return held.rows


def hold(
    source: Source, function_set: FunctionSet, progress: Progress, batch_rows: int = BATCH_ROWS, take_ids: Look | None = None, look: Look = _nothing
) -> Held:
    """Read everything once and hold it against the contract, but for repeated ids: `take_ids` gets each batch's id column where there is one to read."""
    stored = source.types()
    if not stored:  # JSON Lines without a line have no columns and no rows
        return Held()
    columns = checkable(stored, function_set)
    counts: Counter[tuple[str, str]] = Counter()
    declared, rows = [column for name in columns if (column := function_set.schema_.column(name))], 0
    for part in source.batches(columns, batch_rows) if columns else ():
        _count_batch(part, declared, function_set.id_column, counts)
        if take_ids is not None and function_set.id_column in columns:
            take_ids(part.batch.select([function_set.id_column]))
        look(part.batch)
        rows += part.batch.num_rows
        progress(rows)
    return Held(rows, tuple(structure(stored, function_set)), tuple((*key, count) for key, count in counts.items() if count))


def require(held: Held, function_set: FunctionSet) -> None:
    """Raises JobError SCHEMA_BROKEN with all violations, if there are any."""
    order = {column.name: index for index, column in enumerate(function_set.schema_.columns)}
    values = sorted(held.values, key=lambda one: (order[one[0]], next(i for i, word in enumerate(ORDER) if word in one[1])))
    violations = [*held.structure, *(f"{_field(name)}: {count} {what}" for name, what, count in values)]
    if violations:
        more = f"; and {len(violations) - SHOWN} more" if len(violations) > SHOWN else ""
        raise JobError(JobReason.SCHEMA_BROKEN, "; ".join(violations[:SHOWN]) + more + REMEDY)


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


def checkable(stored: Mapping[str, pa.DataType | None], function_set: FunctionSet) -> dict[str, ColumnType]:
    """Columns whose values can be looked at: there, and of a fitting type."""
    privacy.id_type(function_set)
    readable = privacy.readable(function_set)
    return {
        name: kind for name, kind in readable.items() if name in stored and ((found := stored[name]) is None or holds(found, kind))
    }


def _count_batch(part: Rows, declared: list[Column], id_column: str, counts: Counter[tuple[str, str]]) -> None:
    for column in declared:
        unreadable = part.unreadable.get(column.name, 0)
        if unreadable:
            counts[column.name, f"values that are not {column.type}"] += unreadable
        for what, count in violations_of(column, part.batch.column(column.name), column.name == id_column).items():
            counts[column.name, what] += count - (unreadable if "null" in what else 0)


def _bound(value: float) -> int | float:
    return int(value) if float(value).is_integer() else value


def _true(flags: pa.Array) -> int:
    return int(pc.sum(flags, min_count=0).as_py())


def _field(name: str) -> str:
    return f"spec.schema.columns[{name}]"
