"""Gold of several classes a row: how it is read, what it scores, and what it calibrates."""

import json
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labeljob.calibration import CalibrationFormatError
from labeljob.contract.datasets import Dataset
from labeljob.contract.reasons import JobReason
from labeljob.gold_scores import answers_error
from labeljob.multi_label.calibration import calibrate_sets, from_file, record_of, to_file
from labeljob.multi_label.gold import MatchedSets, read_set_gold
from labeljob.multi_label.labelling import of_probabilities
from labeljob.multi_label.scores import set_scores
from tests.unit.job.builders import delta, fails, jsonl, pinned, text
from tests.unit.multi_label.tags import CLASSES, tag_set

SET = tag_set([{"label": name, "sql": "true"} for name in CLASSES], {})
EXPECTED = {1: ["bug"], 2: [], 4: ["feature", "question"]}
LISTS = {"id": [1, 2, 3, 4], "tags": [["bug"], [], None, ["question", "feature", "question"]]}


def parquet(folder, kind):
    table = pa.table({"id": pa.array(LISTS["id"]), "tags": pa.array(LISTS["tags"], kind)})
    pq.write_table(table, folder / "g.parquet")
    return Dataset(uri="pvc://lake/g.parquet", format="parquet")


FORMS = {
    "csv": lambda folder: text(folder, "g.csv", "id,tags\n1,bug\n2,|\n3,\n4,question| feature |question\n"),
    "parquet": lambda folder: parquet(folder, pa.list_(pa.string())),
    "large-list": lambda folder: parquet(folder, pa.large_list(pa.large_string())),
    "dictionary": lambda folder: parquet(folder, pa.list_(pa.dictionary(pa.int32(), pa.string()))),
    "text-in-parquet": lambda folder: delta(folder, "t", pa.table({"id": [1, 2, 3, 4], "tags": ["bug", "|", None, "feature|question"]})),
    "delta": lambda folder: delta(folder, "g", pa.table({"id": LISTS["id"], "tags": pa.array(LISTS["tags"], pa.list_(pa.string()))})),
    "jsonl": lambda folder: jsonl(folder, "g.jsonl", [{"id": i, "tags": of} for i, of in zip(LISTS["id"], LISTS["tags"], strict=True)]),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_list_of_names_or_names_in_one_text(form, tmp_path):
    """M4: an empty list is a row without any class, a null is a row of which nothing is known."""
    gold = read_set_gold(pinned(FORMS[form](tmp_path), tmp_path)[1], SET, "tags")
    found = {key: [name for name, has in zip(CLASSES, of, strict=True) if has] for key, of in zip(gold.ids.to_pylist(), gold.labels.tolist(), strict=True)}
    assert found == EXPECTED
    matched = gold.match(pa.array([4, 3, 9, 2]))
    assert matched.known.tolist() == [True, False, False, True]
    assert matched.labels.tolist() == [[False, True, True], [False] * 3, [False] * 3, [False] * 3]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("id,tags\n1,bug;question\n", "separated by |"),
        ("id,tags\n1,bug\n1,feature\n", "1 rows repeat a id"),
        ("id,tags\nx,bug\n", "not of the id's type"),
        ("id,other\n1,bug\n", "column tags is missing"),
    ],
)
def test_gold_that_cannot_be_used_is_refused(content, words, tmp_path):
    with fails(JobReason.GOLD_INVALID, words.replace("|", r"\|")):
        read_set_gold(pinned(text(tmp_path, "g.csv", content), tmp_path)[1], SET, "tags")


def test_gold_of_another_type_is_refused(tmp_path):
    with fails(JobReason.GOLD_INVALID, "must be a list of class names"):
        read_set_gold(pinned(delta(tmp_path, "g", pa.table({"id": [1], "tags": [7]})), tmp_path)[1], SET, "tags")
    with fails(JobReason.GOLD_INVALID, "neither a list of texts nor a text"):
        read_set_gold(pinned(jsonl(tmp_path, "g.jsonl", [{"id": 1, "tags": [1]}, {"id": 2, "tags": "bug"}]), tmp_path)[1], SET, "tags")


def test_scores_of_each_class_and_their_means():
    """M4, M5, M8: counted by hand; the row that nobody votes on has no labels and misses what it has."""
    P = np.array([[0.9, 0.2], [0.8, 0.6], [0.1, 0.3], [0.4, 0.9], [0.9, 0.9]])
    covered = np.array([True, True, True, True, False])
    truth = np.array([[1, 0], [0, 1], [0, 0], [1, 0], [1, 0]], dtype=bool)
    found = set_scores(of_probabilities(P, covered, covered), MatchedSets(np.ones(5, dtype=bool), truth, np.ones(5)))
    first, second = found.classes
    assert (found.rows, found.covered, first.rows, second.rows) == (5, 4, 3, 1)
    assert (first.precision.value, first.recall.value) == (1 / 2, 1 / 3)
    assert (second.precision.value, second.recall.value) == (1 / 2, 1)
    assert found.precision.value == pytest.approx(1 / 2)
    assert found.recall.value == pytest.approx(2 / 3)
    brier = [(0.1**2 + 0.8**2 + 0.1**2 + 0.6**2) / 4, (0.2**2 + 0.4**2 + 0.3**2 + 0.9**2) / 4]
    assert [first.brier, second.brier] == pytest.approx(brier)
    assert found.brier.value == pytest.approx(np.mean(brier))
    right = np.where(truth, P, 1 - P)[covered]
    assert found.log_loss.value == pytest.approx(-np.log(right).mean())
    assert first.ece == pytest.approx((abs(0.9 - 1) + 0.8 + 0.1 + abs(0.4 - 1)) / 4)
    assert math.isnan(found.brier.low)  # too few rows for a bootstrap
    assert sum(found.reliability.rows) == pytest.approx(8)


def test_a_class_that_is_never_labelled_counts_as_precision_zero():
    truth = np.array([[1, 1], [1, 0]], dtype=bool)
    P, all_rows = np.array([[0.9, 0.1], [0.8, 0.1]]), np.ones(2, dtype=bool)
    found = set_scores(of_probabilities(P, all_rows, all_rows), MatchedSets(all_rows, truth, np.ones(2)))
    assert math.isnan(found.classes[1].precision.value)
    assert found.precision.value == pytest.approx(0.5)


def test_weights_weigh():
    truth = np.array([[1, 0], [0, 1], [1, 1]], dtype=bool)
    P, every = np.array([[0.9, 0.4], [0.7, 0.9], [0.4, 0.6]]), np.ones(3, dtype=bool)
    weighted = set_scores(of_probabilities(P, every, every), MatchedSets(every, truth, np.array([2.0, 1.0, 1.0])))
    index = [0, 0, 1, 2]
    repeated = set_scores(of_probabilities(P[index], np.ones(4, dtype=bool), np.ones(4, dtype=bool)), MatchedSets(np.ones(4, dtype=bool), truth[index], np.ones(4)))
    for name in ("precision", "recall", "brier", "log_loss", "ece"):
        assert getattr(weighted, name).value == pytest.approx(getattr(repeated, name).value)


def test_the_interval_of_ece_holds_the_truth():
    """X11: of honest probabilities it begins at 0; where one class of three is too sure, 0 is not in it with gold enough, and the truth is."""
    random, sure = np.random.default_rng(0), np.array([3.0, 1.0, 1.5])
    held = []
    for rows in (100, 400) * 10:
        honest = random.random((rows, 3))
        truth, P = random.random((rows, 3)) < honest, 1 / (1 + (1 / honest - 1) ** sure)
        stated, found = (answers_error(said, truth, np.ones(rows)) for said in (honest, P))
        held += [stated.low == 0, found.low <= 0.0666 <= found.high]
        assert stated.low <= stated.value <= stated.high
        assert rows == 100 or found.low > 0
    assert np.mean(held) >= 0.9
    assert math.isnan(answers_error(P[:9], truth[:9], np.ones(9)).low)
    assert math.isnan(answers_error(P[:0], truth[:0], np.ones(0)).value)


def gold_rows(rows: int) -> tuple[np.ndarray, MatchedSets, pa.Array]:
    """Probabilities of two classes, the first far too sure, the second honest; gold in order of id."""
    rng = np.random.default_rng(0)
    honest = rng.random((rows, 2))
    truth = rng.random((rows, 2)) < honest
    odds = np.log(honest / (1 - honest)) * np.array([4.0, 1.0])
    return 1 / (1 + np.exp(-odds)), MatchedSets(np.ones(rows, dtype=bool), truth, np.ones(rows)), pa.array([f"r{i:04d}" for i in range(rows)])


def test_each_class_is_calibrated_by_itself_and_no_row_scores_itself():
    """M8, X18, X11: the class that is too sure is made honest, the honest one is left alone; a gold row's answer comes from folds without it."""
    P, gold, ids = gold_rows(600)
    frozen, made = calibrate_sets(P, gold, ids, "auto", 0)
    assert made[0].method in ("temperature", "sigmoid", "isotonic")
    assert made[1].method == "none"
    assert record_of(made, ["a", "b"]).method == "by-class"
    every = np.ones(600, dtype=bool)
    before, after = (set_scores(of_probabilities(Q, every, every), gold) for Q in (P, frozen.held_out(P, ids)))
    assert after.classes[0].ece < before.classes[0].ece / 2
    assert after.log_loss.value < before.log_loss.value
    assert before.brier.low < before.brier.value < before.brier.high
    assert 0 < before.ece.low < before.ece.value < before.ece.high
    assert not np.array_equal(frozen.held_out(P, ids)[:, 0], frozen.applied(P)[:, 0])
    np.testing.assert_array_equal(frozen.held_out(P, ids)[:, 1], frozen.applied(P)[:, 1])
    others = pa.array([f"s{i}" for i in range(600)])
    np.testing.assert_array_equal(frozen.held_out(P, others), frozen.applied(P))
    again = from_file(json.loads(json.dumps(to_file(frozen, made, ["a", "b"], before, after))), ["a", "b"])
    np.testing.assert_array_equal(again.held_out(P, ids), frozen.held_out(P, ids))


def test_little_gold_calibrates_nothing_and_says_so():
    P, gold, ids = gold_rows(12)
    frozen, made = calibrate_sets(P, gold, ids, "auto", 0)
    np.testing.assert_array_equal(frozen.applied(P), P)
    record = record_of(made, ["a", "b"])
    assert record.method == "none"
    assert "calibration needs" in record.why


def test_a_calibration_file_that_cannot_be_is_refused():
    P, gold, ids = gold_rows(200)
    frozen, made = calibrate_sets(P, gold, ids, "temperature", 0)
    every = np.ones(200, dtype=bool)
    scores = set_scores(of_probabilities(P, every, every), gold)
    data = to_file(frozen, made, ["a", "b"], scores, scores)
    for wrong in ({"folds": data["folds"][1:]}, {"folds": [[9, 9]] * 200}, {"byClass": {}}):
        with pytest.raises(CalibrationFormatError):
            from_file(data | wrong, ["a", "b"])
