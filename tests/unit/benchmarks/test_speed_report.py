"""What the page says of speed: the fixed model first, whether targets are met, and what was left out."""

from benchmarks.label_models.generator import Cell
from benchmarks.label_models.measure import FLOOR, Line, Speed
from benchmarks.label_models.method import AUTO, SNORKEL
from benchmarks.label_models.methods import FIXED
from benchmarks.label_models.report import speed_summary, speed_table


def a_cell(ours: float, fresh: float = 0.2) -> Speed:
    """10,000 x 10, 2 classes: Snorkel takes a second, the fixed model `ours`, with a log loss of `fresh`."""
    scores = {"fresh": fresh}
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
    assert f"| {FIXED}, missing | 20.0 × | 20 ×, met |" in first
    assert f"| {FIXED}, missing | 19.6 × | 20 ×, missed |" in missed
    assert "| auto | 2.0 × | – |" in first
    assert "glad" not in first
    assert "| glad, missing | 0.25 × | 20 ×, missed | 4,000 × | 0.2000 | 0.00100 / 0.00199 | 0.00100 | – / 50 |" in every


def test_a_log_loss_above_what_is_allowed_is_marked_and_meets_no_target() -> None:
    cell = a_cell(0.05, fresh=0.21)
    assert f"| {FIXED}, missing | 20.0 × | 20 ×, log loss ✗ | 50.0 × | 0.2100 | 0.01100 / 0.00199 ✗ |" in speed_summary([cell])
    assert f"| {SNORKEL} | 0.7500 | 0.2500 | 1.0000 | 5 | 1.0 × | 1,000 × | 80 | 0.2100 | 0.01100 ✗ | – |" in speed_table(cell)
    assert "✗" not in speed_table(a_cell(0.05))
