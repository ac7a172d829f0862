"""The label matrix: what is accepted, what is refused and how, and shares of rows."""

import numpy as np
import pytest

from labeljob.votes import (
    EmptyVotesError,
    VoteBatch,
    VotesError,
    conflicting_rows,
    conflicts,
    coverage,
    covered_rows,
    error_rates,
    overlaps,
    polarity,
    validate_votes,
)

L = np.array([[0, -1, -1], [0, 1, -1], [0, 0, -1], [-1, -1, -1]], dtype=np.int8)


def test_votes_in_canonical_form_are_not_copied():
    assert validate_votes(L, 2) is not None
    assert np.shares_memory(validate_votes(L, 2), L)


@pytest.mark.parametrize("dtype", [np.int16, np.int64, np.float32, np.float64, object])
def test_other_number_types_become_int8_and_the_input_stays(dtype):
    given = L.astype(dtype)
    before = given.copy()
    votes = validate_votes(given, 2)
    assert votes.dtype == np.int8
    assert votes.flags.c_contiguous
    np.testing.assert_array_equal(votes, L)
    np.testing.assert_array_equal(given, before)


def test_more_than_127_classes_need_int16():
    assert validate_votes(np.array([[126]]), 127).dtype == np.int8
    votes = validate_votes(np.array([[127, -1], [128, 3]]), 129)
    assert votes.dtype == np.int16
    assert votes.max() == 128


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ([[0, 1], [0, -7]], r"row 1, column 1 is -7.*-1 is the only abstain"),
        ([[0, 1], [2, 0]], r"row 1, column 0 is 2.*not one of 2 classes \(0 to 1\)"),
        ([[0.0, np.nan]], r"row 0, column 1 is nan.*use -1 to abstain"),
        ([[0.0, 0.5]], r"row 0, column 1 is 0.5.*not a whole number"),
        ([[0.0, np.inf]], r"row 0, column 1 is inf"),
        ([[0, None]], r"row 0, column 1 is None.*use -1 to abstain"),
        ([["spam", 1]], r"got an array of <U"),
        ([[True, False]], r"got an array of bool"),
        ([0, 1], r"two axes.*\(2,\)"),
        (np.empty((3, 0), dtype=np.int8), r"n_functions >= 1.*\(3, 0\)"),
    ],
)
def test_a_bad_matrix_is_refused_and_the_message_says_where(matrix, message):
    """C2: -7 is not silently an abstain and a None is named, not a crash somewhere else."""
    with pytest.raises(VotesError, match=message):
        validate_votes(matrix, 2)


def test_shares_of_rows():
    np.testing.assert_array_equal(coverage(L), [0.75, 0.5, 0])
    np.testing.assert_array_equal(overlaps(L), [0.5, 0.5, 0])
    np.testing.assert_array_equal(conflicts(L), [0.25, 0.25, 0])
    np.testing.assert_array_equal(covered_rows(L), [True, True, True, False])
    np.testing.assert_array_equal(conflicting_rows(L), [False, True, False, False])
    assert polarity(L) == [[0], [0, 1], []]


def test_without_rows_there_is_no_share():
    nothing = np.empty((0, 2), dtype=np.int8)
    assert validate_votes(nothing, 2).shape == (0, 2)
    for share in (coverage, overlaps, conflicts):
        with pytest.raises(EmptyVotesError, match="no rows"):
            share(nothing)


def test_a_failed_evaluation_is_an_abstain_with_its_error_bit():
    """X9: a failing function is counted, never silently an abstain."""
    errors = np.zeros(L.shape, dtype=bool)
    errors[[0, 3], 2] = True
    np.testing.assert_array_equal(error_rates(VoteBatch(L, errors)), [0, 0, 0.5])
    errors[1, 1] = True
    with pytest.raises(VotesError, match="row 1, column 1 has a vote and an error"):
        VoteBatch(L, errors)
    with pytest.raises(VotesError, match="differ in shape"):
        VoteBatch(L, errors[:2])


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.int64, np.uint16, np.uint64, ">i4", np.float64])
@pytest.mark.parametrize("row", [0, 25_000, 59_999])
def test_a_tall_matrix_of_wide_numbers_is_narrowed_block_by_block(dtype, row):
    """What int8 would wrap to a vote (256 to 0, 255 to -1) is refused wherever it stands."""
    signed = np.dtype(dtype).kind != "u"
    tall = np.random.default_rng(1).integers(-1 if signed else 0, 3, (60_000, 7)).astype(dtype)
    votes = validate_votes(tall, 3)
    assert votes.dtype == np.int8
    np.testing.assert_array_equal(votes, tall)
    for bad in (3, 127, 128, 255, 256, 257, 32767, *((-2, -128, -256) if signed else ())):
        wrong = tall.copy()
        wrong[row, 4] = bad
        with pytest.raises(VotesError, match=rf"the vote at row {row}, column 4 is {bad}(\.0)?, which is"):
            validate_votes(wrong, 3)
    view = np.asfortranarray(tall)[::-1]
    np.testing.assert_array_equal(validate_votes(view, 3), view)
    assert validate_votes(view, 3).flags.c_contiguous
