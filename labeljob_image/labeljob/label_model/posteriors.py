"""Votes to probabilities, chunk by chunk: what a pass works on stays in the cache, and memory beyond the answer does not grow with rows.

Every operation treats each row alone and in a fixed order: the answer for a row does not depend on the other rows, to the last bit.
"""

from collections.abc import Iterator

import numpy as np

from labeljob.label_model.statistics.packing import JOINT_ROWS, LARGEST_LOG_ODDS, TOGETHER, RowSums, exponentiate, one_each, scaled_likelihoods, unit_tables
from labeljob.label_model.statistics.vote_codes import Layout, chunk_rows, layout_of, number_chunks, packed_chunks
from labeljob.votes import FloatArray, Votes

WIDE = 16  # states from which sums over them are quicker row by row
MANY_ROWS = 2  # times the rows of a matrix above all possible rows, one look-up a row is quicker


def state_posterior(votes: Votes, log_prior: FloatArray, log_weights: FloatArray, *, checked: bool = True) -> FloatArray:
    """Probability of each latent state for each row.

    Args:
        votes: int8 or int16 [n_rows, n_functions], valid; there may be no rows.
        log_prior: float64 [n_states], in nats. log_weights: float64 [n_functions, n_outcomes, n_states], log likelihoods.
        checked: whether the votes are known to be valid; see `packed_chunks`.
    Returns:
        float64 [n_rows, n_states]; rows sum to 1.
    """
    layout = layout_of(votes.shape[1], log_weights.shape[1])
    if votes.dtype == np.int8 and 0 < layout.numbers <= votes.shape[0] * MANY_ROWS:
        return _from_table(votes, layout, log_prior, log_weights, checked)
    probabilities = np.empty((votes.shape[0], len(log_prior)))
    if len(log_prior) == 2:
        units, combine = _odds(log_prior, log_weights, layout)
        for rows, sums in _chunk_sums(votes, units, layout, combine, checked):
            two_states(sums[0], combine, probabilities[rows])
        return probabilities
    scaled = scaled_likelihoods(unit_tables(log_weights, layout), log_prior)
    if scaled is None:
        for rows, sums in _chunk_sums(votes, unit_tables(log_weights, layout), layout, checked=checked):
            probabilities[rows] = normalised(np.add(sums, log_prior[:, None], out=sums)).T
        return probabilities
    chunk = min(chunk_rows(layout.columns, len(log_prior)), max(votes.shape[0], 1))
    products = RowSums(layout, len(log_prior), chunk, joint=False, combine=np.multiply).load_units(scaled[0])
    for start, codes in packed_chunks(votes, layout, chunk, checked=checked):
        shares(products.of(codes)[0], probabilities[start : start + codes.shape[1]])
    return probabilities


def shares(likelihoods: FloatArray, out: FloatArray) -> None:
    """Fill float64 [n_rows, n_states] with `likelihoods`, likewise, scaled to sum to 1 over states; a row's do not depend on other rows."""
    states = likelihoods.shape[1]
    if states >= WIDE:
        np.divide(likelihoods, likelihoods.sum(axis=1, keepdims=True), out=out)
        return
    total = likelihoods[:, 0] + likelihoods[:, 1]
    for state in range(2, states):
        total += likelihoods[:, state]
    inverse = np.divide(1.0, total, out=total)
    for state in range(states):
        np.multiply(likelihoods[:, state], inverse, out=out[:, state])


def _odds(log_prior: FloatArray, log_weights: FloatArray, layout: Layout) -> tuple[FloatArray, np.ufunc]:
    """(what units say of two states, of which only the difference matters; how it is combined): odds of the first, multiplied, or logs where these overflow.

    The prior is with the first unit. Arguments as of `state_posterior`; float64 [n_units, size, 1].
    """
    units = unit_tables(log_weights[:, :, :1] - log_weights[:, :, 1:], layout)
    units[0] += log_prior[0] - log_prior[1]
    return units, np.multiply if exponentiate(units[:, :, 0]) else np.add


def _from_table(votes: Votes, layout: Layout, log_prior: FloatArray, log_weights: FloatArray, checked: bool) -> FloatArray:
    """As `state_posterior`, to the last bit, where there are more rows than they can differ: every possible row's once, then look-ups."""
    states = len(log_prior)
    table = np.empty((layout.numbers, states))
    if states == 2:
        units, combine = _odds(log_prior, log_weights, layout)
        two_states(every_sum(units, layout, combine)[0], combine, table)
    else:
        scaled = scaled_likelihoods(unit_tables(log_weights, layout), log_prior)
        if scaled is None:
            table[:] = normalised(every_sum(unit_tables(log_weights, layout), layout) + log_prior[:, None]).T
        else:
            shares(every_sum(scaled[0], layout, np.multiply).T, table)
    probabilities = np.empty((votes.shape[0], states))
    for start, numbers in number_chunks(votes, layout, checked=checked):
        np.take(table, numbers, axis=0, out=probabilities[start : start + len(numbers)], mode="clip")
    return probabilities


def every_sum(tables: FloatArray, layout: Layout, combine: np.ufunc = np.add) -> FloatArray:
    """Sum (or product) over the units of every possible row, float64 [n_states, n_numbers], in the order of `packing.RowSums`; tables as of `unit_tables`."""
    units = np.moveaxis(tables, 2, 0)
    columns = [min(layout.width, layout.columns - unit * layout.width) for unit in range(layout.units)]
    parts = [units[:, unit, :: layout.outcomes ** (layout.width - width)] for unit, width in enumerate(columns)]
    if layout.paired:  # the two units of a code come first
        parts = [_outer(combine, *parts[i : i + 2]) for i in range(0, len(parts), 2)]
    return _outer(combine, *parts)


def _outer(combine: np.ufunc, first: FloatArray, *others: FloatArray) -> FloatArray:
    """Sums (or products) of all combinations of the entries of float64 [n_states, n], the last varying fastest."""
    for other in others:
        first = combine(first[:, :, None], other[:, None, :]).reshape(len(first), -1)
    return first


def vote_share_posterior(votes: Votes, uncovered: FloatArray) -> FloatArray:
    """Share of a row's votes for each class, float64 [n_rows, n_classes]; `uncovered` (float64 [n_classes]) where nobody votes."""
    classes = len(uncovered)
    probabilities = np.empty((votes.shape[0], classes))
    layout = layout_of(votes.shape[1], 1 + classes)
    for rows, tallies in _chunk_sums(votes, unit_tables(one_each(votes.shape[1], classes), layout), layout):
        total, part = tallies.sum(axis=0), probabilities[rows]
        share = 1.0 / np.maximum(total, 1.0)
        for k in range(classes):
            np.multiply(tallies[k], share, out=part[:, k])
        part[total == 0] = uncovered
    return probabilities


def _chunk_sums(
    votes: Votes, units: FloatArray, layout: Layout, combine: np.ufunc = np.add, checked: bool = True
) -> Iterator[tuple[slice, FloatArray]]:
    """(rows, float64 [n_states, n_rows]): sums (or products) over functions, as `packing.sum_tables`, of one chunk after another; units as of `unit_tables`."""
    states = units.shape[2]
    chunk = min(chunk_rows(layout.columns, states), max(votes.shape[0], 1))
    joint = layout.paired and states < TOGETHER and votes.shape[0] >= JOINT_ROWS
    sums = RowSums(layout, states, chunk, joint=joint, combine=combine).load_units(units)
    for start, codes in packed_chunks(votes, layout, chunk, checked=checked):
        of_chunk = sums.of(codes)
        yield slice(start, start + codes.shape[1]), of_chunk if states < TOGETHER else np.ascontiguousarray(of_chunk[0].T)


def two_states(ratio: FloatArray, combine: np.ufunc, out: FloatArray) -> None:
    """Fill float64 [n_rows, 2] from the odds of the first state (or their logs, where they were added); both keep their relative precision.

    `ratio` is overwritten.
    """
    if combine is np.add:
        np.clip(ratio, -LARGEST_LOG_ODDS, LARGEST_LOG_ODDS, out=ratio)
        np.exp(ratio, out=ratio)
    second = ratio + 1.0
    np.divide(1.0, second, out=second)
    out[:, 1] = second
    np.multiply(ratio, second, out=out[:, 0])


def normalised(joint: FloatArray) -> FloatArray:
    """exp(joint) scaled to sum to 1 over states, without overflow; float64 [n_states, n_rows] in and out."""
    scaled = joint - joint.max(axis=0)
    np.exp(scaled, out=scaled)
    total = np.zeros(joint.shape[1])
    for of_state in scaled:  # in order of states: the same last bit for any number of rows
        total += of_state
    scaled /= total
    return np.asarray(scaled)
