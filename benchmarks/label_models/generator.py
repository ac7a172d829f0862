"""Votes from known parameters, with the posterior that knows them.

Notation: n rows, m functions, K classes. A function votes with a probability that does not depend on the class, names the class with its
accuracy and otherwise a wrong class drawn uniformly. A copy repeats another function's entry at a rate and else draws its own.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from labeljob.votes import ABSTAIN, FloatArray, IntArray, Votes

NO_PARENT = -1
KINDS = ("independent", "dependent", "sparse", "imbalanced", "adversarial", "few", "copies", "near-copies")


@dataclass(frozen=True)
class Cell:
    """One generated set. `kind` is one of KINDS; the rows and truth of a cell are fixed by its fields."""

    rows: int
    functions: int
    classes: int
    kind: str = "independent"
    seed: int = 0

    @property
    def name(self) -> str:
        kind = "" if self.kind == "independent" else f"{self.kind}, "
        return f"{kind}{self.rows:,} × {self.functions}, {self.classes} classes"


@dataclass(frozen=True)
class Parameters:
    """What votes are drawn from.

    Attributes:
        balance: float64 [K], shares of the classes.
        accuracy: float64 [m], probability that a vote names the class.
        coverage: float64 [m], probability of a vote.
        parent: int64 [m], the function (of a lower index) that this one copies, or NO_PARENT.
        copying: float64 [m], probability that an entry is the parent's; 0 without a parent.
    """

    balance: FloatArray
    accuracy: FloatArray
    coverage: FloatArray
    parent: IntArray
    copying: FloatArray


@dataclass(frozen=True)
class Generated:
    """votes: int8 [n, m]; truth: int64 [n]; parameters: what they were drawn from."""

    votes: Votes
    truth: IntArray
    parameters: Parameters


def balance_of(classes: int) -> FloatArray:
    """.6/.4 for two classes, else in proportion to K, K - 1, … 1 (.4/.3/.2/.1 for four); float64 [K]."""
    if classes == 2:
        return np.array([0.6, 0.4])
    falling = np.arange(classes, 0, -1, dtype=np.float64)
    return np.asarray(falling / falling.sum())


def parameters_of(cell: Cell) -> Parameters:
    """The parameters of a cell: accuracies uniform in [.55, .9] and coverage .5 unless its kind says otherwise."""
    random = np.random.default_rng([cell.seed, 1])
    m, K = cell.functions, cell.classes
    accuracy, coverage, balance = random.uniform(0.55, 0.9, m), np.full(m, 0.5), balance_of(K)
    parent, copying = np.full(m, NO_PARENT), np.zeros(m)
    if cell.kind == "dependent":  # the second half copies the first three functions
        copies = np.arange(m - m // 2, m)
        parent[copies], copying[copies] = np.arange(len(copies)) % min(3, m - m // 2), 0.85
    elif cell.kind == "sparse":
        coverage[:] = 0.02
    elif cell.kind == "imbalanced":
        balance = np.array([0.99, *np.full(K - 1, 0.01 / (K - 1))])
    elif cell.kind == "adversarial":  # 30 % of the functions do worse than chance
        worse = random.permutation(m)[: m * 3 // 10]
        accuracy[worse] = random.uniform(0.4, 0.9, len(worse)) / K
    elif cell.kind in ("few", "copies", "near-copies"):
        accuracy, coverage, parent, copying = _copied(m, cell.kind)
    elif cell.kind != "independent":
        raise ValueError(f"unknown kind {cell.kind!r}: use one of {', '.join(KINDS)}")
    return Parameters(balance, accuracy, coverage, parent, copying)


def _copied(m: int, kind: str) -> tuple[FloatArray, FloatArray, IntArray, FloatArray]:
    """Six functions of accuracy .60 to .80, the others copies of the weakest."""
    accuracy = np.concatenate([np.linspace(0.6, 0.8, 6), np.full(max(m - 6, 0), 0.6)])[:m]
    parent = np.where(np.arange(m) < 6, NO_PARENT, 0)
    return accuracy, np.full(m, 0.7), parent, np.where(parent == NO_PARENT, 0.0, 0.9 if kind == "near-copies" else 1.0)


def generate(cell: Cell, *, fresh: bool = False) -> Generated:
    """Draw a cell; the same cell gives the same votes, and `fresh` others from the same parameters.

    Works column by column, so that it needs little more than the matrix.
    """
    parameters, random = parameters_of(cell), np.random.default_rng([cell.seed, 3 if fresh else 2])
    truth = random.choice(cell.classes, cell.rows, p=parameters.balance)
    votes = np.empty((cell.rows, cell.functions), dtype=np.int8)
    for j in range(cell.functions):
        column = _own_votes(random, truth, cell.classes, parameters.accuracy[j], parameters.coverage[j])
        if parameters.parent[j] != NO_PARENT:
            column = np.where(random.random(cell.rows) < parameters.copying[j], votes[:, parameters.parent[j]], column)
        votes[:, j] = column
    return Generated(votes, truth.astype(np.int64), parameters)


def _own_votes(random: np.random.Generator, truth: Any, classes: int, accuracy: float, coverage: float) -> Any:
    wrong = (truth + random.integers(1, classes, len(truth), dtype=np.int16)) % classes
    named = np.where(random.random(len(truth)) < accuracy, truth, wrong)
    return np.where(random.random(len(truth)) < coverage, named, ABSTAIN)


def oracle(votes: Votes, parameters: Parameters) -> FloatArray:
    """Posterior of the class given the true parameters and which functions are copies, float64 [n, K]."""
    classes = len(parameters.balance)
    joint = np.tile(np.log(parameters.balance), (len(votes), 1))
    for j, parent in enumerate(parameters.parent):
        own = outcome_probabilities(parameters.accuracy[j], parameters.coverage[j], classes)[votes[:, j] + 1]
        if parent != NO_PARENT:
            rate = parameters.copying[j]
            own = rate * (votes[:, j] == votes[:, parent])[:, None] + (1 - rate) * own
        joint += np.log(own)
    joint -= joint.max(axis=1, keepdims=True)
    np.exp(joint, out=joint)
    return np.asarray(joint / joint.sum(axis=1, keepdims=True))


def outcome_probabilities(accuracy: float, coverage: float, classes: int) -> FloatArray:
    """Probability of each outcome given the class, float64 [1 + K, K]; outcome 0 is an abstain, 1 + k a vote for class k."""
    table = np.full((1 + classes, classes), coverage * (1 - accuracy) / (classes - 1))
    table[0] = 1 - coverage
    np.fill_diagonal(table[1:], coverage * accuracy)
    return table
