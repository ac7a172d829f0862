"""`labelplane validate` says offline what the API server and the check Job would say (O9, O7)."""

import copy
import json
import re
import sys
from pathlib import Path

import pytest
import yaml

from labelplane.cli.manifests import Loaded
from labelplane.cli.validate import verdict_on
from tests.forks import python
from tests.malformed import ADMISSION, CHECK, Malformed
from tests.manifests import REMOVE, Manifest, changed, function_set, label_job, label_model
from tests.unit.cli.test_run import command

IMAGES = b"image,verdict\nnginx,normal\n"
LOADED = Loaded(config_maps={"trusted": {"images.csv": IMAGES}})
PYDANTIC = re.compile(r"input should|extra inputs|field required|valid dictionary|match pattern|instance of|validation")


@pytest.fixture(autouse=True)
def forking(monkeypatch: pytest.MonkeyPatch) -> None:
    """What looks at a set is a process, which this Python starts."""
    monkeypatch.setattr(sys, "executable", python())


def problems_in(manifest: Manifest, loaded: Loaded | None = None) -> list[str]:
    return list(verdict_on(manifest, loaded).problems)


def test_enough_ways_to_be_wrong_are_known() -> None:
    """O9: each of them is refused by the API server, too (`tests/integration/crds`)."""
    assert len(ADMISSION) >= 60
    assert len({one.id for one in (*ADMISSION, *CHECK)}) == len(ADMISSION) + len(CHECK)


@pytest.mark.parametrize("manifest", [function_set(), label_model(), label_job()], ids=lambda manifest: manifest["kind"])
def test_good_manifests_pass(manifest: Manifest) -> None:
    assert problems_in(manifest, LOADED) == []


@pytest.mark.parametrize("bad", [*ADMISSION, *CHECK], ids=lambda bad: bad.id)
def test_bad_manifest_is_named(bad: Malformed) -> None:
    """O9: every manifest that the API server or the check refuses is refused here, with its field."""
    said = "\n".join(problems_in(bad.manifest, LOADED))
    assert bad.field in said
    assert bad.words in said
    assert not PYDANTIC.search(said)  # words of a library of ours help nobody


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        (changed(function_set(), "spec.functions[0].regexx", {}), "spec.functions[0].regexx: unknown field: correct its name or remove it"),
        (changed(function_set(), "spec.functions[0].owner", 3), "spec.functions[0].owner: is not text: put it in quotes"),
        (changed(function_set(), "spec.classes[1]", "very bad"), "spec.classes[1]: is not a name here"),
        (changed(label_job(), "spec.activeDeadline", "7d"), "spec.activeDeadline: must be a duration such as 90s, 30m or 168h"),
        (changed(label_job(), "spec.input.uri", "pvc://lake"), "spec.input.uri: must be pvc://claim/path, s3://bucket/key, configmap://name/key"),
        (changed(label_job(), "spec.output.uri", "configmap://a/b"), "spec.output.uri: must be pvc://claim/path, s3://bucket/prefix, or on a laptop file:path"),
        (changed(label_job(), "spec.output", "x"), "spec.output: is not a mapping"),
        (changed(label_job(), "spec", REMOVE), "spec: is required: add it"),
        (changed(label_job(), "spec", None), "spec: is null: leave it out or give a value"),
    ],
)
def test_the_remedy_is_said(manifest: Manifest, said: str) -> None:
    assert problems_in(manifest, LOADED)[0].startswith(said)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("spec.algorithm", "one-coin", "use one of auto, majority-vote, dawid-skene"),
        ("spec.parameters.classBalance", {"normal": 0.9, "risky": 0.1}, "remove it"),
        ("spec.parameters.priorAccuracy", 0.4, "give more than 0.5"),
    ],
)
def test_what_does_not_go_with_a_multi_label_set_is_named(path: str, value: object, words: str) -> None:
    """O9: beside the set that the model names; beside another, or without it, only the cluster can know."""
    multi = changed(function_set(), "spec.multiLabel", True)
    model = changed(label_model(), path, value)
    problems = problems_in(model, Loaded(resources=[multi, model]))
    assert len(problems) == 1
    assert problems[0].startswith(f"{path}: ")
    assert words in problems[0]
    assert problems_in(model, Loaded(resources=[function_set(), model])) == []
    assert problems_in(label_model(), Loaded(resources=[multi])) == []
    other = changed(multi, "metadata.name", "another")
    assert problems_in(model, Loaded(resources=[other])) == []


def test_what_an_api_server_would_not_keep() -> None:
    """etcd takes 1.5 MiB at most; no rule of the CRD says so."""
    words = [f"{'w' * 190}{index}" for index in range(200)]
    functions = [{"name": f"f{index}", "label": "risky", "keywords": {"column": "message", "any": words}} for index in range(50)]
    (said,) = problems_in(changed(function_set(), "spec.functions", functions))
    assert said.startswith("spec: the resource has 1.9 MiB as JSON")
    assert "lookup table" in said


def test_null_is_refused_as_by_the_api_server() -> None:
    said = problems_in(changed(label_job(), "spec.suspend", None))
    assert said == ["spec.suspend: is null: leave it out or give a value"]


def test_null_in_a_test_row_is_a_value() -> None:
    """A null in a row says that the column is null."""
    assert problems_in(changed(function_set(), "spec.tests[0].row.image", None), LOADED) == []


def test_all_problems_are_said_at_once() -> None:
    bad = changed(changed(function_set(), "spec.functions[0].owner", ""), "spec.idColumn", "")
    assert len(problems_in(bad)) >= 2


def test_input_is_not_changed() -> None:
    manifest = function_set()
    before = copy.deepcopy(manifest)
    problems_in(manifest, LOADED)
    assert manifest == before


def test_a_table_that_is_not_at_hand_is_said_and_hides_nothing() -> None:
    """The set is no worse for it, and all else is checked: the other functions and their tests."""
    verdict = verdict_on(function_set())
    assert verdict.problems == ()
    assert verdict.notes == ("the table configmap://trusted/images.csv of function trusted_image is not at hand: it is checked in the cluster",)
    assert verdict.checked is not None
    failing = changed(function_set(), "spec.tests[0].expect", {"quiet": "normal"})
    assert "spec.tests[0].expect.quiet" in problems_in(failing)[0]
    lookup = function_set()["spec"]["functions"][4]
    alone = changed(changed(function_set(), "spec.functions", [lookup]), "spec.tests", REMOVE)
    assert (verdict_on(alone).problems, len(verdict_on(alone).notes)) == ((), 1)
    assert "spec.functions[0].lookup.column" in problems_in(changed(alone, "spec.functions[0].lookup.column", "imag"))[0]


def test_a_table_in_a_bucket_is_left_to_the_cluster_that_has_its_secret() -> None:
    table = {"uri": "s3://lake/images.csv", "format": "csv", "secretRef": {"name": "keys"}}
    verdict = verdict_on(changed(function_set(), "spec.functions[4].lookup.table", table))
    assert (verdict.problems, verdict.notes) == ((), ("the table s3://lake/images.csv of function trusted_image is not at hand: it is checked in the cluster",))


@pytest.mark.parametrize("uri", ["file:images.csv", "pvc://lake/images.csv"])
def test_a_table_on_the_laptop_is_read(tmp_path: Path, uri: str) -> None:
    """`file:` starts beside the manifests, a claim where --volume says; a bad table is found there."""
    (tmp_path / "set.yaml").write_text(yaml.safe_dump(changed(function_set(), "spec.functions[4].lookup.table.uri", uri)))
    (tmp_path / "images.csv").write_bytes(IMAGES)
    call = ("validate", str(tmp_path), "--volume", f"lake={tmp_path}")
    good = command(*call)
    assert (good.returncode, "not at hand" in good.stderr) == (0, False)
    assert ("laptop" in good.stderr or "labelplane run only" in good.stderr) is uri.startswith("file:")
    (tmp_path / "images.csv").write_bytes(b"image,verdict\nnginx,dangerous\n")
    bad = command(*call)
    assert bad.returncode == 1
    assert "LookupInvalid" in bad.stdout


def test_how_many_tests_have_passed_is_said(tmp_path: Path) -> None:
    """O7: a set without tests is not said to pass them."""
    (tmp_path / "set.yaml").write_text(yaml.safe_dump(function_set()))
    assert re.search(r"ok \(\d+ functions compile, [1-9]\d* tests pass\)", command("test", str(tmp_path)).stdout)
    (tmp_path / "set.yaml").write_text(yaml.safe_dump(changed(function_set(), "spec.tests", REMOVE)))
    assert "it has no tests" in command("test", str(tmp_path)).stdout


def test_programs_get_problems_and_notes(tmp_path: Path) -> None:
    (tmp_path / "set.yaml").write_text(yaml.safe_dump(function_set()))
    (tmp_path / "job.json").write_text(json.dumps(changed(label_job(), "spec.suspend", "no")))
    done = command("validate", str(tmp_path / "set.yaml"), str(tmp_path / "job.json"), "-o", "json")
    assert done.returncode == 1
    found = {one["resource"]: one for one in json.loads(done.stdout)}
    assert [len(one["problems"]) for one in found.values()] == [0, 1]
    assert [len(one["notes"]) for one in found.values()] == [1, 0]
