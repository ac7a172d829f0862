"""A manifest's functions over a DataFrame."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml

from labeljob.analysis import LFAnalysis
from labeljob.errors import JobError
from labeljob.label_model import LabelModel, MultiLabelModel
from labeljob.labeling_functions.engine import compile_functions
from labeljob.notebook import LFSet, ManifestError, filter_unlabeled_dataframe, wrong_rows
from labeljob.notebook.manifest import read_function_set
from labelplane.api.parse import parse_function_set
from labelplane.plan.function_set import functions_of
from tests.cluster_fixtures import ROOT

MAILS = ROOT / "examples/mail-triage"
SPEC = {
    "classes": ["low", "high"],
    "idColumn": "id",
    "schema": {"columns": [{"name": "id", "type": "int64", "nullable": False}, {"name": "number", "type": "int64"}, {"name": "text", "type": "string"}]},
    "functions": [
        {"name": "above", "label": "high", "threshold": {"column": "number", "above": 10}},
        {"name": "cast", "label": "low", "sql": "CAST(text AS BIGINT) < 10"},
        {"name": "rest", "label": "low", "sql": "true", "fallback": True},
    ],
}


def manifest(folder, **spec):
    path = folder / "set.yaml"
    path.write_text(yaml.safe_dump({"apiVersion": "labelplane.dev/v1alpha1", "kind": "LabelingFunctionSet", "metadata": {"name": "s"}, "spec": SPEC | spec}))
    return path


@pytest.fixture(scope="module")
def mails():
    return pd.read_parquet(MAILS / "data/mails.parquet")


def test_votes_are_those_of_the_job(mails):
    """C2: the same pass over the same manifest; lookup tables come from the kustomization."""
    functions = LFSet.from_yaml(MAILS / "functionset.yaml")
    L, errors = functions.apply(mails, return_errors=True)
    assert L.shape == errors.shape == (len(mails), len(functions)) == (len(mails), 14)
    assert list(functions) == list(functions.names)
    with compile_functions(functions._set, functions._lookups) as compiled:
        np.testing.assert_array_equal(compiled.apply(pq.read_table(MAILS / "data/mails.parquet")).votes[:, :14], L)
    assert LFAnalysis(L, functions).names == list(functions.names)
    assert len(wrong_rows(L, np.zeros(len(mails), dtype=int), "money_words", mails, lfs=functions)) == (L[:, functions.names.index("money_words")] == 1).sum()
    shuffled = mails.sample(frac=1, random_state=0)
    np.testing.assert_array_equal(functions.apply(shuffled), L[shuffled.index])


def test_functions_in_python_come_from_the_manifests_folder(tmp_path):
    """C2: as on a cluster from the image; their failures are counted like all others."""
    (tmp_path / "rules_beside.py").write_text("import pyarrow as pa\ndef f(batch):\n    return pa.array([{'x': 'low'}[t] for t in batch.column('text').to_pylist()])\n")
    path = manifest(tmp_path, functions=[{"name": "beside", "python": {"entrypoint": "rules_beside:f", "columns": ["text"]}}, *SPEC["functions"]])
    L, errors = LFSet.from_yaml(path).apply(pd.DataFrame({"number": [1, 20, 3], "text": ["x", "7", "x"]}), return_errors=True)
    assert L[:, 0].tolist() == [0, -1, 0]
    assert errors[:, :2].tolist() == [[False, False], [True, False], [False, False]]


def test_fallbacks_are_no_columns_of_a_fit(tmp_path):
    """C2: what votes only where all others are silent would be learned from, and cover every row; it is there when asked for, after the others."""
    first = {"name": "first", "label": "high", "sql": "number < 4", "fallback": True}
    functions = LFSet.from_yaml(manifest(tmp_path, functions=[first, *SPEC["functions"]]))
    df = pd.DataFrame({"number": [11, 200, 3, None], "text": ["5", None, None, None]})
    L = functions.apply(df)
    assert (functions.names, functions.fallbacks) == (("above", "cast"), ("first", "rest"))
    assert L.tolist() == [[1, 0], [1, -1], [-1, -1], [-1, -1]]
    assert functions.apply(df, fallbacks=True).tolist() == [[1, 0, -1, -1], [1, -1, -1, -1], [-1, -1, 1, 0], [-1, -1, -1, 0]]
    assert len(filter_unlabeled_dataframe(df, np.full((4, 2), 0.5), L)[0]) == 2


def test_a_manifest_means_what_the_operator_reads():
    raw = yaml.safe_load((MAILS / "functionset.yaml").read_text())
    assert read_function_set(MAILS / "functionset.yaml") == functions_of(parse_function_set(raw))
    raw["spec"]["runtime"] = {"image": "x"}
    assert functions_of(parse_function_set(raw)) == read_function_set(MAILS / "functionset.yaml")


def test_failures_are_counted_and_never_silent(tmp_path):
    functions = LFSet.from_yaml(manifest(tmp_path))
    df = pd.DataFrame({"number": [11, None, 3], "text": ["5", "no number", None]}, index=[7, 7, 8])
    with pytest.warns(UserWarning, match="cast on 1 rows; return_errors=True"):
        L = functions.apply(df)
    assert L.tolist() == [[1, 0], [-1, -1], [-1, -1]]
    _, errors = functions.apply(df, return_errors=True)
    assert np.argwhere(errors).tolist() == [[1, 1]]


def test_more_rows_than_a_batch(tmp_path, capsys):
    functions = LFSet.from_yaml(manifest(tmp_path))
    df = pd.DataFrame({"number": np.arange(70_000) % 20, "text": "50"})
    L = functions.apply(df, progress=True)
    np.testing.assert_array_equal(L[:, 0] == 1, df["number"] > 10)
    assert "70,000 of 70,000 rows" in capsys.readouterr().err
    assert functions.apply(df[:0]).shape == (0, 2)


def test_data_that_does_not_fit(tmp_path):
    functions = LFSet.from_yaml(manifest(tmp_path))
    with pytest.raises(JobError, match="column 'text' is missing"):
        functions.apply(pd.DataFrame({"number": [1]}))
    with pytest.raises(JobError, match=r"column 'number' is double, declared as int64"):
        functions.apply(pd.DataFrame({"number": [1.5], "text": ["x"]}))
    with pytest.raises(JobError, match="2 columns 'text'"):
        functions.apply(pd.DataFrame([[1, "a", "b"]], columns=["number", "text", "text"]))
    with pytest.raises(TypeError, match=r"a pandas DataFrame; got dict: pd\.DataFrame"):
        functions.apply({"number": [1], "text": ["x"]})
    with pytest.raises(JobError, match="column 'text' mixes types"):
        functions.apply(pd.DataFrame({"number": [1, 2], "text": ["a", 3]}))


def test_manifests_that_are_wrong(tmp_path):
    with pytest.raises(ManifestError, match=r"spec\.functions\[0\]: .*exactly one of"):
        LFSet.from_yaml(manifest(tmp_path, functions=[{"name": "a", "label": "low"}]))
    with pytest.raises(ManifestError, match=r"spec\.idColum"):
        LFSet.from_yaml(manifest(tmp_path, idColum="id"))
    with pytest.raises(ManifestError, match="has 0 LabelingFunctionSets named t"):
        LFSet.from_yaml(manifest(tmp_path), name="t")
    with pytest.raises(JobError, match="nothing"):
        LFSet.from_yaml(manifest(tmp_path, functions=[{"name": "a", "label": "low", "sql": "nothing > 1"}]))
    with pytest.raises(ManifestError, match="is a folder: name the file"):
        LFSet.from_yaml(tmp_path)
    (tmp_path / "bad.yaml").write_text("a: [")
    with pytest.raises(ManifestError, match="not valid YAML"):
        LFSet.from_yaml(tmp_path / "bad.yaml")


def test_lookup_tables(tmp_path):
    lookup = {"column": "text", "table": {"uri": "pvc://claim/t.csv", "format": "csv"}, "keyColumn": "k", "labelColumn": "v"}
    path = manifest(tmp_path, functions=[{"name": "known", "lookup": lookup}])
    with pytest.raises(JobError, match=r"give its file as tables=\{'pvc://claim/t.csv'"):
        LFSet.from_yaml(path)
    (tmp_path / "mine.csv").write_text("k,v\na,high\n")
    functions = LFSet.from_yaml(path, tables={"pvc://claim/t.csv": tmp_path / "mine.csv"})
    assert functions.apply(pd.DataFrame({"text": ["a", "b"]})).tolist() == [[1], [-1]]


def test_soft_and_partial_votes_go_into_a_label_model(tmp_path):
    """C2, C3: what the manifest says of several classes, in the library's words."""
    columns = [{"name": "id", "type": "int64", "nullable": False}, {"name": "number", "type": "int64"}, {"name": "p", "type": "float64"}]
    functions = [
        {"name": "not_c", "notLabel": "c", "threshold": {"column": "number", "above": 10}},
        {"name": "teacher", "votes": {"probabilities": {"a": "p", "b": "q"}}},
        {"name": "b_or_c", "labels": ["c", "b"], "threshold": {"column": "number", "below": 0}, "abstain": "missing"},
        {"name": "b", "label": "b", "threshold": {"column": "number", "below": -5}},
    ]
    spec = {"classes": ["a", "b", "c"], "schema": {"columns": [*columns, {"name": "q", "type": "float64"}]}, "functions": functions}
    lfs = LFSet.from_yaml(manifest(tmp_path, **spec))
    df = pd.DataFrame({"id": range(4), "number": [11, -6, 5, -1], "p": [0.7, 0.1, np.nan, 0.2], "q": [0.2, 0.8, np.nan, 0.2]})
    L = lfs.apply(df)
    assert L.tolist() == [[3, 0, -1, -1], [-1, 1, 4, 1], [-1, -1, -1, -1], [-1, 2, 4, -1]]
    assert lfs.partial.sets.tolist() == [[True, True, False], [False, True, True]]
    assert lfs.soft.tolist() == [False, True, False, False]
    soft = lfs.soft_votes(df)
    np.testing.assert_allclose(soft[:, 0], [[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [np.nan] * 3, [0.2, 0.2, 0.6]])
    assert lfs.abstain.tolist() == ["evidence", "missing", "missing", "evidence"]
    model = LabelModel(3, abstain=lfs.abstain[~lfs.soft], partial=lfs.partial).fit(L[:, ~lfs.soft], soft=soft)
    assert [table.votes.all() for table in model.model_.side] == [False, True, True]  # a silence that is declared missing is no outcome
    assert model.predict(L[:, ~lfs.soft], soft=soft).tolist() == [0, 1, -1, 2]


def test_a_multi_label_set_answers_for_each_class(tmp_path):
    """C2: answers for `MultiLabelModel`, class by class; one vote a function would say too little, and is refused."""
    functions = [
        {"name": "above", "label": "high", "threshold": {"column": "number", "above": 10}},
        {"name": "below", "notLabel": "high", "threshold": {"column": "number", "below": 3}},
        {"name": "short", "label": "low", "sql": "length(text) < 3"},
        {"name": "teacher", "votes": {"probabilities": {"low": "p"}}},
    ]
    columns = [*SPEC["schema"]["columns"], {"name": "p", "type": "float64"}]
    found = LFSet.from_yaml(manifest(tmp_path, multiLabel=True, functions=functions, schema={"columns": columns}))
    frame = pd.DataFrame({"id": [1, 2, 3], "number": [20, 1, 5], "text": ["ab", "abcd", None], "p": [0.9, 0.2, None]})
    answers = found.answers(frame)
    np.testing.assert_array_equal(answers[:, :, 0], [[-1, -1, 1, 1], [-1, -1, 0, 0], [-1, -1, 0, -1]])
    np.testing.assert_array_equal(answers[:, :, 1], [[1, -1, -1, -1], [0, 0, -1, -1], [0, -1, -1, -1]])
    assert MultiLabelModel(2, algorithm="dawid-skene").fit(answers).predict_proba(answers).shape == (3, 2)
    assert LFAnalysis(answers[:, :, 1], found.names).lf_summary().loc["above", "Coverage"] == 1
    assert found.answers(frame[:0]).shape == (0, 4, 2)
    for refused in (found.apply, found.soft_votes):
        with pytest.raises(ValueError, match="answers"):
            refused(frame)
    with pytest.raises(ValueError, match="multiLabel: true"):
        LFSet.from_yaml(manifest(tmp_path)).answers(frame)


def test_hashed_columns_are_looked_up_without_the_key(tmp_path):
    """F5: table and rows are hashed alike with a key that is used once, and votes are the same with any."""
    (tmp_path / "known.csv").write_text("key,verdict\n7,high\n")
    columns = [*SPEC["schema"]["columns"][:1], {"name": "number", "type": "int64", "sensitive": "hash"}]
    lookup = {"column": "number", "table": {"uri": "file:known.csv", "format": "csv"}, "keyColumn": "key", "labelColumn": "verdict"}
    schema = {"columns": columns, "hashKeyRef": {"name": "s", "key": "k"}}
    functions = LFSet.from_yaml(manifest(tmp_path, schema=schema, functions=[{"name": "known", "lookup": lookup}]))
    assert functions.apply(pd.DataFrame({"number": [7, 8, None]})).tolist() == [[1], [-1], [-1]]
    with pytest.raises(JobError, match="column 'number' is large_string, declared as int64"):
        functions.apply(pd.DataFrame({"number": ["x"]}))
    with pytest.raises(ValueError, match="number is hashed"):
        LFSet(functions._set, functions._lookups)
