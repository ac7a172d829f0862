"""Vote statistics are a commutative monoid that forgets the order of the rows and nothing else."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeljob.label_model import Budget, ModelFormatError, VoteReducer, from_bytes, to_bytes
from labeljob.label_model.statistics.hashing import scrambled
from labeljob.label_model.statistics.histograms import outcome_counts, outcome_counts_by_state
from labeljob.label_model.statistics.packing import pack, sum_tables
from labeljob.label_model.statistics.vote_statistics import empty, from_votes, merge, merge_all, pair_counts, vote_counts
from labeljob.votes import VotesError
from tests.unit.label_model.generators import independent, label_matrices


@given(label_matrices(), st.randoms(use_true_random=False))
def test_row_order_does_not_matter(L, random):
    order = list(range(len(L)))
    random.shuffle(order)
    assert from_votes(L[order]) == from_votes(L)


@given(label_matrices(min_rows=3), st.data())
def test_any_sharding_gives_the_same_statistics(L, data):
    """Shards reduce votes to statistics that merge: associative, commutative, with an identity."""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(L)), min_size=2, max_size=2)))
    a, b, c = (from_votes(part) for part in np.split(L, cuts))
    whole = from_votes(L)
    assert merge(merge(a, b), c) == merge(a, merge(b, c)) == merge(c, merge(b, a)) == whole
    assert merge(whole, empty(L.shape[1])) == whole
    assert merge_all([c, a, b], L.shape[1]) == whole


@given(label_matrices())
def test_nothing_but_the_order_is_lost(L):
    statistics = from_votes(L)
    expected, counts = np.unique(L, axis=0, return_counts=True)
    np.testing.assert_array_equal(statistics.patterns, expected)
    np.testing.assert_array_equal(statistics.counts, counts)
    assert statistics.rows == len(L)


@pytest.mark.parametrize(("functions", "balance"), [(5, (0.6, 0.4)), (30, (0.6, 0.4)), (90, (0.6, 0.4)), (40, (0.1,) * 10)])
def test_wide_matrices_count_exactly(functions, balance):
    """The table, the one-word and the many-word way of counting agree with a plain count."""
    L = independent(400, functions, balance, seed=1, abstain=0.9).L
    statistics = from_votes(np.concatenate([L, L[:100]]))
    expected, counts = np.unique(np.concatenate([L, L[:100]]), axis=0, return_counts=True)
    np.testing.assert_array_equal(statistics.patterns, expected)
    np.testing.assert_array_equal(statistics.counts, counts)


def test_doubling_the_rows_doubles_the_counts():
    L = independent(300, 8, (0.6, 0.4), seed=2).L
    once, twice = from_votes(L), from_votes(np.concatenate([L, L]))
    np.testing.assert_array_equal(twice.patterns, once.patterns)
    np.testing.assert_array_equal(twice.counts, 2 * once.counts)


def test_statistics_of_different_functions_do_not_merge():
    with pytest.raises(VotesError, match="of 2 and of 3 labeling functions"):
        merge(empty(2), empty(3))


SMALL = Budget(bytes=2000)  # of six functions: 71 patterns, 35 rows
OTHER_SEED = Budget(bytes=2000, seed=1)


def with_ids(draw, matrices):
    L = draw(matrices)
    return L, np.array(draw(st.lists(st.integers(0, 2**64 - 1), min_size=len(L), max_size=len(L))), dtype=np.uint64)


@settings(max_examples=150, deadline=None)
@given(st.data(), st.integers(60, 3000))
def test_any_sharding_and_order_of_merges_gives_the_same_statistics_with_ids(data, size):
    """M4 of a fit (G9): associative, commutative and independent of the sharding, whether sampled or not; ids may repeat."""
    L, ids = with_ids(data.draw, label_matrices(min_rows=1, max_rows=80, max_functions=4))
    budget = Budget(bytes=size)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(L)), min_size=3, max_size=3)))
    parts = [from_votes(part, 3, part_ids, budget) for part, part_ids in zip(np.split(L, cuts), np.split(ids, cuts), strict=True)]
    whole = from_votes(L, 3, ids, budget)
    order = data.draw(st.permutations(range(4)))
    a, b, c, d = (parts[i] for i in order)
    assert merge(merge(a, b), merge(c, d)) == merge(d, merge(c, merge(b, a))) == merge_all(parts, L.shape[1]) == whole
    assert merge(whole, empty(L.shape[1], budget)) == merge(empty(L.shape[1], budget), whole) == whole
    rows = np.array(data.draw(st.permutations(range(len(L)))), dtype=np.intp)
    assert from_votes(L[rows], 3, ids[rows], budget) == whole


@pytest.mark.parametrize("classes", [2, 5, 40])
def test_beyond_the_budget_counts_stay_exact_and_the_sample_is_of_the_smallest_keys(classes):
    """What cannot be kept row by row is counted: votes, and pairs of votes, of all rows."""
    L = independent(900, 6, (1 / classes,) * classes, seed=0).L
    ids = np.random.default_rng(0).permutation(900).astype(np.uint64)
    parts = [from_votes(L[start : start + 150], classes, ids[start : start + 150], SMALL) for start in range(0, 900, 150)]
    statistics = merge_all(parts, 6)
    assert statistics.sampled
    assert (statistics.rows, int(statistics.counts.sum())) == (900, SMALL.rows(6))
    assert statistics.weights.sum() == pytest.approx(900)
    np.testing.assert_array_equal(vote_counts(statistics, classes), [[(column == k).sum() for k in range(classes)] for column in L.T])
    chosen = np.argsort(scrambled(ids, SMALL.seed))[: SMALL.rows(6)]
    np.testing.assert_array_equal(statistics.sample.votes, L[chosen])
    expected, counts = np.unique(L[chosen], axis=0, return_counts=True)
    np.testing.assert_array_equal(statistics.patterns, expected)
    np.testing.assert_array_equal(statistics.counts, counts)
    assert from_votes(L, classes, ids, OTHER_SEED).patterns.tolist() != statistics.patterns.tolist()


def test_pairs_of_votes_are_counted_exactly():
    """Second-order counts, by class where they fit the budget and else only agreement; the same before and after sampling."""
    L = independent(1500, 6, (0.5, 0.3, 0.2), seed=1).L
    ids = np.arange(1500, dtype=np.uint64)
    named = (L[:, :, None] == np.arange(3)).reshape(1500, 18).astype(int)
    voted = (L >= 0).astype(int)
    agree = sum(named[:, k::3].T @ named[:, k::3] for k in range(3))
    for budget, by_class in ((Budget(), True), (Budget(bytes=14_000), True), (Budget(bytes=8_000), False)):
        statistics = from_votes(L, 3, ids, budget)
        pairs = pair_counts(statistics, 3)
        assert (statistics.sampled, pairs.by_class is not None) == (budget != Budget(), by_class)
        np.testing.assert_array_equal(pairs.both, voted.T @ voted)
        np.testing.assert_array_equal(pairs.agree, agree)
        if by_class:
            np.testing.assert_array_equal(pairs.by_class.reshape(18, 18), named.T @ named)
    assert pair_counts(from_votes(L, 3, ids, SMALL), 3) is None


def test_memory_of_a_stream_is_bounded_by_the_budget_and_not_by_rows():
    """G9: what is kept of ever more rows, all different, grows while the budget lasts and then no more."""
    budget, rng, sizes = Budget(bytes=200_000), np.random.default_rng(0), []
    reducer = VoteReducer(20, 3, budget)
    for batch in range(60):
        ids = np.arange(batch * 1000, (batch + 1) * 1000, dtype=np.uint64)
        reducer.add(rng.integers(-1, 3, (1000, 20)).astype(np.int8), ids)
        sizes.append(reducer.statistics().nbytes)
    assert reducer.statistics().rows == 60_000
    assert sizes[0] < sizes[1] < sizes[2]
    assert max(sizes) <= budget.bytes + 20 * 3 * 8
    assert len(set(sizes[10:])) == 1


def test_a_reducer_gives_what_one_pass_gives():
    L = independent(150_000, 3, (0.6, 0.4), seed=3).L
    ids = scrambled(np.arange(150_000, dtype=np.uint64), seed=9)
    reducer = VoteReducer(3, 2)
    for start in range(0, 150_000, 7000):
        reducer.add(L[start : start + 7000], ids[start : start + 7000])
    assert reducer.statistics() == from_votes(L, 2, ids)
    with pytest.raises(VotesError, match="not one of 2 classes"):
        reducer.add(np.array([[0, 2, 0]]), ids[:1])


def test_a_bare_matrix_beyond_the_budget_is_sampled_by_row_number():
    L, budget = independent(400, 6, (0.6, 0.4), seed=4).L, Budget(bytes=2400)
    statistics = from_votes(L, 2, budget=budget)
    chosen = np.sort(np.argsort(scrambled(np.arange(400, dtype=np.uint64)))[: budget.rows(6)])
    np.testing.assert_array_equal(statistics.patterns, L[chosen])
    assert (statistics.rows, statistics.weights.sum()) == (400, pytest.approx(400))
    np.testing.assert_array_equal(vote_counts(statistics, 2), [[(column == k).sum() for k in range(2)] for column in L.T])
    voted = (L[chosen] >= 0).astype(int)
    np.testing.assert_array_equal(pair_counts(statistics, 2).both, voted.T @ voted)


def test_rows_without_ids_merge_only_within_the_budget():
    L = independent(400, 6, (0.6, 0.4), seed=4).L
    small = from_votes(L[:30], 2, budget=SMALL)
    assert merge(small, small).rows == 60
    for other in (from_votes(L, 2, budget=SMALL), from_votes(L, 2, np.arange(400, dtype=np.uint64), SMALL)):
        with pytest.raises(VotesError, match="give ids"):
            merge(small, other)
    with pytest.raises(VotesError, match=r"of Budget\(bytes=2000, seed=0\) and of Budget"):
        merge(small, from_votes(L[:30], 2))
    with pytest.raises(VotesError, match="3 ids for 30 rows"):
        from_votes(L[:30], 2, np.arange(3, dtype=np.uint64))


@pytest.mark.parametrize("rows", [60_000, 300_000])
def test_few_patterns_in_many_rows_are_counted_in_blocks(rows):
    L = np.repeat(independent(50, 30, (0.6, 0.4), seed=5).L, rows // 50, axis=0)
    statistics = from_votes(L, 2)
    expected, counts = np.unique(L[:: rows // 50], axis=0, return_counts=True)
    np.testing.assert_array_equal(statistics.patterns, expected)
    np.testing.assert_array_equal(statistics.counts, counts * (rows // 50))


@settings(max_examples=80, deadline=None)
@given(st.sampled_from([1, 2, 3, 4, 7, 15, 16, 40, 63, 64, 200]), st.integers(1, 19), st.integers(1, 40), st.integers(1, 4), st.integers(0, 9))
def test_packed_sums_and_histograms_equal_the_plain_ones_in_any_base(classes, functions, rows, states, seed):
    """Votes are read as words of four columns, in pairs or alone, and column by column; the last word may be part empty."""
    rng = np.random.default_rng(seed)
    L = rng.integers(-1, classes, (rows, functions)).astype(np.int16 if classes > 127 else np.int8)
    log_weights, row_weights = rng.normal(size=(functions, 1 + classes, states)), rng.random((states, rows))
    packed = pack(L, 1 + classes)
    plain = sum(log_weights[j, L[:, j].astype(int) + 1] for j in range(functions))
    np.testing.assert_allclose(sum_tables(packed, log_weights), plain.T, atol=1e-12)
    counts = outcome_counts(packed, row_weights)
    for outcome in range(1 + classes):
        np.testing.assert_allclose(counts[:, outcome, :], (outcome == L + 1).T @ row_weights.T, atol=1e-12)
    np.testing.assert_array_equal(packed.tallies, [(k == L).sum(axis=1) for k in range(classes)])
    np.testing.assert_array_equal(packed.covered, (L >= 0).any(axis=1))
    state = rng.integers(0, states, rows)
    by_state = outcome_counts_by_state(packed, row_weights[0], state, states)
    np.testing.assert_allclose(by_state, outcome_counts(packed, row_weights[0] * (np.arange(states)[:, None] == state)), atol=1e-12)


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_tables_of_two_units_give_the_same_bits_as_two_tables(classes):
    """The answer for a row does not depend on how many rows there are: many are looked up two units at a time."""
    L = independent(20_000, 17, (1 / classes,) * classes, seed=0).L
    rng = np.random.default_rng(0)
    log_weights = rng.normal(size=(17, 1 + classes, 2))
    many, few = pack(L, 1 + classes), pack(L[:100], 1 + classes)
    np.testing.assert_array_equal(sum_tables(many, log_weights)[:, :100], sum_tables(few, log_weights))
    weights = np.where(np.arange(20_000) < 100, rng.random((2, 20_000)), 0.0)
    np.testing.assert_allclose(outcome_counts(many, weights), outcome_counts(few, weights[:, :100]), atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(60, 3000))
def test_shards_that_were_written_and_read_merge_as_if_they_had_stayed(data, size):
    """C3: the monoid survives the road from pod to pod; equal statistics are equal bytes, whatever the sharding."""
    L, ids = with_ids(data.draw, label_matrices(min_rows=1, max_rows=80, max_functions=4))
    budget, cut = Budget(bytes=size), data.draw(st.integers(0, len(L)))
    parts = [from_bytes(to_bytes(from_votes(L[part], 3, ids[part], budget))) for part in (slice(cut), slice(cut, None))]
    whole = from_votes(L, 3, ids, budget)
    assert merge(*parts) == merge(*parts[::-1]) == whole == from_bytes(to_bytes(whole))
    assert to_bytes(merge(*parts)) == to_bytes(whole)


def test_statistics_of_every_kind_keep_every_bit():
    L = independent(1500, 6, (0.5, 0.3, 0.2), seed=1).L
    wide = np.random.default_rng(0).integers(-1, 300, (50, 3))
    for statistics in (from_votes(L, 3, np.arange(1500, dtype=np.uint64), Budget(bytes=14_000)), from_votes(L, 3, budget=SMALL), from_votes(wide, 300), empty(4)):
        again = from_bytes(to_bytes(statistics))
        assert again == statistics
        assert again.rows == statistics.rows
        assert again.patterns.dtype == statistics.patterns.dtype


def test_bytes_that_are_no_statistics_are_said_to_be():
    """A newer format, a changed byte, and a pickle are errors; nothing is unpickled."""
    good = to_bytes(from_votes([[0, 1], [1, -1]]))
    changed = good[:-1] + bytes([good[-1] ^ 1])
    for data, message in (
        (good.replace(b'"version":"1"', b'"version":"2"'), "format 2, written by a newer Labelplane: upgrade"),
        (changed, "do not have the SHA-256"),
        (good[:-3], "do not have the SHA-256"),
        (good[:20], "no vote statistics"),
        (good.replace(b"labelplane vote statistics", b"labelplane rope statistics"), "no vote statistics"),
        (pickle.dumps({}), "no vote statistics"),
        (b"", "no vote statistics"),
    ):
        with pytest.raises(ModelFormatError, match=message):
            from_bytes(data)
