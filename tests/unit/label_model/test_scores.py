"""Labels from probabilities, and scores against gold, each against a figure worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeljob import scores

P = np.array([[0.9, 0.1], [0.6, 0.4], [0.5, 0.5], [0.2, 0.8]])
GOLD = np.array([0, 1, 0, -1])
COVERED = np.array([True, True, False, True])


def test_ties_within_1e_9_give_no_label():
    rows = np.array([[0.5, 0.5], [0.5 + 4e-10, 0.5 - 4e-10], [0.5 + 1e-8, 0.5 - 1e-8], [0.1, 0.9]])
    np.testing.assert_array_equal(scores.labels_from_probabilities(rows), [-1, -1, 0, 1])
    assert scores.labels_from_probabilities(np.empty((0, 2))).shape == (0,)


def test_confidence_and_training_weight():
    """C5: weight is (K max p - 1) / (K - 1), and 0 for a row nobody votes on."""
    np.testing.assert_allclose(scores.confidence(P), [0.9, 0.6, 0.5, 0.8])
    np.testing.assert_allclose(scores.training_weight(P, COVERED), [0.8, 0.2, 0, 0.6])
    thirds = np.array([[0.6, 0.3, 0.1], [1 / 3, 1 / 3, 1 / 3], [1, 0, 0]])
    np.testing.assert_allclose(scores.training_weight(thirds, np.ones(3, dtype=bool)), [0.4, 0, 1], atol=1e-12)
    np.testing.assert_allclose(scores.training_weight(P, ~np.ones(4, dtype=bool)), 0)


def test_coverage_and_conflict_are_over_the_right_rows():
    votes = np.array([[0, 1], [0, -1], [1, 1], [-1, -1]], dtype=np.int8)
    assert scores.coverage_rate(votes) == 0.75
    assert scores.conflict_rate(votes) == pytest.approx(1 / 3)
    assert scores.mean_confidence(P, COVERED) == pytest.approx((0.9 + 0.6 + 0.8) / 3)


def test_a_null_label_is_a_recall_miss_and_no_prediction():
    gold = np.array([0, 0, 0, 1, 1, -1, 2])
    labels = np.array([0, -1, 1, 1, 1, 0, 1])
    got = scores.class_scores(labels, gold, 4)
    np.testing.assert_array_equal(got.support, [3, 2, 1, 0])
    np.testing.assert_array_equal(got.predicted, [1, 4, 0, 0])
    np.testing.assert_allclose(got.precision, [1, 0.5, np.nan, np.nan])
    np.testing.assert_allclose(got.recall, [1 / 3, 1, 0, np.nan])
    assert got.macro_precision == pytest.approx(0.5)
    assert got.macro_recall == pytest.approx((1 / 3 + 1) / 3)
    assert got.accuracy == pytest.approx(3 / 6)


def test_brier_log_loss_by_hand():
    """M8: over rows with gold; the last row has none."""
    assert scores.brier(P, GOLD) == pytest.approx((0.02 + 0.72 + 0.5) / 3)
    assert scores.log_loss(P, GOLD) == pytest.approx(-(np.log(0.9) + np.log(0.4) + np.log(0.5)) / 3)
    assert np.isfinite(scores.log_loss(np.array([[1.0, 0.0]]), np.array([1])))


def test_calibration_error_and_curve_by_hand():
    """M8: ten bins; a tie that holds the gold class is half a hit; uncovered rows are left out."""
    rows = np.array([[0.95, 0.05], [0.97, 0.03], [0.62, 0.38], [0.5, 0.5], [1.0, 0.0]])
    gold, covered = np.array([0, 1, 0, 1, 0]), np.array([True, True, True, True, False])
    curve = scores.reliability_curve(rows, gold, covered)
    np.testing.assert_array_equal(curve.rows, [1, 1, 2])
    np.testing.assert_allclose(curve.confidence, [0.5, 0.62, 0.96])
    np.testing.assert_allclose(curve.accuracy, [0.5, 1, 0.5])
    assert scores.calibration_error(rows, gold, covered) == pytest.approx((0 + 0.38 + 2 * 0.46) / 4)


def test_calibrated_probabilities_have_little_error():
    rng = np.random.default_rng(0)
    p = rng.uniform(0.5, 1, 50_000)
    gold = (rng.random(50_000) >= p).astype(np.int64)
    assert scores.calibration_error(np.stack([p, 1 - p], axis=1), gold, np.ones(50_000, dtype=bool)) < 0.01


def test_without_rows_a_ratio_is_nan():
    none, gold = np.empty((0, 2)), np.empty(0, dtype=np.int64)
    covered = np.empty(0, dtype=bool)
    votes = np.empty((0, 3), dtype=np.int8)
    figures = [scores.brier(none, gold), scores.log_loss(none, gold), scores.calibration_error(none, gold, covered)]
    figures += [scores.mean_confidence(none, covered), scores.coverage_rate(votes), scores.conflict_rate(votes), scores.lower_bound(0, 0)]
    got = scores.class_scores(gold, gold, 2)
    figures += [got.macro_precision, got.macro_recall, got.accuracy]
    assert np.isnan(figures).all()


def test_lower_bound_is_wilsons():
    assert scores.lower_bound(90, 100) == pytest.approx(0.8256, abs=1e-4)
    assert scores.lower_bound(30, 30) == pytest.approx(0.8865, abs=1e-4)
    assert scores.lower_bound(0, 10) == 0


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(-1, 1), st.booleans()), max_size=30))
def test_scores_stay_in_their_range(rows):
    p = np.array([row[0] for row in rows]).reshape(-1)
    both = np.stack([p, 1 - p], axis=1)
    gold, covered = np.array([row[1] for row in rows], dtype=np.int64), np.array([row[2] for row in rows], dtype=bool)
    for value, top in ((scores.brier(both, gold), 2), (scores.calibration_error(both, gold, covered), 1)):
        assert np.isnan(value) or -1e-12 <= value <= top + 1e-12
    assert ((scores.training_weight(both, covered) >= 0) & (scores.training_weight(both, covered) <= 1)).all()
