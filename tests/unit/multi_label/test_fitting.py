"""A label model for each class, and the labels of rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeljob.calibration import NONE
from labeljob.label_model import Budget, VoteReducer, fit_statistics, from_votes, posterior, to_dict
from labeljob.labelled import voters_of
from labeljob.multi_label.calibration import SetCalibration, uncalibrated
from labeljob.multi_label.counts import AnswerCounts, estimated_accuracies
from labeljob.multi_label.fitting import fit_tasks, reduced, row_of, width
from labeljob.multi_label.gold import MatchedSets
from labeljob.multi_label.labelling import label_sets, of_probabilities
from labeljob.multi_label.tasks import tasks_of
from tests.unit.multi_label.tags import CLASSES, PREVALENCE, all_rows, fired, log_loss, rules, tag_set, truth_of, voted


def labelled(function_set, batch, algorithm="auto", parameters=None):
    """(models, what is said of the rows)."""
    tasks, voters = tasks_of(function_set, {}), voters_of(function_set)
    models = fit_tasks(all_rows(batch), tasks, algorithm, parameters or {})
    return models, label_sets(models, tasks, voters, batch.votes, batch.levels, uncalibrated(len(tasks)))


def oracle(truth: np.ndarray, batch, each: int) -> float:
    """Log loss of the posterior with the true rates, rules independent given their class."""
    p = np.empty(truth.shape)
    for k in range(len(CLASSES)):
        odds = np.full(len(truth), np.log(truth[:, k].mean() / (1 - truth[:, k].mean())))
        for votes in batch.votes.T[k * each : (k + 1) * each]:
            for outcome in (votes >= 0, votes < 0):
                odds += outcome * np.log((outcome[truth[:, k]].mean() + 1e-4) / (outcome[~truth[:, k]].mean() + 1e-4))
        p[:, k] = 1 / (1 + np.exp(-odds))
    return log_loss(p, truth)


@pytest.mark.parametrize("rows", [500, 5000])
def test_rules_that_only_vote_for_classes_are_enough(rows):
    """C3: nobody votes against a class, and yet rows without it are known by the silence of the rules that look for it."""
    functions, kinds = rules(4)
    function_set = tag_set(functions, kinds)
    for seed in range(3):
        truth = truth_of(rows, seed)
        batch = voted(function_set, fired(truth, 4, seed))
        models, found = labelled(function_set, batch)
        assert log_loss(found.probabilities, truth) < oracle(truth, batch, 4) + 0.06
        np.testing.assert_allclose([model.class_balance[1] for model in models], PREVALENCE, atol=0.15 if rows == 500 else 0.05)
        assert (found.labels == truth)[found.known].mean() > 0.85
        assert {0, 1, 2} <= set(found.labels.sum(axis=1)[found.covered].tolist())


def test_copies_of_a_rule_count_once():
    """F2: three copies of one rule beside three others; the model names the copies and is not much surer than without them."""
    functions, kinds = rules(4)
    copies = [{"name": f"copy{i}", "label": "bug", "sql": "bug_0"} for i in range(3)]
    truth = truth_of(4000, 5)
    values = fired(truth, 4, 5)
    alone, more = tag_set(functions, kinds), tag_set([*functions, *copies], kinds)
    without, beside = (labelled(one, voted(one, values)) for one in (alone, more))
    assert log_loss(beside[1].probabilities[:, 0], truth[:, 0]) < log_loss(without[1].probabilities[:, 0], truth[:, 0]) + 0.1
    in_full = labelled(more, voted(more, values), "dawid-skene")[1]
    assert log_loss(in_full.probabilities[:, 0], truth[:, 0]) > log_loss(beside[1].probabilities[:, 0], truth[:, 0]) + 0.1
    assert beside[0][0].dependent[0][2] > 0.9
    assert beside[0][1].dependent == without[0][1].dependent


def test_a_task_is_the_binary_label_model_of_its_answers():
    functions, kinds = rules(3)
    function_set = tag_set([*functions, {"name": "no", "notLabel": "bug", "sql": "id % 3 = 0"}], kinds)
    batch = voted(function_set, fired(truth_of(600, 1), 3, 1))
    models, found = labelled(function_set, batch, "dawid-skene")
    for k, task in enumerate(tasks_of(function_set, {})):
        answers, _ = task.ballots(batch.votes, None)
        readings = ["evidence" if name == "no" else "missing" for name in np.array([f.name for f in function_set.enabled_functions])[task.functions]]
        alone = fit_statistics(from_votes(answers, 2), 2, algorithm="dawid-skene", abstain=readings)
        assert to_dict(models[k]) == to_dict(alone)
        np.testing.assert_array_equal(found.probabilities[:, k], posterior(alone, answers)[:, 1])


@given(st.permutations(range(3)), st.sampled_from(["auto", "majority-vote", "dawid-skene"]), st.integers(0, 3))
@settings(max_examples=12, deadline=None)
def test_permuting_the_classes_permutes_the_answer(order, algorithm, seed):
    functions, kinds = rules(2)
    chooser = {"name": "agent", "votes": {"column": "agent", "map": {"b": "bug", "f": "feature", "q": "question"}}}
    teacher = {"name": "teacher", "votes": {"probabilities": {"question": "p", "bug": "q"}}}
    partial = [{"name": "no", "notLabel": "feature", "sql": "id % 5 = 0"}, {"name": "some", "labels": ["bug", "feature"], "sql": "id % 7 = 0"}]
    every = [*functions, chooser, teacher, *partial]
    kinds = kinds | {"agent": "string", "p": "float64", "q": "float64"}
    rng, truth = np.random.default_rng(seed), truth_of(300, seed)
    values = fired(truth, 2, seed) | {
        "agent": np.array(["b", "f", "q", None], dtype=object)[rng.integers(0, 4, 300)].tolist(),
        "p": np.clip(truth[:, 2] * 0.4 + rng.random(300) * 0.6, 0, 1),
        "q": np.clip(truth[:, 0] * 0.3 + rng.random(300) * 0.7, 0, 1),
    }
    here, there = tag_set(every, kinds), tag_set(every, kinds, [CLASSES[k] for k in order])
    (_, one), (_, other) = (labelled(a_set, voted(a_set, values), algorithm) for a_set in (here, there))
    np.testing.assert_array_equal(one.probabilities[:, order], other.probabilities)
    np.testing.assert_array_equal(one.labels[:, order], other.labels)
    np.testing.assert_allclose(one.confidence, other.confidence, atol=1e-12)


def test_statistics_of_batches_are_those_of_all_rows_and_read_back():
    """One pass: whole rows, partial votes and levels included, are reduced once for all classes, whatever the batches."""
    functions, kinds = rules(2)
    beside = [{"name": "no", "notLabel": "bug", "sql": "id % 4 = 0"}, {"name": "t", "votes": {"probabilities": {"bug": "p"}}}]
    every = [*functions, *beside, {"label": "bug", "sql": "true", "fallback": True}]
    function_set = tag_set(every, kinds | {"p": "float64"})
    truth = truth_of(500, 2)
    batch = voted(function_set, fired(truth, 2, 2) | {"p": np.round(np.random.default_rng(0).random(500), 1)})
    voters, ids = voters_of(function_set), np.random.default_rng(1).integers(0, 1 << 60, 500).astype(np.uint64)
    rows = row_of(batch, voters, 3)
    whole, parts = (VoteReducer(*width(voters, 1, 3)) for _ in range(2))
    whole.add(rows, ids)
    for start in (400, 0, 150):
        stop = {400: 500, 0: 150, 150: 400}[start]
        parts.add(rows[start:stop], ids[start:stop])
    found = reduced(whole.statistics(), voters, 3)
    assert whole.statistics() == parts.statistics()
    assert int(found.counts.sum()) == 500
    again = {(tuple(v), tuple(level)): n for v, level, n in zip(found.votes.tolist(), found.levels.tolist(), found.counts.tolist(), strict=True)}
    expected: dict[tuple, int] = {}
    for v, level in zip(batch.votes.tolist(), batch.levels.tolist(), strict=True):
        v[-1] = -1
        expected[tuple(v), tuple(level)] = expected.get((tuple(v), tuple(level)), 0) + 1
    assert again == expected
    tasks = tasks_of(function_set, {})
    for a, b in zip(fit_tasks(found, tasks, "auto", {}), fit_tasks(all_rows(batch), tasks, "auto", {}), strict=True):
        np.testing.assert_allclose(a.class_balance, b.class_balance, atol=1e-9)


def test_rows_that_are_too_many_to_keep_are_sampled_once_for_all_classes():
    """The budget is kept once, not once a class; each pattern of the sample stands for its share of all rows."""
    functions, kinds = rules(4)
    function_set = tag_set(functions, kinds)
    batch = voted(function_set, fired(truth_of(20_000, 8), 4, 8))
    voters, tasks = voters_of(function_set), tasks_of(function_set, {})
    exact, small = (VoteReducer(*width(voters, 0, 3), budget=budget) for budget in (Budget(), Budget(bytes=32_000)))
    for reducer in (exact, small):
        reducer.add(row_of(batch, voters, 3), np.arange(20_000, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    assert small.statistics().sampled
    found = reduced(small.statistics(), voters, 3)
    assert len(found.counts) < 1000
    assert found.counts.sum() == pytest.approx(20_000, rel=0.02)
    whole = fit_tasks(reduced(exact.statistics(), voters, 3), tasks, "auto", {})
    for model, other in zip(whole, fit_tasks(found, tasks, "auto", {}), strict=True):
        np.testing.assert_allclose(model.class_balance, other.class_balance, atol=0.1)


def test_a_class_that_no_vote_names_is_rare_and_said_so():
    functions, kinds = rules(2)
    function_set = tag_set(functions, kinds)
    values = fired(truth_of(400, 3), 2, 3) | {"question_0": np.zeros(400, dtype=bool), "question_1": np.zeros(400, dtype=bool)}
    models, found = labelled(function_set, voted(function_set, values))
    assert models[2].notes == ("no function votes for it on any row",)
    assert (found.probabilities[:, 2] < 0.01).all()
    assert not found.labels[:, 2].any()


def test_one_rule_alone_is_believed_as_far_as_is_assumed():
    functions, kinds = rules(1)
    function_set = tag_set(functions, kinds)
    batch = voted(function_set, fired(truth_of(2000, 4), 1, 4))
    models, found = labelled(function_set, batch)
    votes = batch.votes[:, 0] == 0
    np.testing.assert_allclose(found.probabilities[votes, 0], 0.7)
    share = votes.mean()
    np.testing.assert_allclose(found.probabilities[~votes, 0], 0.7 * share / (1 - share))  # as many are missed as are found
    assert "assumed" in models[0].notes[0]
    np.testing.assert_allclose(labelled(function_set, batch, parameters={"priorAccuracy": 0.9})[1].probabilities[votes, 0], 0.9)


def test_majority_vote_takes_silence_for_nothing():
    """Labels are the classes that most of those who speak of them name; where nobody does, the share that majority vote gives the class."""
    functions, kinds = rules(2)
    function_set = tag_set([*functions, {"name": "no", "notLabel": "bug", "sql": "id % 2 = 0"}], kinds)
    values = {"bug_0": [True, True, False, False], "bug_1": [True, False, False, False], "id": [0, 2, 3, 4]}
    _, found = labelled(function_set, voted(function_set, values), "majority-vote")
    np.testing.assert_allclose(found.probabilities[:, 0], [2 / 3, 0.5, (0.5 + 2 / 3 + 0.5) / 5, 0])
    assert found.labels[:, 0].tolist() == [True, False, False, False]


def test_nobody_votes_so_there_are_no_labels_and_a_fallback_raises_the_class_it_names():
    functions, kinds = rules(2)
    fallback = {"name": "else", "label": "question", "sql": "id = 1", "fallback": True, "accuracy": 0.9}
    function_set = tag_set([*functions, fallback], kinds)
    values = {name: np.concatenate([[False, False, False], column]) for name, column in fired(truth_of(300, 6), 2, 6).items()}
    batch = voted(function_set, values)
    _, found = labelled(function_set, batch)
    assert batch.votes[1, -1] == 2
    assert found.covered[:3].tolist() == [False, False, False]
    assert found.known[:3].tolist() == [False, True, False]
    assert (found.weight[:3] == 0).all()
    assert not found.labels[[0, 2]].any()
    odds = found.probabilities[:3, 2] / (1 - found.probabilities[:3, 2])
    assert odds[1] / odds[0] == pytest.approx(9)
    np.testing.assert_array_equal(found.probabilities[0], found.probabilities[2])


def test_confidence_is_the_share_of_right_answers_to_expect_and_weight_twice_its_lead():
    P = np.array([[0.9, 0.2, 0.5], [1.0, 0.0, 1.0]])
    found = of_probabilities(P, np.array([True, False]), np.array([True, True]))
    np.testing.assert_allclose(found.confidence, [(0.9 + 0.8 + 0.5) / 3, 1.0])
    np.testing.assert_allclose(found.weight, [2 * (2.2 / 3) - 1, 0.0])
    assert found.labels.tolist() == [[True, False, False], [True, False, True]]  # above 1/2, not at it


def test_answers_are_counted_and_judged():
    """X9, X23: a rule is right on rows that have its class, a partial vote on rows that lack what it excludes; passing over is not judged."""
    functions = [
        {"name": "rule", "label": "bug", "sql": "a"}, {"name": "no", "labels": ["question"], "sql": "a"} | {"labels": ["question", "feature"]},
        {"name": "agent", "votes": {"column": "agent", "map": {"b": "bug", "f": "feature", "q": "question"}}},
    ]  # fmt: skip
    function_set = tag_set(functions, {"a": "boolean", "agent": "string"})
    batch = voted(function_set, {"a": [True, True, False, None], "agent": ["b", "q", "f", None]})
    gold = MatchedSets(np.array([True, True, True, False]), np.array([[1, 0, 0], [0, 1, 1], [0, 0, 0], [0, 0, 0]], dtype=bool), np.ones(4))
    counts = AnswerCounts(voters_of(function_set), tasks_of(function_set, {}))
    counts.add(batch, gold)
    assert counts.yes.tolist() == [[2, 0, 0], [0, 0, 0], [1, 1, 1]]
    assert counts.no.tolist() == [[0, 0, 0], [2, 0, 0], [0, 0, 0]]
    assert counts.judged.tolist() == [2, 2, 3]
    assert (counts.right_weight / counts.judged_weight).tolist() == [0.5, 0.5, pytest.approx(2 / 3)]
    assert (counts.covered, counts.conflicting) == (3, 2)  # rule and no: on both rows; rule and agent name different classes
    assert counts.conflicts.tolist() == [2, 2, 1]
    models = fit_tasks(all_rows(batch), counts.tasks, "auto", {})
    estimated = estimated_accuracies(models, counts.tasks, 3, batch.votes, None, np.ones(4, dtype=np.int64))
    columns = counts.columns(models, estimated)
    assert columns.polarity == ["0", "!0", "0.1.2"]
    assert columns.coverage == [500, 500, 750]


def test_a_row_does_not_depend_on_the_rows_around_it():
    functions, kinds = rules(3)
    function_set = tag_set(functions, kinds)
    batch = voted(function_set, fired(truth_of(200, 7), 3, 7))
    models, found = labelled(function_set, batch)
    tasks, voters = tasks_of(function_set, {}), voters_of(function_set)
    calibration = SetCalibration((NONE,) * 3, ((),) * 3)
    alone = [label_sets(models, tasks, voters, batch.votes[i : i + 1], None, calibration).probabilities[0] for i in range(200)]
    np.testing.assert_array_equal(np.array(alone), found.probabilities)
