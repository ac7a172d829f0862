"""Functions that say more than one class: probabilities as they are, `labels` and `notLabel`."""

import numpy as np
import pyarrow as pa
import pytest

from labeljob.ballots import ballots_of, disagreeing_rows, ordinary, outcomes, partial_conflicts, partial_sets, side_columns
from labeljob.label_model.side.soft_votes import Grid
from labeljob.labeling_functions.engine import compile_functions
from labeljob.labeling_functions.function_tests import run_function_tests
from labeljob.labeling_functions.validation import problems
from labeljob.votes import PARTIAL
from tests.unit.labeling_functions.sets import a_set

CLASSES = ["bug", "feature", "question"]
COLUMNS = [
    {"name": "id", "type": "int64", "nullable": False},
    {"name": "text", "type": "string"},
    {"name": "p_bug", "type": "float64"},
    {"name": "p_feature", "type": "float64"},
    {"name": "p_question", "type": "float64"},
]
SOFT = {"votes": {"probabilities": {"bug": "p_bug", "feature": "p_feature", "question": "p_question"}}}
REST = {"votes": {"probabilities": {"question": "p_question", "bug": "p_bug"}}}


def tickets(*functions, **more):
    return a_set(*functions, columns=COLUMNS, classes=CLASSES, **more)


def apply(function_set, **columns):
    n_rows = len(next(iter(columns.values())))
    kinds = {"id": pa.int64(), "text": pa.string(), "p_bug": pa.float64(), "p_feature": pa.float64(), "p_question": pa.float64()}
    table = pa.table({name: pa.array(columns.get(name, [None] * n_rows), kind) for name, kind in kinds.items()})
    with compile_functions(function_set, {}) as functions:
        return functions.apply(table)


def test_a_soft_vote_has_its_likeliest_class_and_its_level():
    """C2: null in all columns abstains; what is no probability is an error and never an abstain."""
    nan = float("nan")
    batch = apply(
        tickets(SOFT),
        p_bug=[0.7, 0.1, None, 0.5, nan, 1.2, None, 0.4, 0.504],
        p_feature=[0.2, 0.1, None, 0.4, 0.5, -0.2, 0.5, 0.4, 0.3],
        p_question=[0.1, 0.8, None, 0.4, 0.5, 0.0, 0.5, 0.2, 0.2],
    )
    assert batch.votes[:, 0].tolist() == [0, 2, -1, -1, -1, -1, -1, -1, 0]
    assert batch.errors[:, 0].tolist() == [False, False, False, True, True, True, True, False, False]
    assert (batch.levels[:, 0] == -1).tolist() == [False, False, True, True, True, True, True, True, False]
    assert Grid(3).bounds(int(batch.levels[0, 0])) == (0.7, 0.8)


def test_a_class_that_is_left_out_gets_the_rest():
    batch = apply(tickets(REST), p_bug=[0.2, 0.6, 0.6, 0.5], p_question=[0.1, 0.405, 0.5, None])
    assert batch.votes[:, 0].tolist() == [1, 0, -1, -1]
    assert batch.errors[:, 0].tolist() == [False, False, True, True]


def test_any_split_gives_the_same_levels():
    rng = np.random.default_rng(0)
    P = rng.dirichlet(np.ones(3), 50)
    whole = apply(tickets(SOFT), p_bug=P[:, 0], p_feature=P[:, 1], p_question=P[:, 2])
    parts = [apply(tickets(SOFT), p_bug=P[s, 0], p_feature=P[s, 1], p_question=P[s, 2]) for s in (slice(0, 20), slice(20, 50))]
    np.testing.assert_array_equal(np.concatenate([part.levels for part in parts]), whole.levels)
    assert apply(tickets(SOFT), p_bug=[]).levels.shape == (0, 1)
    assert apply(tickets({"label": "bug", "sql": "true"}), p_bug=[1.0]).levels is None


def test_partial_votes():
    """C2: `labels` and `notLabel` vote for several classes, with any rule; of two classes, not one is the other."""
    word = {"keywords": {"column": "text", "any": ["how"]}}
    batch = apply(tickets(word | {"notLabel": "bug"}, word | {"labels": ["question", "feature"]}, {"label": "bug", "sql": "text = 'how'"}), text=["how", "no", None])
    assert batch.votes.tolist() == [[PARTIAL, PARTIAL, 0], [-1, -1, -1], [-1, -1, -1]]
    two = a_set({"notLabel": "risky", "sql": "count > 1"})
    with compile_functions(two, {}) as functions:
        assert functions.apply(pa.table({"count": pa.array([2, 0], pa.int64())})).votes.tolist() == [[0], [-1]]
    assert side_columns(two) == ()


def test_expectations_name_partial_votes():
    """O7: `not bug`, `feature|question`."""
    functions = [{"notLabel": "bug", "sql": "text = 'how'"}, {"labels": ["question", "feature"], "sql": "text = 'how'"}, SOFT]
    good = {"f0": "not bug", "f1": "feature|question", "f2": "abstain"}
    bad = {"f0": "abstain", "f1": "feature", "f2": "bug"}
    declared = tickets(*functions, tests=[{"row": {"text": "how"}, "expect": good}, {"row": {"text": "how"}, "expect": bad}])
    assert not problems(declared)
    with compile_functions(declared, {}) as compiled:
        failures = [str(failure) for failure in run_function_tests(declared, compiled)]
    assert failures == [
        "spec.tests[1].expect.f0: expected abstain, got not bug",
        "spec.tests[1].expect.f1: expected feature, got feature|question",
        "spec.tests[1].expect.f2: expected bug, got abstain",
    ]
    wrong = tickets(*functions, tests=[{"row": {}, "expect": {"f0": "not feature"}}])
    assert "use one of bug, feature, question, not bug, abstain" in str(problems(wrong)[0])


def test_probabilities_need_all_classes_but_one():
    found = problems(tickets({"votes": {"probabilities": {"bug": "p_bug"}}}))
    assert [str(one) for one in found] == [
        "spec.functions[0].votes.probabilities: has no column for feature and question: give one to every class, or to all but one, which gets the rest"
    ]


@pytest.fixture
def mixed():
    return tickets(
        {"label": "bug", "sql": "text = 'a'"},
        SOFT,
        {"label": "question", "sql": "true", "fallback": True},
        {"notLabel": "bug", "sql": "text = 'b'"},
        {"labels": ["bug", "feature"], "sql": "text = 'c'", "abstain": "missing"},
    )


def test_ballots_are_votes_and_outcomes_and_back(mixed):
    columns = side_columns(mixed)
    assert [(column.function, column.soft, len(column.votes)) for column in columns] == [(1, True, Grid(3).size), (2, False, 2), (3, False, 1)]
    votes, levels = np.array([[0, 2, PARTIAL, -1], [-1, -1, -1, PARTIAL]], dtype=np.int8), np.array([[50], [-1]], dtype=np.int16)
    of = outcomes(columns, votes, levels)
    assert of.tolist() == [[50, 0, -1], [-1, 1, 0]]
    assert ordinary(votes).tolist() == [[0, 2, -1, -1], [-1, -1, -1, -1]]
    again, levels_again = ballots_of(columns, np.column_stack([ordinary(votes), of]), 4)
    np.testing.assert_array_equal(again, votes)
    np.testing.assert_array_equal(levels_again, levels)


def test_conflict_is_when_no_class_is_left(mixed):
    """M2: votes conflict when no class is named by all of them."""
    sets = partial_sets(mixed)
    votes = np.array(
        [[0, -1, -1, PARTIAL, -1], [0, -1, -1, -1, PARTIAL], [-1, 2, -1, PARTIAL, PARTIAL], [0, 1, -1, -1, -1], [-1, -1, -1, PARTIAL, PARTIAL], [-1] * 5],
        dtype=np.int8,
    )
    assert disagreeing_rows(votes, sets).tolist() == [True, False, True, True, False, False]
    pairs = partial_conflicts(votes, sets)
    assert pairs[3].tolist() == [1, 0, 0, 0, 0]
    assert pairs[4].tolist() == [0, 1, 0, 0, 0]
    np.testing.assert_array_equal(pairs, pairs.T)
