"""`LabelModel` with the arguments and results that users of Snorkel know."""

import contextlib
import json
import pickle
import warnings

import numpy as np
import pytest
from scipy import sparse

from labeljob.contract.digests import digest_of
from labeljob.label_model import (
    LabelModel,
    MajorityLabelVoter,
    ModelFormatError,
    NotFittedError,
    contributions,
    fit_statistics,
    from_votes,
    influence,
    posterior,
    to_dict,
)
from labeljob.label_model.metrics import auc
from labeljob.notebook import PandasLFApplier, label_quality_scores, labeling_function
from labeljob.votes import VotesError, validate_votes
from tests.unit.label_model.generators import independent, one_sided_rules


def stored(L, entries):
    """What scipy.sparse holds of a matrix."""
    rows, columns = np.nonzero(entries)
    return sparse.coo_array((L[rows, columns].astype(np.int64), (rows, columns)), shape=L.shape)


@pytest.fixture(scope="module")
def data():
    return independent(1500, 6, (0.4, 0.6), seed=1)


def test_a_sparse_matrix_gives_the_same_model(data):
    held = stored(data.L, data.L >= 0)
    model = LabelModel(2).fit(held)
    assert to_dict(model.model_) == to_dict(LabelModel(2).fit(data.L).model_)
    np.testing.assert_array_equal(model.predict(held), model.predict(data.L))
    np.testing.assert_array_equal(MajorityLabelVoter(2).predict(held), MajorityLabelVoter(2).predict(data.L))


@pytest.mark.parametrize("kind", ["csr_matrix", "csc_matrix", "coo_matrix", "csr_array", "lil_matrix", "dok_matrix"])
def test_matrices_of_scipy(data, kind):
    """SciPy is a dependency of tests alone."""
    made = getattr(sparse, kind)(stored(data.L, data.L >= 0))
    np.testing.assert_array_equal(validate_votes(made, 2), data.L)


def test_a_stored_zero_is_class_0_and_nothing_stored_is_an_abstain():
    np.testing.assert_array_equal(validate_votes(sparse.coo_array(([0, 1], ([0, 1], [0, 1])), shape=(3, 2))), [[0, -1], [-1, 1], [-1, -1]])
    assert validate_votes(sparse.coo_array((2, 3), dtype=np.int64)).tolist() == [[-1] * 3] * 2


def test_a_sparse_matrix_made_of_a_dense_one_is_refused(data):
    """csr_matrix(L) stores the abstains and forgets class 0."""
    with pytest.raises(VotesError, match="has lost its votes for class 0"):
        LabelModel(2).fit(stored(data.L, data.L != 0))
    with pytest.raises(VotesError, match="stores 1 entries twice"):
        validate_votes(sparse.coo_array(([1, 0], ([0, 0], [1, 1])), shape=(1, 2)))
    with pytest.raises(VotesError, match="is 2, which is not one of 2"):
        validate_votes(sparse.coo_array(([2], ([0], [0])), shape=(1, 1)), 2)


def test_a_sparse_matrix_made_of_a_complete_one_is_warned_of():
    """It has no abstain to give it away: what is missing is every vote for class 0."""
    complete = np.random.default_rng(0).integers(0, 2, (50, 3))
    with pytest.warns(UserWarning, match="stores no vote for class 0") as told:
        MajorityLabelVoter(2).fit(sparse.csr_matrix(complete))
    assert len(told) == 1
    votes = sparse.coo_array((complete[complete >= 0], np.nonzero(complete >= 0)), shape=complete.shape)  # as the warning says
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(validate_votes(votes), complete)
        validate_votes(sparse.csr_array(np.ones((3, 2), dtype=np.int64)))  # all vote, and for class 1


def test_snorkel_s_arguments_change_nothing(data):
    plain = LabelModel(2).fit(data.L)
    model = LabelModel(cardinality=2, verbose=True, device="cpu")
    model.fit(
        L_train=data.L, n_epochs=500, lr=0.001, l2=0.0, optimizer="adam", optimizer_config={}, lr_scheduler="step", lr_scheduler_config={},
        prec_init=[0.7] * 6, log_freq=100, mu_eps=None, progress_bar=False, verbose=False, device="cuda:0",
    )  # fmt: skip
    assert to_dict(model.model_) == to_dict(plain.model_)
    assert LabelModel(2).fit(data.L, seed=123).model_.seed == 123


def test_an_unknown_argument_is_named():
    with pytest.raises(TypeError, match=r"unknown argument 'epochs': fit accepts L_train, .*n_epochs, lr, l2"):
        LabelModel(2).fit([[0, 1]], epochs=3)


@pytest.mark.parametrize(
    ("name", "value"),
    [("n_epochs", 0), ("n_epochs", 1.5), ("lr", 0), ("lr", float("nan")), ("l2", -1), ("prec_init", 1.2), ("log_freq", 0), ("seed", -1), ("seed", True),
     ("mu_eps", 0.5), ("optimizer", "lbfgs"), ("lr_scheduler", 3), ("progress_bar", "yes"), ("device", "tpu"), ("optimizer_config", 3)],
)  # fmt: skip
def test_a_value_out_of_range_is_refused(name, value):
    with pytest.raises(ValueError, match=f"{name} is .*: it must be"):
        LabelModel(2).fit([[0, 1]], **{name: value})


@pytest.mark.parametrize("kind", [LabelModel, MajorityLabelVoter])
def test_cardinality(kind):
    with pytest.raises(ValueError, match="at least 2 classes; got cardinality 1: two classes are cardinality 2"):
        kind(1)
    with pytest.raises(TypeError, match=r"whole number; got 2\.0"):
        kind(2.0)
    with pytest.raises(TypeError, match="got True"):
        kind(True)
    with pytest.raises(VotesError, match="not one of 2 classes"):
        kind(2).fit([[0, 2]])


def test_names_of_arguments_are_snorkels(data, tmp_path):
    """Every argument by its name, as Snorkel 0.10 has it."""
    for model in (LabelModel(cardinality=2, verbose=False, device="cpu"), MajorityLabelVoter(cardinality=2, verbose=False)):
        model.fit(L_train=data.L, Y_dev=data.Y, class_balance=[0.4, 0.6], progress_bar=False)
        labels, P = model.predict(L=data.L, return_probs=True, tie_break_policy="random")
        assert (labels >= 0).all()
        np.testing.assert_array_equal(P, model.predict_proba(L=data.L))
        assert model.score(L=data.L, Y=data.Y, metrics=["accuracy"], tie_break_policy="random")["accuracy"] == (labels == data.Y).mean()
        model.save(destination=str(tmp_path / "m.json"))
        np.testing.assert_array_equal(type(model)().load(source=str(tmp_path / "m.json")).predict_proba(data.L), P)


def test_predict_returns_probabilities_when_asked(data):
    model = LabelModel(2).fit(data.L)
    labels, probabilities = model.predict(data.L, return_probs=True)
    np.testing.assert_array_equal(labels, model.predict(data.L))
    np.testing.assert_array_equal(probabilities, model.predict_proba(data.L))
    np.testing.assert_array_equal(model.predict(data.L, tie_break_policy="random"), model.predict(data.L, "random"))


def test_scores():
    """Worked by hand; the last row has no gold, the one before no vote."""
    L = np.array([[1, 1], [1, -1], [0, 0], [0, -1], [1, 1], [-1, -1], [0, 0]])
    Y = np.array([[1], [0], [0], [0], [1], [1], [-1]])
    found = MajorityLabelVoter(2).score(L, Y, metrics=["accuracy", "coverage", "precision", "recall", "f1", "f1_micro", "f1_macro", "brier", "ece", "roc_auc", "log_loss"])
    assert found["accuracy"] == found["f1_micro"] == pytest.approx(4 / 5)
    assert found["coverage"] == pytest.approx(6 / 7)
    assert found["precision"] == pytest.approx(2 / 3)
    assert found["recall"] == 1
    assert found["f1"] == pytest.approx(0.8)
    assert found["f1_macro"] == pytest.approx(0.8)
    assert found["brier"] == pytest.approx(2 / 5)
    assert found["ece"] == pytest.approx(1 / 5)
    assert found["roc_auc"] == pytest.approx((2 * 2 + 2 * 0.5) / 6)
    assert found["log_loss"] == pytest.approx(-np.log(1e-15) / 5)


def test_unknown_gold_counts_nowhere(data):
    model, Y = LabelModel(2).fit(data.L), data.Y.copy()
    Y[700:] = -1
    metrics = ["accuracy", "f1", "f1_macro", "roc_auc", "log_loss", "brier", "ece"]
    assert model.score(data.L, Y, metrics) == pytest.approx(model.score(data.L[:700], Y[:700], metrics))
    assert np.isnan(model.score(data.L, np.full(1500, -1))["accuracy"])


def test_what_cannot_be_scored_is_said(data):
    model = LabelModel(2).fit(data.L)
    with pytest.raises(ValueError, match="unknown metric 'auc': use accuracy, coverage, precision"):
        model.score(data.L, data.Y, ["auc"])
    with pytest.raises(ValueError, match=r"write \['accuracy'\]"):
        model.score(data.L, data.Y, "accuracy")
    with pytest.raises(VotesError, match=r"gold has shape \(3,\)"):
        model.score(data.L, [0, 1, 1])
    with pytest.raises(VotesError, match="gold label of row 0 is -7"):
        model.score(data.L, np.full(1500, -7))
    three = MajorityLabelVoter(3)
    with pytest.raises(ValueError, match="f1 is that of class 1 against class 0; with 3 classes use f1_macro"):
        three.score([[0, 2]], [2], ["f1"])
    assert 0 <= three.score([[0, 2], [1, 1], [2, 2]], [2, 1, 2], ["roc_auc"])["roc_auc"] <= 1


def test_what_is_handed_over_in_another_form_is_told_the_right_one(data):
    """What a notebook has at hand is not always what is asked for: the message says what to pass."""
    with pytest.raises(ValueError, match=r"class_balance is a list of 2 shares in the order of the classes, as \[0\.3, 0\.7\]; got dict"):
        LabelModel(2).fit(data.L, class_balance={0: 0.3, 1: 0.7})
    names = np.array(["ham", "spam"], dtype=object)[data.Y]
    for said in (lambda: LabelModel(2).fit(data.L, Y_dev=names), lambda: LabelModel(2).fit(data.L).score(data.L, names)):
        with pytest.raises(VotesError, match=r"gold holds class indices or -1; got values of object: map names to indices, as pd\.Series\(Y\)\.map"):
            said()
    with pytest.raises(VotesError, match=r"row 0 is nan, .*: fillna\(-1\)"):
        LabelModel(2).fit(data.L, Y_dev=np.full(3, np.nan))
    model = LabelModel(2).fit(data.L)
    with pytest.raises(TypeError, match=r"got ndarray: make them of a label matrix with from_votes\(L\)"):
        influence(model.model_, data.L)
    with pytest.raises(TypeError, match="vote statistics; got ndarray"):
        fit_statistics(data.L, 2)
    for call in (lambda: influence(model, from_votes(data.L)), lambda: posterior(model, data.L), lambda: contributions(model, data.L[0])):
        with pytest.raises(TypeError, match=r"got LabelModel: after fit it is label_model\.model_"):
            call()
    P = model.predict_proba(data.L)
    with pytest.raises(VotesError, match=r"labels has shape \(5,\), but there are probabilities of 1500 rows"):
        label_quality_scores(P, data.Y[:5])
    with pytest.raises(TypeError, match="rows of a DataFrame; got list: LFApplier takes lists"):
        PandasLFApplier([labeling_function()(abs)]).apply([1, 2])


def test_auc_is_the_share_of_ordered_pairs():
    random = np.random.default_rng(0)
    values, positive = random.integers(0, 8, 200) / 8, random.random(200) < 0.3
    pairs = (values[positive][:, None] > values[~positive]) + 0.5 * (values[positive][:, None] == values[~positive])
    assert auc(values, positive) == pytest.approx(pairs.mean())


@pytest.mark.parametrize("algorithm", ["auto", "majority-vote", "weighted-vote", "dawid-skene"])
@pytest.mark.parametrize("make", [independent, one_sided_rules])
def test_conditional_probabilities(algorithm, make):
    """[m, K + 1, K]: each column sums to 1, the abstain first; close to what gold says."""
    data = make(4000, 6, (0.3, 0.3, 0.4), seed=3)
    found = LabelModel(3, algorithm).fit(data.L).get_conditional_probs()
    assert found.shape == (6, 4, 3)
    assert (found >= 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1)
    if algorithm == "dawid-skene":
        truth = np.array([[[(data.L[y == data.Y, j] == c).mean() for y in range(3)] for c in (-1, 0, 1, 2)] for j in range(6)])
        assert np.abs(found - truth).mean() < 0.08


def test_conditional_probabilities_need_a_fit():
    with pytest.raises(NotFittedError):
        LabelModel(2).get_conditional_probs()


def test_save_and_load_keep_every_bit(data, tmp_path):
    model = LabelModel(2).fit(data.L, seed=5)
    model.save(tmp_path / "model.json")
    again = LabelModel(cardinality=7).load(tmp_path / "model.json")
    assert (again.cardinality, again.seed) == (2, 5)
    assert again.predict_proba(data.L).tobytes() == model.predict_proba(data.L).tobytes()
    assert again.get_conditional_probs().tobytes() == model.get_conditional_probs().tobytes()
    again.save(str(tmp_path / "again.json"))
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "model.json").read_bytes()


def test_a_file_that_states_its_digest_is_still_checked(data, tmp_path):
    """Whatever one field is changed to, the file is read, or a ModelFormatError names it and what is wrong."""
    path = tmp_path / "model"
    LabelModel(2, "weighted-vote").fit(data.L).save(path)
    good = {name: value for name, value in json.loads(path.read_text()).items() if name != "sha256"}

    def load(content):
        path.write_text(json.dumps(content | {"sha256": digest_of(content)}))
        return LabelModel(2).load(path)

    def without(content, name):
        return {key: value for key, value in content.items() if key != name}

    assert load(good | {"fileVersion": 1, "calibrator": None}).predict_proba(data.L).shape == (1500, 2)
    for content, message in (
        (without(good, "model"), "has no field 'model'"),
        (without(good, "seed"), "has no field 'seed'"),
        (without(good, "fileVersion"), "fileVersion is None, and this version reads 1 and 2"),
        (good | {"fileVersion": 0}, "fileVersion is 0"),
        (good | {"model": None}, "the label model is NoneType, and no object"),
        (good | {"outcomeRates": "x"}, "outcomeRates or seed cannot be read"),
        (good | {"calibrator": None}, "the calibration is NoneType"),
        (good | {"model": good["model"] | {"formatVersion": 99}}, "2 with a model of format 99, written by a newer"),
    ):
        with pytest.raises(ModelFormatError, match=message) as told:
            load(content)
        assert str(path) in str(told.value)
    for name in good["model"]:
        for value in (None, "x", [], {}, -1, [[1, "a"]]):
            with contextlib.suppress(ModelFormatError):
                load(good | {"model": good["model"] | {name: value}})
        with pytest.raises(ModelFormatError):
            load(good | {"model": without(good["model"], name)})


def test_files_that_are_not_read(data, tmp_path):
    path = tmp_path / "model"
    with pytest.raises(NotFittedError):
        LabelModel(2).save(path)
    LabelModel(2, "weighted-vote").fit(data.L).save(path)
    good = json.loads(path.read_text())
    with pytest.raises(ModelFormatError, match="weighted-vote model: load it with LabelModel"):
        MajorityLabelVoter(2).load(path)
    changed = good | {"model": good["model"] | {"classBalance": [0.25, 0.75]}}
    for content, message in (
        (json.dumps(changed).encode(), "was changed or cut off"),
        (path.read_bytes()[:-40], "not JSON"),
        (json.dumps(good | {"fileVersion": 3}).encode(), "newer Labelplane: upgrade"),
        (json.dumps(good | {"model": good["model"] | {"formatVersion": 4}}).encode(), "newer Labelplane: upgrade"),  # whatever its digest is
        (pickle.dumps({"cardinality": 2}), "this is a pickle, as Snorkel's"),
        (b"{}", "not a label model file"),
    ):
        path.write_bytes(content)
        with pytest.raises(ModelFormatError, match=message):
            LabelModel(2).load(path)
    with pytest.raises(ModelFormatError, match="is a folder: name the file"):
        LabelModel(2).load(tmp_path)
    with pytest.raises(FileNotFoundError):
        LabelModel(2).load(tmp_path / "nowhere")
