"""What each function does to the labels of a whole set, against asking the model row by row."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeljob.label_model import fit_statistics, from_votes, influence, posterior, without_each
from labeljob.votes import EmptyVotesError, VotesError
from tests.unit.label_model.generators import independent, label_matrices

ALGORITHMS = ("majority-vote", "weighted-vote", "dawid-skene", "glad", "ebcc", "auto")


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
