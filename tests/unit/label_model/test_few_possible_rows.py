"""Where a row is one of few possible ones it is read as a number: the same answers, by tables of all possible rows."""

import numpy as np
import pytest

from labeljob.label_model.em.expectation import Expectation
from labeljob.label_model.em.grid import GridExpectation, is_dense
from labeljob.label_model.posteriors import state_posterior
from labeljob.label_model.statistics.packing import pack
from labeljob.label_model.statistics.patterns import distinct, distinct_up_to
from labeljob.label_model.statistics.unpacking import unpack
from labeljob.label_model.statistics.vote_codes import NUMBER_ROWS, Layout, number_chunks
from labeljob.label_model.statistics.weighted_votes import weigh

SHAPES = [(2, 3), (4, 3), (6, 3), (8, 3), (10, 3), (8, 4), (6, 4), (4, 5), (6, 5), (6, 6), (4, 16), (2, 16)]  # functions, outcomes


def matrix(functions, outcomes, rows, seed=0):
    return np.random.default_rng(seed).integers(-1, outcomes - 1, (rows, functions)).astype(np.int8)


@pytest.mark.parametrize(("functions", "outcomes"), SHAPES)
def test_a_row_is_its_number(functions, outcomes):
    L = matrix(functions, outcomes, NUMBER_ROWS + 77)
    layout = Layout(functions, outcomes)
    assert layout.numbers == outcomes**functions
    found = np.concatenate([numbers.copy() for _, numbers in number_chunks(L, layout)])
    np.testing.assert_array_equal(found, (L.astype(int) + 1) @ outcomes ** np.arange(functions - 1, -1, -1))


@pytest.mark.parametrize(("functions", "outcomes"), [(11, 3), (9, 3), (8, 5), (3, 17)])
def test_rows_of_an_odd_width_or_of_too_many_possible_ones_have_no_number(functions, outcomes):
    assert Layout(functions, outcomes).numbers == 0


@pytest.mark.parametrize(("functions", "outcomes"), SHAPES)
@pytest.mark.parametrize("states", [2, 3, 5])
def test_a_row_gets_the_same_bits_from_the_table_of_all_rows_and_alone(functions, outcomes, states):
    """X16: whether the table is used depends on how many rows there are; a probability does not."""
    rng = np.random.default_rng(1)
    weights, prior = rng.normal(size=(functions, outcomes, states)) * 3, rng.normal(size=states)
    L = matrix(functions, outcomes, 70_000)
    among_many = state_posterior(L, prior, weights)
    alone = np.concatenate([state_posterior(L[i : i + 1], prior, weights) for i in range(0, 70_000, 2333)])
    np.testing.assert_array_equal(among_many[::2333], alone)


@pytest.mark.parametrize(("functions", "outcomes"), SHAPES)
def test_the_grid_of_all_rows_expects_what_look_ups_expect(functions, outcomes):
    rng = np.random.default_rng(2)
    patterns, counts = distinct(matrix(functions, outcomes, 60_000), outcomes)
    rows = weigh(patterns, counts.astype(float), outcomes)
    assert is_dense(rows.packed, 2)
    assert not is_dense(rows.packed, 3)
    weights, prior = np.log(rng.dirichlet(np.ones(outcomes), (functions, 2)).transpose(0, 2, 1)), np.log([0.3, 0.7])
    (plain, one), (grid, other) = Expectation(rows, 2).of(prior, weights), GridExpectation(rows).of(prior, weights)
    np.testing.assert_allclose(grid.outcomes, plain.outcomes, rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(grid.rows, plain.rows, rtol=1e-12)
    assert other == pytest.approx(one, rel=1e-12)


@pytest.mark.parametrize("rows", [300, 20_000, 300_000])
@pytest.mark.parametrize("functions", [9, 10])
def test_sorting_and_counting_numbers_find_the_same_patterns(rows, functions):
    """Few rows are sorted, many counted in a table; odd widths are read unit by unit."""
    L = matrix(functions, 3, rows)
    patterns, counts = distinct(L, 3)
    expected, times = np.unique(L, axis=0, return_counts=True)
    np.testing.assert_array_equal(patterns, expected)
    np.testing.assert_array_equal(counts, times)
    assert counts.dtype == np.int64


@pytest.mark.parametrize(("functions", "outcomes"), [*SHAPES, (11, 3), (9, 3), (5, 5), (7, 4), (13, 5), (3, 3)])
def test_codes_are_the_same_from_numbers_and_from_votes(functions, outcomes):
    """What `distinct_up_to` leaves for EM is what packing the patterns gives."""
    L = matrix(functions, outcomes, 3000)
    found = distinct_up_to(L, outcomes, 1 << 16)
    np.testing.assert_array_equal(unpack(found.patterns), distinct(L, outcomes)[0])
    np.testing.assert_array_equal(found.patterns.codes, pack(unpack(found.patterns), outcomes).codes)


def test_outcomes_that_cannot_be_leave_other_rows_alone():
    """Weights of minus infinity, of a model made by hand: a vote that one class never casts decides, and no row is NaN that does not contradict itself."""
    weights = np.zeros((2, 3, 2))
    weights[0, 1], weights[1, 2] = [0, -np.inf], [-np.inf, 0]
    L = np.array([[0, -1], [-1, 1], [-1, -1]], dtype=np.int8)
    for votes in (L, np.repeat(L, 50, axis=0)):  # row by row, and from a table of all possible rows
        with np.errstate(invalid="ignore"):  # a row that contradicts itself, which is not among these
            P = state_posterior(votes, np.log([0.5, 0.5]), weights)[:: len(votes) // 3]
        np.testing.assert_allclose(P, [[1, 0], [0, 1], [0.5, 0.5]], atol=1e-300)
