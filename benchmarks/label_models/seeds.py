"""`python -m benchmarks seeds`: `auto` beside majority vote on many draws of generated votes.

A model that is no worse on average may still lose badly on some draw, which means over three draws do not show.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.label_models.generator import Cell, generate
from benchmarks.label_models.rules import RULE_KINDS, generate_rules
from benchmarks.label_models.scoring import expected_hits
from benchmarks.page import table
from labeljob.label_model import LabelModel
from labeljob.scores import log_loss
from labeljob.votes import FloatArray, Votes

SEEDS = 50
CELLS = (
    Cell(10_000, 10, 2, "dependent"),
    Cell(5_000, 12, 2, "near-copies"),
    Cell(10_000, 50, 2, "sparse"),
    Cell(10_000, 10, 2, "imbalanced"),
    Cell(10_000, 20, 20),
    Cell(10_000, 20, 100),
    Cell(10_000, 10, 2, "adversarial"),
    *(Cell(5_000, functions, 2, kind) for kind in RULE_KINDS for functions in (12, 40)),
)


@dataclass(frozen=True)
class Draw:
    """One draw, on its covered rows.

    Attributes:
        auto, majority: accuracies, ties in expectation. error: standard error of their paired difference.
        loss, smoothed: log loss (nats) of `auto` and of majority vote with one pseudo-vote a class.
    """

    auto: float
    majority: float
    error: float
    loss: float
    smoothed: float

    @property
    def errors_above(self) -> float:
        """By how many standard errors `auto` is above majority vote."""
        difference = self.auto - self.majority
        return difference / self.error if self.error > 0 else math.copysign(math.inf, difference) if difference else 0.0


def draw(cell: Cell) -> Draw:
    """Fit and score one draw."""
    made = generate_rules(cell) if cell.kind in RULE_KINDS else generate(cell)
    covered = (made.votes >= 0).any(axis=1)
    L, truth = made.votes[covered], made.truth[covered]
    P = LabelModel(cell.classes).fit(made.votes).predict_proba(L)
    tallies = tallies_of(L, cell.classes)
    hits, voted = expected_hits(P, truth), expected_hits(tallies, truth)
    error = float((hits - voted).std() / math.sqrt(len(L)))
    smoothed = (tallies + 1) / (tallies + 1).sum(axis=1, keepdims=True)
    return Draw(float(hits.mean()), float(voted.mean()), error, log_loss(P, truth), log_loss(smoothed, truth))


def tallies_of(L: Votes, classes: int) -> FloatArray:
    """Votes for each class, float64 [n, K]."""
    return np.stack([np.count_nonzero(k == L, axis=1) for k in range(classes)], axis=1).astype(np.float64)


def row_of(cell: Cell, draws: Sequence[Draw]) -> list[str]:
    """A line of the table."""
    mean = {name: float(np.mean([getattr(one, name) for one in draws])) for name in ("auto", "majority", "loss", "smoothed")}
    below = sum(one.errors_above < -2 for one in draws)
    worse = sum(one.loss > one.smoothed for one in draws)
    least = min(one.errors_above for one in draws)
    return [
        cell.name, f"{mean['majority']:.4f}", f"{mean['auto']:.4f}", f"{least:+.1f}", str(below),
        f"{mean['smoothed']:.4f}", f"{mean['loss']:.4f}", str(worse),
        "met" if mean["auto"] >= mean["majority"] and not below and not worse else "**missed**",
    ]  # fmt: skip


def section(cells: Iterable[Cell] = CELLS, seeds: int = SEEDS) -> str:
    """The page's section; prints each line as it is measured."""
    rows = []
    for cell in cells:
        rows.append(row_of(cell, [draw(replace(cell, seed=seed)) for seed in range(seeds)]))
        print(" | ".join(rows[-1]), flush=True)
    header = ["", "majority vote", "auto", "least difference, standard errors", "draws below −2", "log loss, smoothed vote", "log loss, auto", "draws worse", "target"]
    about = (
        f"`python -m benchmarks seeds`. {seeds} draws of each set, covered rows; ties count 1/t. The difference is paired, and in its own standard errors. "
        "The target: a mean accuracy not below majority vote's, no draw below −2, none of a worse log loss."
    )
    return f"## `auto` beside majority vote, draw by draw\n\n{about}\n\n{table(header, rows)}"
