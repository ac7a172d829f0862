"""C1, X16: data in an object store is read as on a volume, at its pin, and what is not there or refused is said in words."""

import io
import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from devcluster.certificates import make_authority, make_signed
from labeljob.contract.config import Access, Mount
from labeljob.contract.datasets import Dataset, LookupTable
from labeljob.contract.reasons import JobReason, exit_code
from labeljob.errors import JobError
from labeljob.io.credentials import take_ambient
from labeljob.io.datasets import open_pinned, read_table
from labeljob.io.locations import Locations
from labeljob.io.pins import pin
from tests.fault_proxy import fault_proxy
from tests.integration.object_store.builders import QUICK, Lake
from tests.object_store import ObjectStoreServer, serve
from tests.unit.job.builders import fails, read

pytestmark = pytest.mark.objectstore
COLUMNS = {"id": "int64", "text": "string"}
ROWS = [{"id": index, "text": f"row {index}"} for index in range(50)]
TABLE = pa.Table.from_pylist(ROWS)


def parquet(table: pa.Table, group: int = 100_000) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, row_group_size=group)
    return buffer.getvalue()


def by_id(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    return sorted(rows, key=lambda row: str(row["id"]).zfill(6))


def stored(lake: Lake, form: str) -> str:
    """The rows, in this format."""
    if form == "delta":
        return lake.write_table("in/delta", TABLE)
    if form == "parquet-folder":
        lake.put("in/folder/part=1/a.parquet", parquet(TABLE.slice(0, 20)))
        lake.put("in/folder/b.parquet", parquet(TABLE.slice(20)))
        lake.put("in/folder/_hidden/c.parquet", b"not data")
        return lake.uri("in/folder")
    texts = {
        "parquet": parquet(TABLE),
        "csv": b"id,text\n" + "".join(f"{row['id']},{row['text']}\n" for row in ROWS).encode(),
        "jsonl": "".join(json.dumps(row) + "\n" for row in ROWS).encode(),
    }
    return lake.put(f"in/rows.{form}", texts[form])


@pytest.mark.parametrize("form", ["delta", "parquet", "parquet-folder", "csv", "jsonl"])
def test_every_format_is_pinned_and_read(lake: Lake, form: str) -> None:
    uri = stored(lake, form)
    places = lake.locations(uris=(uri,))
    dataset = Dataset(uri=uri, format=form.partition("-")[0])
    pinned = pin(dataset, places)
    assert pin(dataset, lake.locations(uris=(uri,))) == pinned
    assert by_id(read(open_pinned(pinned, places), COLUMNS)) == ROWS


@pytest.mark.parametrize("form", ["parquet", "csv", "jsonl"])
def test_an_object_that_was_replaced_breaks_its_pin(lake: Lake, form: str) -> None:
    uri = stored(lake, form)
    places = lake.locations(uris=(uri,))
    pinned = pin(Dataset(uri=uri, format=form), places)
    source = open_pinned(pinned, places)
    lake.put(f"in/rows.{form}", b"other")
    with fails(JobReason.PIN_BROKEN, "changed"):
        read(source, COLUMNS)


def test_an_object_that_is_replaced_while_it_is_read_breaks_its_pin(lake: Lake) -> None:
    """Each range is asked for by the ETag: what is read is never part of one content and part of another."""
    wide = pa.table({"id": range(400_000), "text": [f"{index * 7919 % 1_000_003:x}" for index in range(400_000)]})
    uri = lake.put("in/rows.parquet", parquet(wide))  # 2 MiB in four row groups, of which a reader has one
    places = lake.locations(uris=(uri,))
    batches = open_pinned(pin(Dataset(uri=uri, format="parquet"), places), places).batches(COLUMNS, 1000)
    next(batches)
    lake.put("in/rows.parquet", parquet(wide.slice(1)))
    with fails(JobReason.PIN_BROKEN, "changed"):
        list(batches)


def test_a_folder_that_changed_breaks_its_pin(lake: Lake) -> None:
    uri = stored(lake, "parquet-folder")
    places = lake.locations(uris=(uri,))
    pinned = pin(Dataset(uri=uri, format="parquet"), places)
    lake.put("in/folder/d.parquet", parquet(TABLE))
    with fails(JobReason.PIN_BROKEN, "changed"):
        read(open_pinned(pinned, places), COLUMNS)


def test_a_delta_version_is_read_although_newer_ones_are_there(lake: Lake) -> None:
    uri = lake.write_table("in/delta", TABLE)
    places = lake.locations(uris=(uri,))
    pinned = pin(Dataset(uri=uri, format="delta"), places)
    lake.write_table("in/delta", TABLE.slice(0, 3), mode="overwrite")
    assert by_id(read(open_pinned(pinned, places), COLUMNS)) == ROWS
    with fails(JobReason.SOURCE_NOT_FOUND, "version 7 is not there, the newest is 1"):
        pin(Dataset(uri=uri, format="delta", version=7), places)


def test_lookup_table(lake: Lake) -> None:
    uri = stored(lake, "csv")
    assert read_table(LookupTable(uri=uri, format="csv"), lake.locations(uris=(uri,))).num_rows == len(ROWS)


@pytest.mark.parametrize("form", ["delta", "parquet", "csv"])
def test_slow_down_is_waited_out(lake: Lake, form: str) -> None:
    uri = stored(lake, form)
    with fault_proxy(lake.server.endpoint) as proxy:
        places = lake.locations(uris=(uri,), AWS_ENDPOINT_URL=proxy.endpoint)
        proxy.fail("refuse", times=3)
        pinned = pin(Dataset(uri=uri, format=form), places)
        assert len(proxy.failed()) == 3
        proxy.fail("break-off", "^GET", times=2)
        assert by_id(read(open_pinned(pinned, places), COLUMNS)) == ROWS
        assert len(proxy.failed()) == 2


@pytest.mark.parametrize("form", ["delta", "parquet", "csv"])
def test_a_store_that_stays_away_ends_as_transient(lake: Lake, form: str) -> None:
    """The pod ends with 75, and the Job tries again."""
    uri = stored(lake, form)
    with fault_proxy(lake.server.endpoint) as proxy:
        places = lake.locations(uris=(uri,), AWS_ENDPOINT_URL=proxy.endpoint)
        source = open_pinned(pin(Dataset(uri=uri, format=form), places), places)
        proxy.fail("refuse")
        with fails(JobReason.STORAGE_UNAVAILABLE, "spec.input.uri: .* answers (503|SlowDown)"):
            read(source, COLUMNS)
    with fails(JobReason.STORAGE_UNAVAILABLE, "cannot be reached"):
        lake.locations(uris=(uri,), AWS_ENDPOINT_URL=proxy.endpoint).existing(uri)
    assert exit_code(JobReason.STORAGE_UNAVAILABLE) == 75


REFUSALS: dict[str, tuple[dict[str, str | None], JobReason, str]] = {
    "key": ({"AWS_ACCESS_KEY_ID": "nobody"}, JobReason.STORAGE_DENIED, "AWS_ACCESS_KEY_ID of Secret lake-keys"),
    "secret key": ({"AWS_SECRET_ACCESS_KEY": "wrong-secret"}, JobReason.STORAGE_DENIED, "AWS_SECRET_ACCESS_KEY of Secret lake-keys"),
    "region": ({"AWS_REGION": "eu-west-9"}, JobReason.STORAGE_DENIED, "not in region eu-west-9: set AWS_REGION of Secret lake-keys"),
    "token": ({"AWS_SESSION_TOKEN": "stale"}, JobReason.STORAGE_DENIED, "AWS_SESSION_TOKEN of Secret lake-keys"),
    "http": ({"AWS_ALLOW_HTTP": None}, JobReason.STORAGE_DENIED, "set AWS_ALLOW_HTTP to true"),
    "nothing": ({"AWS_SECRET_ACCESS_KEY": None}, JobReason.SECRET_INVALID, "spec.input.secretRef: Secret lake-keys has no key AWS_SECRET_ACCESS_KEY"),
    "signature": (
        {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None, "AWS_SKIP_SIGNATURE": "true"}, JobReason.STORAGE_DENIED, "key of Secret lake-keys may not do this",
    ),
    "right": ({"AWS_ACCESS_KEY_ID": "guest", "AWS_SECRET_ACCESS_KEY": "guest-secret"}, JobReason.STORAGE_DENIED, "key of Secret lake-keys may not do this"),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_what_is_refused_is_said_in_words_and_shows_no_key(lake: Lake, object_store: ObjectStoreServer, what: str) -> None:
    """F5: field and remedy, and no credential."""
    changes, reason, words = REFUSALS[what]
    if what == "right":
        object_store.add_user("guest", "guest-secret")
    uri = stored(lake, "csv")
    with fails(reason, "spec.input") as caught:
        pin(Dataset(uri=uri, format="csv"), lake.locations(uris=(uri,), **changes))
    shown = caught.value.message
    assert words in shown
    secrets = {object_store.key, object_store.secret, "nobody", "wrong-secret", "stale", "guest-secret"}
    assert not [secret for secret in secrets if secret in shown]


def test_bucket_and_key_that_are_not_there(lake: Lake) -> None:
    with fails(JobReason.SOURCE_NOT_FOUND, "spec.input.uri: s3://no-such-bucket/in: there is no bucket no-such-bucket"):
        lake.locations(uris=("s3://no-such-bucket/in",)).existing("s3://no-such-bucket/in")
    with fails(JobReason.SOURCE_NOT_FOUND, "has no key in/nothing and none below it"):
        lake.locations("in/nothing").existing(lake.uri("in/nothing"))
    lake.put("in/nothing-else", b"x")
    with fails(JobReason.SOURCE_NOT_FOUND, "has no key in/nothing"):
        lake.locations("in/nothing").existing(lake.uri("in/nothing"))
    with fails(JobReason.SOURCE_UNREADABLE, "not a Delta table"):
        pin(Dataset(uri=lake.uri("in"), format="delta"), lake.locations("in"))


def test_errors_never_carry_what_the_store_said(lake: Lake) -> None:
    """Its text holds the key id and what was signed; the chain of exceptions, which a traceback shows, does not either."""
    with pytest.raises(JobError) as caught:
        lake.locations("in", AWS_SECRET_ACCESS_KEY="wrong-secret").path(lake.uri("in"))
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_without_a_secret_the_environment_opens_it_and_is_taken_away(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """What starts a job gives its keys to the URIs that name no Secret, and to no child process."""
    uri = stored(lake, "csv")
    keys = lake.server.keys()
    for name, value in keys.items():
        monkeypatch.setenv(name, value)
    ambient = take_ambient(os.environ)
    assert not [name for name in os.environ if name in keys]
    places = Locations([], [Access(uri=uri, field="spec.input")], ambient, retries=QUICK)
    assert by_id(read(open_pinned(pin(Dataset(uri=uri, format="csv"), places), places), COLUMNS)) == ROWS
    with fails(JobReason.SECRET_INVALID, "no credentials for .*: name a Secret in spec.input.secretRef, or set AWS_ACCESS_KEY_ID"):
        Locations([], [Access(uri=uri, field="spec.input")], {}).path(uri)


@pytest.mark.parametrize("form", ["delta", "csv"])
def test_a_named_secret_is_never_mixed_with_the_environment(lake: Lake, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    """Both libraries read the environment by themselves: a token of other keys would be sent beside these."""
    uri = stored(lake, form)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of other keys")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    take_ambient(os.environ)
    places = lake.locations(uris=(uri,))
    assert by_id(read(open_pinned(pin(Dataset(uri=uri, format=form), places), places), COLUMNS)) == ROWS


def test_a_certificate_of_an_own_authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """https, as every store outside of tests has it: an unknown authority is said in words, and its file makes it known to both libraries."""
    make_authority(tmp_path)
    make_signed(tmp_path, "store", "/CN=store", "subjectAltName=IP:127.0.0.1")
    (tmp_path / "server").mkdir()
    (tmp_path / "secrets").mkdir()
    with serve(tmp_path / "server", certificate=tmp_path / "store.crt") as server:
        own = Lake(server, tmp_path / "secrets")
        with fails(JobReason.STORAGE_DENIED, "is of no authority that is known here: .* SSL_CERT_FILE"):
            own.locations("in", AWS_ALLOW_HTTP=None).path(own.uri("in"))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.crt"))
        for form in ("delta", "csv"):
            uri = stored(own, form)
            places = own.locations(uris=(uri,), AWS_ALLOW_HTTP=None)
            assert by_id(read(open_pinned(pin(Dataset(uri=uri, format=form), places), places), COLUMNS)) == ROWS


def test_a_folder_is_pinned_by_lists_alone(lake: Lake) -> None:
    """However many files it has, no request is made for each."""
    for number in range(12):
        lake.put(f"in/many/{number}.parquet", parquet(TABLE))
    with fault_proxy(lake.server.endpoint) as proxy:
        places = lake.locations("in/many", AWS_ENDPOINT_URL=proxy.endpoint)
        pin(Dataset(uri=lake.uri("in/many"), format="parquet"), places)
        assert len(proxy.seen()) < 8


def test_the_folder_of_a_secret_that_is_not_there(lake: Lake) -> None:
    """As a kubelet mounts an optional Secret: a folder with nothing but its own links in it."""
    keys = lake.folder / "mounted"
    (keys / "..2026_01_01").mkdir(parents=True)
    (keys / "..data").symlink_to("..2026_01_01")
    places = Locations([Mount(prefix="secret://keys", path=str(keys))], [Access(uri=lake.uri("in"), field="spec.input", secret="keys")])
    with fails(JobReason.SECRET_INVALID, "spec.input.secretRef: Secret keys is not there"):
        places.path(lake.uri("in"))
