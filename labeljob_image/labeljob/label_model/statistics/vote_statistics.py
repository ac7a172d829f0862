"""`VoteStatistics`: all that a fit needs to know of a label matrix, in bounded memory and mergeable.

    shard 0: L0 -> from_votes --.
    shard 1: L1 -> from_votes ---+-- merge (associative, commutative, identity `empty`) --> fit
    shard 2: L2 -> from_votes --'

While the distinct vote patterns fit the budget they are kept with their numbers of rows, in lexicographic order: the same for any order of
the rows and any sharding. Beyond it, what is kept is exact counts of votes and of pairs of votes (`Totals`), and a sample of rows that does
not depend on the sharding either (`sampling`); `patterns` and `counts` are then those of the sample, and `weights` scales them to all rows.

Whether a row is in the sample depends on its id. A bare matrix has none: its row numbers serve, so that permuting the rows draws another
sample once there is one (before, it changes nothing); and its statistics merge only while they are not sampled.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property, reduce
from typing import Any

import numpy as np

from labeljob.label_model.statistics.hashing import Keys
from labeljob.label_model.statistics.packing import PackedVotes, pack
from labeljob.label_model.statistics.pair_counts import PairCounts, add_pairs, count_pairs
from labeljob.label_model.statistics.patterns import FEW_CLASSES, distinct, distinct_up_to, votes_by_class
from labeljob.label_model.statistics.sampling import Budget, Sample, bottom_rows, merge_samples, sample_of
from labeljob.label_model.statistics.unpacking import unpack
from labeljob.label_model.statistics.weighted_votes import WeightedVotes, weigh
from labeljob.votes import ABSTAIN, FloatArray, IntArray, Votes, VotesError, validate_votes

DEFAULT_BUDGET = Budget()


@dataclass(frozen=True, eq=False)
class Totals:
    """What is known of all rows when only a sample of them is kept.

    Attributes:
        rows: how many there are. votes: int64 [n_functions, n_classes], up to the highest class that is voted for.
        pairs: second-order counts, which `generative` and `triplet` are fitted on; None where they do not fit the budget, or for a bare matrix.
    """

    rows: int
    votes: IntArray
    pairs: PairCounts | None


@dataclass(frozen=True, eq=False)
class VoteStatistics:
    """Distinct vote patterns and their numbers of rows.

    Attributes:
        kept: the patterns, or packed ones, unpacked when `patterns` is first asked for.
        counts: int64 [n_patterns], each at least 1: rows, or rows of the sample.
        sample: the rows with the smallest keys; None without ids.
        totals: of all rows, when patterns and counts are those of the sample; else None.
        told: int64 [n_told], known class, or -1, of the rows of the last patterns, which are kept whole beside any sample; see `semi_supervised`.
    """

    kept: Votes | PackedVotes
    counts: IntArray
    sample: Sample | None
    totals: Totals | None
    budget: Budget = DEFAULT_BUDGET
    told: IntArray | None = None
    _packed: dict[int, WeightedVotes] = field(default_factory=dict, repr=False)

    @cached_property
    def patterns(self) -> Votes:
        """int8 [n_patterns, n_functions] (int16 above 127 classes), lexicographically ascending, no duplicates; in the sample of a bare matrix as they come."""
        return unpack(self.kept) if isinstance(self.kept, PackedVotes) else self.kept

    @cached_property
    def rows(self) -> int:
        """Number of rows of the label matrix."""
        return int(self.counts.sum()) if self.totals is None else self.totals.rows

    @property
    def functions(self) -> int:
        """Number of labeling functions."""
        return self.kept.layout.columns if isinstance(self.kept, PackedVotes) else int(self.kept.shape[1])

    @cached_property
    def classes(self) -> int:
        """Classes up to the highest that is voted for."""
        return int(self.patterns.max(initial=ABSTAIN)) + 1

    def within(self, cardinality: int) -> bool:
        """Whether all votes are for one of so many classes; what packed patterns have room for needs no look at them."""
        return (isinstance(self.kept, PackedVotes) and self.kept.outcomes <= 1 + cardinality) or self.classes <= cardinality

    @property
    def sampled(self) -> bool:
        """Whether patterns are those of a sample of the rows."""
        return self.totals is not None

    @property
    def weights(self) -> FloatArray:
        """Rows that each pattern stands for, float64 [n_patterns]; they sum to `rows`."""
        counts = self.counts.astype(np.float64)
        if self.totals is not None:
            sampled = counts[: len(counts) - (0 if self.told is None else len(self.told))]
            sampled *= (self.totals.rows - counts[len(sampled) :].sum()) / sampled.sum()
        return counts

    @property
    def known(self) -> IntArray | None:
        """The known class of the rows of each pattern, or -1, int64 [n_patterns]; None when none is known."""
        if self.told is None or (self.told == ABSTAIN).all():
            return None
        return np.concatenate([np.full(len(self.counts) - len(self.told), ABSTAIN), self.told])

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        totals = 0 if self.totals is None else self.totals.votes.nbytes + (self.totals.pairs.nbytes if self.totals.pairs else 0)
        return self.patterns.nbytes + self.counts.nbytes + totals + (self.sample.nbytes if self.sample else 0)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VoteStatistics) and self.budget == other.budget and _same(_arrays(self), _arrays(other))

    __hash__ = None  # type: ignore[assignment]


def _arrays(statistics: VoteStatistics) -> list[Any]:
    sample, totals = statistics.sample, statistics.totals
    pairs = totals.pairs if totals else None
    return [
        statistics.patterns,
        statistics.counts,
        statistics.told,
        *((sample.keys, sample.votes) if sample else (None, None)),
        *((totals.rows, totals.votes) if totals else (None, None)),
        *((pairs.both, pairs.agree, pairs.by_class) if pairs else (None, None, None)),
    ]


def _same(a: list[Any], b: list[Any]) -> bool:
    return all((x is None) == (y is None) and (x is None or np.array_equal(x, y)) for x, y in zip(a, b, strict=True))


def empty(functions: int, budget: Budget = DEFAULT_BUDGET) -> VoteStatistics:
    """The statistics of no rows: the identity of `merge`."""
    return VoteStatistics(np.empty((0, functions), dtype=np.int8), np.empty(0, dtype=np.int64), None, None, budget)


def from_votes(L: Any, cardinality: int | None = None, ids: Keys | None = None, budget: Budget = DEFAULT_BUDGET) -> VoteStatistics:
    """The statistics of a label matrix.

    Args:
        L, cardinality: see `validate_votes` for what it accepts and raises.
        ids: uint64 [n_rows], hashes of what identifies the rows everywhere; None for a bare matrix.
        budget: how much may be kept.
    """
    votes = validate_votes(L, cardinality)
    if ids is not None and ids.shape != votes.shape[:1]:
        raise VotesError(f"there are {len(ids)} ids for {len(votes)} rows")
    return reduce_votes(votes, ids, budget)


def reduce_votes(votes: Votes, ids: Keys | None = None, budget: Budget = DEFAULT_BUDGET, cardinality: int = 0, *, checked: bool = True) -> VoteStatistics:
    """As `from_votes`, of votes that `validate_votes` gave, or `unread_votes`; cardinality: how many classes they name at most, if that is known (or asked for).

    Raises:
        VotesError: as `validate_votes`, where votes are not `checked`.
    """
    functions, itemsize = votes.shape[1], votes.dtype.itemsize
    bare = ids is None and 0 < cardinality <= FEW_CLASSES
    if not checked and not bare:
        votes, checked = validate_votes(votes, cardinality or None), True
    classes = cardinality if bare else int(votes.max(initial=ABSTAIN)) + 1
    known = distinct_up_to(votes, 1 + classes, budget.patterns(functions, itemsize), checked=checked)
    if known and ids is None:
        return VoteStatistics(known.patterns, known.counts, None, None, budget)
    most = budget.rows(functions, itemsize)
    keys, rows = bottom_rows(len(votes), ids, budget.seed, most)
    if ids is None:
        totals = Totals(len(votes), votes_by_class(votes, classes, checked=checked), None)
        return VoteStatistics(votes.take(rows, axis=0), np.ones(len(rows), dtype=np.int64), None, totals, budget)
    sample = sample_of(votes.take(rows, axis=0), keys, most)
    if known:
        return VoteStatistics(known.patterns, known.counts, sample, None, budget)
    pairs = count_pairs(votes, np.ones(len(votes), dtype=np.int64), classes, budget.pair_bytes)
    return _of_sample(sample, Totals(len(votes), votes_by_class(votes, classes), pairs), budget)


def _of_sample(sample: Sample, totals: Totals, budget: Budget) -> VoteStatistics:
    return VoteStatistics(*distinct(sample.votes, totals.votes.shape[1] + 1), sample, totals, budget)


def merge(a: VoteStatistics, b: VoteStatistics) -> VoteStatistics:
    """The statistics of the rows of both.

    Raises:
        VotesError: other functions or another budget; or the patterns do not fit the budget and some rows came without ids; or known rows.
    """
    if a.told is not None or b.told is not None:
        raise VotesError("statistics with known rows cannot be merged: merge first, then add what is known")
    if a.functions != b.functions:
        raise VotesError(f"statistics of {a.functions} and of {b.functions} labeling functions cannot be merged")
    if a.budget != b.budget:
        raise VotesError(f"statistics of {a.budget} and of {b.budget} cannot be merged")
    if not a.rows or not b.rows:
        return a if a.rows else b
    itemsize = max(a.patterns.dtype.itemsize, b.patterns.dtype.itemsize)
    sample = merge_samples(a.sample, b.sample, a.budget.rows(a.functions, itemsize)) if a.sample and b.sample else None
    if not a.sampled and not b.sampled:
        patterns, counts = np.concatenate([a.patterns, b.patterns]), np.concatenate([a.counts, b.counts])
        known = distinct(patterns, int(patterns.max()) + 2, counts)
        if len(known[1]) <= a.budget.patterns(a.functions, itemsize):
            return VoteStatistics(*known, sample, None, a.budget)
    if sample is None:
        raise VotesError("there are more vote patterns than the budget holds, and rows without ids cannot be sampled across parts: give ids")
    return _of_sample(sample, add_totals(totals_of(a), totals_of(b), a.budget), a.budget)


def totals_of(statistics: VoteStatistics) -> Totals:
    """What holds of all rows, from the patterns while they are all kept."""
    if statistics.totals is not None:
        return statistics.totals
    patterns, counts, classes = statistics.patterns, statistics.counts, statistics.classes
    return Totals(statistics.rows, vote_counts(statistics, classes), count_pairs(patterns, counts, classes, statistics.budget.pair_bytes))


def add_totals(a: Totals, b: Totals, budget: Budget) -> Totals:
    classes = max(a.votes.shape[1], b.votes.shape[1])
    votes = sum((np.pad(one.votes, ((0, 0), (0, classes - one.votes.shape[1]))) for one in (a, b)), np.zeros(1, dtype=np.int64))
    return Totals(a.rows + b.rows, votes, add_pairs(a.pairs, b.pairs, classes, budget.pair_bytes))


def weighted_patterns(statistics: VoteStatistics, outcomes: int) -> WeightedVotes:
    """Patterns and weights packed for `outcomes` outcomes; made once."""
    if outcomes not in statistics._packed:
        kept = statistics.kept
        packed = kept if isinstance(kept, PackedVotes) and kept.outcomes == outcomes else pack(statistics.patterns, outcomes)
        statistics._packed[outcomes] = weigh(packed, statistics.weights)
    return statistics._packed[outcomes]


def spaced(statistics: VoteStatistics, most: int) -> VoteStatistics:
    """Statistics whose patterns are at most so many evenly spaced rows that stand for all; the same where there are no more."""
    rows = np.cumsum(statistics.counts)
    if len(rows) <= most:
        return statistics
    hits = np.diff(rows * most // rows[-1], prepend=0)
    chosen = hits > 0
    votes = statistics.totals.votes if statistics.totals else vote_counts(statistics, statistics.classes)
    return VoteStatistics(statistics.patterns[chosen], hits[chosen], None, Totals(statistics.rows, votes, None), statistics.budget)


def vote_counts(statistics: VoteStatistics, classes: int) -> IntArray:
    """Votes of each function for each class, exact whether sampled or not; int64 [n_functions, n_classes]."""
    if statistics.totals is not None:
        votes = statistics.totals.votes
        return np.pad(votes, ((0, 0), (0, classes - votes.shape[1])))
    return weighted_patterns(statistics, 1 + classes).outcomes[:, 1:].astype(np.int64)


def pair_counts(statistics: VoteStatistics, classes: int) -> PairCounts | None:
    """How often two functions vote and agree, of all rows; of the sample's rows where only they are known, None where too many to keep."""
    if statistics.totals is not None and statistics.sample is not None:
        return statistics.totals.pairs
    return count_pairs(statistics.patterns, statistics.counts, classes, statistics.budget.pair_bytes)


def merge_all(parts: Iterable[VoteStatistics], functions: int) -> VoteStatistics:
    """`merge` over any number of parts."""
    parts = iter(parts)
    first = next(parts, None)
    return reduce(merge, parts, empty(functions) if first is None else merge(empty(functions, first.budget), first))
