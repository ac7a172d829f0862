"""Ties count in expectation, and what is not finite scores as uniform."""

import numpy as np
import pytest

from benchmarks.label_models.scoring import average_precision, expected_hits, f1, paired_interval, score


def test_a_tie_counts_its_share() -> None:
    P = np.array([[0.5, 0.5, 0.0], [1 / 3, 1 / 3, 1 / 3], [0.2, 0.7, 0.1], [0.5, 0.5, 0.0]])
    assert expected_hits(P, np.array([1, 2, 1, 2])) == pytest.approx([1 / 2, 1 / 3, 1, 0])


def test_f1_counts_half_of_a_tied_row() -> None:
    P = np.array([[0.5, 0.5], [0.1, 0.9], [0.9, 0.1]])
    gold = np.array([1, 1, 0])
    assert f1(P, gold) == pytest.approx(2 * 1.5 / (1.5 + 2))
    assert f1(P, gold, missed=1) == pytest.approx(2 * 1.5 / (1.5 + 3))


def test_average_precision_does_not_depend_on_the_order_of_ties() -> None:
    ranking, positive = np.array([0.9, 0.5, 0.5, 0.1]), np.array([True, True, False, False])
    assert average_precision(ranking, positive) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert average_precision(ranking[::-1], positive[::-1]) == average_precision(ranking, positive)
    assert np.isnan(average_precision(ranking, ~positive & positive))


def test_only_covered_rows_with_gold_are_scored() -> None:
    P = np.array([[0.9, 0.1], [np.nan, np.nan], [0.1, 0.9], [0.1, 0.9]])
    scores = score(P, np.array([0, 0, -1, 0]), np.array([True, True, True, False]), np.array([1.0, 1.0]))
    assert (scores.rows, scores.invalid) == (2, 1)
    assert scores.accuracy == 0.75
    assert scores.difference == -0.25


def test_equal_methods_differ_by_nothing() -> None:
    hits = np.array([1.0, 0.5, 0.0])
    assert paired_interval(hits, hits) == (0, 0, 0)
