"""A plain Dawid–Skene in NumPy, as one writes it by hand to be fast: no guard, no dependence, one reading of an abstain.

Functions are taken in groups. One matrix product turns the votes of a row into a code a group; a code indexes a table of log likelihoods
(E step) and of counts (M step), so that a pass reads a few codes a row instead of m votes. EM runs on a sample; then come two passes over all
rows: one that counts, and one that predicts. An abstain is missing.

Notation: n rows, m functions, K classes, G groups; a group has m_g functions and T_g codes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from labeljob.votes import FloatArray, Votes

SAMPLE, BLOCK = 20_000, 65_536  # rows of the EM; rows of a pass at once
CODES = 4_096  # of a group at most, so that a table stays in the cache
ITERATIONS, TOLERANCE = 50, 1e-3  # mean change of a posterior that ends the EM


@dataclass(frozen=True)
class Groups:
    """How votes become codes.

    Attributes:
        weights: float32 [m, G], powers of K + 1 where a function is of a group, else 0.
        cast: for each group float64 [T_g, m_g K], 1 where a function votes for a class in a code.
    """

    weights: Any
    cast: tuple[FloatArray, ...]

    def codes(self, votes: Votes) -> Any:
        """intp [G, n]."""
        return np.ascontiguousarray((votes.astype(np.float32) @ self.weights + self.weights.sum(axis=0)).T.astype(np.intp))


@dataclass(frozen=True)
class State:
    """groups; tables: for each group float64 [K, T_g], log likelihood of a code; balance: float64 [K], logs."""

    groups: Groups
    tables: tuple[FloatArray, ...]
    balance: FloatArray


def groups_of(functions: int, classes: int) -> Groups:
    """Groups of equal size with at most CODES codes each (or of one function)."""
    most = max(int(np.log(CODES) / np.log(1 + classes)), 1)
    parts = np.array_split(np.arange(functions), -(-functions // most))
    weights = np.zeros((functions, len(parts)), dtype=np.float32)
    cast = []
    for g, members in enumerate(parts):
        powers = (1 + classes) ** np.arange(len(members))
        weights[members, g] = powers
        outcomes = np.arange((1 + classes) ** len(members))[:, None] // powers % (1 + classes)  # 0 abstains, 1 + k votes for k
        cast.append((outcomes[:, :, None] == 1 + np.arange(classes)).reshape(len(outcomes), -1).astype(np.float64))
    return Groups(weights, tuple(cast))


def fit(votes: Votes, classes: int) -> State:
    """EM on evenly spaced rows from a smoothed majority vote, then one pass that counts on all."""
    groups = groups_of(votes.shape[1], classes)
    sample = votes[:: max(len(votes) // SAMPLE, 1)]
    codes, start = groups.codes(sample), np.stack([np.count_nonzero(sample == k, axis=1) for k in range(classes)]) + 1.0
    P = start / start.sum(axis=0)
    for _ in range(ITERATIONS):
        state, before = maximised(groups, counted(groups, codes, P), P.sum(axis=1)), P
        P = posterior(state, codes)
        if np.abs(P - before).mean() < TOLERANCE:
            break
    counts, balance = [np.zeros_like(one) for one in state.tables], np.zeros(classes)
    for codes in _blocks(groups, votes):
        P = posterior(state, codes)
        counts = [whole + part for whole, part in zip(counts, counted(groups, codes, P), strict=True)]
        balance += P.sum(axis=1)
    return maximised(groups, counts, balance)


def predict(state: State, votes: Votes, _: int) -> FloatArray:
    """float64 [n, K]."""
    return np.concatenate([posterior(state, codes).T for codes in _blocks(state.groups, votes)])


def counted(groups: Groups, codes: Any, P: FloatArray) -> list[FloatArray]:
    """Expected rows of each code by class, for each group float64 [K, T_g]."""
    return [np.stack([np.bincount(of_group, one, len(cast)) for one in P]) for of_group, cast in zip(codes, groups.cast, strict=True)]


def maximised(groups: Groups, counts: Sequence[FloatArray], balance: FloatArray) -> State:
    """The confusions that the counts give, one vote added to each cell, as tables."""
    K, tables = len(balance), []
    for cast, of_group in zip(groups.cast, counts, strict=True):
        votes = (of_group @ cast).reshape(K, -1, K) + 1.0  # [class, m_g, vote]
        tables.append(np.log(votes / votes.sum(axis=2, keepdims=True)).reshape(K, -1) @ cast.T)
    return State(groups, tuple(tables), np.log((balance + 1) / (balance + 1).sum()))


def posterior(state: State, codes: Any) -> FloatArray:
    """float64 [K, n]."""
    joint = np.repeat(state.balance[:, None], codes.shape[1], axis=1)
    for table, of_group in zip(state.tables, codes, strict=True):
        joint += table.take(of_group, axis=1)
    joint -= joint.max(axis=0)
    np.exp(joint, out=joint)
    joint /= joint.sum(axis=0)
    return joint


def _blocks(groups: Groups, votes: Votes) -> Iterator[Any]:
    for first in range(0, len(votes), BLOCK):
        yield groups.codes(votes[first : first + BLOCK])
