"""Values in the types that a contract declares: widened when nothing is lost, parsed when they are text, never guessed (F3).

A value that is not of its type becomes null and is marked; the contract check then refuses the data, or the row.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC

import pyarrow as pa
import pyarrow.compute as pc

from labeljob.io.source import BATCH_BYTES, NAMES, ROUNDED_UP, ReadType, Rows, rebatch

ARROW_TYPES: dict[str, pa.DataType] = {
    NAMES: pa.list_(pa.string()),
    "string": pa.string(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    ROUNDED_UP: pa.timestamp("us", tz="UTC"),
}
TIMES = ("timestamp", ROUNDED_UP)
_TEXT_FORMS = {
    "int64": r"^[+-]?[0-9]+$",
    "float64": r"(?i)^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)(e[+-]?[0-9]+)?$|^[+-]?(nan|inf|infinity)$",
    "boolean": r"(?i)^(true|false)$",
}
SEPARATOR = "|"  # of names in one text
Typed = tuple[pa.Array, pa.Array | None]  # values, and where some are not of their type bool [n_rows]


def holds(stored: pa.DataType, declared: ReadType) -> bool:
    """Whether values stored so can be of the declared type without loss (exactness of each value is checked while reading)."""
    if pa.types.is_dictionary(stored):
        return holds(stored.value_type, declared)
    if pa.types.is_null(stored):
        return True
    tests: dict[str, Callable[[pa.DataType], bool]] = {
        NAMES: lambda t: holds(t.value_type if _is_list(t) else t, "string"),
        "string": lambda t: pa.types.is_string(t) or pa.types.is_large_string(t) or pa.types.is_string_view(t),
        "int64": pa.types.is_integer,
        "float64": lambda t: pa.types.is_floating(t) or pa.types.is_integer(t),
        "boolean": pa.types.is_boolean,
        "timestamp": lambda t: pa.types.is_timestamp(t) or pa.types.is_date(t),
    }
    return tests["timestamp" if declared in TIMES else declared](stored)


def _is_list(stored: pa.DataType) -> bool:
    return bool(pa.types.is_list(stored) or pa.types.is_large_list(stored) or pa.types.is_list_view(stored) or pa.types.is_fixed_size_list(stored))


def widen(values: pa.Array, declared: ReadType) -> Typed:
    """Stored values as the declared type. Digits below a microsecond are dropped, or make it the next one (ROUNDED_UP); a time without zone is UTC."""
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if declared == NAMES and not _is_list(values.type):
        return parse(values.cast(pa.string()), declared)
    target = ARROW_TYPES[declared]
    if values.type == target:
        return values, None
    if pa.types.is_timestamp(values.type) and values.type.unit == "ns":
        values = _microseconds(values, up=declared == ROUNDED_UP)
    return _marked(_each(values, lambda part: pc.cast(part, target), target), values.is_valid())


def widened(batches: Iterable[pa.RecordBatch], columns: Mapping[str, ReadType], batch_rows: int) -> Iterator[Rows]:
    """Stored batches as rows of the declared types, so many at a time and of bounded size."""
    for batch in rebatch(batches, batch_rows, BATCH_BYTES):
        yield rows({name: widen(batch.column(name), kind) for name, kind in columns.items()})


def parse(values: pa.Array, declared: ReadType) -> Typed:
    """Text as the declared type; null stays null. Names are separated by SEPARATOR; empty ones do not count, so that it alone is an empty list."""
    if declared == "string":
        return values, None
    if declared == NAMES:
        return pa.array([None if text is None else _names(text) for text in values.to_pylist()], ARROW_TYPES[NAMES]), None
    text = pc.utf8_trim_whitespace(values)
    if declared in TIMES:
        return _marked(_times(text, up=declared == ROUNDED_UP), values.is_valid())
    fits = pc.fill_null(pc.match_substring_regex(text, _TEXT_FORMS[declared]), fill_value=True)
    text = pc.if_else(fits, pc.utf8_ltrim(pc.utf8_lower(text), "+"), None)
    target = ARROW_TYPES[declared]
    return _marked(_each(text, lambda part: pc.cast(part, target), target), values.is_valid())


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(SEPARATOR) if name.strip()]


def from_json(values: Sequence[object], declared: ReadType) -> Typed:
    """JSON values as the declared type: a number is never a string, nor a string a number."""
    fits = _JSON_FORMS["timestamp" if declared in TIMES else declared]
    kept = [value if value is not None and fits(value) else None for value in values]
    there = pa.array([value is not None for value in values], pa.bool_())
    if declared == NAMES:
        return _marked(pa.array([_names(value) if isinstance(value, str) else value for value in kept], ARROW_TYPES[NAMES]), there)
    if declared in TIMES:
        return _marked(_times(pa.array(kept, pa.string()), up=declared == ROUNDED_UP), there)
    return _marked(pa.array(kept, ARROW_TYPES[declared]), there)


_JSON_FORMS: dict[str, Callable[[object], bool]] = {
    NAMES: lambda value: isinstance(value, str) or (isinstance(value, list) and all(isinstance(one, str) for one in value)),
    "string": lambda value: isinstance(value, str),
    "timestamp": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "int64": lambda value: isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63,
    "float64": lambda value: isinstance(value, float)
    or (isinstance(value, int) and not isinstance(value, bool) and abs(value) <= 2**53),
}


def rows(columns: Mapping[str, Typed]) -> Rows:
    """A batch out of typed columns and the marks of their unreadable values."""
    batch = pa.RecordBatch.from_arrays([values for values, _ in columns.values()], names=list(columns))
    return Rows(batch, {name: wrong for name, (_, wrong) in columns.items() if wrong is not None})


def _marked(typed: pa.Array, there: pa.Array) -> Typed:
    """What was there and is null now was not of the type."""
    lost = typed.null_count > len(there) - there.true_count
    return typed, pc.and_(there, typed.is_null()) if lost else None


def _times(text: pa.Array, *, up: bool) -> pa.Array:
    """ISO 8601 as UTC microseconds; digits below one are dropped, or make it the next one."""
    import pandas as pd

    parsed = pd.to_datetime(pd.Series(text.to_pylist(), dtype="object"), utc=True, format="ISO8601", errors="coerce")
    if up:
        parsed = parsed.dt.ceil("us")
    instants = parsed.dt.tz_convert(UTC).dt.tz_localize(None).dt.as_unit("us").to_numpy()  # not a Series: see labeljob.without_pandas
    return pa.array(instants).cast(ARROW_TYPES["timestamp"])


def _microseconds(nanoseconds: pa.Array, *, up: bool) -> pa.Array:
    """Times of whole microseconds, the ones before or the next; before 1970, too."""
    numbers = nanoseconds.cast(pa.int64())
    whole = pc.divide(numbers, 1000)  # towards zero
    rest = pc.subtract(numbers, pc.multiply(whole, 1000))
    moved = pc.add(whole, pc.greater(rest, 0).cast(pa.int64())) if up else pc.subtract(whole, pc.less(rest, 0).cast(pa.int64()))
    return moved.cast(ARROW_TYPES["timestamp"])


def _each(values: pa.Array, cast: Callable[[pa.Array], pa.Array], target: pa.DataType) -> pa.Array:
    """Cast all at once; where that fails, halve until the values that cannot be cast are alone, and null."""
    try:
        return cast(values)
    except pa.ArrowInvalid:
        if len(values) == 1:
            return pa.nulls(1, target)
    half = len(values) // 2
    return pa.concat_arrays([_each(values.slice(0, half), cast, target), _each(values.slice(half), cast, target)])
