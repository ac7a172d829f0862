"""Quality on real sets and on a grid of generated ones."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks.label_models.datasets import real_sets
from benchmarks.label_models.generator import Cell, generate
from benchmarks.label_models.measure import Bench, progress, quality
from labeljob.votes import covered_rows

TOO_SLOW = ("crowd-kit GLAD", "crowd-kit MACE", "crowd-kit MajorityVote")  # on the grid: minutes a cell, or what the plain one gives


@dataclass(frozen=True)
class Board:
    """One set: how many covered rows have gold, their shape, and by method its scores or its error."""

    name: str
    rows: int
    functions: int
    classes: int
    results: Mapping[str, Mapping[str, Any]]

    def value(self, method: str, figure: str) -> float:
        """A score, NaN where the method failed or was left out."""
        scores = self.results.get(method, {}).get("scores")
        return float(scores[figure]) if scores else math.nan


def on_real_sets(bench: Bench) -> Iterator[Board]:
    """A board for each real set."""
    for one in real_sets():
        results = quality(bench, one.votes, one.gold, one.classes)
        rows = int(np.count_nonzero(covered_rows(one.votes) & (one.gold >= 0)))
        progress(f"quality: {one.name}")
        yield Board(one.name, rows, one.votes.shape[1], one.classes, results)


def grid(rows: int) -> tuple[Cell, ...]:
    """The generated sets; the copies of weak functions have 5,000 rows always."""
    return (
        Cell(rows, 10, 2),
        Cell(rows, 10, 4),
        Cell(rows, 50, 2),
        Cell(rows, 50, 4),
        Cell(rows, 10, 2, "dependent"),
        Cell(rows, 50, 2, "sparse"),
        Cell(rows, 10, 2, "imbalanced"),
        Cell(rows, 20, 20),
        Cell(rows, 20, 100),
        Cell(rows, 10, 2, "adversarial"),
        Cell(5_000, 6, 2, "few"),
        Cell(5_000, 12, 2, "copies"),
        Cell(5_000, 12, 2, "near-copies"),
    )


def on_grid(bench: Bench, rows: int, seeds: int) -> Iterator[Board]:
    """A board for each generated set, its scores means over `seeds` draws of parameters and votes."""
    for cell in grid(rows):
        draws = []
        for seed in range(seeds):
            made = generate(replace(cell, seed=seed))
            draws.append(quality(bench, made.votes, made.truth, cell.classes, made.parameters, TOO_SLOW))
        progress(f"quality: {cell.name}")
        yield Board(cell.name, cell.rows, cell.functions, cell.classes, {name: _mean(name, draws) for name in draws[0]})


def _mean(method: str, draws: list[dict[str, dict[str, Any]]]) -> dict[str, Any]:
    """Means of every score, or the first error: a method that failed on one draw has no mean."""
    failed = [draw[method] for draw in draws if "error" in draw[method]]
    if failed:
        return failed[0]
    scores = [draw[method]["scores"] for draw in draws]
    return {"method": method, "scores": {name: float(np.mean([one[name] for one in scores])) for name in scores[0]}}
