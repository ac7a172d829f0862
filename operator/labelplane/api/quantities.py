"""Kubernetes quantities: what one is, and how much `500m` and `2Gi` are."""

import re
from decimal import Decimal

# As Kubernetes reads them, which takes no fraction in an exponent, though the pattern in its documentation does; three digits there are more than anybody means.
QUANTITY_PATTERN = r"^([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,3})?$"
QUANTITY_CHARACTERS = 64
WHAT_IT_IS = "is no quantity: write a number and a unit, such as 500m or 2Gi, and a fraction in quotes"
_QUANTITY = re.compile(QUANTITY_PATTERN)
_POWERS = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}


def amount(quantity: str | int) -> Decimal:
    """In cores, bytes, or whatever is counted.

    Raises:
        ValueError: it is no quantity; `known_quantity` refuses such.
    """
    text = str(quantity)
    found = _QUANTITY.fullmatch(text)
    if found is None or len(text) > QUANTITY_CHARACTERS:
        raise ValueError(WHAT_IT_IS)
    number, unit = found[1], found[2] or ""
    if not unit or unit[-1].isdigit():  # an exponent
        return Decimal(number + unit)
    return Decimal(number) * 1024 ** ("KMGTPE".index(unit[0]) + 1) if unit.endswith("i") else Decimal(number).scaleb(_POWERS[unit])


def known_quantity(value: object) -> object:
    """The value, which `amount` can read. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(WHAT_IT_IS)
    amount(value)
    return value
