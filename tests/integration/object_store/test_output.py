"""C5: a run is one commit in an object store too, made visible once, whatever the store or the way to it does meanwhile."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pytest

from labeljob.contract.reasons import JobReason
from labeljob.contract.result import FunctionColumns
from labeljob.contract.versions import VersionsRequest
from labeljob.errors import JobError
from labeljob.io.delta_commits import COMMIT_KEY, CommitRecord, committed, open_output
from labeljob.io.delta_writer import DeltaWriter
from labeljob.io.left_behind import discard_attempts
from labeljob.io.object_path import ObjectPath
from labeljob.io.preflight import PROBE, require_conditional_put
from labeljob.versions.rollback import rollback
from tests.fault_proxy import Fault, fault_proxy
from tests.integration.object_store.builders import Lake
from tests.unit.job.builders import fails
from tests.unit.job.test_delta_writer import APP, SCHEMA, about, batch

pytestmark = pytest.mark.objectstore
KEY = "labels/rollouts"


def attempt(place: ObjectPath, sequence: int, *ids: str, app: str = APP) -> CommitRecord:
    """From writing to commit, and to what is removed then."""
    writer = DeltaWriter(place, place.uri, app, sequence)
    writer.write([batch(*ids)], SCHEMA)
    record = writer.commit(about(sequence), FunctionColumns(), SCHEMA)
    discard_attempts(place, app, sequence)
    return record


def ids(lake: Lake, version: int | None = None) -> list[str]:
    table = lake.table(KEY)
    if version is not None:
        table.load_as_version(version)
    return sorted(table.to_pyarrow_table().column("id").to_pylist())


def data_files(lake: Lake) -> int:
    return sum(name.endswith(".parquet") for name in lake.names(KEY))


COMMIT = "^PUT .*/_delta_log/0"


def test_each_run_replaces_the_content_in_one_version(lake: Lake) -> None:
    place = lake.place(KEY)
    assert open_output(place, place.uri, APP) is None
    assert attempt(place, 1, "a", "b").commit.version == 0
    assert attempt(place, 2, "c").commit.version == 1
    assert (ids(lake), ids(lake, 0)) == (["c"], ["a", "b"])
    assert lake.table(KEY).transaction_version(APP) == 2
    assert attempt(place, 2, "c").commit.version == 1  # found, not made again
    assert data_files(lake) == 2
    with fails(JobReason.SUPERSEDED, "run 2 of this LabelJob has been committed"):
        attempt(place, 1, "old")
    assert data_files(lake) == 2


def test_what_stands_there_already_is_left_alone(lake: Lake) -> None:
    attempt(lake.place(KEY), 1, "a")
    with fails(JobReason.OUTPUT_CONFLICT, f"it is the output of {APP}"):
        attempt(lake.place(KEY), 1, "b", app="labelplane/default/other")
    lake.put("other/notes.txt", b"mine")
    with fails(JobReason.OUTPUT_CONFLICT, "not a Delta table"):
        attempt(lake.place("other"), 1, "b")
    assert ids(lake) == ["a"]


@pytest.mark.parametrize("fault", ["lose-reply", "break-off"])
def test_a_commit_whose_reply_is_lost_is_found_and_not_made_twice(lake: Lake, fault: Fault) -> None:
    """The engine asks again, is told that the version exists, and calls that a failure: the transaction says whose it is."""
    attempt(lake.place(KEY), 1, "a")
    with fault_proxy(lake.server.endpoint) as proxy:
        place = lake.place(KEY, AWS_ENDPOINT_URL=proxy.endpoint)
        proxy.fail(fault, COMMIT, times=1)
        assert attempt(place, 2, "b").commit.version == 1
        assert len(proxy.failed()) == 1
    assert (lake.table(KEY).version(), ids(lake)) == (1, ["b"])


def test_a_first_commit_whose_reply_is_lost_is_found(lake: Lake) -> None:
    with fault_proxy(lake.server.endpoint) as proxy:
        place = lake.place(KEY, AWS_ENDPOINT_URL=proxy.endpoint)
        proxy.fail("lose-reply", COMMIT, times=1)
        assert attempt(place, 1, "a").commit.version == 0
    assert (lake.table(KEY).version(), ids(lake)) == (0, ["a"])


def test_slow_down_is_waited_out(lake: Lake) -> None:
    with fault_proxy(lake.server.endpoint) as proxy:
        place = lake.place(KEY, AWS_ENDPOINT_URL=proxy.endpoint)
        proxy.fail("refuse", spared=3)  # two of three requests
        attempt(place, 1, "a")
        assert len(proxy.failed()) > 5
    assert (lake.table(KEY).version(), ids(lake)) == (0, ["a"])


@pytest.mark.parametrize("what", ["commit", "data"])
def test_a_store_that_stays_away_leaves_the_old_version_and_the_next_attempt_commits(lake: Lake, what: str) -> None:
    attempt(lake.place(KEY), 1, "a")
    with fault_proxy(lake.server.endpoint) as proxy:
        place = lake.place(KEY, AWS_ENDPOINT_URL=proxy.endpoint)
        proxy.fail("refuse", COMMIT if what == "commit" else "^(PUT|POST)")
        with fails(JobReason.STORAGE_UNAVAILABLE, "spec.input.uri: .* answers"):
            attempt(place, 2, "b")
    assert (lake.table(KEY).version(), ids(lake)) == (0, ["a"])
    assert attempt(lake.place(KEY), 2, "b").commit.version == 1
    assert (ids(lake), data_files(lake)) == (["b"], 2)


def test_files_of_an_attempt_that_was_killed_stay_invisible_and_go(lake: Lake) -> None:
    place = lake.place(KEY)
    attempt(place, 1, "a")
    DeltaWriter(place, place.uri, APP, 2).write([batch("half")], SCHEMA)  # and then nothing more
    assert (ids(lake), data_files(lake)) == (["a"], 2)
    attempt(place, 2, "b")
    assert (ids(lake), data_files(lake)) == (["b"], 2)


def test_concurrent_attempts_make_one_version_of_each_sequence(lake: Lake) -> None:
    """Eight pods that each believe to be the one: the store is the arbiter."""
    places = [lake.place(KEY) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        for sequence in range(1, 5):
            records = list(pool.map(lambda place: attempt(place, sequence, f"row-{sequence}"), places))  # noqa: B023 the round ends first
            assert {record.commit.version for record in records} == {sequence - 1}
            assert len({record.attempt for record in records}) == 1
            assert ids(lake) == [f"row-{sequence}"]
    assert lake.table(KEY).version() == 3
    assert data_files(lake) == 4


def test_concurrent_sequences_end_with_the_last(lake: Lake) -> None:
    def one(sequence: int) -> JobReason | None:
        try:
            attempt(lake.place(KEY), sequence, f"row-{sequence}")
        except JobError as error:
            return error.reason
        return None

    with ThreadPoolExecutor(6) as pool:
        ended = list(pool.map(one, range(1, 7)))
    assert ended[-1] is None
    assert set(ended) <= {None, JobReason.SUPERSEDED}
    assert ids(lake) == ["row-6"]
    sequences = [json.loads(entry[COMMIT_KEY])["sequence"] for entry in reversed(lake.table(KEY).history())]
    assert sequences == sorted(set(sequences))


def test_a_file_of_many_parts(lake: Lake) -> None:
    """More than one part of an upload, of content that does not compress."""
    random = np.random.default_rng(0)
    schema = pa.schema([("id", pa.string()), ("label", pa.binary(1024))])
    wide = pa.binary(1024)
    ids_of = [pa.array([f"{part}-{row}" for row in range(1000)]) for part in range(20)]
    batches = [
        pa.RecordBatch.from_arrays([ids, pa.Array.from_buffers(wide, 1000, [None, pa.py_buffer(random.bytes(1024_000))])], schema=schema) for ids in ids_of
    ]
    place = lake.place(KEY)
    writer = DeltaWriter(place, place.uri, APP, 1)
    writer.write(batches, schema)
    writer.commit(about(1), FunctionColumns(), schema)
    assert lake.table(KEY).to_pyarrow_table().sort_by("id").equals(pa.Table.from_batches(batches).sort_by("id").cast(lake.table(KEY).to_pyarrow_table().schema))


def test_a_store_that_ignores_conditions_is_refused_before_anything_is_written(lake: Lake) -> None:
    with fault_proxy(lake.server.endpoint) as proxy:
        place = lake.place(KEY, AWS_ENDPOINT_URL=proxy.endpoint)
        proxy.fail("forget-conditions", "^PUT")
        with fails(JobReason.STORAGE_UNSAFE, "If-None-Match"):
            require_conditional_put(place, place.uri)
    assert lake.names(KEY) == []


def test_a_safe_store_is_asked_twice_once_and_then_once(lake: Lake) -> None:
    """The proof stays, and is no data of anybody's."""
    with fault_proxy(lake.server.endpoint) as proxy:
        place = lake.place(KEY, AWS_ENDPOINT_URL=proxy.endpoint)
        proxy.heal()
        require_conditional_put(place, place.uri)
        assert [request.partition(" ")[0] for request in proxy.seen()] == ["PUT", "PUT"]
        require_conditional_put(place, place.uri)
        assert len(proxy.seen()) == 3
        (place / PROBE).unlink(missing_ok=True)
        proxy.fail("lose-reply", "^PUT", times=1)
        require_conditional_put(place, place.uri)  # asked again by the client, and refused: that is the proof
    assert lake.names(KEY) == [PROBE]
    assert attempt(lake.place(KEY), 1, "a").commit.version == 0
    assert committed(lake.table(KEY), lake.uri(KEY), APP, 1) is not None


def test_an_earlier_version_is_restored_in_the_bucket(lake: Lake) -> None:
    """Once, though the reply is lost or it is asked for again; not where commits could be lost; and the next run goes on from there."""
    place = lake.place(KEY)
    attempt(place, 1, "a")
    attempt(place, 2, "b")
    request = VersionsRequest(action="rollback", job="rollouts", mounts=(), output=lake.uri(KEY), app_id=APP, artifacts=lake.uri("models"), version=0)
    with fault_proxy(lake.server.endpoint) as proxy:
        places = lake.locations(KEY, AWS_ENDPOINT_URL=proxy.endpoint)
        proxy.fail("forget-conditions", "^PUT")
        with fails(JobReason.STORAGE_UNSAFE, "If-None-Match"):
            rollback(request, places)
        assert lake.table(KEY).version() == 1
        proxy.fail("lose-reply", COMMIT, times=1)
        assert rollback(request, places)["version"] == 2
        assert len(proxy.failed()) == 1
        proxy.fail("lose-reply", "_delta_log/0{19}3")  # nor can it be looked up
        with fails(JobReason.STORAGE_UNAVAILABLE, "whether version 1 was restored is not known: ask again"):
            rollback(request.model_copy(update={"version": 1}), places)
        proxy.heal()
        assert rollback(request.model_copy(update={"version": 1}), places)["version"] == 3
    assert (ids(lake), lake.table(KEY).version(), lake.table(KEY).transaction_version(APP)) == (["b"], 3, 4)
    assert attempt(place, 5, "c").commit.version == 4
