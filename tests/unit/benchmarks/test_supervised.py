"""What a fit without labels is held against: the oracle, and the same model fitted on the true labels."""

import numpy as np
import pytest

from benchmarks.label_models.generator import Cell, generate, oracle, outcome_probabilities
from benchmarks.label_models.supervised import allowed_excess, confusions, supervised_log_loss
from labeljob.scores import log_loss


def test_fresh_rows_come_from_the_same_parameters_and_are_others():
    cell = Cell(2000, 6, 3)
    made, fresh, again = generate(cell), generate(cell, fresh=True), generate(cell, fresh=True)
    np.testing.assert_array_equal(made.parameters.accuracy, fresh.parameters.accuracy)
    assert (made.votes != fresh.votes).any()
    np.testing.assert_array_equal(fresh.votes, again.votes)


@pytest.mark.parametrize("evidence", [False, True])
def test_confusions_counted_on_true_labels_come_to_the_parameters(evidence):
    made = generate(Cell(200_000, 5, 3))
    log_balance, log_confusion = confusions(made.votes, made.truth, 3, evidence=evidence)
    np.testing.assert_allclose(np.exp(log_balance), made.parameters.balance, atol=0.01)
    for j in range(5):
        expected = outcome_probabilities(made.parameters.accuracy[j], made.parameters.coverage[j], 3)
        if not evidence:
            expected = np.vstack([np.ones(3), expected[1:] / expected[1:].sum(axis=0)])
        np.testing.assert_allclose(np.exp(log_confusion[j]), expected, atol=0.015)


@pytest.mark.parametrize("evidence", [False, True])
def test_the_supervised_fit_is_a_little_worse_than_the_oracle(evidence):
    cell = Cell(3000, 10, 2)
    made, fresh = generate(cell), generate(Cell(50_000, 10, 2), fresh=True)
    best = log_loss(oracle(fresh.votes, fresh.parameters), fresh.truth)
    assert 0 < supervised_log_loss(made, fresh, 2, evidence=evidence) - best < 0.01


@pytest.mark.parametrize(("oracle_loss", "supervised", "expected"), [(0.2, 0.2001, 0.002), (0.01, 0.011, 0.00125), (0.001, 0.001, 0.0001)])
def test_the_allowed_excess_is_the_largest_of_three(oracle_loss, supervised, expected):
    assert allowed_excess(oracle_loss, supervised) == pytest.approx(expected)
