"""Patterns of personal data in text: is a value one, or does it hold one? (F5)

    pattern       shape                                                            and then
    email         name@host.tld
    phone         + and 8 to 15 digits; or groups of digits as in North America,
                  or with a leading 0
    payment-card  13 to 19 digits, alone or in groups, of a known issuer            Luhn digit
    ip-address    IPv4 or IPv6                                                     a real address; inside a text a public one
    us-ssn        ddd-dd-dddd                                                      areas and groups that are given out
    iban          country, two digits, up to 30 letters and digits                  length of the country, remainder 97

RE2 sorts values out, all at once; the checks of the last column are made on what is left. Digits alone are no phone number: nothing tells
them from an order number. Addresses inside a text are mostly those of machines; a column of addresses tells who, wherever they are.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

LONGEST = 4096  # characters of a value that are looked at
IS, HOLDS, LOOKS, VALUE = 1, 2, 4, 8  # flags of a text and a pattern: it is one, holds one, looks like one but for the check; it is no empty text
Flags: TypeAlias = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Pattern:
    """What one kind of personal data looks like.

    Attributes:
        regex: valid in RE2 and in Python, linear in both.
        check: of a match, and whether it is the whole value.
        held_from: the share of values holding one from which a column is suspected. Text that people write has addresses and numbers in it; what
            a check digit proves is no accident.
        proven: the share of values that look like one which must pass the check: a Luhn digit is right by chance in one number of ten, so that
            less than half of other numbers pass.
    """

    name: str
    regex: str
    check: Callable[[str, bool], bool] = lambda text, whole: True
    held_from: float = 0.1
    proven: float = 0.0


def _luhn(text: str, _: bool) -> bool:
    digits = [int(one) for one in text if one.isdigit()]
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _address(text: str, whole: bool) -> bool:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return False
    return found.is_global or (whole and not (found.is_loopback or found.is_unspecified))


def _ssn(text: str, _: bool) -> bool:
    area, group, serial = text.split("-")
    return area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"


_IBAN_COUNTRIES: Mapping[int, str] = {
    15: "NO",
    16: "BE",
    18: "DKFIFOGLNL",
    19: "MKSI",
    20: "ATBAEEKZLTLUXK",
    21: "CHHRLILV",
    22: "BGBHCRDEGBGEIEMERSVA",
    23: "AEGIILIQ",
    24: "ADCZESMDPKROSASESKTNVG",
    25: "PT",
    26: "ISTR",
    27: "FRGRITMCMRSM",
    28: "ALAZBYCYDOGTHULBPL",
    29: "BREGPSQAUA",
    30: "JOKWMU",
    31: "MTSC",
    32: "LC",
}  # length -> countries, two letters each
_IBAN_LENGTHS = MappingProxyType({codes[i : i + 2]: length for length, codes in _IBAN_COUNTRIES.items() for i in range(0, len(codes), 2)})


def _iban(text: str, _: bool) -> bool:
    joined = text.replace(" ", "").upper()
    if len(joined) != _IBAN_LENGTHS.get(joined[:2]):
        return False
    return int("".join(str(int(one, 36)) for one in joined[4:] + joined[:4])) % 97 == 1


_ISSUED = r"(?:4\d{3}|5[1-5]\d\d|2[2-7]\d\d|3[47]\d\d|6(?:011|[245]\d\d)|3(?:0[0-5]|[689]\d)\d|35\d\d)"
_GROUPED = r"(?:\b|\()[2-9]\d\d(?:\) ?|[ .-])\d{3}[ .-]\d{4}\b"
_NATIONAL = r"\b0\d{2,4}[ /-]\d{3,4}[ -]?\d{3,5}\b"
PATTERNS = (
    Pattern("email", r"[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}\b"),
    Pattern("phone", rf"\+\d(?:[ ().-]{{0,2}}\d){{7,14}}\b|{_GROUPED}|{_NATIONAL}"),
    Pattern("payment-card", rf"\b{_ISSUED}(?:\d{{9,15}}|(?:[ -]\d{{4}}){{3}}|[ -]\d{{6}}[ -]\d{{4,5}})\b", _luhn, held_from=0.01, proven=0.5),
    Pattern("ip-address", r"\b\d{1,3}(?:\.\d{1,3}){3}\b|\b[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{0,4}){2,7}", _address),
    Pattern("us-ssn", r"\b\d{3}-\d{2}-\d{4}\b", _ssn, held_from=0.01),
    Pattern("iban", r"\b[A-Z]{2}\d{2}(?:[A-Z0-9]{11,30}|(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,3})?)\b", _iban, held_from=0.01),
)


def flags_of(values: pa.Array) -> Flags:
    """What text (pyarrow.Array of string) looks like, uint8 [n_values, n_patterns] of IS, HOLDS, LOOKS and VALUE; nulls have none."""
    texts = pc.utf8_slice_codeunits(pc.utf8_trim_whitespace(values), 0, LONGEST)
    there = pc.fill_null(pc.not_equal(texts, ""), fill_value=False).to_numpy(zero_copy_only=False)
    flags = [_flags(pattern, texts) for pattern in PATTERNS]
    return np.asarray(np.column_stack(flags) | (VALUE * there[:, None]).astype(np.uint8))


def _flags(pattern: Pattern, texts: pa.Array) -> Flags:
    found = np.zeros(len(texts), dtype=np.uint8)
    rows = pc.fill_null(pc.match_substring_regex(texts, pattern.regex), fill_value=False).to_numpy(zero_copy_only=False)
    search = re.compile(pattern.regex, re.ASCII)
    for row, text in zip(np.flatnonzero(rows), texts.filter(pa.array(rows)).to_pylist(), strict=True):
        matches = [(match.group(), match.group() == text) for match in search.finditer(text)]
        right = [whole for matched, whole in matches if pattern.check(matched, whole)]
        found[row] = (LOOKS if matches else 0) | (HOLDS if right else 0) | (IS if any(right) else 0)
    return found
