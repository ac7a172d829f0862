"""`auto` beside majority vote, draw by draw."""

import math

import numpy as np

from benchmarks.label_models.generator import Cell
from benchmarks.label_models.seeds import Draw, draw, row_of, section, tallies_of


def test_a_draw_is_scored_on_covered_rows_with_its_paired_error() -> None:
    found = draw(Cell(1500, 50, 2, "sparse", 3))
    assert 0.5 < found.majority < found.auto + 0.05
    assert 0 < found.error < 0.02
    assert found.loss < found.smoothed
    assert found.errors_above == (found.auto - found.majority) / found.error


def test_a_line_counts_the_draws_that_lose() -> None:
    draws = [Draw(0.8, 0.7, 0.01, 0.3, 0.4), Draw(0.6, 0.7, 0.02, 0.5, 0.4), Draw(0.7, 0.7, 0.0, 0.3, 0.4)]
    assert row_of(Cell(10, 3, 2), draws)[1:] == ["0.7000", "0.7000", "-5.0", "1", "0.4000", "0.3667", "1", "**missed**"]
    assert row_of(Cell(10, 3, 2), [draws[0], draws[2]])[-1] == "met"
    assert row_of(Cell(10, 3, 2), [draws[2], Draw(0.699, 0.7, 0.01, 0.3, 0.4)])[-1] == "**missed**"
    assert (draws[2].errors_above, Draw(0.6, 0.7, 0.0, 0, 0).errors_above) == (0.0, -math.inf)


def test_tallies_and_the_section() -> None:
    np.testing.assert_array_equal(tallies_of(np.array([[0, 1, 1], [-1, -1, 0]], dtype=np.int8), 2), [[1, 2], [1, 0]])
    text = section([Cell(300, 8, 2)], seeds=2)
    assert "2 draws of each set" in text
    assert "| 300 × 8, 2 classes |" in text
