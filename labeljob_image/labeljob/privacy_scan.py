"""Columns that look like personal data though nothing says that they are sensitive (F5): a sample of rows, looked at while the contract is checked.

    declared text column, sensitive left out   the 10,000 rows with the smallest hash of their id: the same rows in any order and any batches
    undeclared text column                     the first 10,000 rows, of at most 100 columns: nothing else reads them
    dropped, hashed, or sensitive: none        not looked at

What is kept of a sampled row is which patterns its values match, never a value.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labeljob.contract.function_set import FunctionSet
from labeljob.contract.privacy import FINDINGS, PrivacyFinding
from labeljob.io.source import Source
from labeljob.io.typed import holds
from labeljob.personal_data import HOLDS, IS, LOOKS, PATTERNS, VALUE, Flags, Pattern, flags_of
from labeljob.row_ids import hashed_ids

SAMPLE = 10_000  # rows
PEEK_ROWS, PEEK_COLUMNS = 1_000, 100  # undeclared columns: rows at a time, and how many are looked at
IS_FROM = 0.01  # share of values that are one
FEWEST = 3  # values, unless they are half of all


class PrivacyScan:
    """Looks at batches of rows; `findings` tells what it saw."""

    def __init__(self, function_set: FunctionSet, sample: int = SAMPLE) -> None:
        self._set, self._sample = function_set, sample
        self.columns = tuple(column.name for column in function_set.schema_.columns if column.type == "string" and column.sensitive is None)
        self._keys = np.empty(0, dtype=np.uint64)
        self._flags: Flags = np.empty((0, len(self.columns), len(PATTERNS)), dtype=np.uint8)
        self._undeclared: dict[str, Flags] = {}

    def add(self, batch: pa.RecordBatch) -> None:
        """A batch of the id column and some of `columns`; those that are not there count as null."""
        if not self.columns or not batch.num_rows or self._set.id_column not in batch.schema.names:
            return
        keys = hashed_ids(_without_nulls(batch.column(self._set.id_column)))
        chosen = np.flatnonzero(keys < self._keys.max()) if len(self._keys) == self._sample else np.arange(len(keys))
        chosen = chosen[np.argsort(keys[chosen], kind="stable")[: self._sample]]
        rows = batch.take(pa.array(chosen))
        flags = np.zeros((len(chosen), len(self.columns), len(PATTERNS)), dtype=np.uint8)
        for place, name in enumerate(self.columns):
            if name in rows.schema.names:
                flags[:, place] = flags_of(rows.column(name))
        together, all_flags = np.concatenate([self._keys, keys[chosen]]), np.concatenate([self._flags, flags])
        kept = np.argsort(together, kind="stable")[: self._sample]
        self._keys, self._flags = together[kept], all_flags[kept]

    def peek(self, source: Source) -> None:
        """Look at columns that are not declared."""
        declared = {column.name for column in self._set.schema_.columns}
        names = [name for name, kind in source.types().items() if name not in declared and _is_text(kind)][:PEEK_COLUMNS]
        if names:
            parts = islice(source.batches(dict.fromkeys(names, "string"), PEEK_ROWS), self._sample // PEEK_ROWS)
            seen = [{name: flags_of(part.batch.column(name)) for name in names} for part in parts]
            self._undeclared = {name: np.concatenate([one[name] for one in seen]) for name in names} if seen else {}

    def findings(self) -> list[PrivacyFinding]:
        """The strongest suspicions first: values that are personal data before those that hold some, then by share; at most FINDINGS."""
        looked = {**{name: self._flags[:, place] for place, name in enumerate(self.columns)}, **self._undeclared}
        found = [finding for name, flags in looked.items() for finding in _of_column(name, flags)]
        return sorted(found, key=lambda one: (one.how != "is", -one.share, one.column, one.pattern))[:FINDINGS]


def _of_column(name: str, flags: Flags) -> Iterator[PrivacyFinding]:
    sampled = int(np.count_nonzero(flags[:, :1] & VALUE))
    for pattern, of in zip(PATTERNS, flags.T, strict=True):
        if how := _verdict(pattern, of, sampled):
            share = np.count_nonzero(of & (IS if how == "is" else HOLDS)) / sampled
            yield PrivacyFinding(column=name, pattern=pattern.name, how=how, share=round(share, 4), sampled=sampled)


def _verdict(pattern: Pattern, flags: Flags, sampled: int) -> Literal["is", "holds"] | None:
    """How the column is suspected of the pattern."""
    are, hold, look = (int(np.count_nonzero(flags & flag)) for flag in (IS, HOLDS, LOOKS))
    if not sampled or hold < pattern.proven * look:
        return None
    if _many(are, IS_FROM, sampled):
        return "is"
    return "holds" if _many(hold, pattern.held_from, sampled) else None


def _many(count: int, share: float, sampled: int) -> bool:
    return count >= share * sampled and (count >= FEWEST or count * 2 >= sampled) and count > 0


def _is_text(kind: pa.DataType | None) -> bool:
    return kind is None or (holds(kind, "string") and not pa.types.is_null(kind))


def _without_nulls(ids: pa.Array) -> pa.Array:
    """Null ids stop the run anyway."""
    return pc.fill_null(ids, "" if pa.types.is_string(ids.type) else 0)
