"""A target is met or missed by the figures of the tables, and the line names who or what decided it."""

import pytest

from benchmarks.label_models.generator import Cell
from benchmarks.label_models.measure import FLOOR, Line, Speed
from benchmarks.label_models.method import AUTO, PLAIN, SNORKEL, SNORKEL_BALANCE
from benchmarks.label_models.methods import FIXED_NAMES
from benchmarks.label_models.quality import Board
from benchmarks.label_models.targets import Verdict, is_above, is_rival, on_copies, on_real_sets, on_speed, on_whole_memory, verdict_table

SCORES = {"accuracy": 0.9, "f1": 0.8, "average_precision": 0.8, "log_loss": 0.3, "ece": 0.05, "difference": 0.01, "low": -0.02, "high": 0.04}


def a_board(name: str, **methods: dict[str, float]) -> Board:
    """AUTO scores SCORES but for what `auto` says; another method those but for its own."""
    results = {{"auto": AUTO, "one": "Labelplane one-coin, missing"}.get(method, method): {"scores": SCORES | own} for method, own in methods.items()}
    return Board(name, 100, 5, 2, results)


def verdict(verdicts: list[Verdict], words: str) -> Verdict:
    (found,) = [one for one in verdicts if words in one.target]
    return found


def test_the_best_peer_of_each_set_is_the_bar_and_the_rare_class_is_scored_in_three_ways() -> None:
    boards = [
        a_board("other", auto={}, near={"accuracy": 0.905}, far={"accuracy": 0.5}, one={"accuracy": 1.0}),
        a_board("sms", auto={"f1": 0.7}, near={"accuracy": 0.5}, far={"accuracy": 0.904}),
    ]
    found = on_real_sets(boards)
    by_accuracy = verdict(found, "sms by accuracy) at least")
    assert by_accuracy == Verdict(by_accuracy.target, "0.9000; 0.9045 − 0.005 = 0.8995 (other 0.905 near, sms 0.904 far)", True)
    assert not verdict(found, "sms by F1) at least").met
    assert verdict(found, "sms by average precision) at least").met


def test_every_single_peer_is_compared_on_the_sets_that_it_has_a_figure_for() -> None:
    boards = [a_board("first", auto={}, every={"accuracy": 0.8}, some={"accuracy": 0.89}), a_board("second", auto={}, every={"accuracy": 0.97})]
    found = on_real_sets(boards)
    assert verdict(found, "sms by accuracy) better").reached == "by 0.0100 at least (some, 1 of 2 sets)"
    assert verdict(found, "log loss").met is False  # as good is not better
    better = [a_board(name, auto={"log_loss": 0.2}, one={}, peer={"log_loss": 0.9}) for name in ("first", "second")]
    assert verdict(on_real_sets(better), "log loss") == Verdict(
        "mean log loss better than every other method's, on the sets that it has a figure for", "by 0.1000 at least (Labelplane one-coin, missing, 2 of 2 sets)", True
    )


@pytest.mark.parametrize(("high", "met"), [(-0.009, True), (-0.011, False)])
def test_an_interval_that_ends_below_minus_one_point_misses(high: float, met: bool) -> None:
    assert verdict(on_real_sets([a_board("first", auto={"high": high}, peer={})]), "first: upper end").met is met


def test_what_knows_more_is_no_rival() -> None:
    assert [is_rival(name) for name in (PLAIN, SNORKEL, SNORKEL_BALANCE, AUTO, "oracle", FLOOR)] == [True, True, False, False, False, False]


def test_copies_may_move_little() -> None:
    boards = [a_board("few, 5,000 × 6", auto={}), a_board("copies, 5,000 × 12", auto={"ece": 0.08}), a_board("near-copies, 5,000 × 12", auto={"accuracy": 0.896})]
    assert [one.met for one in on_copies(boards)] == [True, False, True, True]
    assert on_copies(boards[:2]) == []


def a_cell(**changed: Line) -> Speed:
    """10,000 x 10, 2 classes, with lines that meet every target but for what is changed."""
    scores = {"fresh": 0.2, "log_loss": 0.2}
    names = {"missing": FIXED_NAMES[0], "evidence": FIXED_NAMES[1], "auto": AUTO, "snorkel": SNORKEL}
    lines = {"missing": Line(0.04, 0.01, 21, scores, 3.0), "evidence": Line(0.05, 0.0, 21, scores), "auto": Line(0.5, 0.0, 5, scores, 4.0), "snorkel": Line(1.0, 0.0, 5, scores)}
    return Speed(Cell(10_000, 10, 2), 0.199, {False: 0.1999, True: 0.1995}, 0.1, {names.get(name, name): line for name, line in (lines | changed).items()})


@pytest.mark.parametrize(
    ("changed", "target", "reached"),
    [
        ({}, "", ""),
        ({"evidence": Line(0.051, 0.0, 21, {"fresh": 0.2, "log_loss": 0.2})}, "one-coin, evidence: as many times", "0 of 1 sizes; 10,000 × 10, 2 classes: 19.6 of 20"),
        ({"evidence": Line(0.05, 0.0, 21, {"fresh": 0.201, "log_loss": 0.2})}, "one-coin, evidence: log loss", "0 of 1 sizes; 10,000 × 10, 2 classes: 0.00200 of 0.00199"),
        ({"auto": Line(0.5, 0.0, 5, None, 51.0)}, "extra memory", "0 of 1 sizes; 10,000 × 10, 2 classes: auto 51 MB"),
        ({"peer": Line(0.0, 0.049, 5, {"fresh": float("nan"), "log_loss": 0.2015})}, "no peer", "0 of 1 sizes; 10,000 × 10, 2 classes: peer 49.0 ms"),
        ({"peer": Line(0.0, 0.049, 5, {"fresh": float("nan"), "log_loss": 0.21})}, "", ""),
    ],
)  # fmt: skip
def test_speed_misses_name_the_size(changed: dict[str, Line], target: str, reached: str) -> None:
    missed = {one.target: one.reached for one in on_speed([a_cell(**changed)]) if not one.met}
    assert all(name.startswith(target) for name in missed)
    assert list(missed.values()) == ([reached] if reached else [])


def test_a_peer_is_allowed_the_wider_of_both_readings() -> None:
    cell = a_cell(snorkel=Line(1.0, 0.0, 5, {"fresh": 0.2009}), missing=Line(0.05, 0.0, 5, {"fresh": 0.2011}))
    cell.supervised = {False: 0.1999, True: 0.2007}
    assert [is_above(cell, name) for name in (SNORKEL, FIXED_NAMES[0])] == [False, True]


def test_whole_memory_and_the_table() -> None:
    found = [on_whole_memory("all rows", {AUTO: 900.0, FIXED_NAMES[0]: most}) for most in (1000.0, 1100.0)]
    assert verdict_table(found).splitlines()[2:] == [
        "| a whole process that loads all rows, fits and predicts within 1074 MB | auto 900 MB, one-coin, missing 1000 MB | met |",
        "| a whole process that loads all rows, fits and predicts within 1074 MB | auto 900 MB, one-coin, missing 1100 MB | **missed** |",
    ]
