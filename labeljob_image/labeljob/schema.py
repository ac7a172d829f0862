"""The contract check: every row is held against the declared columns before any labeling function runs (F3, X5).

All violations are found in one pass and named by column and count, never by value. Rows that a value breaks may be kept from who looks on (`separate`).
Columns declared `sensitive: drop` are not read; those with `availability: later` are checked where they are there. NaN is a number like any other and
within any bounds.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from labeljob import privacy
from labeljob.breaches import DUPLICATE_IDS, any_of, breaches
from labeljob.contract.columns import ColumnType
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.hashing import Hasher
from labeljob.io.source import BATCH_ROWS, Source
from labeljob.io.spool import Spool
from labeljob.io.typed import holds
from labeljob.resources import Resources

SHOWN = 12
ORDER = ("that are not", "minimum", "maximum", "null", "duplicate")  # of the violations of one column
REMEDY = ". Correct the data, or spec.schema of the function set"
Progress = Callable[[int], None]
Look = Callable[[pa.RecordBatch, pa.Array | None], None]


@dataclass(frozen=True)
class Held:
    """Rows held against the contract: how many, and what they break.

    Attributes:
        structure: what the columns' names and types break.
        values: (column, what, number of values).
        broken: rows with such a value.
    """

    rows: int = 0
    structure: tuple[str, ...] = ()
    values: tuple[tuple[str, str, int], ...] = ()
    broken: int = 0

    @property
    def is_broken(self) -> bool:
        return bool(self.structure or self.values)

    def together(self, other: "Held") -> "Held":
        """With other rows of the same dataset."""
        counts = Counter({(name, what): count for name, what, count in self.values})
        for name, what, count in other.values:
            counts[name, what] += count
        values = tuple((*key, count) for key, count in counts.items())
        return Held(self.rows + other.rows, self.structure or other.structure, values, self.broken + other.broken)

    def with_repeated(self, id_column: str, repeated: int) -> "Held":
        """With so many rows whose id another row has already."""
        return self.together(Held(values=((id_column, DUPLICATE_IDS, repeated),) if repeated else ()))


def check_contract(
    source: Source,
    function_set: FunctionSet,
    resources: Resources,
    progress: Progress,
    batch_rows: int = BATCH_ROWS,
    look: Look | None = None,
    hasher: Hasher | None = None,
) -> int:
    """Read everything once and hold it against the contract; `look` is shown every batch on the way.

    Args:
        look: is shown values as they are, and ids, or None where there are none to read, as `hasher` leaves them.
        hasher: of the set's hashed columns; bounds and nulls are checked on the values, and nothing but hashes is set aside.
    Returns:
        The number of rows.
    Raises:
        JobError: SCHEMA_BROKEN with all violations; PIN_BROKEN or SOURCE_UNREADABLE from reading.
    """
    id_column = function_set.id_column
    with Spool(resources) as ids:
        held = hold(source, function_set, hasher, progress, batch_rows, ids.add, look)
        held = held.with_repeated(id_column, ids.repeated(id_column))
    require(held, function_set)
    return held.rows


def hold(
    source: Source,
    function_set: FunctionSet,
    hasher: Hasher | None,
    progress: Progress,
    batch_rows: int = BATCH_ROWS,
    take_ids: Callable[[pa.RecordBatch], None] | None = None,
    look: Look | None = None,
    separate: bool = False,
) -> Held:
    """Read everything once and hold it against the contract, but for repeated ids.

    Args:
        hasher, look: as of `check_contract`.
        take_ids: gets the id column of each batch where there is one to read, as `hasher` leaves it.
        separate: both see only rows that no value breaks.
    """
    stored = source.types()
    if not stored:  # JSON Lines without a line have no columns and no rows
        return Held()
    columns = checkable(stored, function_set)
    counts: Counter[tuple[str, str]] = Counter()
    declared, rows, broken = [column for name in columns if (column := function_set.schema_.column(name))], 0, 0
    for part in source.batches(columns, batch_rows) if columns else ():
        found = list(breaches(part, declared, function_set.id_column))
        counts.update({(name, what): flags.true_count for name, what, flags in found})
        flags = any_of(found, part.batch.num_rows) if found else None
        seen = part.batch if flags is None or not separate else part.batch.filter(pc.invert(flags))
        ids = None if function_set.id_column not in columns else privacy.withheld(seen.select([function_set.id_column]), function_set, hasher)
        if take_ids is not None and ids is not None:
            take_ids(ids)
        if look is not None:
            look(seen, None if ids is None else ids.column(0))
        rows, broken = rows + part.batch.num_rows, broken + (flags.true_count if flags is not None else 0)
        progress(rows)
    return Held(rows, tuple(structure(stored, function_set)), tuple((*key, count) for key, count in counts.items()), broken)


def require(held: Held, function_set: FunctionSet, beside: str = "") -> None:
    """Raises JobError SCHEMA_BROKEN with all violations, if there are any; `beside` is said behind the remedy."""
    violations = [*held.structure, *(f"{_field(name)}: {count} {what}" for name, what, count in in_order(held.values, function_set))]
    if violations:
        more = f"; and {len(violations) - SHOWN} more" if len(violations) > SHOWN else ""
        raise JobError(JobReason.SCHEMA_BROKEN, "; ".join(violations[:SHOWN]) + more + REMEDY + beside)


def in_order(values: Iterable[tuple[str, str, int]], function_set: FunctionSet) -> list[tuple[str, str, int]]:
    """Violations by values, in the order of columns."""
    order = {column.name: index for index, column in enumerate(function_set.schema_.columns)}
    return sorted(values, key=lambda one: (order[one[0]], next(i for i, word in enumerate(ORDER) if word in one[1])))


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


def checkable(stored: Mapping[str, pa.DataType | None], function_set: FunctionSet) -> dict[str, ColumnType]:
    """Columns whose values can be looked at: there, and of a fitting type."""
    privacy.id_type(function_set)
    readable = privacy.readable(function_set)
    return {
        name: kind for name, kind in readable.items() if name in stored and ((found := stored[name]) is None or holds(found, kind))
    }


def _field(name: str) -> str:
    return f"spec.schema.columns[{name}]"
