"""What each function does to the labels of a whole set, against asking the model row by row."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeljob.label_model import LabelModel, PartialClasses, fit_statistics, from_votes, influence, posterior, without_each
from labeljob.label_model.fitting.arguments import AlgorithmArgument
from labeljob.label_model.side.evidence import gather
from labeljob.label_model.side.side_model import beside_tables, side_posterior, silenced, voters_of_rows
from labeljob.votes import EmptyVotesError, VotesError
from tests.unit.label_model.generators import independent, label_matrices

ALGORITHMS = get_args(AlgorithmArgument)


def named(P, voting):
    """The label of each row; -1 for a tie and where nobody votes."""
    tied = np.max(P, axis=1, keepdims=True) - 1e-9 <= P
    return np.where((tied.sum(axis=1) == 1) & (voting > 0), tied.argmax(axis=1), -1)


@settings(max_examples=60, deadline=None)
@given(label_matrices(), st.sampled_from(ALGORITHMS), st.sampled_from(["missing", "evidence"]))
def test_it_is_the_mean_over_rows_of_leaving_each_function_out(L, algorithm, reading):
    """Exactly: for committees, hidden states and both readings of an abstain."""
    statistics = from_votes(L, 3)
    model = fit_statistics(statistics, 3, algorithm=algorithm, abstain=[reading] * L.shape[1])
    found = influence(model, statistics)
    before, after = posterior(model, L), np.stack([without_each(model, row) for row in L])
    voting = (L >= 0).sum(axis=1)
    for j in range(L.shape[1]):
        np.testing.assert_allclose(found.shift[j], np.abs(after[:, j] - before).sum(axis=1).mean() / 2, atol=1e-9)
        changed = named(after[:, j], voting - (L[:, j] >= 0)) != named(before, voting)
        np.testing.assert_allclose(found.flips[j], changed.mean(), atol=1e-9)


def test_a_function_that_never_votes_changes_nothing_and_a_lone_voter_everything_it_votes_on():
    L = np.full((10, 3), -1)
    L[:4, 0], L[4:6, 1] = 1, 0
    L[0, 1] = 1
    found = influence(fit_statistics(from_votes(L, 2), 2, algorithm="majority-vote"), from_votes(L, 2))
    np.testing.assert_allclose(found.flips, [0.3, 0.2, 0.0])  # the row that two vote on keeps its label
    np.testing.assert_allclose(found.shift, [0.3 / 2, 0.2 / 2, 0.0])


def test_more_accurate_functions_change_more_labels():
    data = independent(4000, 8, (0.6, 0.4), seed=1)
    statistics = from_votes(data.L)
    found = influence(fit_statistics(statistics, 2, algorithm="one-coin"), statistics)
    assert np.corrcoef(found.flips, data.accuracies)[0, 1] > 0.9
    assert np.corrcoef(found.shift, data.accuracies)[0, 1] > 0.9


def test_many_patterns_are_sampled_and_the_answer_is_about_the_same():
    data = independent(60_000, 20, (0.6, 0.4), seed=1)
    statistics = from_votes(data.L)
    assert len(statistics.counts) > 3 * (1 << 14)
    model = fit_statistics(statistics, 2, algorithm="one-coin")
    found = influence(model, statistics)
    for j in (0, 7):
        silent = data.L.copy()
        silent[:, j] = -1
        moved = np.abs(posterior(model, silent) - posterior(model, data.L)).sum(axis=1).mean() / 2
        np.testing.assert_allclose(found.shift[j], moved, rtol=0.1)


def test_other_votes_than_the_models_are_refused():
    model = fit_statistics(from_votes([[0, 1, 1], [1, 1, 0]]), 2)
    with pytest.raises(VotesError, match="fitted on 3 labeling functions; got 2 columns"):
        influence(model, from_votes([[0, 1]]))
    with pytest.raises(EmptyVotesError, match="no rows"):
        influence(model, from_votes(np.empty((0, 3), dtype=np.int8)))


@settings(max_examples=60, deadline=None)
@given(label_matrices(classes=5, min_rows=2), st.integers(0, 99), st.sampled_from(["auto", "majority-vote", "dawid-skene", "ebcc"]), st.booleans())
def test_soft_and_partial_votes_are_left_out_with_their_function(codes, seed, algorithm, with_teacher):
    """O6: codes 3 and 4 are the votes "0 or 1" and "not 0"; the last function may be a teacher. As leaving each out row by row."""
    sets = PartialClasses(np.array([[True, True, False], [False, True, True]]))
    soft = np.random.default_rng(seed).dirichlet(np.ones(3), len(codes))[:, None, :] if with_teacher else None
    model = LabelModel(3, algorithm, partial=sets).fit(codes, soft=soft).model_
    rows = gather(codes, soft, 3, sets, model.side)
    found = influence(model, from_votes(np.column_stack([rows.votes, rows.outcomes]).astype(np.int16)))
    before, spoke = posterior_of(model, rows.votes, rows.outcomes), voters_of_rows(model, rows.votes, rows.outcomes)
    for j in range(model.functions):
        others = np.where([table.function == j for table in model.side], -1, rows.outcomes).astype(np.int16)
        alone = silenced(rows.votes, model.side)
        if model.algorithm == "majority-vote" or not model.side:
            after = posterior_of(model, np.where(np.arange(model.functions) == j, -1, rows.votes), others)
        else:
            after = beside_tables(model, np.stack([without_each(replace(model, side=()), row)[j] for row in alone]), others)
        if model.side or model.algorithm == "majority-vote":
            np.testing.assert_allclose(found.shift[j], np.abs(after - before).sum(axis=1).mean() / 2, atol=1e-9)
            changed = named(after, spoke.sum(axis=1) - spoke[:, j]) != named(before, spoke.sum(axis=1))
            np.testing.assert_allclose(found.flips[j], changed.mean(), atol=1e-9)


def posterior_of(model, votes, outcomes):
    return side_posterior(model, votes, outcomes) if model.side else posterior(model, votes)


def test_a_teacher_that_knows_changes_labels_and_a_useless_one_none():
    """Beside rules of accuracy .7, a teacher that is nearly always right; and one that draws at random."""
    random = np.random.default_rng(3)
    data = independent(3000, 5, (0.5, 0.5), seed=3)
    right = np.where(data.Y[:, None] == [0, 1], 0.93, 0.07)
    soft = np.stack([right, random.dirichlet([2, 2], 3000)], axis=1)
    model = LabelModel(2).fit(data.L, soft=soft).model_
    rows = gather(data.L, soft, 2, None, model.side)
    statistics = from_votes(np.column_stack([rows.votes, rows.outcomes]).astype(np.int16))
    flips = influence(model, statistics).flips
    assert flips[5] > 0.1
    assert flips[6] < 0.02
    with pytest.raises(VotesError, match="7 functions and 2 side columns; got 7 columns"):
        influence(model, from_votes(rows.votes))
