"""`labelplane validate` says offline what the API server and the check Job would say (O9, O7)."""

import copy

import pytest

from labelplane.cli.manifests import Loaded
from labelplane.cli.validate import problems_in
from tests.malformed import ADMISSION, CHECK, Malformed
from tests.manifests import Manifest, changed, function_set, label_job, label_model

LOADED = Loaded(config_maps={"trusted": {"images.csv": b"image,verdict\nnginx,normal\n"}})


@pytest.mark.parametrize("manifest", [function_set(), label_model(), label_job()], ids=lambda manifest: manifest["kind"])
def test_good_manifests_pass(manifest: Manifest) -> None:
    assert problems_in(manifest, LOADED) == []


@pytest.mark.parametrize("bad", [*ADMISSION, *CHECK], ids=lambda bad: bad.id)
def test_bad_manifest_is_named(bad: Malformed) -> None:
    """O9: every manifest that the API server or the check refuses is refused here, with its field."""
    said = "\n".join(problems_in(bad.manifest, LOADED))
    assert bad.field in said
    assert bad.words in said


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
