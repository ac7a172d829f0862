"""C5, F6: the home of a model's versions in an object store: one fit holds a number, whoever comes at the same time, and content is what was pinned."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from labeljob.artifacts import ArtifactHome
from labeljob.contract.datasets import DatasetPin
from labeljob.contract.reasons import JobReason
from labeljob.contract.result import ModelVersion
from labeljob.errors import JobError
from tests.fault_proxy import fault_proxy
from tests.integration.object_store.builders import Lake
from tests.unit.job.builders import fails

pytestmark = pytest.mark.objectstore
KEY = "models/rollouts"


def version(number: int, fit: str) -> ModelVersion:
    return ModelVersion(
        version=number, fit_digest=fit, sha256="", function_set_digest="f", data=DatasetPin(uri="s3://lake/events", format="delta", version=0, digest="d"),
        image="i", build="b", algorithm="majority-vote", why="asked for", iterations=1, converged=True, fitted_at="2026-01-01T00:00:00Z", metrics={},
    )  # fmt: skip


def content(text: str) -> dict[str, bytes]:
    return {"model.json": text.encode(), "lookups/images.parquet": b"table"}


def home(lake: Lake, **changes: str | None) -> ArtifactHome:
    return ArtifactHome(lake.place(KEY, **changes), lake.uri(KEY))


def index(lake: Lake) -> list[int]:
    return [entry["version"] for entry in json.loads((lake.place(KEY) / "index.json").read_bytes())]


def test_versions_are_published_listed_and_loaded(lake: Lake) -> None:
    assert home(lake).versions() == []
    first = home(lake).publish(version(1, "a"), content("one"))
    second = home(lake).publish(version(2, "b"), content("two"))
    assert home(lake).versions() == [second, first]
    assert index(lake) == [2, 1]
    assert home(lake).load(1, first.sha256) == content("one")
    assert home(lake).publish(version(1, "a"), content("one")) == first  # a retry finds it
    assert home(lake).find("b") == second


def test_another_fit_does_not_take_a_number_that_is_taken(lake: Lake) -> None:
    first = home(lake).publish(version(1, "a"), content("one"))
    with fails(JobReason.OUTPUT_CONFLICT, "version 1 is another fit"):
        home(lake).publish(version(1, "b"), content("other"))
    assert lake.names(KEY) == ["index.json", *(f"v1/{first.sha256}/{name}" for name in ("SHA256SUMS", "lookups/images.parquet", "model.json")), "v1/version.json"]
    assert home(lake).load(1, first.sha256) == content("one")


def test_of_fits_that_want_one_number_at_once_one_has_it(lake: Lake) -> None:
    def publish(fit: int) -> str | None:
        try:
            return home(lake).publish(version(1, f"fit-{fit}"), content(f"model {fit}")).fit_digest
        except JobError as error:
            assert error.reason is JobReason.OUTPUT_CONFLICT
            return None

    with ThreadPoolExecutor(8) as pool:
        ended = list(pool.map(publish, range(8)))
    winner = home(lake).versions()[0]
    assert [one for one in ended if one] == [winner.fit_digest]
    assert home(lake).load(1, winner.sha256)["model.json"].decode() == f"model {winner.fit_digest.removeprefix('fit-')}"
    assert len({name.split("/")[1] for name in lake.names(KEY) if name.startswith("v1/")}) == 2  # its content and its record


def test_the_index_has_every_version_of_writers_that_come_at_once(lake: Lake) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: home(lake).publish(version(number, f"fit-{number}"), content(str(number))), range(1, 9)))
    assert index(lake) == [8, 7, 6, 5, 4, 3, 2, 1]


@pytest.mark.parametrize("pattern", ["^PUT .*version.json", "^PUT .*index.json", "^PUT .*model.json"])
def test_a_put_whose_reply_is_lost_is_found(lake: Lake, pattern: str) -> None:
    with fault_proxy(lake.server.endpoint) as proxy:
        place = home(lake, AWS_ENDPOINT_URL=proxy.endpoint)
        proxy.fail("lose-reply", pattern, times=1)
        made = place.publish(version(1, "a"), content("one"))
        assert len(proxy.failed()) == 1
    assert home(lake).versions() == [made]
    assert index(lake) == [1]


def test_content_that_was_changed_or_is_gone_is_not_loaded(lake: Lake) -> None:
    made = home(lake).publish(version(1, "a"), content("one"))
    file = lake.place(KEY) / f"v1/{made.sha256}/model.json"
    file.put(b"changed")
    with fails(JobReason.MODEL_MISMATCH, "has a changed model.json"):
        home(lake).load(1, made.sha256)
    file.unlink(missing_ok=False)
    with fails(JobReason.MODEL_MISMATCH, "lacks model.json"):
        home(lake).load(1, made.sha256)
    with fails(JobReason.MODEL_MISMATCH, "version 2 is not there"):
        home(lake).load(2, made.sha256)


def test_a_store_that_stays_away_is_not_a_home_without_versions(lake: Lake) -> None:
    """Otherwise a second version 1 would be fitted."""
    home(lake).publish(version(1, "a"), content("one"))
    with fault_proxy(lake.server.endpoint) as proxy:
        place = home(lake, AWS_ENDPOINT_URL=proxy.endpoint)
        proxy.fail("refuse", "^GET .*version.json")
        with fails(JobReason.STORAGE_UNAVAILABLE, "answers (503|SlowDown)"):
            place.versions()
