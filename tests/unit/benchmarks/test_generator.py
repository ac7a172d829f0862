"""The generator's rates are as stated, and its oracle is calibrated."""

import numpy as np
import pytest

from benchmarks.label_models.generator import KINDS, NO_PARENT, Cell, balance_of, generate, oracle, parameters_of
from labeljob.scores import calibration_error, log_loss
from labeljob.votes import covered_rows

ROWS = 20_000


@pytest.mark.parametrize("classes", [2, 4])
def test_rates_are_as_stated(classes: int) -> None:
    made = generate(Cell(ROWS, 10, classes))
    voted = made.votes != -1
    right = (made.votes == made.truth[:, None]) & voted
    assert np.allclose(np.bincount(made.truth) / ROWS, balance_of(classes), atol=0.015)
    assert np.allclose(voted.mean(axis=0), 0.5, atol=0.015)
    assert np.allclose(right.sum(axis=0) / voted.sum(axis=0), made.parameters.accuracy, atol=0.02)
    assert ((made.parameters.accuracy >= 0.55) & (made.parameters.accuracy <= 0.9)).all()


def test_wrong_classes_are_uniform() -> None:
    made = generate(Cell(ROWS, 10, 4))
    wrong = made.votes[(made.truth == 0)[:, None] & (made.votes > 0)]
    assert np.allclose(np.bincount(wrong, minlength=4)[1:] / len(wrong), 1 / 3, atol=0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_the_oracle_is_calibrated_and_best(kind: str) -> None:
    made = generate(Cell(ROWS, 12, 2, kind))
    P, covered = oracle(made.votes, made.parameters), covered_rows(made.votes)
    prior = np.tile(made.parameters.balance, (ROWS, 1))
    assert calibration_error(P, made.truth, covered) < 0.02
    assert log_loss(P, made.truth) < log_loss(prior, made.truth)


def test_copies_repeat_the_weakest_function() -> None:
    exact, near = (generate(Cell(5_000, 12, 2, kind)) for kind in ("copies", "near-copies"))
    assert (exact.votes[:, 6:] == exact.votes[:, :1]).all()
    assert 0.9 < (near.votes[:, 6:] == near.votes[:, :1]).mean() < 0.96  # a redraw repeats by chance too
    assert exact.parameters.accuracy[0] == exact.parameters.accuracy.min()
    assert (exact.parameters.parent[:6] == NO_PARENT).all()


def test_exact_copies_tell_the_oracle_nothing() -> None:
    few, copies = (generate(Cell(5_000, m, 2, kind)) for m, kind in ((6, "few"), (12, "copies")))
    assert np.allclose(oracle(copies.votes[:, :6], few.parameters), oracle(copies.votes, copies.parameters))


def test_less_than_two_fifths_are_adversarial() -> None:
    accuracy = parameters_of(Cell(100, 10, 4, "adversarial")).accuracy
    assert 0 < np.mean(accuracy < 1 / 4) < 0.4


def test_a_cell_fixes_its_votes() -> None:
    first, again, other = (generate(Cell(200, 5, 2, seed=seed)).votes for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
