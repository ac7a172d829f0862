"""1,000 classes and 2,000 functions: one weight each, in memory that no table of rates would fit."""

import json
import tracemalloc

import numpy as np
import pytest

from labeljob.label_model import (
    LabelModel,
    MajorityLabelVoter,
    contributions,
    fit_statistics,
    from_dict,
    from_votes,
    influence,
    posterior,
    posterior_top,
    to_dict,
    weights,
    without_each,
)
from labeljob.label_model.algorithms import compact
from labeljob.label_model.algorithms.generative import matched
from labeljob.label_model.algorithms.moments import agreement_of
from labeljob.votes import VotesError
from tests.unit.label_model.benches import bench_of
from tests.unit.label_model.generators import independent

CLASSES, FUNCTIONS = 1000, 2000


def sparse_votes(rows, classes, functions, seed, per_row=12):
    """About `per_row` votes a row; accuracies U(.4, .95), wrong classes alike."""
    random = np.random.default_rng(seed)
    truth, accuracy = random.integers(0, classes, rows), random.uniform(0.4, 0.95, functions)
    L = np.full((rows, functions), -1, dtype=np.int16)
    at, who = np.nonzero(random.random((rows, functions), dtype=np.float32) < per_row / functions)
    right = random.random(len(at)) < accuracy[who]
    L[at, who] = np.where(right, truth[at], (truth[at] + random.integers(1, classes, len(at))) % classes)
    return L, truth, accuracy


@pytest.fixture(scope="module")
def wide():
    return sparse_votes(8000, CLASSES, FUNCTIONS, seed=1)


@pytest.fixture(scope="module")
def fitted(wide):
    return LabelModel(CLASSES).fit(wide[0])


def test_a_thousand_classes_and_two_thousand_functions(wide, fitted):
    """C3: labels are right where votes tell, and accuracies are found from agreement alone."""
    L, truth, accuracy = wide
    model = fitted.model_
    assert (model.algorithm, model.reason, model.members) == ("one-coin", "ManyClasses", ())
    top = fitted.predict_proba_top(L, 3)
    voted = MajorityLabelVoter(CLASSES).fit(L).predict_proba_top(L, 1)
    right = top.classes[:, 0] == truth
    assert right.mean() > (voted.classes[:, 0] == truth).mean()
    assert right.mean() > 0.97
    assert abs(top.probabilities[:, 0].mean() - right.mean()) < 0.02
    assert np.corrcoef(model.accuracies, accuracy)[0, 1] > 0.8
    assert np.corrcoef(weights(model), np.log(accuracy / (1 - accuracy)))[0, 1] > 0.7


def test_memory_stays_within_a_few_copies_of_the_matrix(wide):
    """A table of rates would be 16 GB and a one-hot of the votes 128 GB: fit and top 5 take less than 200 MB beside the 32 MB of votes."""
    L = wide[0]
    tracemalloc.start()
    try:
        model = LabelModel(CLASSES).fit(L)
        model.predict_proba_top(L, 5)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert L.nbytes == 32_000_000
    assert peak < 200_000_000, peak


def test_labels_need_not_hold_all_probabilities(wide):
    """16,000 rows of 1,000 probabilities would be 128 MB; part by part the labels are those of the whole, ties drawn alike."""
    L = np.concatenate([wide[0][:5000], np.full((11_000, FUNCTIONS), -1, dtype=np.int16)])
    voter = MajorityLabelVoter(CLASSES).fit(L)
    tracemalloc.start()
    try:
        labels = voter.predict(L, "random")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 80_000_000, peak
    np.testing.assert_array_equal(labels, voter.predict(L, True, "random")[0])
    assert len(np.unique(labels[5000:])) > 900


def test_the_top_of_a_row_and_the_rest_are_its_posterior(wide, fitted):
    L = wide[0][:300]
    P, top = posterior(fitted.model_, L), posterior_top(fitted.model_, L, 7)
    np.testing.assert_allclose(P.sum(axis=1), 1)
    np.testing.assert_array_equal(top.probabilities, -np.sort(-P, axis=1)[:, :7])
    np.testing.assert_array_equal(np.take_along_axis(P, top.classes, axis=1), top.probabilities)
    np.testing.assert_allclose(top.probabilities.sum(axis=1) + top.remainder, 1)
    alone = posterior_top(fitted.model_, L[5:6], 7)
    np.testing.assert_array_equal(alone.probabilities[0], top.probabilities[5])
    assert posterior_top(fitted.model_, L, CLASSES).remainder.max() == 0


def test_the_top_of_any_model_and_what_cannot_be_asked():
    data = independent(200, 6, (0.5, 0.3, 0.2), seed=1)
    model = LabelModel(3).fit(data.L)
    top = model.predict_proba_top(data.L, 2)
    np.testing.assert_allclose(top.remainder, np.sort(model.predict_proba(data.L), axis=1)[:, 0])
    for k in (0, 4):
        with pytest.raises(ValueError, match=f"k is {k}: the model has 3 classes, so ask for 1 to 3"):
            model.predict_proba_top(data.L, k)
    with pytest.raises(VotesError, match="fitted on 6 labeling functions"):
        model.predict_proba_top(data.L[:, :5], 2)


def test_a_model_without_a_table_explains_itself_and_survives_json(wide, fitted, tmp_path):
    """O6, X16."""
    L, model = wide[0], fitted.model_
    row = L[0]
    joint = np.log(model.class_balance) + contributions(model, row).sum(axis=0)
    np.testing.assert_allclose(np.exp(joint - np.logaddexp.reduce(joint)), posterior(model, L[:1])[0])
    voter = int(np.flatnonzero(row >= 0)[0])
    silent = np.where(np.arange(FUNCTIONS) == voter, -1, row)[None, :]
    np.testing.assert_allclose(without_each(model, row)[voter], posterior(model, silent)[0], atol=1e-12)
    again = from_dict(json.loads(json.dumps(to_dict(model), allow_nan=False)))
    np.testing.assert_array_equal(posterior(again, L[:50]), posterior(model, L[:50]))
    with pytest.raises(ValueError, match=r"P\(outcome \| class\) would not fit in memory"):
        fitted.get_conditional_probs()


def without_a_table(L, algorithm="one-coin"):
    """The compact road on votes that the other road can fit, too."""
    return compact.fit(from_votes(L), 3, algorithm, None, 0.7, 100, 0)


def test_sums_over_rows_are_the_sums_over_pairs():
    """The same least squares as `generative` solves on the matrix of pairs."""
    data = independent(3000, 9, (0.5, 0.3, 0.2), seed=2)
    model = without_a_table(data.L)
    pairs, _, _ = matched(agreement_of(bench_of(data.L, 3, pooled=0.7)), 100)
    np.testing.assert_allclose(model.accuracies, (1 + 2 * pairs) / 3, atol=1e-4)
    np.testing.assert_allclose(model.class_balance, [0.5, 0.3, 0.2], atol=0.05)


@pytest.mark.parametrize("algorithm", ["one-coin", "majority-vote"])
def test_influence_without_a_table(algorithm):
    data = independent(400, 6, (0.5, 0.3, 0.2), seed=2)
    model = without_a_table(data.L, algorithm)
    found = influence(model, from_votes(data.L))
    after, before = np.stack([without_each(model, row) for row in data.L]), posterior(model, data.L)
    np.testing.assert_allclose(found.shift, np.abs(after - before[:, None]).sum(axis=2).mean(axis=0) / 2)


def test_what_needs_a_table_is_refused_with_what_does_not():
    L = np.random.default_rng(0).integers(-1, CLASSES, (20, FUNCTIONS))
    with pytest.raises(ValueError, match=r"dawid-skene would have 2e\+09 rates for 2000 functions and 1000 classes; .* use one of auto, one-coin, majority-vote"):
        LabelModel(CLASSES, "dawid-skene").fit(L)
    nobody = fit_statistics(from_votes(np.full((4, FUNCTIONS), -1), CLASSES), CLASSES)
    np.testing.assert_allclose(posterior(nobody, np.full((1, FUNCTIONS), -1)), 1 / CLASSES)
