"""What a model version keeps of its calibration, and labels of gold rows by calibrators that have not seen them."""

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from labeljob.calibration import CalibrationFormatError, calibrate, calibrated, shuffled, to_dict
from labeljob.calibration.selection import GoldRows
from labeljob.contract.calibration import CalibrationRecord, Interval
from labeljob.contract.datasets import DatasetPin
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.reasons import JobReason
from labeljob.contract.result import MESSAGE_BYTES, FitResult, FunctionColumns, JobResult, ModelVersion
from labeljob.contract.result_packing import pack
from labeljob.errors import JobError
from labeljob.figures import FunctionCounts
from labeljob.frozen_calibration import FrozenCalibration, freeze, from_file, id_keys, to_file
from labeljob.gold import Gold, Matched
from labeljob.gold_scores import gold_scores
from labeljob.held_out import judged
from labeljob.label_model import fit_statistics, from_votes, posterior
from labeljob.labeling_functions.identity import LookupData
from labeljob.labelled import label_votes, voters_of
from labeljob.model_artifact import from_files, to_files
from labeljob.votes import VoteBatch
from tests.manifests import function_set
from tests.unit.label_model.generators import independent

SET = FunctionSet.model_validate({key: value for key, value in function_set()["spec"].items() if key != "tests"})
DATA = independent(900, 6, (0.5, 0.5), seed=3, abstain=0.3)
VOTES = np.hstack([DATA.L, np.full((900, 1), -1, dtype=np.int8)])  # the fallback abstains
IDS = pa.array([f"row {i}" for i in range(900)])
MODEL = fit_statistics(from_votes(DATA.L, 2), 2, algorithm="dawid-skene")
GOLD = 400


def tuned(method: str = "isotonic") -> tuple[Any, FrozenCalibration]:
    """Tuned on the first GOLD rows; every row here is covered or left out."""
    covered = np.flatnonzero((DATA.L[:GOLD] >= 0).any(axis=1))
    ids = IDS.take(pa.array(covered))
    rows = GoldRows(posterior(MODEL, DATA.L[covered]), DATA.Y[covered], np.ones(len(covered)), shuffled(id_keys(ids), 0))
    calibration = calibrate(rows, method)  # type: ignore[arg-type]
    return calibration, freeze(calibration, ids)


def file_of(method: str = "isotonic") -> dict[str, Any]:
    calibration, frozen = tuned(method)
    found = gold_scores(posterior(MODEL, DATA.L[:GOLD]), np.zeros(GOLD, dtype=np.int64), np.ones(GOLD, dtype=bool), DATA.Y[:GOLD])
    again: dict[str, Any] = json.loads(json.dumps(to_file(frozen, calibration, found, found)))
    return again


@pytest.mark.parametrize("method", ["none", "temperature", "sigmoid", "isotonic"])
def test_the_file_keeps_everything(method: str) -> None:
    frozen, read = tuned(method)[1], from_file(file_of(method), 2)
    assert to_dict(read.calibrator) == to_dict(frozen.calibrator)
    assert [to_dict(one) for one in read.fold_calibrators] == [to_dict(one) for one in frozen.fold_calibrators]
    np.testing.assert_array_equal(read.folds(IDS), frozen.folds(IDS))


def test_the_file_shows_no_id_and_its_scores() -> None:
    """F5: rows are known by a hash."""
    content = file_of()
    assert "row 1" not in json.dumps(content)
    assert set(content["candidates"]) == {"none", "isotonic"}
    assert content["scores"]["crossFitted"]["brier"]["low"] < content["scores"]["crossFitted"]["brier"]["value"]
    assert len(content["scores"]["crossFitted"]["classes"]) == 2


@pytest.mark.parametrize(
    "change",
    [{"calibrator": {}}, {"foldCalibrators": []}, {"foldCalibrators": None}, {"foldOf": {"00": 5}}, {"foldOf": {"00": -1}}, {"foldOf": {"00": "a"}}],
)
def test_a_file_that_cannot_be_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(CalibrationFormatError):
        from_file(file_of() | change, 2)


def test_gold_rows_are_labelled_by_their_fold_and_others_by_the_whole() -> None:
    """X11: each row that tuned the calibration gets the calibrator of the folds it is not in; rows that did not, the one that serves."""
    calibration, frozen = tuned()
    voters = voters_of(SET)
    gold = Gold(IDS.slice(0, 600), DATA.Y[:600], np.ones(600))
    labelled, known = judged(MODEL, voters, VOTES, None, IDS, frozen, gold)
    np.testing.assert_array_equal(known.classes, DATA.Y[:600])
    P, fold = posterior(MODEL, DATA.L), frozen.folds(IDS)
    assert set(fold[:GOLD]) - {-1} == set(range(5))
    assert (fold[GOLD:] == -1).all()
    serving = label_votes(MODEL, voters, VOTES, None, frozen.calibrator)
    differing = 0
    for row in range(600):
        if not labelled.covered[row]:
            expected = P[row]
        else:
            calibrator = calibration.fold_calibrators[fold[row]] if fold[row] >= 0 else frozen.calibrator
            expected = calibrated(calibrator, P[row : row + 1])[0]
        np.testing.assert_array_equal(labelled.probabilities[row], expected)
        differing += bool((labelled.probabilities[row] != serving.probabilities[row]).any())
    assert 200 < differing <= GOLD


def _files(calibration: Any) -> dict[str, bytes]:
    return to_files(SET, {"trusted_image": LookupData(pa.array(["a"]), ("normal",))}, MODEL, calibration, FunctionColumns(), {})


def test_an_artifact_with_and_without_calibration() -> None:
    """F6: versions of before there was calibration label as they did; one that this build cannot read is refused."""
    files = _files(file_of())
    assert from_files(files, "pvc://x/y").calibration.calibrator.method == "isotonic"
    old = {name: content for name, content in files.items() if name != "calibration.json"}
    assert from_files(old, "pvc://x/y").calibration.calibrator.method == "none"
    content = file_of()
    newer = _files(content | {"calibrator": content["calibrator"] | {"formatVersion": 2}})
    with pytest.raises(JobError, match="cannot be read by this build") as refused:
        from_files(newer, "pvc://x/y")
    assert refused.value.reason == JobReason.MODEL_MISMATCH


def test_empirical_accuracy_of_a_function_is_weighted() -> None:
    """Two gold rows it has right, drawn with 1/2, and one it has wrong, drawn with 1/16: 4 of 20, and 3 rows."""
    voters = voters_of(SET)
    counts = FunctionCounts(voters, 2)
    votes = np.full((4, len(voters.names)), -1, dtype=np.int8)
    votes[:3, 0] = 1
    counts.add(VoteBatch(votes, np.zeros(votes.shape, dtype=bool)), Matched(np.array([1, 1, 0, -1]), np.array([2.0, 2.0, 16.0, 1.0])))
    model = fit_statistics(from_votes(np.zeros((1, len(voters.regular)), dtype=np.int8), 2), 2, algorithm="majority-vote")
    assert counts.columns(model).empirical_accuracy[0] == 200
    assert counts.judged[0] == 3


def test_the_result_of_a_fit_fits_a_termination_message() -> None:
    """DESIGN §4.6: with a hundred functions, five intervals and long reasons, in 4,096 bytes, the method kept."""
    pin = DatasetPin(uri="pvc://lake/" + "x" * 200, format="delta", table_id="t" * 36, version=1, digest="d" * 64)
    version = ModelVersion(
        version=1, fit_digest="f" * 64, sha256="s" * 64, function_set_digest="x" * 64, data=pin, gold=pin, image="build:sha256:" + "0" * 64, build="b" * 64,
        algorithm="dawid-skene", why="w" * 300, iterations=1, converged=True, fitted_at="2026-01-01T00:00:00Z",
        metrics=dict.fromkeys(("rows", "coverage", "conflictRate", "meanConfidence", "goldRows", "goldUnmatched", "precision", "recall", "brier", "logLoss", "ece"), 0.123456789),
        intervals={name: Interval(low=0.1234, high=0.2345) for name in ("precision", "recall", "brier", "logLoss", "ece")},
        calibration=CalibrationRecord(method="sigmoid", gold_rows=400, why="y" * 400),
    )  # fmt: skip
    numbers = [123] * 100
    columns = FunctionColumns(
        polarity=["0.1"] * 100, coverage=numbers, overlaps=numbers, conflicts=numbers, error_rate=numbers, estimated_accuracy=numbers,
        empirical_accuracy=numbers, weight=[1.2345] * 100,
    )  # fmt: skip
    packed = pack(JobResult(build="b" * 64, fit=FitResult(version=version, functions=columns)))
    assert len(packed) <= MESSAGE_BYTES
    read = JobResult.model_validate_json(packed)
    assert read.fit is not None and read.fit.version.calibration is not None
    assert (read.fit.version.calibration.method, read.fit.version.calibration.why) == ("sigmoid", "y" * 120)
    assert read.fit.version.intervals["ece"] == Interval(low=0.1234, high=0.2345)
