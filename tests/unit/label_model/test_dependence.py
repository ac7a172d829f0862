"""Near-copies are found, named and discounted; independent functions keep their votes (F2)."""

import tracemalloc

import numpy as np
import pytest

from benchmarks.label_models.generator import Cell
from benchmarks.label_models.rules import generate_rules
from labeljob.label_model import contributions, fit_statistics, from_dict, from_votes, posterior, to_dict, without_each
from labeljob.label_model.fitting import rules
from labeljob.label_model.fitting.dependence import Sample, opposed, residual_pairs, sample_of
from labeljob.scores import calibration_error
from tests.unit.label_model.generators import expected_accuracy, independent


def weak_with_copies(seed, copying):
    """The published bar: 5,000 rows, six functions of accuracy .60 to .80 on 70 % of the rows, and six copies of the weakest."""
    rng = np.random.default_rng(seed)
    truth = (rng.random(5000) < 0.4).astype(int)
    accuracies = np.concatenate([np.linspace(0.6, 0.8, 6), np.full(6, 0.6)])
    own = np.where(rng.random((5000, 12)) < accuracies, truth[:, None], 1 - truth[:, None])
    L = np.where(rng.random((5000, 12)) < 0.7, own, -1)
    copied = rng.random((5000, 6)) < copying
    L[:, 6:] = np.where(copied, L[:, :1], L[:, 6:])
    return L.astype(np.int8), truth


def quality(L, Y):
    model = fit_statistics(from_votes(L, 2), 2)
    P = posterior(model, L)
    return expected_accuracy(P, L, Y), calibration_error(P, Y, (L >= 0).any(axis=1)), model


@pytest.mark.parametrize("copying", [1.0, 0.9])
@pytest.mark.parametrize("seed", range(5))
def test_six_copies_of_a_weak_function_change_next_to_nothing(seed, copying):
    """F2: accuracy moves by less than half a point and the calibration error by less than .02."""
    L, Y = weak_with_copies(seed, copying)
    accuracy, error, _ = quality(L[:, :6], Y)
    with_copies, with_error, model = quality(L, Y)
    assert with_copies > accuracy - 0.005
    assert with_error < error + 0.02
    assert model.discounts is not None
    assert (model.discounts[[0, *range(6, 12)]] < 0.25).all()
    assert (model.discounts[1:6] > 0.9).all()


@pytest.mark.parametrize("renamed", [False, True])
def test_permuting_functions_or_classes_permutes_what_is_found(renamed):
    """The search for copies iterates on correlations: what single precision would leave of the order would show in the seventh digit."""
    L, _ = weak_with_copies(3, 0.85)
    order, names = np.random.default_rng(0).permutation(12), np.array([1, 0] if renamed else [0, 1])
    moved = np.append(names, -1).astype(np.int8)[L[:, order]]
    before, after = (fit_statistics(from_votes(votes, 2), 2) for votes in (L, moved))
    assert before.reason == after.reason == "NearCopies"
    np.testing.assert_allclose(after.discounts, before.discounts[order], atol=1e-10)
    np.testing.assert_allclose(posterior(after, moved)[:, names], posterior(before, L), atol=1e-10)


def test_the_pairs_that_repeat_one_another_are_named():
    L, _ = weak_with_copies(0, 0.9)
    _, _, model = quality(L, np.zeros(5000, dtype=int))
    copies = {0, *range(6, 12)}
    named = {frozenset((i, j)) for i, j, _ in model.dependent}
    assert named
    assert named <= {frozenset((i, j)) for i in copies for j in copies if i != j}
    assert all(0.7 < strength <= 1 for _, _, strength in model.dependent)


@pytest.mark.parametrize("classes", [2, 4])
def test_independent_functions_are_not_discounted(classes):
    balance = (0.6, 0.4) if classes == 2 else (0.4, 0.3, 0.2, 0.1)
    model = fit_statistics(from_votes(independent(10_000, 10, balance, seed=0).L, classes), classes)
    assert model.reason == "Independent"
    assert model.dependent == ()


def test_pairs_are_measured_without_rows_by_functions_by_classes():
    """8,000 rows of 150 functions and 20 classes: one indicator at a time, 5 MB, and not the 96 MB of all."""
    L = independent(8000, 150, (0.05,) * 20, seed=0).L
    sample, posterior_of_rows = Sample(L, np.ones(8000), slice(None)), np.full((20, 8000), 0.05)
    tracemalloc.start()
    try:
        residual_pairs(sample, posterior_of_rows, 20, np.zeros(150, dtype=bool))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 60_000_000, peak


def test_a_committee_explains_itself_exactly_and_survives_json():
    """O6: contributions add up to the log posterior; what leaving a function out does is the posterior without it."""
    L, Y = weak_with_copies(1, 0.9)
    _, _, model = quality(L, Y)
    assert model.algorithm == "committee"
    again = from_dict(to_dict(model))
    np.testing.assert_array_equal(posterior(again, L), posterior(model, L))
    assert (again.dependent, again.notes) == (model.dependent, model.notes)
    for row in L[:20]:
        joint = np.log(model.class_balance) + contributions(model, row).sum(axis=0)
        np.testing.assert_allclose(joint, np.log(posterior(model, row[None, :])[0]), atol=1e-9)
        silent = np.flatnonzero(row < 0)
        np.testing.assert_allclose(without_each(model, row)[silent], np.repeat(posterior(model, row[None, :]), len(silent), axis=0), atol=1e-12)
        voting = np.flatnonzero(row >= 0)[0]
        muted = np.where(np.arange(len(row)) == voting, -1, row)
        np.testing.assert_allclose(without_each(model, row)[voting], posterior(model, muted[None, :])[0], atol=1e-12)


def test_votes_against_everyone_are_said_to_be_beyond_telling():
    """F8: more than 40 % of the votes look worse than chance."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 4000)
    accuracies = np.array([0.85] * 6 + [0.15] * 5)
    L = np.where(rng.random((4000, 11)) < accuracies, truth[:, None], 1 - truth[:, None]).astype(np.int8)
    model = fit_statistics(from_votes(L, 2), 2)
    assert any("worse than chance" in note for note in model.notes)
    calm = fit_statistics(from_votes(L[:, :6], 2), 2)
    assert not any("worse than chance" in note for note in calm.notes)


def test_where_nothing_beats_majority_vote_it_says_so():
    L = np.repeat(np.random.default_rng(0).integers(0, 2, (500, 1)), 5, axis=1).astype(np.int8)
    model = fit_statistics(from_votes(L, 2), 2)
    assert any("majority vote" in note for note in model.notes)


@pytest.mark.parametrize("copied", range(8))
def test_six_copies_of_any_function_do_not_become_the_class(copied):
    """F2: nor do functions that are mildly like the copies lose their vote to them."""
    data = independent(4000, 8, (0.6, 0.4), seed=7)
    accuracy, _, _ = quality(data.L, data.Y)
    with_copies, _, model = quality(np.column_stack([data.L, *[data.L[:, copied]] * 6]), data.Y)
    assert with_copies > accuracy - 0.01
    others = [j for j in range(8) if j != copied]
    assert (model.discounts[others] > 0.9).all()
    assert (model.discounts[[copied, *range(8, 14)]] < 0.2).all()


def test_how_often_votes_oppose_each_other_beside_chance():
    L = np.array([[0, 1, -1], [0, -1, 1], [-1, 1, 1], [0, 1, 0], [-1, -1, -1], [-1, -1, 1], [0, -1, -1], [-1, 1, -1]], dtype=np.int8)
    sample = sample_of(from_votes(L, 2))
    # of eight rows: 4 votes for class 0, 4 for class 1, and 1 and 3 of the third
    expected = (4 * 4 + (4 * 3 + 0 * 1) + (4 * 1 + 0 * 3)) / 8
    found = 2 + 1 + 1
    assert opposed(sample, np.ones(3, dtype=bool)) == pytest.approx(found / expected)
    assert opposed(sample, np.array([True, True, False])) == pytest.approx(2 / 2)
    assert opposed(sample, np.array([True, False, False])) == 0  # no pair


@pytest.mark.parametrize("kind", ["rules, long rows", "rules"])
def test_copies_of_a_rule_are_discounted_whatever_else_rules_have_in_common(kind):
    made = generate_rules(Cell(4_000, 16, 2, kind, seed=2))
    L = np.hstack([made.votes, np.repeat(made.votes[:, :1], 5, axis=1)])
    model = fit_statistics(from_votes(L, 2), 2, abstain=["evidence"] * 21)
    assert model.discounts[[0, *range(16, 21)]].max() < 0.2
    assert model.discounts[1:16].mean() > 0.8
    assert {(i, j) for i, j, _ in model.dependent[:15]} == {(i, j) for i in (0, *range(16, 21)) for j in range(16, 21) if i < j}


def test_levels_are_learned_from_evenly_spaced_patterns_where_there_are_many(monkeypatch):
    made = generate_rules(Cell(6_000, 40, 2, "rules, long rows", seed=4))
    L, few = made.votes, 1 << 9
    assert len(from_votes(L, 2).counts) > 4 * few
    whole = posterior(fit_statistics(from_votes(L, 2), 2, abstain=["evidence"] * 40), L)
    monkeypatch.setattr(rules, "LEARNED", few)
    model = fit_statistics(from_votes(L, 2), 2, abstain=["evidence"] * 40)
    assert "levels" in {member.name for member in model.members}
    assert (posterior(model, L).argmax(axis=1) == whole.argmax(axis=1))[(L >= 0).any(axis=1)].mean() > 0.93


def test_levels_do_not_explain_copies_away():
    """Five copies of one rule among few others: where they fire could be a level of its own."""
    made = generate_rules(Cell(3_000, 7, 2, "rules, long rows", seed=3))
    L = np.hstack([made.votes, np.repeat(made.votes[:, :1], 4, axis=1)])
    model = fit_statistics(from_votes(L, 2), 2, abstain=["evidence"] * 11)
    assert "levels" in {member.name for member in model.members}
    assert model.discounts[[0, 7, 8, 9, 10]].max() < 0.25
    assert {(i, j) for i, j, _ in model.dependent[:10]} == {(i, j) for i in (0, 7, 8, 9, 10) for j in (7, 8, 9, 10) if i < j}
