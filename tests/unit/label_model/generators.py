"""Votes with a known truth, and the real vote sets that may stand beside the repository."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

VOTE_SETS = Path(os.environ.get("LABELPLANE_SHARED_DATA") or Path(__file__).resolve().parents[4] / "shared" / "data") / "votes"


class Generated(NamedTuple):
    """Votes of independent functions: L int8 [n, m], Y int64 [n], accuracies float64 [m], balance float64 [K]."""

    L: np.ndarray
    Y: np.ndarray
    accuracies: np.ndarray
    balance: np.ndarray


def independent(rows: int, functions: int, balance: tuple[float, ...], seed: int, abstain: float = 0.5) -> Generated:
    """Each function is right with probability U(.55, .9), else names another class evenly, and abstains whatever the class."""
    rng, classes = np.random.default_rng(seed), len(balance)
    truth = rng.choice(classes, rows, p=balance)
    accuracies = rng.uniform(0.55, 0.9, functions)
    wrong = (truth[:, None] + rng.integers(1, classes, (rows, functions))) % classes
    votes = np.where(rng.random((rows, functions)) < accuracies, truth[:, None], wrong)
    votes[rng.random((rows, functions)) < abstain] = -1
    return Generated(votes.astype(np.int8), truth, accuracies, np.array(balance))


def one_sided_rules(rows: int, functions: int, balance: tuple[float, ...], seed: int) -> Generated:
    """Each function votes for one class only, on .02 to .35 of the rows, with precision U(.7, .97)."""
    rng, classes = np.random.default_rng(seed), len(balance)
    truth = rng.choice(classes, rows, p=balance)
    votes = np.full((rows, functions), -1, dtype=np.int8)
    precisions = rng.uniform(0.7, 0.97, functions)
    for j in range(functions):
        named, share = j % classes, rng.uniform(0.02, 0.35)
        hit = min(0.95, precisions[j] * share / balance[named])
        miss = (1 - precisions[j]) * share / (1 - balance[named])
        votes[rng.random(rows) < np.where(truth == named, hit, miss), j] = named
    return Generated(votes, truth, precisions, np.array(balance))


def oracle_log_loss(data: Generated) -> float:
    """Mean log loss (nats) of the posterior with the true accuracies and class balance."""
    classes = len(data.balance)
    joint = np.tile(np.log(data.balance), (len(data.Y), 1))
    for j, accuracy in enumerate(data.accuracies):
        for k in range(classes):
            agrees, voted = data.L[:, j] == k, data.L[:, j] >= 0
            joint[:, k] += voted * np.where(agrees, np.log(accuracy), np.log((1 - accuracy) / (classes - 1)))
    joint -= np.logaddexp.reduce(joint, axis=1, keepdims=True)
    return float(-joint[np.arange(len(data.Y)), data.Y].mean())


def vote_set(name: str) -> tuple[np.ndarray, np.ndarray, int]:
    """(L, Y, K) of a real vote set; skips where the set is not on this machine."""
    path = VOTE_SETS / f"{name}.npz"
    if not path.exists():
        pytest.skip(f"the vote set {name} is not on this machine")
    with np.load(path) as data:
        return data["L"], data["Y"].astype(np.int64), int(data["K"])


def expected_accuracy(P: np.ndarray, L: np.ndarray, Y: np.ndarray) -> float:
    """Accuracy on covered rows with gold when ties are broken at random."""
    use = (Y >= 0) & (L >= 0).any(axis=1)
    tied = P[use] >= P[use].max(axis=1, keepdims=True) - 1e-9
    return float((tied[np.arange(use.sum()), Y[use]] / tied.sum(axis=1)).mean())


def label_matrices(classes: int = 3, min_rows: int = 1, max_rows: int = 25, max_functions: int = 6) -> st.SearchStrategy[np.ndarray]:
    """Any small label matrix: int8, votes below `classes`, abstains included."""
    shapes = st.tuples(st.integers(min_rows, max_rows), st.integers(1, max_functions))
    return shapes.flatmap(lambda shape: hnp.arrays(np.int8, shape, elements=st.integers(-1, classes - 1)))
