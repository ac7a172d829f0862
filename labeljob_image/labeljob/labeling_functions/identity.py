"""What a set is: its canonical form, the content of its lookup tables, the code of its functions. A set without tables loads no Arrow."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labeljob.contract.datasets import LookupTable
from labeljob.contract.digests import digest_of
from labeljob.contract.function_set import FunctionSet

if TYPE_CHECKING:
    from labeljob.hashing import Hasher

OpenTable = Callable[[LookupTable], Any]  # -> pyarrow.Table


@dataclass(frozen=True)
class LookupData:
    """Distinct keys, ascending, and the class that each stands for.

    Attributes:
        keys: pyarrow.Array of string or int64, without nulls.
        labels: as many class names.
    """

    keys: Any
    labels: tuple[str, ...]


def read_lookups(function_set: FunctionSet, open_table: OpenTable, hasher: "Hasher | None" = None) -> dict[str, LookupData]:
    """The tables of all enabled lookup functions, by function name; a table used twice is opened once. Keys of a hashed column are hashed alike."""
    opened: dict[LookupTable, Any] = {}
    lookups: dict[str, LookupData] = {}
    for function in function_set.enabled_functions:
        if function.lookup is None:
            continue
        from labeljob.labeling_functions.lookups import read_lookup

        table = function.lookup.table
        if table not in opened:
            opened[table] = open_table(table)
        column = function_set.schema_.column(function.lookup.column)
        hashed_as = column.type if column is not None and column.is_hashed else None
        lookups[function.name] = read_lookup(function, opened[table], function_set.classes, hashed_as, hasher)
    return lookups


def lookup_digest(data: LookupData) -> str:
    """SHA-256 of the content, whatever the order of its rows."""
    return digest_of(sorted(([key, label] for key, label in zip(data.keys.to_pylist(), data.labels, strict=True)), key=str))


def function_set_digest(
    function_set: FunctionSet, lookups: Mapping[str, LookupData], code: Mapping[str, str] | None = None, key_id: str | None = None
) -> str:
    """Identity of all that decides the votes: the canonical set, the content of its enabled functions' tables, the code of its `python` functions, and the key
    that hashes columns.

    Args:
        code: digest of the code of each enabled `python` function, by its name.
        key_id: of the key, where one hashes.
    """
    used = [function.name for function in function_set.enabled_functions if function.lookup]
    python = {one.name: (code or {})[one.name] for one in function_set.enabled_functions if one.python}
    parts: dict[str, object] = {"functionSet": function_set.canonical(), "lookups": {name: lookup_digest(lookups[name]) for name in used}}
    more: dict[str, object] = ({"python": python} if python else {}) | ({"hashKey": key_id} if key_id else {})
    return digest_of(parts | more)  # absent: digests of other sets stay what they were
