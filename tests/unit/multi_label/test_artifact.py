"""What a version of a multi-label model holds."""

import json

import pytest

from labeljob.calibration import NONE, Calibration
from labeljob.contract.reasons import JobReason
from labeljob.contract.result import FunctionColumns
from labeljob.labelled import voters_of
from labeljob.multi_label.artifact import from_files, is_multi_label, to_files
from labeljob.multi_label.calibration import to_file, uncalibrated
from labeljob.multi_label.fitting import fit_tasks
from labeljob.multi_label.gold import MatchedSets
from labeljob.multi_label.labelling import label_sets
from labeljob.multi_label.scores import set_scores
from labeljob.multi_label.tasks import tasks_of
from tests.unit.job.builders import fails
from tests.unit.multi_label.tags import all_rows, fired, rules, tag_set, truth_of, voted


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    functions, kinds = rules(2)
    function_set = tag_set(functions, kinds)
    truth = truth_of(200, 0)
    batch = voted(function_set, fired(truth, 2, 0))
    tasks, plain = tasks_of(function_set, {}), uncalibrated(3)
    models = fit_tasks(all_rows(batch), tasks, "auto", {})
    found = label_sets(models, tasks, voters_of(function_set), batch.votes, None, plain)
    scores = set_scores(found, MatchedSets(found.known, truth, found.weight + 1))
    kept = to_file(plain, (Calibration(NONE, "auto", "no gold"),) * 3, function_set.classes, scores, scores)
    return to_files(function_set, {}, models, kept, FunctionColumns(estimated_accuracy=[None] * 6), {})


def test_what_is_read_is_what_was_written(files):
    """F6: a label model for each class, to the last bit."""
    assert is_multi_label(files)
    artifact = from_files(files, "pvc://m")
    again = to_files(artifact.function_set, {}, artifact.models, json.loads(files["calibration.json"]), artifact.functions, {})
    assert again == files


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("model.json", lambda data: data | {"formatVersion": 2}),
        ("model.json", lambda data: data | {"byClass": {"bug": data["byClass"]["bug"]}}),
        ("calibration.json", lambda data: data | {"byClass": {}}),
        ("functionset.json", lambda data: data | {"digest": "0" * 64}),
        ("functionset.json", lambda data: data | {"spec": data["spec"] | {"functions": data["spec"]["functions"][1:]}}),
    ],
)
def test_a_version_that_is_not_what_was_fitted_is_refused(files, name, change):
    """F6."""
    with fails(JobReason.MODEL_MISMATCH, "fit a new version"):
        from_files(files | {name: json.dumps(change(json.loads(files[name]))).encode()}, "pvc://m")
