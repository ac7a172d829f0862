"""What every calibrator keeps, whatever its parameters."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeljob.calibration import NONE, CalibrationFormatError, Calibrator, calibrated, calibrated_where, from_dict, to_dict
from labeljob.calibration.calibrators import EVEN, Curve, log_odds
from labeljob.scores import TIE, labels_from_probabilities
from tests.unit.calibration.gold_rows import probabilities

SLOPES = st.floats(0.02, 40)


@st.composite
def curves(draw: st.DrawFn) -> Curve:
    places = sorted(draw(st.lists(st.floats(-14, 14), min_size=1, max_size=5, unique=True)))
    heights = sorted(draw(st.lists(st.floats(0.001, 0.999), min_size=len(places), max_size=len(places))))
    return Curve(np.array(places), np.array(heights))


@st.composite
def calibrators(draw: st.DrawFn, classes: int) -> Calibrator:
    """Any calibrator of `classes` classes but none."""
    method = draw(st.sampled_from(["temperature", "sigmoid", "isotonic"]))
    if method == "isotonic":
        return Calibrator(method, curves=tuple(draw(curves()) for _ in range(classes)))
    offsets = draw(st.lists(st.floats(-5, 5), min_size=classes, max_size=classes)) if method == "sigmoid" else []
    return Calibrator(method, slope=draw(SLOPES), offsets=np.array(offsets))


@st.composite
def cases(draw: st.DrawFn) -> tuple[Calibrator, np.ndarray]:
    P = draw(probabilities())
    return draw(calibrators(P.shape[1])), P


@given(cases())
def test_rows_stay_probabilities_and_never_0_or_1(case):
    """M8: rows sum to 1, and no class is ruled out or certain."""
    calibrator, P = case
    Q = calibrated(calibrator, P)
    classes = P.shape[1]
    np.testing.assert_allclose(Q.sum(axis=1), 1, atol=1e-12)
    assert (EVEN / classes * (1 - 1e-12) <= Q).all()
    assert (1 - EVEN * (classes - 1) / classes + 1e-12 >= Q).all()


@given(cases())
def test_the_answer_for_a_row_does_not_depend_on_the_others(case):
    """X16: to the last bit, so that shards and batches do not show."""
    calibrator, P = case
    whole = calibrated(calibrator, P)
    alone = np.concatenate([calibrated(calibrator, P[i : i + 1]) for i in range(len(P))])
    np.testing.assert_array_equal(whole, alone)


@given(cases())
def test_classes_that_tie_still_tie(case):
    """Votes that do not tell two classes apart do not do so after calibration, whatever the offsets."""
    calibrator, P = case
    Q = calibrated(calibrator, P)
    for before, after in zip(P, Q, strict=True):
        tied = np.flatnonzero(before > before.max() - TIE)
        if len(tied) > 1:
            assert np.ptp(after[tied]) == 0


@given(probabilities(), SLOPES)
def test_temperature_keeps_the_order_of_classes(P, slope):
    Q = calibrated(Calibrator("temperature", slope), P)
    for before, after in zip(P, Q, strict=True):
        order = np.argsort(before, kind="stable")
        assert (np.diff(after[order]) >= -1e-12).all()
        second, first = np.sort(before)[-2:]
        if first - second > 1e-6:
            assert after.argmax() == before.argmax()


@given(curves(), st.lists(st.floats(-20, 20), min_size=2, max_size=20))
def test_isotonic_never_falls(curve, places):
    """But for the last bit of a height between two knots."""
    heights = curve.at(np.sort(np.array(places)))
    assert (np.diff(heights) >= -1e-15).all()


@given(curves(), st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_isotonic_of_two_classes_never_falls(curve, shares):
    """A row whose probability is higher stays at least as high (for two classes the two curves mirror each other)."""
    mirrored = Curve(-curve.log_odds[::-1], 1 - curve.probability[::-1])
    p = np.sort(np.array(shares))
    Q = calibrated(Calibrator("isotonic", curves=(mirrored, curve)), np.column_stack([1 - p, p]))
    untied = np.abs(p - 0.5) > TIE  # a tie stays one
    assert (np.diff(Q[untied, 1]) >= -1e-12).all()


def test_sigmoid_of_two_classes_is_platts():
    """Platt 1999: log-odds become slope x log-odds + offset."""
    P = np.array([[0.9, 0.1], [0.3, 0.7]])
    Q = calibrated(Calibrator("sigmoid", 0.5, np.array([0.0, 1.0])), P)
    expected = 1 / (1 + np.exp(-(0.5 * np.log(P[:, 1] / P[:, 0]) + 1.0)))
    np.testing.assert_allclose(Q[:, 1], (1 - EVEN) * expected + EVEN / 2, atol=1e-12)


def test_slope_one_and_no_offsets_change_nothing_but_the_even_share():
    P = np.array([[0.7, 0.2, 0.1], [0.25, 0.5, 0.25]])
    np.testing.assert_allclose(calibrated(Calibrator("temperature", 1.0), P), P, atol=2 * EVEN)


def test_log_odds_of_two_classes_are_exact_opposites():
    P = np.array([[1e-30, 1.0], [0.3, 0.7], [1.0, 0.0], [0.5, 0.5]])
    odds = log_odds(P)
    np.testing.assert_array_equal(odds[:, 0], -odds[:, 1])
    np.testing.assert_allclose(log_odds(np.array([[0.2, 0.3, 0.5]])), np.log([[0.25, 3 / 7, 1.0]]))


def test_none_and_uncovered_rows_are_left_alone():
    """DESIGN §3: a row nobody votes on keeps the posterior given that all abstained, zeros and all."""
    P = np.array([[1.0, 0.0], [0.8, 0.2], [0.8, 0.2]])
    np.testing.assert_array_equal(calibrated(NONE, P), P)
    Q = calibrated_where(Calibrator("temperature", 0.5), P, np.array([True, False, True]))
    np.testing.assert_array_equal(Q[1], P[1])
    assert Q[2, 0] < 0.7
    assert Q[0, 0] < 1
    np.testing.assert_array_equal(P[0], [1.0, 0.0])  # the input is not changed


def test_a_sigmoid_can_change_a_label_and_keeps_a_null_one_null():
    P = np.array([[0.45, 0.55], [0.5, 0.5]])
    Q = calibrated(Calibrator("sigmoid", 1.0, np.array([1.0, 0.0])), P)
    np.testing.assert_array_equal(labels_from_probabilities(Q), [0, -1])


@given(cases())
def test_json_keeps_every_bit(case):
    calibrator, P = case
    again = from_dict(json.loads(json.dumps(to_dict(calibrator))), P.shape[1])
    assert to_dict(again) == to_dict(calibrator)
    np.testing.assert_array_equal(calibrated(again, P), calibrated(calibrator, P))


GOOD = to_dict(Calibrator("sigmoid", 1.5, np.array([0.1, -0.1])))
CURVE = {"logOdds": [0.0, 1.0], "probability": [0.2, 0.6]}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"formatVersion": 2}, "newer Labelplane: upgrade"),
        ({"formatVersion": None}, "reads format 1"),
        ({"method": "magic"}, "unknown method 'magic'"),
        ({"slope": 0}, "slope 0"),
        ({"slope": "steep"}, "cannot be read"),
        ({"offsets": [0.1]}, "offsets of shape"),
        ({"method": "temperature"}, "offsets of shape"),
        ({"method": "isotonic", "offsets": [], "curves": [CURVE]}, "1 curves for 2 classes"),
        ({"method": "isotonic", "offsets": [], "curves": [CURVE, CURVE | {"probability": [0.6, 0.2]}]}, "does not ascend"),
        ({"method": "isotonic", "offsets": [], "curves": [CURVE, CURVE | {"probability": [0.2, 1.0]}]}, "does not ascend"),
        ({"method": "isotonic", "offsets": [], "curves": [CURVE, {"logOdds": [0.0]}]}, "cannot be read"),
    ],
)
def test_what_cannot_be_a_calibrator_is_refused(change, words):
    assert from_dict(GOOD, 2).slope == 1.5
    with pytest.raises(CalibrationFormatError, match=words):
        from_dict(GOOD | change, 2)
