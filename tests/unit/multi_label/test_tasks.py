"""What a vote says of each class of a multi-label set."""

import numpy as np
import pyarrow as pa
import pytest

from labeljob.contract.function_set import FunctionSet
from labeljob.labeling_functions.identity import LookupData
from labeljob.labeling_functions.validation import problems
from labeljob.multi_label.counts import answers_of, conflict_counts
from labeljob.multi_label.tasks import tasks_of
from labeljob.votes import ABSTAIN, PARTIAL
from tests.unit.multi_label.tags import CLASSES, tag_set, voted

KINDS = {"text": "string", "product": "string", "agent": "string", "p_bug": "float64", "p_question": "float64"}
FUNCTIONS = [
    {"name": "crash", "label": "bug", "keywords": {"column": "text", "any": ["crash"]}},
    {"name": "wish", "label": "feature", "keywords": {"column": "text", "any": ["wish"]}},
    {"name": "works", "notLabel": "bug", "keywords": {"column": "text", "any": ["works"]}},
    {"name": "asks", "labels": ["feature", "question"], "keywords": {"column": "text", "any": ["please"]}},
    {
        "name": "product", "lookup": {"column": "product", "table": {"uri": "configmap://t/t.csv", "format": "csv"}, "keyColumn": "k", "labelColumn": "l"},
    },
    {"name": "agent", "votes": {"column": "agent", "map": {"b": "bug", "q": "question"}}},
    {"name": "teacher", "votes": {"probabilities": {"question": "p_question", "bug": "p_bug"}}},
    {"name": "else", "label": "question", "sql": "true", "fallback": True},
]  # fmt: skip
TABLE = {"product": LookupData(pa.array(["editor", "forum"]), ("bug", "feature"))}


def said(**row):
    """What each function says of each class on one row: {function: {class: 1 or 0}}, nothing where it says nothing, or takes no part."""
    function_set = tag_set(FUNCTIONS, KINDS)
    batch = voted(function_set, {name: [row.get(name)] for name in KINDS}, TABLE)
    names = [function.name for function in function_set.enabled_functions]
    found: dict[str, dict[str, int]] = {}
    for name, task in zip(CLASSES, tasks_of(function_set, TABLE), strict=True):
        for j, answer in zip(task.functions, task.said(batch.votes, batch.levels)[0], strict=True):
            if answer != ABSTAIN:
                found.setdefault(names[j], {})[name] = int(answer)
    return found


def test_a_rule_says_nothing_of_the_other_classes():
    """C2: two classes on one row, and nobody contradicts anybody."""
    assert said(text="it crashes: crash, and a wish") == {"crash": {"bug": 1}, "wish": {"feature": 1}}


def test_partial_votes_exclude_the_classes_that_they_do_not_name():
    assert said(text="works") == {"works": {"bug": 0}}
    assert said(text="please") == {"asks": {"bug": 0}}


def test_who_chooses_passes_over_what_it_could_have_named_and_no_more():
    assert said(product="forum") == {"product": {"bug": 0, "feature": 1}}
    assert said(agent="b") == {"agent": {"bug": 1, "question": 0}}


def test_probabilities_answer_for_each_class_by_itself():
    """They need not sum to one; a null, and exactly 1/2, says nothing of its class alone."""
    assert said(p_bug=0.9, p_question=0.8) == {"teacher": {"bug": 1, "question": 1}}
    assert said(p_bug=0.1) == {"teacher": {"bug": 0}}
    assert said(p_bug=0.5, p_question=0.2) == {"teacher": {"question": 0}}


def test_soft_votes_are_partial_and_failures_are_counted():
    function_set = tag_set(FUNCTIONS, KINDS)
    nan = float("nan")
    batch = voted(function_set, {"p_bug": [0.9, None, 1.4, nan, 0.5], "p_question": [None, None, 0.2, 0.2, None]}, TABLE)
    teacher = [function.name for function in function_set.enabled_functions].index("teacher")
    assert batch.votes[:, teacher].tolist() == [PARTIAL, ABSTAIN, ABSTAIN, ABSTAIN, ABSTAIN]
    assert batch.errors[:, teacher].tolist() == [False, False, True, True, False]
    assert batch.levels.shape == (5, 2)
    assert (batch.levels >= 0).tolist() == [[True, False], [False, False], [False, False], [False, False], [False, False]]


def test_not_a_of_two_classes_is_no_vote_for_the_other():
    two = [{"label": "bug", "sql": "true"}, {"notLabel": "bug", "sql": "true"}, {"label": "feature", "sql": "true"}]
    multi = tag_set(two, {}, ["bug", "feature"])
    assert voted(multi, {"id": [1]}).votes.tolist() == [[0, PARTIAL, 1]]
    single = FunctionSet.model_validate(multi.wire() | {"multiLabel": False})
    assert voted(single, {"id": [1]}).votes.tolist() == [[0, 1, 1]]
    assert multi.canonical() == single.canonical() | {"multiLabel": True}  # the digests of other sets stay what they were


def test_silence_answers_only_where_a_rule_looks_for_the_class_and_silence_is_evidence():
    functions = [{"label": "bug", "sql": "text = 'x'"}, {"label": "bug", "sql": "text = 'x'", "abstain": "missing"}, {"notLabel": "bug", "sql": "text = 'x'"}]
    function_set = tag_set([*functions, {"label": "feature", "sql": "true"}], {"text": "string"}, ["bug", "feature"])
    batch, task = voted(function_set, {"text": [None, "x"]}), tasks_of(function_set, {})[0]
    assert task.ballots(batch.votes, None)[0].tolist() == [[0, -1, -1], [1, 1, 0]]
    assert task.ballots(batch.votes, None, silence_answers=False)[0].tolist() == [[-1, -1, -1], [1, 1, 0]]
    assert task.evidence.tolist() == [True, False, True]


def test_conflict_is_yes_and_no_to_one_class():
    """Naming different classes, and passing one over, is none."""
    function_set = tag_set(FUNCTIONS, KINDS)
    texts = ["crash works", "crash wish", "crash", "crash please"]
    batch = voted(function_set, {"text": texts, "agent": [None, "q", "b", None], "p_bug": [None, None, 0.1, 0.9]}, TABLE)
    tasks, names = tasks_of(function_set, TABLE), [function.name for function in function_set.enabled_functions]
    found = conflict_counts(tasks, len(names), batch.votes, batch.levels)
    pairs = {(names[i], names[j]): int(found[i, j]) for i in range(len(names)) for j in range(i + 1, len(names)) if found[i, j]}
    assert pairs == {("crash", "works"): 1, ("crash", "teacher"): 1, ("agent", "teacher"): 1, ("crash", "asks"): 1, ("asks", "teacher"): 1}
    assert (found == found.T).all()
    answers = answers_of(tasks[0], batch.votes, batch.levels)
    assert answers[1, list(tasks[0].functions).index(names.index("agent"))] == ABSTAIN


@pytest.mark.parametrize(
    ("functions", "field", "words"),
    [
        ([{"label": "bug", "sql": "true"}, {"label": "question", "sql": "true"}], "spec.classes[1]", "no enabled function votes for feature"),
        ([{"label": name, "sql": "true"} for name in CLASSES[:2]] + [{"label": "question", "sql": "true", "fallback": True}], "spec.classes[2]", "votes for question"),
        ([{"label": name, "sql": "true", "abstain": "missing"} for name in CLASSES], "spec.classes[0]", "silence is missing"),
        ([{"label": name, "sql": "true"} for name in CLASSES[:2]] + [{"votes": {"column": "text", "map": {"q": "question"}}}], "spec.classes[2]", "notLabel: question"),
    ],
)  # fmt: skip
def test_a_class_of_which_nothing_can_be_learned_is_named(functions, field, words):
    """O9: before any data is opened, with what to do."""
    found = [problem for problem in problems(tag_set(functions, {"text": "string"})) if problem.path == field]
    assert len(found) == 1
    assert words in str(found[0])


def test_a_set_that_can_be_learned_has_no_problems():
    assert problems(tag_set(FUNCTIONS, KINDS)) == []
    yes_no = {"votes": {"probabilities": {name: f"p_{name}" for name in CLASSES}}}
    assert problems(tag_set([yes_no], {f"p_{name}": "float64" for name in CLASSES})) == []


def test_tests_of_votes_name_partial_ones_and_leave_soft_ones_out():
    good = tag_set(FUNCTIONS, KINDS, tests=[{"row": {"text": "works please"}, "expect": {"works": "not bug", "asks": "feature|question", "crash": "abstain"}}])
    assert problems(good) == []
    bad = tag_set(FUNCTIONS, KINDS, tests=[{"row": {"p_bug": 0.9}, "expect": {"teacher": "bug"}}])
    assert [problem.path for problem in problems(bad)] == ["spec.tests[0].expect.teacher"]
    assert np.array_equal(voted(good, {"text": ["x"]}, TABLE).votes[0], [-1, -1, -1, -1, -1, -1, -1, 2])
