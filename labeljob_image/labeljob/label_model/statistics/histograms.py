"""Weighted counts of each function's outcomes, as histograms of the numbers that `packing` reads units of functions as."""

import numpy as np
import numpy.typing as npt

from labeljob.label_model.statistics.packing import BYTE, SMALL_UNIT, PackedVotes
from labeljob.label_model.statistics.vote_codes import Layout
from labeljob.votes import FloatArray


def outcome_counts(packed: PackedVotes, row_weights: FloatArray) -> FloatArray:
    """Weighted histogram of every function's outcomes.

    Args:
        packed: n_rows rows of n_functions functions.
        row_weights: float64 [n_states, n_rows], expected rows of each state.
    Returns:
        float64 [n_functions, n_outcomes, n_states].
    """
    histograms = empty_histograms(packed, len(row_weights))
    add_histograms(packed, slice(None), row_weights, histograms)
    return by_function(packed, histograms)


def empty_histograms(packed: PackedVotes, states: int) -> FloatArray:
    """Zeros, float64 [n_bins, n_states, bin_size]."""
    return np.zeros((len(packed.bins), states, packed.bin_size))


def add_histograms(packed: PackedVotes, part: slice, weights: FloatArray, histograms: FloatArray) -> None:
    """Add the weights of some rows, float64 [n_states, n_rows], to float64 [n_bins, n_states, bin_size]."""
    runs = packed.runs if weights.shape[1] == packed.rows else None
    if runs is not None:
        histograms[0][:, packed.bins[0][runs]] += np.add.reduceat(weights, runs, axis=1)
    for bins, of_bins in zip(packed.bins[runs is not None :], histograms[runs is not None :], strict=True):
        for state, of_state in enumerate(weights):
            of_bins[state] += np.bincount(bins[part], of_state, packed.bin_size)


def outcome_counts_by_state(packed: PackedVotes, row_weights: FloatArray, states: npt.NDArray[np.intp], n_states: int) -> FloatArray:
    """`outcome_counts` where each row has one state only: float64 [n_rows] and intp [n_rows]; in one pass."""
    size = packed.bin_size
    offsets = states * size
    histograms = empty_histograms(packed, n_states)
    for bins, of_bins in zip(packed.bins, histograms, strict=True):
        of_bins.reshape(-1)[:] = np.bincount(bins + offsets, row_weights, size * n_states)
    return by_function(packed, histograms)


def by_function(packed: PackedVotes, histograms: FloatArray) -> FloatArray:
    """float64 [n_functions, n_outcomes, n_states] from histograms, float64 [n_bins, n_states, bin_size]."""
    layout, states = packed.layout, histograms.shape[1]
    units = histograms
    if packed.joint:
        both = histograms.reshape(len(histograms), states, layout.size, BYTE)[..., : layout.size]
        units = np.stack([both.sum(axis=2), both.sum(axis=3)], axis=1).reshape(-1, states, layout.size)[: layout.units]
    return by_unit(layout, units)


def by_unit(layout: Layout, units: FloatArray) -> FloatArray:
    """float64 [n_functions, n_outcomes, n_states] from histograms of units, float64 [n_units, n_states, size]."""
    states = units.shape[1]
    if layout.size <= SMALL_UNIT:
        split = (units @ layout.design).reshape(layout.units, states, layout.width, layout.outcomes)
        return split.transpose(0, 2, 3, 1).reshape(-1, layout.outcomes, states)[: layout.columns]
    counts = np.empty((layout.units, layout.width, layout.outcomes, states))
    for i in range(layout.width):
        split = units.reshape(layout.units, states, layout.outcomes**i, layout.outcomes, -1)
        counts[:, i] = split.sum(axis=(2, 4)).transpose(0, 2, 1)
    return counts.reshape(-1, layout.outcomes, states)[: layout.columns]
