"""Votes packed into codes (see `vote_codes`), so that likelihoods are table look-ups and sufficient statistics are histograms.

Nothing of size rows x functions x classes is ever made. All sums of a row run over its codes in a fixed order, the two units of a code
first: the answer for a row does not depend on the rows around it, to the last bit.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from labeljob.label_model.statistics.vote_codes import Codes, Layout, layout_of, packed_chunks
from labeljob.votes import FloatArray, Votes

JOINT_ROWS = 1 << 17  # from here on one table for both units of a code costs less than a second look-up
BYTE = 256
LARGEST_LOG_ODDS = 700.0  # exp of it is still finite
TOGETHER = 3  # from so many states on, a look-up gives the values of all
LEAST_RUNS = 1 << 14  # rows from which it pays to look for runs
BYTES_OF_A_SUM = 6  # whole bytes that are exact in float64
SMALL_UNIT = 1 << 10  # numbers of a unit up to which sums over outcomes are products with `Layout.design`

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

    @cached_property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.codes.shape[1])

    @cached_property
    def joint(self) -> bool:
        """Whether the two units of a code are looked up and counted at once."""
        return self.layout.paired and self.rows >= JOINT_ROWS

    @cached_property
    def covered(self) -> npt.NDArray[np.bool_]:
        """Rows with at least one vote, bool [n_rows]."""
        return np.asarray(self.codes.max(axis=0) > 0)

    @cached_property
    def tallies(self) -> FloatArray:
        """Votes for each class, float64 [n_classes, n_rows]."""
        classes = self.outcomes - 1
        if classes > BYTES_OF_A_SUM or self.layout.columns >= BYTE:
            return sum_tables(self, one_each(self.layout.columns, classes))
        return self.tallies_in_one(BYTE).astype("<u8").view(np.uint8).reshape(-1, 8)[:, :classes].T.astype(np.float64, order="C")

    def tallies_in_one(self, base: float) -> FloatArray:
        """The tally of class k times base ** k, summed, float64 [n_rows]: whole numbers, exact below 2 ** 53."""
        weights = np.zeros((self.layout.columns, self.outcomes, 1))
        weights[:, 1:, 0] = float(base) ** np.arange(self.outcomes - 1)
        tables = bin_tables(self, weights)
        sums = tables[0].take(self.bins[0])
        for bins, table in zip(self.bins[1:], tables[1:], strict=True):
            sums += table.take(bins)
        return sums

    def take(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.intp] | slice) -> "PackedVotes":
        """Some of the rows."""
        if isinstance(rows, slice):
            return PackedVotes(np.ascontiguousarray(self.codes[:, rows]), self.layout)
        numbers = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows  # an index of flags would be looked up once a code
        return PackedVotes(self.codes.take(numbers, axis=1), self.layout)

    @cached_property
    def bin_size(self) -> int:
        """Numbers that one of `bins` can be."""
        return self.layout.size * BYTE if self.joint else self.layout.size

    @cached_property
    def bins(self) -> list[npt.NDArray[np.intp]]:
        """What is counted: the codes where `joint`, else the units; intp [n_rows] each."""
        if self.joint or not self.layout.paired:
            return [code.astype(np.intp) for code in self.codes]
        return [unit.astype(np.intp) for unit in self.units()]

    @cached_property
    def runs(self) -> npt.NDArray[np.intp] | None:
        """Where the first of the `bins` changes, intp [n_runs], when it ascends, as in canonical order: sums over it need no histogram. None where rows are few."""
        if self.joint or self.rows < LEAST_RUNS:
            return None
        first = self.bins[0]
        steps = np.flatnonzero(first[1:] != first[:-1]) + 1
        starts = np.concatenate([[0], steps]) if len(first) else steps
        return starts if len(starts) <= self.bin_size and bool((first[starts[1:]] > first[starts[:-1]]).all()) else None

    def units(self) -> list[Codes]:
        """The number of each unit, uint16 [n_rows] each."""
        if not self.layout.paired:
            return list(self.codes)
        return [unit for code in self.codes for unit in (code & (BYTE - 1), code >> 8)][: self.layout.units]


def pack(votes: Votes, outcomes: int, *, checked: bool = True) -> PackedVotes:
    """Codes of `votes` (int8 or int16 [n_rows, n_functions], each vote < outcomes - 1) for table look-ups; `checked` as of `packed_chunks`."""
    layout = layout_of(votes.shape[1], outcomes)
    codes = np.empty((layout.codes, votes.shape[0]), dtype=np.uint16)
    for start, part in packed_chunks(votes, layout, checked=checked):
        codes[:, start : start + part.shape[1]] = part
    return PackedVotes(codes, layout)


def unit_sums(log_weights: FloatArray, layout: Layout) -> FloatArray:
    """As `unit_tables`, up to the last bit: quicker where units are small, for sums that only a fit reads."""
    if layout.size > SMALL_UNIT:
        return unit_tables(log_weights, layout)
    return np.asarray(layout.design @ _padded(log_weights, layout).reshape(layout.units, -1, log_weights.shape[2]))


def _padded(log_weights: FloatArray, layout: Layout) -> FloatArray:
    """float64 [n_units * width, n_outcomes, n_states]: functions beyond the last say nothing."""
    functions = layout.units * layout.width
    if len(log_weights) == functions:
        return log_weights
    padded = np.zeros((functions, *log_weights.shape[1:]))
    padded[: len(log_weights)] = log_weights
    return padded


def bin_tables(packed: PackedVotes, log_weights: FloatArray, both: FloatArray | None = None) -> list[FloatArray]:
    """What each number of each of the `bins` adds to one sum, float64 [bin_size] each, from [n_functions, n_outcomes, 1]; `both` is a buffer."""
    return tables_of_bins(packed, unit_sums(log_weights, packed.layout)[:, :, 0], both)


def tables_of_bins(packed: PackedVotes, units: FloatArray, both: FloatArray | None = None, combine: np.ufunc = np.add) -> list[FloatArray]:
    """As `bin_tables`, of sums (or products) of units, float64 [n_units, size]."""
    if not packed.joint:
        return list(units)
    even = len(units) // 2 * 2
    both = np.zeros((even // 2, units.shape[1], BYTE)) if both is None else both
    combine(units[0:even:2, None, :], units[1:even:2, :, None], out=both[:, :, : units.shape[1]])
    return [*both.reshape(even // 2, -1), *units[even:]]


def exponentiate(units: FloatArray) -> bool:
    """Turn log-odds of units, float64 [n_units, size], into odds, whose products are a row's; False, and nothing done, where one might overflow."""
    if not float(np.abs(units).max(axis=1).sum()) <= LARGEST_LOG_ODDS:  # nor where it is NaN
        return False
    np.exp(units, out=units)
    return True


def scaled_likelihoods(units: FloatArray, log_prior: FloatArray) -> tuple[FloatArray, float] | None:
    """(likelihoods of each unit, float64 as `units`, the first with the prior; log of what a row's product of them is scaled by); None where one might underflow.

    Args:
        units: float64 [n_units, size, n_states], logs; overwritten.
    """
    units[0] += log_prior
    top, low = units.max(axis=(1, 2)), units.min(axis=(1, 2))
    if float((top - low).sum()) >= LARGEST_LOG_ODDS:
        return None
    units -= top[:, None, None]
    return np.exp(units, out=units), float(top.sum())


def unit_tables(log_weights: FloatArray, layout: Layout) -> FloatArray:
    """float64 [n_units, size, n_states]: the sum of one outcome of each of a unit's functions, from [n_functions, n_outcomes, n_states]."""
    _, outcomes, states = log_weights.shape
    blocks = _padded(log_weights, layout).reshape(layout.units, layout.width, outcomes, states)
    table = blocks[:, 0] if layout.width > 1 else blocks[:, 0].copy()  # the caller may overwrite it
    for i in range(1, layout.width):
        table = (table[:, :, None, :] + blocks[:, i][:, None, :, :]).reshape(layout.units, -1, states)
    return table


class RowSums:
    """Sums (or products) of looked-up values over the codes of rows. Buffers are made once: the next call overwrites the answer of the last."""

    def __init__(self, layout: Layout, states: int, rows: int, *, joint: bool, combine: np.ufunc = np.add) -> None:
        """For at most `rows` rows at a time; `joint` is for less than TOGETHER states, `combine` np.add or np.multiply."""
        self.layout, self.joint, self.combine = layout, joint and layout.units > 1, combine
        self.tables: list[list[Tables]] = []
        shape = (rows,) if states < TOGETHER else (rows, states)
        self.totals = np.empty((states if states < TOGETHER else 1, *shape))
        self.first, self.second, self.index = np.empty(shape), np.empty(shape), np.empty(rows, dtype=np.intp)
        self.both = np.zeros((states, layout.units // 2, layout.size, BYTE)) if self.joint else np.empty(0)

    def load(self, log_weights: FloatArray) -> "RowSums":
        """Look up in tables of these from now on: float64 [n_functions, n_outcomes, n_states].

        There are tables for each state, or from TOGETHER states on for all at once.
        """
        return self.load_units(unit_tables(log_weights, self.layout))

    def load_units(self, tables: FloatArray) -> "RowSums":
        """As `load`, of what `unit_tables` gives."""
        states = list(np.ascontiguousarray(tables.transpose(2, 0, 1))) if tables.shape[2] < TOGETHER else [tables]
        self.tables = [self._by_code(table, state) for state, table in enumerate(states)]
        return self

    def _by_code(self, tables: FloatArray, state: int) -> list[Tables]:
        if not self.layout.paired:
            return [(table,) for table in tables]
        if not self.joint:
            return [tuple(tables[i : i + 2]) for i in range(0, len(tables), 2)]
        both, size, even = self.both[state], self.layout.size, len(tables) // 2 * 2
        self.combine(tables[0:even:2, None, :], tables[1:even:2, :, None], out=both[:, :, :size])
        return [(table,) for table in (*both.reshape(even // 2, size * BYTE), *tables[even:])]

    def of(self, codes: npt.NDArray[Any]) -> FloatArray:
        """float64 [n_states, n_rows] for one or two states, else [1, n_rows, n_states], from [n_codes, n_rows]."""
        rows = codes.shape[1]
        totals = self.totals[:, :rows]
        value = self.first[:rows]
        for total, tables in zip(totals, self.tables, strict=True):
            self._look_up(codes[0], tables[0], total)
            for code, parts in zip(codes[1:], tables[1:], strict=True):
                self._look_up(code, parts, value)
                self.combine(total, value, out=total)
        return totals

    def _look_up(self, code: npt.NDArray[Any], parts: Tables, out: FloatArray) -> None:
        """The value of a code; it is in range by construction: mode `clip` only leaves out the check."""
        index = self.index[: len(code)]
        if self.joint or not self.layout.paired:
            index[:] = code
            parts[0].take(index, axis=0, out=out, mode="clip")
            return
        np.bitwise_and(code, BYTE - 1, out=index)
        parts[0].take(index, axis=0, out=out, mode="clip")
        if len(parts) == 2:
            second = self.second[: len(code)]
            np.right_shift(code, 8, out=index)
            parts[1].take(index, axis=0, out=second, mode="clip")
            self.combine(out, second, out=out)


def sum_tables(packed: PackedVotes, log_weights: FloatArray) -> FloatArray:
    """Sum over functions of the log weight of each row's outcome.

    Args:
        packed: n_rows rows of n_functions functions.
        log_weights: float64 [n_functions, n_outcomes, n_states], in nats.
    Returns:
        float64 [n_states, n_rows].
    """
    states = log_weights.shape[2]
    sums = RowSums(packed.layout, states, packed.rows, joint=packed.joint and states < TOGETHER).load(log_weights).of(packed.codes)
    return sums if states < TOGETHER else np.ascontiguousarray(sums[0].T)


def one_each(functions: int, classes: int) -> FloatArray:
    """What each outcome adds to the tally of each class: float64 [n_functions, 1 + n_classes, n_classes] of 0 and 1."""
    return np.tile(np.eye(1 + classes, classes, -1), (functions, 1, 1))
