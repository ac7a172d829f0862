"""Columns that look like personal data though nothing says that they are sensitive (F5): a sample of rows, looked at while the contract is checked.

    declared text column, sensitive left out   the 10,000 rows with the smallest hash of their id: the same rows in any order and any batches
    undeclared text column                     the first 10,000 rows, of at most 100 columns: nothing else reads them
    dropped, hashed, or sensitive: none        not looked at

What is kept of a sampled row is which patterns its values match, never a value.
"""

import base64
import io
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Literal, TypeAlias

import numpy as np
import pyarrow as pa

from labeljob.contract.function_set import FunctionSet
from labeljob.contract.privacy import FINDINGS, PrivacyFinding
from labeljob.io.source import Source
from labeljob.io.typed import holds
from labeljob.label_model.statistics.hashing import Keys
from labeljob.personal_data import HOLDS, IS, LOOKS, PATTERNS, VALUE, Flags, Pattern, flags_of
from labeljob.row_ids import share_for
from labeljob.votes import IntArray

SAMPLE = 10_000  # rows
PEEK_ROWS, PEEK_COLUMNS = 1_000, 100  # undeclared columns: rows at a time, and how many are looked at
IS_FROM = 0.01  # share of values that are one
FEWEST = 3  # values, unless they are half of all
Counts: TypeAlias = IntArray  # of one column: see `counts_of`


class PrivacyScan:
    """Looks at batches of rows; `findings` tells what it saw."""

    def __init__(self, function_set: FunctionSet, sample: int = SAMPLE) -> None:
        self._set, self._sample = function_set, sample
        self.columns = tuple(column.name for column in function_set.schema_.columns if column.type == "string" and column.sensitive is None)
        self._largest = np.uint64((1 << 64) - 1)
        self._keys = np.empty(0, dtype=np.uint64)
        self._flags: Flags = np.empty((0, len(self.columns), len(PATTERNS)), dtype=np.uint8)
        self._undeclared: dict[str, Counts] = {}

    def expect(self, rows: int) -> None:
        """Of a part of so many rows in all, only those that can be among the smallest of them are looked at."""
        self._largest = np.uint64(min((1 << 64) - 1, int((1 << 64) * share_for(self._sample, rows))))

    def add(self, batch: pa.RecordBatch, keys: Keys) -> None:
        """Some of `columns`, those that are not there count as null; keys: uint64 [n_rows], by which rows are chosen."""
        if not self.columns:
            return
        largest = self._keys.max() if len(self._keys) == self._sample else self._largest
        chosen = np.flatnonzero(keys <= largest)
        chosen = chosen[np.argsort(keys[chosen], kind="stable")[: self._sample]]
        rows = batch.take(pa.array(chosen))
        flags = np.zeros((len(chosen), len(self.columns), len(PATTERNS)), dtype=np.uint8)
        for place, name in enumerate(self.columns):
            if name in rows.schema.names:
                flags[:, place] = flags_of(rows.column(name))
        self._keep(keys[chosen], flags)

    def peek(self, source: Source, parts: int = 1) -> None:
        """Look at columns that are not declared; `source` is one of so many parts of the data, and each is looked at for its share."""
        declared = {column.name for column in self._set.schema_.columns}
        names = [name for name, kind in source.types().items() if name not in declared and _is_text(kind)][:PEEK_COLUMNS]
        if names:
            for part in islice(source.batches(dict.fromkeys(names, "string"), PEEK_ROWS), max(1, self._sample // PEEK_ROWS // parts)):
                self._count({name: counts_of(flags_of(part.batch.column(name))) for name in names})

    def merge(self, other: "PrivacyScan") -> None:
        """As if the other's rows had been added here."""
        self._keep(other._keys, other._flags)
        self._count(other._undeclared)

    def to_text(self) -> str:
        """For another process; `from_text` reads it."""
        file = io.BytesIO()
        names = np.array(list(self._undeclared), dtype=np.str_)
        counts = np.array(list(self._undeclared.values()), dtype=np.int64)
        np.savez_compressed(file, keys=self._keys, flags=self._flags, names=names, counts=counts)
        return base64.b64encode(file.getvalue()).decode()

    @classmethod
    def from_text(cls, function_set: FunctionSet, text: str, sample: int = SAMPLE) -> "PrivacyScan":
        """The scan that `to_text` wrote."""
        scan = cls(function_set, sample)
        with np.load(io.BytesIO(base64.b64decode(text)), allow_pickle=False) as file:
            scan._keep(file["keys"], file["flags"])
            scan._count(dict(zip(file["names"].tolist(), file["counts"], strict=True)))
        return scan

    def findings(self) -> list[PrivacyFinding]:
        """The strongest suspicions first: values that are personal data before those that hold some, then by share; at most FINDINGS."""
        looked = {name: counts_of(self._flags[:, place]) for place, name in enumerate(self.columns)} | self._undeclared
        found = [finding for name, counts in looked.items() for finding in _of_column(name, counts)]
        return sorted(found, key=lambda one: (one.how != "is", -one.share, one.column, one.pattern))[:FINDINGS]

    def _keep(self, keys: Keys, flags: Flags) -> None:
        """The rows with the smallest keys, of those that are there and these."""
        together, all_flags = np.concatenate([self._keys, keys]), np.concatenate([self._flags, flags])
        kept = np.argsort(together, kind="stable")[: self._sample]
        self._keys, self._flags = together[kept], all_flags[kept]

    def _count(self, counts: Mapping[str, Counts]) -> None:
        for name, more in counts.items():
            self._undeclared[name] = self._undeclared.get(name, 0) + more


def counts_of(flags: Flags) -> Counts:
    """Values that are one, hold one, look like one, and that are there, int64 [n_patterns, 4]."""
    return np.stack([np.count_nonzero(flags & flag, axis=0) for flag in (IS, HOLDS, LOOKS, VALUE)], axis=1).astype(np.int64)


def _of_column(name: str, counts: Counts) -> Iterator[PrivacyFinding]:
    for pattern, (are, hold, look, sampled) in zip(PATTERNS, counts.tolist(), strict=True):
        if sampled and (how := _verdict(pattern, are, hold, look, sampled)):
            share = round((are if how == "is" else hold) / sampled, 4)
            yield PrivacyFinding(column=name, pattern=pattern.name, how=how, share=share, sampled=sampled)


def _verdict(pattern: Pattern, are: int, hold: int, look: int, sampled: int) -> Literal["is", "holds"] | None:
    """How a column is suspected of the pattern."""
    if hold < pattern.proven * look:
        return None
    if _many(are, IS_FROM, sampled):
        return "is"
    return "holds" if _many(hold, pattern.held_from, sampled) else None


def _many(count: int, share: float, sampled: int) -> bool:
    return count >= share * sampled and (count >= FEWEST or count * 2 >= sampled) and count > 0


def _is_text(kind: pa.DataType | None) -> bool:
    return kind is None or (holds(kind, "string") and not pa.types.is_null(kind))
