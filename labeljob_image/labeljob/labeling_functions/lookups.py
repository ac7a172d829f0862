"""Lookup tables: read and checked once, identified by content, frozen into each model version."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from labeljob.contract.columns import ColumnType
from labeljob.contract.functions import LabelingFunction, Lookup
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.hashing import Hasher
from labeljob.labeling_functions.identity import LookupData
from labeljob.labeling_functions.problem import MESSAGE_LIMIT

SHOWN = 3
KEY_TYPES: Mapping[str, Any] = {"string": pa.string(), "int64": pa.int64()}


def read_lookup(function: LabelingFunction, table: Any, classes: Sequence[str], hashed_as: ColumnType | None = None, hasher: Hasher | None = None) -> LookupData:
    """A lookup function's table, with identical duplicates collapsed. Whole-number keys stay so, others are text.

    Args:
        function: a lookup function without problems.
        table: pyarrow.Table with at least the function's key and label columns.
        classes: of the set.
        hashed_as: the declared type of the column when it is hashed while reading; its keys are read so and hashed by `hasher`, and nothing of
            the table is in a message.
    Raises:
        JobError: LOOKUP_INVALID: a missing column, a null, an unknown class, conflicting keys.
    """
    lookup, where = _declared(function), _where(function)
    for name in (lookup.key_column, lookup.label_column):
        if name not in table.column_names:
            has = f"it has {', '.join(table.column_names[:10]) or 'none'}" if hashed_as is None else "correct the name, or give the table a header"
            raise _invalid(where, f"has no column {name!r}: {has}")
    labels = _cast(table.column(lookup.label_column), pa.string(), where, lookup.label_column)
    _refuse_unknown_classes(labels, classes, where, shown=hashed_as is None)
    given = table.column(lookup.key_column)
    if hashed_as is None:
        key_type = pa.int64() if pa.types.is_integer(given.type) else pa.string()
        return _collapse(_cast(given, key_type, where, lookup.key_column), labels, key_type, where)
    if hasher is None:
        raise ValueError(f"{function.name}: its keys are to be hashed, and there is no key")
    keys = pa.array(_cast(given, KEY_TYPES[hashed_as], where, lookup.key_column), KEY_TYPES[hashed_as])
    return _collapse(hasher.hashed(keys).to_pylist(), labels, pa.string(), where, shown=False)


def with_key_type(function: LabelingFunction, data: LookupData, column_type: ColumnType) -> LookupData:
    """The table with keys of the type of the column that is looked up.

    Raises:
        JobError: LOOKUP_INVALID: a key is not of that type, or two keys are the same value with different classes.
    """
    key_type, where = KEY_TYPES[column_type], _where(function)
    if data.keys.type == key_type:
        return data
    keys = _cast(data.keys, key_type, where, _declared(function).key_column)
    return _collapse(keys, list(data.labels), key_type, where)


def _declared(function: LabelingFunction) -> Lookup:
    if function.lookup is None:
        raise ValueError(f"{function.name} is not a lookup")
    return function.lookup


def _where(function: LabelingFunction) -> str:
    return f"function {function.name}: lookup table {_declared(function).table.uri}"


def _invalid(where: str, what: str) -> JobError:
    return JobError(JobReason.LOOKUP_INVALID, f"{where} {what}"[:MESSAGE_LIMIT])


def _cast(column: Any, arrow_type: Any, where: str, name: str) -> list[Any]:
    if column.null_count:
        raise _invalid(where, f"has {column.null_count} rows without {name!r}: fill or remove them")
    try:
        values: list[Any] = column.cast(arrow_type).to_pylist()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise _invalid(where, f"has values in {name!r} ({column.type}) that cannot be read as {arrow_type}: fix them") from None
    return values


def _refuse_unknown_classes(labels: list[str], classes: Sequence[str], where: str, *, shown: bool) -> None:
    unknown = sorted(set(labels) - set(classes))
    if unknown:
        named = f" ({', '.join(repr(label[:63]) for label in unknown[:SHOWN])})" if shown else ""
        raise _invalid(where, f"has {len(unknown)} labels that are not in spec.classes{named}: use one of {', '.join(classes)}")


def _collapse(keys: list[Any], labels: list[str], key_type: Any, where: str, *, shown: bool = True) -> LookupData:
    """Distinct keys in order. `shown`: some of the conflicting ones are named; never those of a hashed column, whose hashes tell nobody which they are."""
    pairs = set(zip(keys, labels, strict=True))
    distinct = dict(pairs)
    if len(distinct) < len(pairs):
        conflicting = sorted({key for key, label in pairs if distinct[key] != label})
        named = f" ({', '.join(repr(str(key)[:63]) for key in conflicting[:SHOWN])})" if shown else ""
        raise _invalid(where, f"has {len(conflicting)} keys with more than one class{named}: keep one row for each key")
    ordered = sorted(distinct)
    return LookupData(pa.array(ordered, key_type), tuple(distinct[key] for key in ordered))


def to_arrow(data: LookupData) -> Any:
    """A pyarrow.Table (`key`, `label`) to freeze beside a model."""
    return pa.table({"key": data.keys, "label": pa.array(data.labels, pa.string())})


def from_arrow(table: Any) -> LookupData:
    """The inverse of `to_arrow`."""
    keys = table.column("key").combine_chunks()
    return LookupData(keys, tuple(table.column("label").to_pylist()))
