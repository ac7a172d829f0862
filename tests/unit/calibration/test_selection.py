"""Nested cross-validation: what is chosen, on how much gold, and that no row judges a calibrator that has seen it."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeljob.calibration import calibrate, calibrated, shuffled, to_dict
from labeljob.calibration.folds import FOLDS, stratified_folds
from labeljob.calibration.selection import Candidate, chosen
from labeljob.scores import log_loss
from tests.unit.calibration.gold_rows import gold_rows, honest, sharpened


@given(st.lists(st.integers(0, 3), min_size=1, max_size=80), st.integers(0, 2**32))
def test_folds_are_stratified_and_go_by_key(classes, seed):
    """Sizes differ by at most one, over all and in every class; reading the rows in another order moves no row."""
    gold, keys = np.array(classes), [b"%d" % i for i in range(len(classes))]
    fold = stratified_folds(shuffled(keys, seed).outer, gold)
    for part in [fold, *(fold[gold == k] for k in set(classes))]:
        sizes = np.bincount(part, minlength=FOLDS)
        assert np.ptp(sizes) <= 1
    back = np.arange(len(gold))[::-1]
    again = stratified_folds(shuffled([keys[i] for i in back], seed).outer, gold[back])
    np.testing.assert_array_equal(again, fold[back])


def test_outer_and_inner_folds_and_seeds_are_different_orders():
    keys = [b"%d" % i for i in range(200)]
    one, other = shuffled(keys, 0), shuffled(keys, 1)
    orders = [one.outer, one.inner, other.outer, other.inner]
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), np.arange(200))
    for i in range(4):
        for j in range(i):
            assert abs(np.corrcoef(orders[i], orders[j])[0, 1]) < 0.25


@pytest.mark.parametrize("method", ["auto", "temperature", "sigmoid", "isotonic"])
def test_cross_fitting_uses_no_own_row(method):
    """X11: spoiling the probabilities of one fold leaves the calibrator that scores this fold as it was, and moves the others."""
    P, Y = honest(400, 2, seed=2)
    P = sharpened(P, 3.0)
    rows = gold_rows(P, Y)
    found = calibrate(rows, method)
    for number in range(FOLDS):
        spoiled = P.copy()
        spoiled[found.fold == number] = spoiled[found.fold == number, ::-1]
        again = calibrate(replace(rows, P=spoiled), method)
        np.testing.assert_array_equal(again.fold, found.fold)
        assert to_dict(again.fold_calibrators[number]) == to_dict(found.fold_calibrators[number])
        assert to_dict(again.calibrator) != to_dict(found.calibrator)


def test_cross_fitted_probabilities_come_from_the_fold():
    P, Y = honest(300, 3, seed=4)
    P = sharpened(P, 2.0)
    found = calibrate(gold_rows(P, Y), "temperature")
    held_out = found.cross_fitted(P)
    for row in range(0, 300, 17):
        own = calibrated(found.fold_calibrators[found.fold[row]], P[row : row + 1])[0]
        np.testing.assert_array_equal(held_out[row], own)
    assert len({calibrator.slope for calibrator in found.fold_calibrators}) == FOLDS


def test_the_simplest_within_one_standard_error():
    table = {"none": Candidate(0.50, 0.10, 0.04), "temperature": Candidate(0.42, 0.02, 0.03), "sigmoid": Candidate(0.41, 0.01, 0.02), "isotonic": Candidate(0.40, 0, 0)}
    assert chosen(table) == "temperature"
    assert chosen(table | {"none": Candidate(0.50, 0.10, 0.11)}) == "none"
    assert chosen(table | {"temperature": Candidate(0.42, 0.02, 0.01), "sigmoid": Candidate(0.41, 0.01, 0.005)}) == "isotonic"


def test_auto_leaves_honest_probabilities_alone():
    """Of 20 honest gold sets, a calibrator is put on few, and where it is, fresh rows hardly suffer."""
    methods = Counter()
    for seed in range(20):
        P, Y = honest(3000, 2, seed)
        found = calibrate(gold_rows(P[:300], Y[:300]), "auto")
        methods[found.method] += 1
        assert log_loss(calibrated(found.calibrator, P[300:]), Y[300:]) < log_loss(P[300:], Y[300:]) + 0.03
    assert methods["none"] >= 14, methods


@pytest.mark.parametrize("classes", [2, 4])
def test_auto_helps_where_it_can(classes):
    """M8: too sure, shifted, or bent: log loss on fresh rows falls by most of what can be gained."""
    for seed in range(5):
        P, Y = honest(4000, classes, seed)
        for bent in (sharpened(P, 3.0), sharpened(P, 1.0, np.linspace(-1.5, 1.5, classes)), _bent(P)):
            found = calibrate(gold_rows(bent[:600], Y[:600]), "auto")
            before, after, best = (log_loss(part[600:], Y[600:]) for part in (bent, calibrated(found.calibrator, bent), P))
            assert after - best < 0.35 * (before - best) + 0.01, (seed, found.method, before, after, best)


def _bent(P: np.ndarray) -> np.ndarray:
    """Not by a slope: sure rows are made much surer, others little."""
    log_p = np.log(P)
    joint = log_p * (1 + np.abs(log_p))
    return np.exp(joint - np.logaddexp.reduce(joint, axis=1, keepdims=True))


def _of_counts(*counts: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the wanted gold counts."""
    P, Y = honest(5000, len(counts), seed=9)
    keep = np.concatenate([np.flatnonzero(k == Y)[:count] for k, count in enumerate(counts)])
    return sharpened(P[keep], 3.0), Y[keep]


@pytest.mark.parametrize(
    ("counts", "asked", "methods", "words"),
    [
        ((0, 0), "auto", {"none"}, "0 covered gold rows of 0 classes: calibration needs 30"),
        ((15, 14), "temperature", {"none"}, "29 covered gold rows of 2 classes"),
        ((40, 0), "auto", {"none"}, "40 covered gold rows of 1 classes"),
        ((25, 5), "auto", {"none", "temperature"}, "the rarest class has 5 covered gold rows (sigmoid needs 30, isotonic needs 50)"),
        ((200, 29), "isotonic", {"temperature"}, "so temperature is the most that is tried; temperature is used; log loss"),
        ((200, 30), "isotonic", {"temperature"}, "isotonic needs 50"),
        ((200, 30), "sigmoid", {"sigmoid"}, "asked for"),
        ((60, 50), "isotonic", {"isotonic"}, "asked for"),
        ((60, 50), "none", {"none"}, "none was asked for"),
        ((60, 50), "auto", {"none", "temperature", "sigmoid", "isotonic"}, "held-out rows of 110"),
    ],
)
def test_how_much_gold_each_method_needs(counts, asked, methods, words):
    """X11: little gold gets a simple calibrator, or none, and the reason says so."""
    found = calibrate(gold_rows(*_of_counts(*counts)), asked)
    assert found.method in methods
    assert words in found.why
    assert (len(found.fold_calibrators) == FOLDS) == (sum(counts) >= 30 and min(counts) > 0 and asked != "none")


def test_an_unknown_method_is_an_error():
    with pytest.raises(ValueError, match="unknown calibration 'magic': use auto, none, temperature, sigmoid, isotonic"):
        calibrate(gold_rows(*_of_counts(60, 60)), "magic")


@pytest.mark.parametrize("method", ["auto", "temperature", "isotonic"])
def test_the_unit_of_weights_does_not_matter(method):
    """Weights are 1 / probability: drawn with probability .01 or .02 all the same, they say nothing."""
    P, Y = honest(300, 2, seed=6)
    P, weights = sharpened(P, 2.0), np.random.default_rng(0).uniform(1, 5, 300)
    one, other = (calibrate(gold_rows(P, Y, unit * weights), method) for unit in (1, 1024))
    np.testing.assert_allclose(calibrated(one.calibrator, P), calibrated(other.calibrator, P), atol=1e-6)


def test_inclusion_probabilities_are_respected():
    """Gold drawn mostly where the most probable class is wrong would say "be less sure"; with weights it finds the population's slope."""
    P, Y = honest(60_000, 2, seed=8)
    wrong = P.argmax(axis=1) != Y
    probability = np.where(wrong, 0.2, 0.02)
    drawn = np.random.default_rng(1).random(len(Y)) < probability
    blind = calibrate(gold_rows(P[drawn], Y[drawn]), "temperature").calibrator.slope
    weighted = calibrate(gold_rows(P[drawn], Y[drawn], 1 / probability[drawn]), "temperature").calibrator.slope
    assert weighted == pytest.approx(1, abs=0.12)
    assert blind < 0.3
