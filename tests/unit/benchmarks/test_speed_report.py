"""What the page says of speed: the fixed model first, whether targets are met, and what was left out."""

from benchmarks.label_models.generator import Cell
from benchmarks.label_models.measure import FLOOR, Line, Speed
from benchmarks.label_models.methods import AUTO, FIXED, SNORKEL, all_methods
from benchmarks.label_models.report import speed_summary


def a_cell(ours: float) -> Speed:
    """10,000 x 10, 2 classes: Snorkel takes a second, the fixed model `ours`."""
    scores = {"fresh": 0.2}
    lines = {
        f"Labelplane {FIXED}, missing": Line(ours, 0.0, 5, scores, 3.0),
        "Labelplane glad, missing": Line(4.0, 0.0, 1, scores),
        AUTO: Line(0.5, 0.0, 5, scores, 4.0),
        SNORKEL: Line(0.75, 0.25, 5, scores, 80.0),
        FLOOR: Line(0.0, 0.001, 5, None),
    }
    return Speed(Cell(10_000, 10, 2), 0.199, {False: 0.1999, True: 0.1995}, 0.1, lines)


def test_the_fixed_model_and_auto_come_first_and_a_target_is_met_or_missed() -> None:
    met, missed = (speed_summary([a_cell(ours)]) for ours in (0.05, 0.051))
    first, every = met.split("### Every algorithm")
    assert f"| {FIXED}, missing | 20 × | 20 ×, met |" in first
    assert f"| {FIXED}, missing | 20 × | 20 ×, missed |" in missed
    assert "| auto | 2 × | – |" in first
    assert "glad" not in first
    assert "| glad, missing | 0.25 × | 20 ×, missed | 4,000 × | 0.2000 | 0.00100 / 0.00199 | 0.00100 | – / 50 |" in every


def test_peers_that_would_take_minutes_are_left_out_unless_asked_for() -> None:
    slow = all_methods()["crowd-kit GLAD"]
    assert slow.takes(10_000, 10, 4)
    assert not slow.takes(10_000, 50, 4)
    assert not slow.takes(100_000, 10, 2)
    assert slow.takes(100_000, 50, 2, slow=True)


def test_the_fixed_model_is_measured_with_both_readings_of_an_abstain() -> None:
    methods = all_methods()
    assert [methods[f"Labelplane {FIXED}, {reading}"].evidence for reading in ("missing", "evidence")] == [False, True]
