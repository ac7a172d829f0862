"""`LabelModel.calibrate`: honest probabilities from gold, scored on rows that tuned nothing, and kept in the file."""

import json

import numpy as np
import pytest

from labeljob.contract.digests import canonical_json, digest_of
from labeljob.label_model import LabelModel, MajorityLabelVoter, ModelFormatError, NotFittedError
from labeljob.votes import VotesError
from tests.unit.label_model.generators import independent


@pytest.fixture(scope="module")
def copied():
    """2,000 rows of 4 functions and 5 exact copies of the first: probabilities are too sure; 500 of the rows are gold."""
    data = independent(2000, 4, (0.6, 0.4), seed=11, abstain=0.3)
    return np.hstack([data.L, np.repeat(data.L[:, :1], 5, axis=1)]), data.Y


@pytest.mark.parametrize("method", ["auto", "temperature", "sigmoid", "isotonic"])
def test_calibrating_a_label_model(copied, method):
    """X18, M8: copies make the model too sure; gold makes it honest on rows that are not gold."""
    L, Y = copied
    model = LabelModel(2, "dawid-skene").fit(L)
    metrics = ["log_loss", "ece"]
    before = model.score(L[500:], Y[500:], metrics)
    assert model.calibrate(L[:500], Y[:500], method) is model
    after = model.score(L[500:], Y[500:], metrics)
    assert after["log_loss"] < before["log_loss"] - 0.05
    assert after["ece"] < 0.6 * before["ece"]
    assert model.calibration_.method in ((method,) if method != "auto" else ("temperature", "sigmoid", "isotonic"))
    held_out = model.held_out_scores_
    assert abs(after["log_loss"] - held_out.log_loss.value) < held_out.log_loss.high - held_out.log_loss.low
    P = model.predict_proba(np.full((1, 9), -1))
    np.testing.assert_array_equal(P, LabelModel(2, "dawid-skene").fit(L).predict_proba(np.full((1, 9), -1)))  # nobody votes: as before


def test_calibration_none_too_little_gold_and_a_new_fit(copied):
    """X11: what gold cannot carry is not done, and said; fitting again forgets the calibrator."""
    L, Y = copied
    plain = LabelModel(2).fit(L)
    expected = plain.predict_proba(L)
    few = np.where(np.arange(500) < 20, Y[:500], -1)  # one of the 20 has no vote
    for gold, method, why in ((Y[:500], "none", "none was asked for"), (few, "auto", "19 covered gold rows of 2 classes")):
        model = LabelModel(2).fit(L).calibrate(L[:500], gold, method)
        assert model.predict_proba(L).tobytes() == expected.tobytes()
        assert why in model.calibration_.why
    model = LabelModel(2).fit(L).calibrate(L[:500], Y[:500], "temperature")
    assert model.predict_proba(L).tobytes() != expected.tobytes()
    assert model.fit(L).predict_proba(L).tobytes() == expected.tobytes()


def test_calibration_does_not_depend_on_the_order_of_gold_rows(copied):
    L, Y = copied
    order = np.random.default_rng(0).permutation(500)
    one = LabelModel(2).fit(L).calibrate(L[:500], Y[:500])
    other = LabelModel(2).fit(L).calibrate(L[order], Y[order])
    assert one.calibration_.method == other.calibration_.method
    np.testing.assert_allclose(one.predict_proba(L), other.predict_proba(L), atol=1e-8)


def test_sample_weights_of_calibration():
    """Gold drawn ten times as often where the model is wrong: weights of 1 / probability undo it."""
    L, Y = independent(4000, 6, (0.5, 0.5), seed=12)[:2]
    model = LabelModel(2, "weighted-vote").fit(L)
    wrong = model.predict_proba(L).argmax(axis=1) != Y
    probability = np.where(wrong, 0.9, 0.09)
    drawn = np.random.default_rng(0).random(len(Y)) < probability
    everything = model.calibrate(L, Y, "temperature").calibrator_.slope
    blind = model.calibrate(L[drawn], Y[drawn], "temperature").calibrator_.slope
    weighted = model.calibrate(L[drawn], Y[drawn], "temperature", sample_weight=1 / probability[drawn]).calibrator_.slope
    assert weighted == pytest.approx(everything, rel=0.2)
    assert blind < 0.3 * everything


def test_arguments_of_calibrate(copied):
    L, Y = copied
    with pytest.raises(NotFittedError):
        LabelModel(2).calibrate(L, Y)
    model = LabelModel(2).fit(L)
    with pytest.raises(VotesError):
        model.calibrate(L, Y[:-1])
    with pytest.raises(ValueError, match="unknown calibration 'platt'"):
        model.calibrate(L, Y, "platt")
    for weights in (np.ones(3), np.zeros(len(Y)), np.full(len(Y), np.nan)):
        with pytest.raises(ValueError, match="sample_weight"):
            model.calibrate(L, Y, sample_weight=weights)


def test_a_majority_vote_can_be_calibrated(copied):
    """Shares of votes are no probabilities: gold makes them some, without a fit."""
    L, Y = copied
    voter = MajorityLabelVoter(2).calibrate(L[:500], Y[:500])
    assert voter.score(L[500:], Y[500:], ["log_loss"])["log_loss"] < 0.7 * MajorityLabelVoter(2).score(L[500:], Y[500:], ["log_loss"])["log_loss"]


@pytest.mark.parametrize("method", ["none", "temperature", "sigmoid", "isotonic"])
def test_calibration_is_saved_with_the_model(copied, tmp_path, method):
    """C5: every bit; a file of before there was calibration still opens; a newer calibration does not."""
    L, Y = copied
    model = LabelModel(2).fit(L).calibrate(L[:500], Y[:500], method)
    model.save(tmp_path / "model.json")
    again = LabelModel(2).load(tmp_path / "model.json")
    assert again.predict_proba(L).tobytes() == model.predict_proba(L).tobytes()
    content = json.loads((tmp_path / "model.json").read_bytes())
    del content["sha256"]
    old = {key: value for key, value in content.items() if key != "calibrator"} | {"fileVersion": 1}
    newer = content | {"calibrator": content["calibrator"] | {"formatVersion": 2}}
    for file, data in (("old.json", old), ("newer.json", newer)):
        (tmp_path / file).write_bytes(canonical_json(data | {"sha256": digest_of(data)}))
    assert LabelModel(2).load(tmp_path / "old.json").predict_proba(L).tobytes() == LabelModel(2).fit(L).predict_proba(L).tobytes()
    with pytest.raises(ModelFormatError, match=r"newer.json: calibration of format 2: written by a newer Labelplane"):
        LabelModel(2).load(tmp_path / "newer.json")
