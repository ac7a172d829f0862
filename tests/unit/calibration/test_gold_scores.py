"""Scores against gold: weights, classes, and intervals that hold what they promise (M8, X11)."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeljob import scores
from labeljob.gold_scores import GoldScores, effective_rows, gold_scores
from tests.unit.calibration.gold_rows import honest, sharpened

NAMES = ("precision", "recall", "brier", "log_loss", "ece")


def scored(P: np.ndarray, Y: np.ndarray, weights: np.ndarray | None = None) -> GoldScores:
    return gold_scores(P, P.argmax(axis=1), np.ones(len(Y), dtype=bool), Y, weights)


def test_values_are_those_of_scores():
    P, Y = honest(200, 3, seed=0)
    covered, labels = np.arange(200) % 5 > 0, np.where(np.arange(200) % 7 > 0, P.argmax(axis=1), -1)
    found = gold_scores(P, labels, covered, Y)
    by_class = scores.class_scores(labels, Y, 3)
    assert found.precision.value == pytest.approx(by_class.macro_precision)
    assert found.recall.value == pytest.approx(by_class.macro_recall)
    assert found.brier.value == pytest.approx(scores.brier(P[covered], Y[covered]))
    assert found.log_loss.value == pytest.approx(scores.log_loss(P[covered], Y[covered]))
    assert found.ece.value == pytest.approx(scores.calibration_error(P, Y, covered))
    assert (found.rows, found.covered) == (200, 160)


@given(st.data())
def test_a_weight_of_two_is_two_rows(data):
    """Inclusion probabilities: every score of weighted rows is that of the rows repeated."""
    rows = data.draw(st.integers(1, 15))
    P, Y = honest(rows, 3, seed=data.draw(st.integers(0, 100)))
    times = np.array(data.draw(st.lists(st.integers(1, 3), min_size=rows, max_size=rows)))
    weighted, repeated = scored(P, Y, times.astype(float)), scored(np.repeat(P, times, axis=0), np.repeat(Y, times))
    for name in NAMES:
        assert getattr(weighted, name).value == pytest.approx(getattr(repeated, name).value, nan_ok=True)
    for one, other in zip(weighted.classes, repeated.classes, strict=True):
        assert (one.brier, one.ece) == pytest.approx((other.brier, other.ece), nan_ok=True)
        assert (one.precision.value, one.recall.value) == pytest.approx((other.precision.value, other.recall.value), nan_ok=True)
    np.testing.assert_allclose(weighted.reliability.accuracy, repeated.reliability.accuracy)


def test_equal_weights_are_none():
    P, Y = honest(60, 2, seed=1)
    for name in NAMES:
        one, other = getattr(scored(P, Y), name), getattr(scored(P, Y, np.full(60, 40.0)), name)
        assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high))


def test_effective_rows():
    """Kish 1965: equal weights count all rows; one heavy row counts alone."""
    assert effective_rows(np.full(7, 3.0)) == pytest.approx(7)
    assert effective_rows(np.array([1e9, 1.0, 1.0])) == pytest.approx(1, abs=1e-6)
    assert effective_rows(np.array([1e300, 1e300])) == pytest.approx(2)
    assert effective_rows(np.empty(0)) == 0


def test_briers_of_the_classes_sum_to_the_whole():
    P, Y = honest(300, 4, seed=2)
    found = scored(P, Y)
    assert sum(one.brier for one in found.classes) == pytest.approx(found.brier.value)
    assert sum(one.rows for one in found.classes) == 300


def test_log_losses_of_the_classes_average_to_the_whole_and_each_has_its_curve():
    """M8, per class; weighed as the rows are."""
    P, Y = honest(300, 4, seed=2)
    weights = np.random.default_rng(0).uniform(0.5, 4, 300)
    found = scored(P, Y, weights)
    shares = np.array([weights[k == Y].sum() for k in range(4)]) / weights.sum()
    assert shares @ [one.log_loss for one in found.classes] == pytest.approx(found.log_loss.value)
    for k, one in enumerate(found.classes):
        assert one.reliability.rows.sum() == pytest.approx(effective_rows(weights))
        assert one.reliability.rows @ one.reliability.accuracy / one.reliability.rows.sum() == pytest.approx(shares[k])
        assert one.reliability.rows @ one.reliability.confidence / one.reliability.rows.sum() == pytest.approx(weights @ P[:, k] / weights.sum())


def test_ece_of_a_class_by_hand():
    """Probability of class 1 in bins: .25 and .22 (none of two is of class 1), .65 (it is)."""
    P = np.array([[0.75, 0.25], [0.78, 0.22], [0.35, 0.65]])
    found = scored(P, np.array([0, 0, 1]))
    assert found.classes[1].ece == pytest.approx((0.47 + 0.35) / 3)


def test_precision_and_recall_of_one_class_are_wilsons():
    """8 of 10 right: .49 to .943 (Wilson 1927); of the mean over two classes with equal figures, MOVER narrows it by the square root of 2."""
    P = np.repeat([[0.9, 0.1], [0.1, 0.9]], 10, axis=0)
    Y = np.array([0] * 8 + [1] * 2 + [1] * 8 + [0] * 2)
    found = scored(P, Y)
    for one in found.classes:
        assert (one.precision.low, one.precision.high) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert found.precision.low == pytest.approx(0.8 - (0.8 - 0.4902) / math.sqrt(2), abs=1e-4)
    assert found.precision.high == pytest.approx(0.8 + (0.9433 - 0.8) / math.sqrt(2), abs=1e-4)


def test_all_right_on_little_gold_is_not_certain():
    """X11: 12 of 12 right is not a precision of 1."""
    P, _ = honest(12, 2, seed=3)
    found = scored(P, P.argmax(axis=1))
    assert found.precision.value == found.precision.high == 1
    assert found.precision.low < 0.85


def test_no_wrong_row_on_little_gold_is_not_certain_either():
    """X11: 40 rows that are all right may have hidden 8.8 % of wrong ones (Wilson 1927), each of which costs as much as p of the other class says."""
    P, Y = np.tile([0.99, 0.01], (40, 1)), np.zeros(40, dtype=np.int64)
    found = scored(P, Y)
    assert found.brier.value == found.brier.low == pytest.approx(2e-4)
    assert found.brier.high == pytest.approx(0.9124 * 2e-4 + 0.0876 * 2 * 0.99**2, abs=1e-4)
    assert found.log_loss.high == pytest.approx(-0.9124 * math.log(0.99) - 0.0876 * math.log(0.01), abs=1e-3)
    assert scored(np.repeat(P, 100, axis=0), np.repeat(Y, 100)).brier.high < 0.003


def test_a_class_that_is_never_predicted_counts_as_precision_0():
    P = np.tile([0.9, 0.1], (20, 1))
    found = scored(P, np.array([0] * 10 + [1] * 10))
    assert math.isnan(found.classes[1].precision.value)
    assert found.precision.value == pytest.approx(0.25)
    assert 0 < found.precision.low < 0.25 < found.precision.high < 0.5


def test_few_rows_or_none():
    """Fewer than ten rows have no bootstrap interval; none have no score."""
    P, Y = honest(9, 2, seed=4)
    found = scored(P, Y)
    assert not math.isnan(found.brier.value)
    assert math.isnan(found.brier.low) and math.isnan(found.ece.high)
    none = gold_scores(np.empty((0, 2)), np.empty(0, dtype=np.int64), np.empty(0, dtype=bool), np.empty(0, dtype=np.int64))
    assert all(math.isnan(getattr(none, name).value) for name in NAMES)
    uncovered = gold_scores(P, np.full(9, -1), np.zeros(9, dtype=bool), Y)
    assert uncovered.recall.value == 0
    assert math.isnan(uncovered.brier.value)


def test_more_gold_gives_narrower_intervals_and_the_same_bytes_each_time():
    P, Y = honest(2000, 2, seed=5)
    few, many = scored(P[:50], Y[:50]), scored(P, Y)
    for name in NAMES:
        few_width, many_width = (getattr(one, name).high - getattr(one, name).low for one in (few, many))
        assert many_width < 0.5 * few_width, name
    assert repr(scored(P, Y)) == repr(many)


@pytest.mark.parametrize(("slope", "rows"), [(1.0, 60), (1.0, 300), (3.0, 60), (3.0, 300)])
def test_intervals_hold_the_truth(slope, rows):
    """X11: over 80 gold sets, 95 % intervals hold the Brier score, log loss and ECE of 100,000 rows nearly as often as they say."""
    P, Y = honest(100_000, 2, seed=6)
    P = sharpened(P, slope)
    whole = {name: getattr(scored(P, Y), name).value for name in ("brier", "log_loss")}
    bins = scores.bin_of(P.max(axis=1))
    truth = np.abs(np.bincount(bins, P.max(axis=1) - (P.argmax(axis=1) == Y))).sum() / len(Y)
    whole["ece"] = truth if slope > 1 else 0.0  # honest probabilities have none
    hits = dict.fromkeys(whole, 0)
    for draw in range(80):
        part = np.random.default_rng(draw).choice(len(Y), rows)
        found = scored(P[part], Y[part])
        for name, value in whole.items():
            hits[name] += getattr(found, name).low <= value <= getattr(found, name).high
    assert min(hits.values()) >= 68, hits  # 85 %
    assert sum(hits.values()) >= 3 * 72, hits  # 90 %


def test_ece_of_honest_probabilities_may_be_0_and_that_of_others_may_not():
    P, Y = honest(400, 2, seed=7)
    assert scored(P, Y).ece.low == 0
    assert scored(sharpened(P, 4.0), Y).ece.low > 0.03
