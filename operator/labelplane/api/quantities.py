"""Kubernetes quantities: how much `500m` and `2Gi` are."""

import re
from decimal import Decimal

_QUANTITY = re.compile(r"(?P<number>[+-]?(?:\d+\.?\d*|\.\d+))(?P<unit>[KMGTPE]i|[numkMGTPE])?(?P<power>[eE][+-]?\d+)?")
_POWERS = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}


def amount(quantity: str | int) -> Decimal:
    """In cores, bytes, or whatever is counted.

    Raises:
        ValueError: it is no quantity; the schema of the resources refuses such.
    """
    found = _QUANTITY.fullmatch(str(quantity))
    if found is None:
        raise ValueError(f"{quantity!r} is no quantity")
    number, unit = Decimal(found["number"] + (found["power"] or "")), found["unit"]
    if unit is None:
        return number
    return number * 1024 ** ("KMGTPE".index(unit[0]) + 1) if unit.endswith("i") else number.scaleb(_POWERS[unit])
