"""Which rows break the contract by a value, and of which column: not of its type, null, out of bounds (F3, X5). Repeated ids are no matter of one row."""

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from labeljob.contract.columns import Column
from labeljob.io.source import Rows

DUPLICATE_IDS = "duplicate ids"
_OF_ONE = {"nulls, declared nullable: false": "null, declared nullable: false", "null ids": "null id", DUPLICATE_IDS: "duplicate id"}
Breach = tuple[str, str, pa.Array]  # column, what, bool [n_rows] without nulls


def breaches(part: Rows, declared: Sequence[Column], id_column: str) -> Iterator[Breach]:
    """What values of the declared columns break; nothing that no row breaks."""
    for column in declared:
        for what, flags in _of_column(column, part.batch.column(column.name), part.not_of_type.get(column.name), column.name == id_column):
            if flags.true_count:
                yield column.name, what, flags


def any_of(found: Iterable[Breach], rows: int) -> pa.Array:
    """Rows with at least one breach, bool [n_rows]."""
    flags = pa.repeat(pa.scalar(False), rows)
    for _, _, broken in found:
        flags = pc.or_(flags, broken)
    return flags


def of_one(what: str) -> str:
    """The words for one row: `below minimum 0`."""
    return _OF_ONE.get(what, what.removeprefix("values ").removeprefix("that are "))


def _of_column(column: Column, values: pa.Array, not_of_type: pa.Array | None, is_id: bool) -> Iterator[tuple[str, pa.Array]]:
    if not_of_type is not None:
        yield f"values that are not {column.type}", not_of_type
    if (is_id or not column.allows_null) and values.null_count:
        missing = values.is_null()
        yield "null ids" if is_id else "nulls, declared nullable: false", missing if not_of_type is None else pc.and_not(missing, not_of_type)
    if column.minimum is not None:
        yield f"values below minimum {column.minimum:g}", pc.fill_null(pc.less(values, _bound(column.minimum)), fill_value=False)
    if column.maximum is not None:
        yield f"values above maximum {column.maximum:g}", pc.fill_null(pc.greater(values, _bound(column.maximum)), fill_value=False)


def _bound(value: float) -> int | float:
    return int(value) if float(value).is_integer() else value
