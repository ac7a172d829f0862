"""Votes of rules: each names one class only, and its silence tells something of the class.

Precision is uniform in [.55, .97] of what lies between the class's share and 1, coverage in [.02, .2]. Three reasons to fire: `rules`, the class alone;
`rules, long rows`, rows that hold more of every keyword (a normal effect on the log-odds, of a weight of .75 to 2.25 for each rule);
`rules, one trigger`, a uniform number of the row that a third of the rules share, and another third for 60 % of the rows.
"""

from dataclasses import dataclass

import numpy as np

from benchmarks.label_models.generator import Cell, balance_of
from labeljob.votes import ABSTAIN, FloatArray, IntArray, Votes

RULE_KINDS = ("rules", "rules, long rows", "rules, one trigger")
LOGIT_OF_NORMAL = 1.7  # a probit's slope as a logit's, to keep the coverage of a rule that a normal effect is added to


@dataclass(frozen=True)
class Rules:
    """votes: int8 [n, m]; truth: int64 [n]."""

    votes: Votes
    truth: IntArray


def generate_rules(cell: Cell, balance: FloatArray | None = None) -> Rules:
    """Draw a cell of one of RULE_KINDS; balance: float64 [K], else `balance_of`."""
    if cell.kind not in RULE_KINDS:
        raise ValueError(f"unknown kind {cell.kind!r}: use one of {', '.join(RULE_KINDS)}")
    random, shares = np.random.default_rng([cell.seed, 4]), balance_of(cell.classes) if balance is None else balance
    truth = random.choice(cell.classes, cell.rows, p=shares)
    votes = np.full((cell.rows, cell.functions), ABSTAIN, dtype=np.int8)
    length, trigger = random.standard_normal(cell.rows), random.random(cell.rows)
    for j in range(cell.functions):
        named = int(random.integers(cell.classes))
        rates = _rates(random, float(shares[named]))
        rate = np.where(truth == named, *rates)
        drawn = random.random(cell.rows)
        if cell.kind == "rules, long rows":
            weight = random.uniform(0.75, 2.25)
            logit = np.log(rate / (1 - rate)) * np.sqrt(1 + (weight / LOGIT_OF_NORMAL) ** 2)
            rate = 1 / (1 + np.exp(-logit - weight * length))
        elif cell.kind == "rules, one trigger" and j % 3 < 2:
            drawn = np.where(random.random(cell.rows) < (1.0 if j % 3 == 0 else 0.6), trigger, drawn)
        votes[drawn < rate, j] = named
    return Rules(votes, truth.astype(np.int64))


def _rates(random: np.random.Generator, share: float) -> tuple[float, float]:
    """How often a rule fires on rows of its class, and on others."""
    above_chance, coverage = 2 * random.uniform(0.55, 0.97) - 1, random.uniform(0.02, 0.2)
    precision = min(0.97, share + (1 - share) * above_chance)
    return min(0.95, coverage * precision / share), min(0.95, coverage * (1 - precision) / (1 - share))
