"""Which version of a Delta table there is, and what identifies it; from its log alone, without Arrow."""

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from labeljob.contract.datasets import DatasetPin
from labeljob.contract.digests import digest_of
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.io.places import Place, open_table


def open_latest(path: Place, uri: str, version: int | None = None) -> DeltaTable:
    """The table at `version`, or at its newest one.

    Raises:
        JobError: SOURCE_UNREADABLE: not a Delta table, or a broken log; SOURCE_NOT_FOUND: no such version.
    """
    if not (path / "_delta_log").is_dir():
        raise JobError(JobReason.SOURCE_UNREADABLE, f"{uri}: it is not a Delta table (no _delta_log): correct format or uri")
    try:
        newest = open_table(path)
        if version is None or version == newest.version():
            return newest
    except DeltaError:
        raise JobError(JobReason.SOURCE_UNREADABLE, f"{uri}: its Delta log cannot be read") from None
    try:
        return open_table(path, version)
    except DeltaError:
        have = f"the newest is {newest.version()}"
        raise JobError(JobReason.SOURCE_NOT_FOUND, f"{uri}: version {version} is not there, {have}: correct version") from None


def pin_of(table: DeltaTable, uri: str) -> DatasetPin:
    """The identity of an open version."""
    table_id, version = str(table.metadata().id), int(table.version())
    actions = table.get_add_actions(flatten=True)
    columns = (actions.column(name).to_pylist() for name in ("path", "size_bytes", "num_records"))
    listed = sorted(list(file) for file in zip(*columns, strict=True))
    digest = digest_of({"tableId": table_id, "version": version, "files": listed})
    return DatasetPin(uri=uri, format="delta", table_id=table_id, version=version, digest=digest)
