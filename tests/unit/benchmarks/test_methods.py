"""What is measured beside the peers: the prototype by hand, and our own under names that say what differs."""

import numpy as np

from benchmarks.label_models import prototype
from benchmarks.label_models.generator import Cell, generate, oracle
from benchmarks.label_models.methods import FIXED_NAMES, all_methods
from benchmarks.label_models.peer_methods import _of_covered
from labeljob.scores import log_loss


def test_the_fixed_model_is_measured_with_both_readings_of_an_abstain() -> None:
    methods = all_methods()
    assert [methods[name].evidence for name in FIXED_NAMES] == [False, True]


def test_models_that_ignore_the_reading_have_one_line() -> None:
    names = list(all_methods())
    assert [name for name in names if "vote" in name] == ["NumPy majority vote", "Labelplane majority-vote", "Labelplane weighted-vote"]


def test_peers_that_would_take_minutes_are_left_out_unless_asked_for() -> None:
    slow = all_methods()["crowd-kit GLAD"]
    assert slow.takes(10_000, 10, 4)
    assert not slow.takes(10_000, 50, 4)
    assert not slow.takes(100_000, 10, 2)
    assert slow.takes(100_000, 50, 2, slow=True)


def test_a_code_of_a_group_stands_for_its_votes() -> None:
    votes = generate(Cell(200, 13, 3)).votes
    groups = prototype.groups_of(13, 3)
    assert [len(one) for one in groups.cast] == [4**5, 4**4, 4**4][: len(groups.cast)]
    decoded = np.concatenate([cast[codes] for cast, codes in zip(groups.cast, groups.codes(votes), strict=True)], axis=1)
    np.testing.assert_array_equal(decoded.reshape(200, 13, 3), votes[:, :, None] == np.arange(3))


def test_the_prototype_comes_near_the_oracle(monkeypatch) -> None:
    monkeypatch.setattr(prototype, "SAMPLE", 1_500)
    monkeypatch.setattr(prototype, "BLOCK", 1_000)
    made = generate(Cell(4_500, 10, 3))
    P = prototype.predict(prototype.fit(made.votes, 3), made.votes, 3)
    best = log_loss(oracle(made.votes, made.parameters), made.truth)
    assert best < log_loss(P, made.truth) < best + 0.02


def test_a_peer_that_takes_covered_rows_only_gives_the_others_nothing() -> None:
    votes = np.array([[-1, -1], [0, -1], [1, 1]], dtype=np.int8)
    P = _of_covered(votes, 3, lambda covered: np.where(covered[:, :1] == 0, [[3.0, 1.0]], 0.0))
    np.testing.assert_allclose(P[:2], [[1 / 3] * 3, [0.75, 0.25, 0]])
    assert np.isnan(P[2, :2]).all()  # no share of nothing: scored as uniform, and told
