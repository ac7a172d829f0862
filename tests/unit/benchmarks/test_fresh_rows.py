"""Log loss on fresh rows, draw by draw: each method beside what is allowed to it."""

from benchmarks.label_models.fresh import NAMES, Excess, draw, rows_of, section
from benchmarks.label_models.generator import Cell
from benchmarks.label_models.method import PLAIN

CELL = Cell(2_000, 8, 2)


def test_a_fit_is_within_what_is_allowed_and_the_plain_vote_is_not() -> None:
    found = draw(CELL, ("Labelplane one-coin, missing", PLAIN), fresh_rows=20_000)
    ours, plain = found.values()
    assert -1 < ours.share < 1 < plain.share
    assert ours.allowed == plain.allowed


def test_a_line_counts_the_draws_above() -> None:
    draws = [{"Labelplane a": Excess(0.003, 0.002), "Labelplane b": Excess(-0.001, 0.002)}, {"Labelplane a": Excess(0.001, 0.002), "Labelplane b": Excess(0.001, 0.002)}]
    assert rows_of(CELL, draws) == [
        ["2,000 × 8, 2 classes", "a", "0.00200", "0.00200", "1.50", "1 of 2"],
        ["2,000 × 8, 2 classes", "b", "0.00000", "0.00200", "0.50", "met"],
    ]


def test_the_section_has_a_line_for_every_model_and_reading() -> None:
    text = section([Cell(300, 6, 2)], seeds=1, fresh_rows=1_000)
    assert [line.split(" | ")[1] for line in text.splitlines() if line.startswith("| 300")] == [name.removeprefix("Labelplane ") for name in NAMES]
