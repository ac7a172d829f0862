"""`python -m benchmarks fresh-rows`: log loss on rows that a model was not fitted on, over many draws of parameters and votes.

The tables of time show one draw; whether a model stays within what is allowed (`supervised.py`) on each shows here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.label_models.generator import Cell, generate, oracle
from benchmarks.label_models.method import AUTO, OURS
from benchmarks.label_models.methods import FIXED, all_methods
from benchmarks.label_models.supervised import allowed_excess, supervised_log_loss
from benchmarks.page import table
from labeljob.scores import log_loss

SEEDS, FRESH_ROWS = 20, 200_000
CELLS = tuple(Cell(rows, functions, classes) for rows in (10_000, 100_000) for functions in (10, 50) for classes in (2, 4))
NAMES = (AUTO, *(f"{OURS} {name}, {reading}" for name in (FIXED, "dawid-skene") for reading in ("missing", "evidence")))


@dataclass(frozen=True)
class Excess:
    """Nats a row over the oracle's log loss on fresh rows: of a fit, and allowed to it."""

    excess: float
    allowed: float

    @property
    def share(self) -> float:
        """Of what is allowed; below 0 where the fit did better than the oracle, by chance."""
        return self.excess / self.allowed


def draw(cell: Cell, names: Sequence[str] = NAMES, fresh_rows: int = FRESH_ROWS) -> dict[str, Excess]:
    """Each method fitted on one draw; `auto`, which infers the reading of an abstain, is allowed what a missing one is."""
    made, fresh = generate(cell), generate(replace(cell, rows=fresh_rows), fresh=True)
    best = log_loss(oracle(fresh.votes, fresh.parameters), fresh.truth)
    allowed = {reading: allowed_excess(best, supervised_log_loss(made, fresh, cell.classes, evidence=reading)) for reading in (False, True)}
    found, methods = {}, all_methods()
    for name in names:
        method = methods[name]
        P = method.predict(method.fit(made.votes, cell.classes), fresh.votes, cell.classes)
        found[name] = Excess(log_loss(P, fresh.truth) - best, allowed[method.evidence])
    return found


def rows_of(cell: Cell, draws: Sequence[Mapping[str, Excess]]) -> list[list[str]]:
    """A line of the table for each method."""
    lines = []
    for name in draws[0]:
        of_method = [one[name] for one in draws]
        over, worst = sum(one.share > 1 for one in of_method), max(one.share for one in of_method)
        mean, most = np.mean([one.excess for one in of_method]), np.mean([one.allowed for one in of_method])
        verdict = f"{over} of {len(draws)}" if over else "met"
        lines.append([cell.name, name.removeprefix(f"{OURS} "), f"{round(mean, 5) + 0.0:.5f}", f"{most:.5f}", f"{worst:.2f}", verdict])
    return lines


def section(cells: Iterable[Cell] = CELLS, seeds: int = SEEDS, fresh_rows: int = FRESH_ROWS) -> str:
    """The page's section; prints each line as it is measured."""
    lines = []
    for cell in cells:
        lines += rows_of(cell, [draw(replace(cell, seed=seed), fresh_rows=fresh_rows) for seed in range(seeds)])
        print("\n".join(" | ".join(line) for line in lines[-len(NAMES) :]), flush=True)
    header = ["", "", "excess, mean", "allowed, mean", "worst share of allowed", "draws above"]
    about = (
        f"`python -m benchmarks fresh-rows`. {seeds} draws of each set, scored on {fresh_rows:,} more rows from its parameters. The excess over the oracle's log loss "
        "(nats a row) and what is allowed are those of the tables of time; a target is met where no draw is above."
    )
    return f"## Log loss on fresh rows, draw by draw\n\n{about}\n\n{table(header, lines)}"
