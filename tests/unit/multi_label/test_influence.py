"""What each function does to label sets."""

import numpy as np
import pytest

from labeljob.labelled import voters_of
from labeljob.multi_label.calibration import uncalibrated
from labeljob.multi_label.fitting import fit_tasks
from labeljob.multi_label.influence import set_flips
from labeljob.multi_label.labelling import label_sets
from labeljob.multi_label.tasks import tasks_of
from tests.unit.multi_label.tags import CLASSES, all_rows, fired, rules, tag_set, truth_of, voted


@pytest.fixture(scope="module")
def voting():
    """Rules of three classes, one against a class, a teacher that speaks of two, and a fallback: (set, batch)."""
    functions, kinds = rules(3)
    functions += [
        {"name": "not_bug", "notLabel": "bug", "sql": "feature_0"},
        {"name": "teacher", "votes": {"probabilities": {"bug": "p", "question": "q"}}},
        {"name": "rest", "label": "feature", "sql": "true", "fallback": True},
    ]
    truth, random = truth_of(1500, 0), np.random.default_rng(0)
    said = np.where(random.random((1500, 2)) < 0.3, np.nan, np.clip(np.where(truth[:, [0, 2]], 0.8, 0.2) + random.normal(0, 0.2, (1500, 2)), 0, 1))
    function_set = tag_set(functions, kinds | {"p": "float64", "q": "float64"})
    return function_set, voted(function_set, fired(truth, 3, 0) | {"p": said[:, 0], "q": said[:, 1]})


def test_it_is_the_share_of_rows_with_other_labels_when_the_function_is_silent(voting):
    """O6: exactly, where silence says nothing; a row that only it votes on has no labels without it, and a fallback is none of these."""
    function_set, batch = voting
    voters, tasks, rows = voters_of(function_set), tasks_of(function_set, {}), all_rows(batch)
    models = fit_tasks(rows, tasks, "majority-vote", {})
    found = set_flips(models, tasks, voters, rows)
    assert np.isnan(found[-1])
    votes = np.where(voters.fallback, -1, batch.votes).astype(np.int8)
    before = label_sets(models, tasks, voters, votes, batch.levels, uncalibrated(len(CLASSES)))
    for j, name in enumerate(voters.names[:-1]):
        silent = np.where(np.arange(len(voters.names)) == j, -1, votes).astype(np.int8)
        levels = np.full_like(batch.levels, -1) if name == "teacher" else batch.levels
        after = label_sets(models, tasks, voters, silent, levels, uncalibrated(len(CLASSES)))
        changed = (after.labels != before.labels).any(axis=1) | (after.known != before.known)
        np.testing.assert_allclose(found[j], changed.mean(), atol=1e-12)
    assert found[:-1].max() > 0.05


def test_silence_that_is_evidence_leaves_with_its_function(voting):
    """A model that reads silence: what a function adds by not voting is gone, too; who decides most is the teacher."""
    function_set, batch = voting
    voters, tasks, rows = voters_of(function_set), tasks_of(function_set, {}), all_rows(batch)
    found = set_flips(fit_tasks(rows, tasks, "auto", {}), tasks, voters, rows)
    assert voters.names[int(np.nanargmax(found))] == "teacher"
    assert ((found[:-1] >= 0) & (found[:-1] < 1)).all()
    assert np.isnan(set_flips(fit_tasks(rows, tasks, "auto", {}), tasks, voters, type(rows)(rows.votes[:0], rows.levels[:0], rows.counts[:0]))).all()
