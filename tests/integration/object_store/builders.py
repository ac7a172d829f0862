"""Data in a bucket, and the locations of a job that reaches it with a Secret."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import obstore
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from labeljob.contract.config import Access, Mount
from labeljob.io.locations import Locations
from labeljob.io.object_path import ObjectPath
from labeljob.io.object_store import Retries
from tests.object_store import ObjectStoreServer, write_secret

QUICK = Retries(most=4, seconds=20.0, first=0.01, longest=0.05)


@dataclass
class Lake:
    """A bucket of a server; `folder` takes Secrets."""

    server: ObjectStoreServer
    folder: Path
    bucket: str = field(init=False)

    def __post_init__(self) -> None:
        self.bucket = self.server.bucket()

    def uri(self, key: str) -> str:
        return f"s3://{self.bucket}/{key}"

    def locations(self, *keys: str, uris: tuple[str, ...] = (), retries: Retries = QUICK, **changes: str | None) -> Locations:
        """Each key's URI, and `uris`, reached with one Secret `lake-keys`; `changes` to its keys."""
        secret = self.folder / uuid.uuid4().hex
        write_secret(secret, self.server.keys(**changes))
        given = (*(self.uri(key) for key in keys), *uris)
        access = [Access(uri=uri, field="spec.input", secret="lake-keys") for uri in given]
        return Locations([Mount(prefix="secret://lake-keys", path=str(secret))], access, retries=retries)

    def place(self, key: str, **changes: str | None) -> ObjectPath:
        found = self.locations(key, **changes).path(self.uri(key))
        assert isinstance(found, ObjectPath)
        return found

    def options(self) -> dict[str, str]:
        return self.server.keys()

    def write_table(self, key: str, table: pa.Table, **options: Any) -> str:
        """A Delta table; returns its URI."""
        write_deltalake(self.uri(key), table, storage_options=self.options(), **options)
        return self.uri(key)

    def table(self, key: str) -> DeltaTable:
        return DeltaTable(self.uri(key), storage_options=self.options())

    def put(self, key: str, content: bytes) -> str:
        """An object; returns its URI."""
        client = self.place("any").store.client
        obstore.put(client, key, content)
        return self.uri(key)

    def names(self, key: str) -> list[str]:
        """Every key below."""
        return sorted(path.relative_to(self.place(key)).as_posix() for path in self.place(key).rglob("*"))


def rows_of(table: DeltaTable) -> list[Mapping[str, Any]]:
    """All rows."""
    found: list[Mapping[str, Any]] = table.to_pyarrow_table().to_pylist()
    return found
