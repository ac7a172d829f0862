"""Literals and names as SQL text. What a user writes stays a value: it can never end its own quotes."""

import math

from labeljob.contract.columns import ColumnType

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1


def text(value: str) -> str:
    """A VARCHAR literal. In a standard literal only the quote is special, and it is doubled."""
    return "'" + value.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A quoted name; the double quote is doubled."""
    return '"' + name.replace('"', '""') + '"'


def float64(value: float) -> str:
    """A DOUBLE literal, exact to the last bit (a bare `0.1` would pass through DECIMAL)."""
    return f"CAST({text(repr(float(value)))} AS DOUBLE)"


def int64(value: int) -> str:
    """A BIGINT literal; ValueError outside int64."""
    if not INT64_MIN <= value <= INT64_MAX:
        raise ValueError(f"{value} is not an int64")
    return f"CAST({text(str(value))} AS BIGINT)"


def raw_value(written: str, column_type: ColumnType) -> str | int | float | bool:
    """A value as a manifest writes it (always text, as in a vote map's keys), read as the column's type.

    Raises:
        ValueError: it is not a value of that type.
    """
    if column_type == "int64":
        return int(int64_text(written))
    if column_type == "float64":
        return _finite(written)
    if column_type == "boolean":
        return _truth(written)
    return written


def int64_text(written: str) -> str:
    """The same digits, checked to be an int64."""
    int64(int(written))
    return written


def _finite(written: str) -> float:
    number = float(written)
    if not math.isfinite(number):
        raise ValueError(f"{written} is not finite")
    return number


def _truth(written: str) -> bool:
    if written.lower() not in ("true", "false"):
        raise ValueError(f"{written} is not true or false")
    return written.lower() == "true"


def literal(value: str | float) -> str:
    """A literal of the value's own type: VARCHAR, BOOLEAN, BIGINT or DOUBLE."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return int64(value) if isinstance(value, int) else float64(value)
