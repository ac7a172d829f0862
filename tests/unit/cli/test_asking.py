"""What the command line asks the job's code for, how it reaches the data, and what it says when no answer comes."""

import re
from pathlib import Path
from typing import Any

import pytest

from labeljob.contract.config import Mount
from labelplane.cli.manifests import ManifestError
from labelplane.cli.reading import access_of, artifacts_of, ask, other_homes, request_of
from labelplane.cli.training_set import request_of as training_set_of
from labelplane.cli.workspace import FOLDERS
from labelplane.cluster.local_store import LocalStore
from tests.manifests import REMOVE, changed, label_job, label_model


def ran(**pins: Any) -> dict[str, Any]:
    """A LabelJob after run 3, whose fields name other places by now."""
    gold = {"uri": "s3://lake/gold", "format": "csv", "labelColumn": "gold", "secretRef": {"name": "gold-keys"}}
    job = changed(label_job(), "spec.output", {"uri": "s3://lake/new", "format": "delta", "secretRef": {"name": "keys"}})
    run = {"sequence": 3, "output": {"uri": "s3://lake/old"}, "inputs": []}
    return changed(job, "spec.goldData", gold) | {"status": {"run": run, "pins": {"sequence": 3, "modelArtifacts": "s3://models/old", "goldData": {"uri": "s3://lake/was"}} | pins}}


def model() -> dict[str, Any]:
    return changed(label_model(), "spec.artifacts", {"uri": "s3://models/new", "secretRef": {"name": "model-keys"}})


def test_what_the_last_run_had_elsewhere_is_reached_with_the_secret_of_its_field() -> None:
    found = {one.uri: (one.field, one.secret) for one in access_of(ran(), model())}
    output, gold, home = ("spec.output", "keys"), ("spec.goldData", "gold-keys"), ("LabelModel rollout-risk spec.artifacts", "model-keys")
    assert found == {
        "s3://lake/new": output, "s3://lake/old": output, "s3://lake/gold": gold, "s3://lake/was": gold, "s3://models/new": home, "s3://models/old": home,
    }  # fmt: skip
    assert "s3://lake/was" not in {one.uri for one in access_of(changed(ran(), "spec.goldData", REMOVE), model())}


def test_homes_of_other_models_are_reached_with_their_own_secrets(tmp_path: Path) -> None:
    """An earlier run may have labelled with one of them; one whose manifest is broken is nobody's concern here."""
    other = changed(changed(label_model(), "metadata.name", "earlier"), "spec.artifacts", {"uri": "s3://models/earlier", "secretRef": {"name": "earlier-keys"}})
    broken, elsewhere = changed(changed(other, "metadata.name", "broken"), "spec.artifacts", REMOVE), changed(other, "metadata.namespace", "elsewhere")
    for manifest in (model(), other, broken, elsewhere):
        LocalStore(tmp_path).apply(manifest)
    homes = other_homes(tmp_path, ran(), model())
    assert [one.uri for _, one in homes] == ["s3://models/earlier"]
    assert {one.uri: one.secret for one in access_of(ran(), model(), *homes)}["s3://models/earlier"] == "earlier-keys"


def test_pins_of_another_run_say_nothing_of_this_one() -> None:
    """They are of a model that the next run labels with, maybe another one."""
    assert artifacts_of(ran(), model()) == "s3://models/old"
    assert artifacts_of(ran(sequence=4), model()) == "s3://models/new"


def test_gold_that_the_manifest_no_longer_names_is_left_out(tmp_path: Path) -> None:
    """Which column it is in stands there alone."""
    pin = {"uri": "s3://lake/gold", "format": "csv", "digest": "d"}
    run = {"sequence": 3, "digest": "d" * 64, "input": pin, "output": {"uri": "s3://lake/old", "version": 0}, "model": {"name": "rollout-risk", "version": 1, "digest": "m"}}
    job = ran() | {"status": {"run": run, "pins": {"sequence": 3, "modelArtifacts": "s3://models/old", "goldData": pin}}}
    (tmp_path / FOLDERS).write_text("{}")
    LocalStore(tmp_path).apply(model())
    found, without = request_of(tmp_path, job), request_of(tmp_path, changed(job, "spec.goldData", REMOVE))
    assert (found.gold is None, found.gold_label_column) == (False, "gold")
    assert (without.gold, without.gold_label_column) == (None, None)


def test_a_training_set_has_no_gold_of_any_model_and_reaches_the_input_that_was_labelled(tmp_path: Path) -> None:
    """X24: the version that is asked for may be another model's, and its input may be named elsewhere by now."""
    (tmp_path / FOLDERS).write_text("{}")
    gold = {"uri": "configmap://gold/a.csv", "format": "csv", "labelColumn": "truth", "inclusionProbabilityColumn": "drawn"}
    other = changed(changed(label_model(), "metadata.name", "earlier"), "spec.goldData", gold)
    job = changed(ran(), "spec.input", {"uri": "s3://lake/now", "format": "delta", "secretRef": {"name": "input-keys"}})
    job["status"]["run"] |= {"input": {"uri": "s3://lake/then"}, "model": {"name": "rollout-risk", "version": 1}}
    for manifest in (model(), other):
        LocalStore(tmp_path).apply(manifest)
    LocalStore(tmp_path).put_status(LocalStore(tmp_path).apply(job), job["status"])
    found = training_set_of(tmp_path, None, "t", None, version=0, uncovered=False, form="parquet", volumes=[], secrets=[], target_secret=None)
    assert found.gold_columns == ("gold", "truth", "drawn")
    assert {one.uri: (one.field, one.secret) for one in found.access}["s3://lake/then"] == ("spec.input", "input-keys")


def test_manifests_that_were_broken_since_are_named() -> None:
    with pytest.raises(ManifestError, match=r"LabelJob rollout-risk or its LabelModel: spec\.artifacts"):
        access_of(ran(), changed(model(), "spec.artifacts", REMOVE))


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        ("os.kill(os.getpid(), 9)", "dies gave no answer: it was ended by SIGKILL, as the kernel does where memory runs out"),
        ("raise ValueError('planted')", "dies gave no answer: exit code 1, ValueError: see"),
        ("sys.exit('planted: no type of an error')", "dies gave no answer: exit code 1, and it said nothing of why: see"),
    ],
)
def test_a_process_that_dies_is_told_without_its_words(ends: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """F5: the last words of an engine may quote a row."""
    (tmp_path / "dies.py").write_text(f"import os, sys\nprint('planted', file=sys.stderr, flush=True)\n{ends}\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ManifestError, match=re.escape(said)) as caught:
        ask("dies", Mount(prefix="pvc://lake", path="lake"))
    assert "planted" not in str(caught.value)
