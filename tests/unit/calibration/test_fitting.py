"""Calibrators find what was done to honest probabilities, and are what their definition says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeljob.calibration import calibrated, to_dict
from labeljob.calibration.fitting import KNOTS, LEAST_SLOPE, PRIOR_SPREAD, block_starts, fit, isotonic_curve
from labeljob.scores import calibration_error, log_loss
from tests.unit.calibration.gold_rows import honest, probabilities, sharpened

FITTED = ["temperature", "sigmoid", "isotonic"]


@pytest.mark.parametrize("classes", [2, 3, 6])
@pytest.mark.parametrize("slope", [0.4, 1.0, 2.5])
def test_temperature_undoes_a_temperature(classes, slope):
    """X18: probabilities made too sure, or not sure enough, by a known slope."""
    P, Y = honest(4000, classes, seed=classes)
    found = fit("temperature", sharpened(P, slope), Y, np.ones(len(Y)))
    assert found.slope == pytest.approx(1 / slope, rel=0.12)


@pytest.mark.parametrize("classes", [2, 4])
def test_sigmoid_undoes_slope_and_offsets(classes):
    P, Y = honest(6000, classes, seed=1)
    moved = np.linspace(-1, 1.5, classes)
    found = fit("sigmoid", sharpened(P, 2.0, moved), Y, np.ones(len(Y)))
    assert found.slope == pytest.approx(0.5, rel=0.1)
    np.testing.assert_allclose(found.offsets - found.offsets.mean(), -(moved - moved.mean()) / 2, atol=0.15)


@pytest.mark.parametrize("method", FITTED)
@pytest.mark.parametrize("classes", [2, 3])
def test_calibration_helps_on_fresh_rows(method, classes):
    """M8: probabilities three times too sure have better log loss and ECE after each method, on rows that tuned nothing."""
    P, Y = honest(4000, classes, seed=7)
    P = sharpened(P, 3.0)
    Q = calibrated(fit(method, P[:1000], Y[:1000], np.ones(1000)), P[1000:])
    fresh, all_covered = Y[1000:], np.ones(3000, dtype=bool)
    assert log_loss(Q, fresh) < log_loss(P[1000:], fresh) - 0.1
    assert calibration_error(Q, fresh, all_covered) < 0.05 < calibration_error(P[1000:], fresh, all_covered)


@pytest.mark.parametrize("method", ["temperature", "sigmoid"])
def test_scaling_is_the_minimum_of_what_it_says_it_minimises(method):
    """Log loss plus the Gaussian prior: no step to either side, in any direction, is better."""
    P, Y = honest(300, 3, seed=3)
    P, weights = sharpened(P, 2.0), np.linspace(0.5, 2, 300)

    def objective(theta: np.ndarray) -> float:
        joint = theta[0] * np.log(np.maximum(P, 1e-6)) + theta[1:]
        losses = np.logaddexp.reduce(joint, axis=1) - joint[np.arange(300), Y]
        return float(weights @ losses + ((theta - [1, 0, 0, 0]) ** 2).sum() / (2 * PRIOR_SPREAD**2))

    found = fit(method, P, Y, weights)
    theta = np.array([found.slope, *(found.offsets if method == "sigmoid" else np.zeros(3))])
    for direction in np.eye(4)[: 4 if method == "sigmoid" else 1]:
        for step in (1e-3, -1e-3):
            assert objective(theta + step * direction) > objective(theta)


def test_gold_that_is_all_right_or_all_wrong_has_a_finite_answer():
    """A maximum likelihood slope would be infinite, or would turn the classes round."""
    P, _ = honest(40, 2, seed=0)
    best, worst = P.argmax(axis=1), P.argmin(axis=1)
    assert 1 < fit("temperature", P, best, np.ones(40)).slope < 20
    for method in ("temperature", "sigmoid"):
        assert fit(method, P, worst, np.ones(40)).slope == LEAST_SLOPE


@pytest.mark.parametrize("method", FITTED)
@given(data=st.data())
def test_a_weight_of_two_is_two_rows(method, data):
    """Inclusion probabilities: weights and replication are the same thing."""
    P = data.draw(probabilities(min_rows=2, max_rows=12, max_classes=3))
    gold = np.array(data.draw(st.lists(st.integers(0, P.shape[1] - 1), min_size=len(P), max_size=len(P))))
    times = np.array(data.draw(st.lists(st.integers(1, 3), min_size=len(P), max_size=len(P))))
    weighted = fit(method, P, gold, times.astype(float))
    repeated = fit(method, np.repeat(P, times, axis=0), np.repeat(gold, times), np.ones(times.sum()))
    assert weighted.slope == pytest.approx(repeated.slope, abs=1e-6)
    np.testing.assert_allclose(weighted.offsets, repeated.offsets, atol=1e-6)
    np.testing.assert_allclose(calibrated(weighted, P), calibrated(repeated, P), atol=1e-6)


@pytest.mark.parametrize("method", FITTED)
def test_the_order_of_rows_does_not_matter(method):
    P, Y = honest(200, 3, seed=5)
    order = np.random.default_rng(0).permutation(200)
    one, other = fit(method, P, Y, np.ones(200)), fit(method, P[order], Y[order], np.ones(200))
    np.testing.assert_allclose(calibrated(one, P), calibrated(other, P), atol=1e-8)
    assert to_dict(fit(method, P, Y, np.ones(200))) == to_dict(one)


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(1, 5)), min_size=1, max_size=12))
def test_pooled_blocks_are_the_isotonic_regression(pairs):
    """Against the max-min formula of Barlow et al. 1972: g(i) = max over a <= i of min over b >= i of the mean of a..b."""
    values, weights = np.array([pair[0] for pair in pairs]), np.array([float(pair[1]) for pair in pairs])
    starts = block_starts(values, weights)
    means = np.add.reduceat(values * weights, starts) / np.add.reduceat(weights, starts)
    got = np.repeat(means, np.diff(np.append(starts, len(values))))

    def mean(a: int, b: int) -> float:
        return float(np.average(values[a : b + 1], weights=weights[a : b + 1]))

    n = len(values)
    expected = [max(min(mean(a, b) for b in range(i, n)) for a in range(i + 1)) for i in range(n)]
    np.testing.assert_allclose(got, expected, atol=1e-9)


@given(st.data())
def test_an_isotonic_curve_ascends_inside_0_and_1(data):
    places = np.array(data.draw(st.lists(st.integers(-5, 5) | st.floats(-14, 14), min_size=1, max_size=30)), dtype=float)
    right = np.array(data.draw(st.lists(st.booleans(), min_size=len(places), max_size=len(places))))
    curve = isotonic_curve(places, right, np.ones(len(places)), 0.5)
    assert (np.diff(curve.log_odds) > 0).all()
    assert (np.diff(curve.probability) >= 0).all()
    assert 0 < curve.probability[0] <= curve.probability[-1] < 1
    mirrored = isotonic_curve(-places, ~right, np.ones(len(places)), 0.5)
    np.testing.assert_allclose(mirrored.at(-places), 1 - curve.at(places), atol=1e-6)


def test_a_block_by_hand():
    """Two blocks: 1 of 4 right below, 3 of 3 above; one further row of half a hit each."""
    places = np.array([-2.0, -1.0, -1.0, 0.0, 1.0, 2.0, 3.0])
    right = np.array([False, True, False, False, True, True, True])
    curve = isotonic_curve(places, right, np.ones(7), 0.5)
    np.testing.assert_allclose(curve.at(np.array([-9.0, -2.0])), 0.5 / 2)  # the block of -2 alone: 0 of 1
    np.testing.assert_allclose(curve.at(np.array([-1.0, 0.0])), 1.5 / 4)  # 1 of 3
    np.testing.assert_allclose(curve.at(np.array([1.0, 3.0, 9.0])), 3.5 / 4)  # 3 of 3
    assert curve.at(np.array([0.5]))[0] == pytest.approx((1.5 / 4 + 3.5 / 4) / 2)  # in between, a straight line


def test_many_places_are_grouped_without_changing_the_curve_much():
    rng = np.random.default_rng(0)
    places = rng.normal(0, 3, 20_000)
    right = rng.random(20_000) < 1 / (1 + np.exp(-places))
    curve = isotonic_curve(places, right, np.ones(20_000), 0.5)
    assert len(curve.log_odds) <= 2 * KNOTS
    at = np.linspace(-5, 5, 50)
    np.testing.assert_allclose(curve.at(at), 1 / (1 + np.exp(-at)), atol=0.06)
