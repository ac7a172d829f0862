"""Votes packed into codes (see `vote_codes`), so that likelihoods are table look-ups and sufficient statistics are histograms.

Nothing of size rows x functions x classes is ever made. All sums of a row run over its codes in a fixed order, the two units of a code
first: the answer for a row does not depend on the rows around it, to the last bit.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from labeljob.label_model.vote_codes import Codes, Layout, packed_chunks
from labeljob.votes import FloatArray, Votes

JOINT_ROWS = 1 << 13  # from here on one table for both units of a code costs less than a second look-up
BYTE = 256

Tables: TypeAlias = tuple[FloatArray, ...]  # of a code: one, or one for each of its units, whose values are added before the next code's


@dataclass(frozen=True, eq=False)
class PackedVotes:
    """Codes of vote patterns, kept for many look-ups.

    Attributes:
        codes: uint16 [n_codes, n_rows]. layout: what they mean.
    """

    codes: Codes
    layout: Layout

    @property
    def outcomes(self) -> int:
        """Number of outcomes of a function: abstain and the classes."""
        return self.layout.outcomes

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.codes.shape[1])

    @property
    def joint(self) -> bool:
        """Whether the two units of a code are looked up and counted at once."""
        return self.layout.paired and self.rows >= JOINT_ROWS

    @property
    def covered(self) -> npt.NDArray[np.bool_]:
        """Rows with at least one vote, bool [n_rows]."""
        return np.asarray(self.codes.any(axis=0))

    def take(self, rows: npt.NDArray[np.bool_]) -> "PackedVotes":
        """Some of the rows."""
        return PackedVotes(self.codes[:, rows], self.layout)

    @cached_property
    def bins(self) -> list[npt.NDArray[np.intp]]:
        """What is counted: the codes where `joint`, else the units; intp [n_rows] each."""
        if self.joint or not self.layout.paired:
            return [code.astype(np.intp) for code in self.codes]
        units = [unit for code in self.codes for unit in (code & (BYTE - 1), code >> 8)]
        return [unit.astype(np.intp) for unit in units[: self.layout.units]]


def pack(votes: Votes, outcomes: int) -> PackedVotes:
    """Codes of `votes` (int8 or int16 [n_rows, n_functions], each vote < outcomes - 1) for table look-ups."""
    layout = Layout(votes.shape[1], outcomes)
    codes = np.empty((layout.codes, votes.shape[0]), dtype=np.uint16)
    for start, part in packed_chunks(votes, layout):
        codes[:, start : start + part.shape[1]] = part
    return PackedVotes(codes, layout)


def tables_of(log_weights: FloatArray, layout: Layout, *, joint: bool) -> list[list[Tables]]:
    """Tables that `sum_rows` looks up: for each state one of [size], or for three states and more a single one of [size, n_states].

    Args:
        log_weights: float64 [n_functions, n_outcomes, n_states].
    """
    tables = unit_tables(log_weights, layout)
    states = list(np.ascontiguousarray(np.moveaxis(tables, 2, 0))) if tables.shape[2] <= 2 else [tables]
    return [_grouped(table, layout, joint) for table in states]


def unit_tables(log_weights: FloatArray, layout: Layout) -> FloatArray:
    """float64 [n_units, size, n_states]: the sum of one outcome of each of a unit's functions, from [n_functions, n_outcomes, n_states]."""
    _, outcomes, states = log_weights.shape
    padded = np.zeros((layout.units * layout.width, outcomes, states))
    padded[: layout.columns] = log_weights
    blocks = padded.reshape(layout.units, layout.width, outcomes, states)
    table = blocks[:, 0]
    for i in range(1, layout.width):
        table = (table[:, :, None, :] + blocks[:, i][:, None, :, :]).reshape(layout.units, -1, states)
    return table


def _grouped(tables: FloatArray, layout: Layout, joint: bool) -> list[Tables]:
    if not layout.paired:
        return [(table,) for table in tables]
    if not joint:
        return [tuple(tables[i : i + 2]) for i in range(0, len(tables), 2)]
    pairs = len(tables) // 2
    both = np.zeros((pairs, layout.size, BYTE))
    both[:, :, : layout.size] = tables[0 : 2 * pairs : 2, None, :] + tables[1 : 2 * pairs : 2, :, None]
    return [(table,) for table in (*both.reshape(pairs, layout.size * BYTE), *tables[2 * pairs :])]


class RowSums:
    """Sums of looked-up values over the codes of rows. Buffers are made once: the next call overwrites the answer of the last."""

    def __init__(self, log_weights: FloatArray, layout: Layout, rows: int, *, joint: bool) -> None:
        """For at most `rows` rows at a time; `joint` is for one or two states only."""
        self.layout, self.joint = layout, joint
        self.tables = tables_of(log_weights, layout, joint=joint)
        shape = (rows, *self.tables[0][0][0].shape[1:])
        self.totals = np.empty((len(self.tables), *shape))
        self.first, self.second, self.index = np.empty(shape), np.empty(shape), np.empty(rows, dtype=np.intp)

    def of(self, codes: npt.NDArray[Any]) -> FloatArray:
        """float64 [n_states, n_rows] for one or two states, else [1, n_rows, n_states], from [n_codes, n_rows]."""
        rows = codes.shape[1]
        totals = self.totals[:, :rows]
        value = self.first[:rows]
        for total, tables in zip(totals, self.tables, strict=True):
            self._look_up(codes[0], tables[0], total)
            for code, parts in zip(codes[1:], tables[1:], strict=True):
                self._look_up(code, parts, value)
                np.add(total, value, out=total)
        return totals

    def _look_up(self, code: npt.NDArray[Any], parts: Tables, out: FloatArray) -> None:
        """The value of a code; it is in range by construction: mode `clip` only leaves out the check."""
        index = self.index[: len(code)]
        if self.joint or not self.layout.paired:
            index[:] = code
            np.take(parts[0], index, axis=0, out=out, mode="clip")
            return
        np.bitwise_and(code, BYTE - 1, out=index)
        np.take(parts[0], index, axis=0, out=out, mode="clip")
        if len(parts) == 2:
            second = self.second[: len(code)]
            np.right_shift(code, 8, out=index)
            np.take(parts[1], index, axis=0, out=second, mode="clip")
            out += second


def sum_tables(packed: PackedVotes, log_weights: FloatArray) -> FloatArray:
    """Sum over functions of the log weight of each row's outcome.

    Args:
        packed: n_rows rows of n_functions functions.
        log_weights: float64 [n_functions, n_outcomes, n_states], in nats.
    Returns:
        float64 [n_states, n_rows].
    """
    states = log_weights.shape[2]
    sums = RowSums(log_weights, packed.layout, packed.rows, joint=packed.joint and states <= 2).of(packed.codes)
    return sums if states <= 2 else np.ascontiguousarray(sums[0].T)


def outcome_counts(packed: PackedVotes, row_weights: FloatArray) -> FloatArray:
    """Weighted histogram of every function's outcomes.

    Args:
        packed: n_rows rows of n_functions functions.
        row_weights: float64 [n_states, n_rows], expected rows of each state.
    Returns:
        float64 [n_functions, n_outcomes, n_states].
    """
    layout = packed.layout
    units = np.stack([_unit_counts(packed, weights) for weights in row_weights], axis=-1)
    counts = np.empty((layout.units, layout.width, layout.outcomes, len(row_weights)))
    for i in range(layout.width):
        split = units.reshape(layout.units, layout.outcomes**i, layout.outcomes, -1, len(row_weights))
        counts[:, i] = split.sum(axis=(1, 3))
    return counts.reshape(-1, layout.outcomes, len(row_weights))[: layout.columns]


def _unit_counts(packed: PackedVotes, weights: FloatArray) -> FloatArray:
    """Weighted rows of each number that a unit can be, float64 [n_units, size]."""
    layout, size = packed.layout, packed.layout.size
    if not packed.joint:
        return np.stack([np.bincount(unit, weights, size) for unit in packed.bins])
    counts = np.empty((2 * layout.codes, size))
    for i, code in enumerate(packed.bins):
        both = np.bincount(code, weights, size * BYTE).reshape(size, BYTE)[:, :size]
        both.sum(axis=0, out=counts[2 * i])
        both.sum(axis=1, out=counts[2 * i + 1])
    return counts[: layout.units]
