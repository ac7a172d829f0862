"""What stands in an output table: whose it is, and what its last commit says of itself (DESIGN §4.1, C5)."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import DeltaError
from pydantic import ValidationError

from labeljob.contract.partitioning import PartitionColumn
from labeljob.contract.reasons import JobReason
from labeljob.contract.result import Commit, FunctionColumns
from labeljob.errors import JobError
from labeljob.io.durable import flush, flush_folder
from labeljob.io.partition_names import is_partition
from labeljob.io.places import Place, open_table
from labeljob.io.preflight import PROBE

COMMIT_KEY = "labelplane"
FUNCTIONS_KEY = "labelplaneFunctions"
APP_KEY = "labelplaneApp"
ATTEMPT_KEY = "labelplaneAttempt"
RESTORED_KEY = "labelplaneRestored"
RECENT = 20
QUARANTINE = "_quarantine"  # below a table: rows that its runs did not label
RUNS = "_labelplane"  # below a table: runs in shards that are not committed yet; readers of Delta pass over it


@dataclass(frozen=True)
class CommitRecord:
    """A commit of ours as the log has it; `version` and `table_id` are the table's own."""

    app_id: str
    attempt: str
    commit: Commit
    functions: FunctionColumns


@dataclass(frozen=True)
class Made:
    """The version that an attempt has made, None where it made none, and the names of its data files."""

    version: int | None = None
    files: frozenset[str] = frozenset()


NOTHING = Made()


def commit_properties(app_id: str, attempt: str, commit: Commit, functions: FunctionColumns, restored: int | None = None) -> CommitProperties:
    """What a commit of ours says of itself, under its sequence; the engine tries it once. `restored`: the version whose rows it brings back."""
    metadata = {
        COMMIT_KEY: json.dumps(commit.wire(), separators=(",", ":")),
        FUNCTIONS_KEY: json.dumps(functions.wire(), separators=(",", ":")),
        APP_KEY: app_id,
        ATTEMPT_KEY: attempt,
    }
    if restored is not None:
        metadata[RESTORED_KEY] = str(restored)
    return CommitProperties(custom_metadata=metadata, max_commit_retries=0, app_transactions=[Transaction(app_id, commit.sequence)])


def flush_log(folder: Place) -> None:
    """The newest commit of the table is on the disk when this returns; an object store has its own way."""
    if not isinstance(folder, Path):
        return
    log = folder / "_delta_log"
    with suppress(OSError):
        flush(max(log.glob("*.json")))
        flush_folder(log)


def open_output(folder: Place, uri: str, app_id: str) -> DeltaTable | None:
    """The table at `folder` when this LabelJob may write it; None when nothing is there yet.

    Raises:
        JobError: OUTPUT_CONFLICT: another LabelJob wrote it last, data of someone else is in it, or it is no table.
    """
    if not (folder / "_delta_log").is_dir():
        if folder.exists() and (not folder.is_dir() or _holds_data(folder)):
            raise _conflict(uri, "it holds files that are not a Delta table")
        return None
    table = _opened(folder, uri)
    if table is not None and (owner := _owner(table)) != app_id:
        if owner is not None:
            raise _conflict(uri, f"it is the output of {owner}")
        if table.file_uris():
            raise _conflict(uri, "it is a Delta table that no LabelJob wrote")
    return table


def require_partitions(table: DeltaTable, uri: str, partition_by: PartitionColumn | None) -> None:
    """JobError OUTPUT_CONFLICT where the table is not partitioned so: a table cannot change this, and is spoilt by whoever tries."""
    found = table.metadata().partition_columns
    if found != ([partition_by] if partition_by else []):
        wish, stands = (f"partitionBy: {one}" if one else "no partitionBy" for one in (partition_by, ", ".join(found)))
        raise _conflict(uri, f"its table was made with {stands}, and spec.output now has {wish}")


def committed(table: DeltaTable | None, uri: str, app_id: str, sequence: int) -> CommitRecord | None:
    """The record of `sequence` when it has been committed, None when it may still be.

    Raises:
        JobError: SUPERSEDED: a later sequence has been committed, so this one must not write.
    """
    newest = table.transaction_version(app_id) if table is not None else None
    if table is None or newest is None or newest < sequence:  # 0 is a version
        return None
    record = last_record(table, app_id)
    if newest > sequence or record is None or record.commit.sequence != sequence:
        message = f"{uri}: run {newest} of this LabelJob has been committed, so run {sequence} must not write: nothing to do"
        raise JobError(JobReason.SUPERSEDED, message)
    return record


def made_by(folder: Place, app_id: str, sequence: int, attempt: str) -> Made | None:
    """What an attempt at a sequence has made; None where the log does not go back far enough to say."""
    if not any((folder / "_delta_log").glob("*.json")):
        return NOTHING
    try:
        for entry in _history(open_table(folder)):
            if entry.get(ATTEMPT_KEY) == attempt:
                version = int(entry["version"])
                return Made(version, frozenset(uri.rpartition("/")[2] for uri in open_table(folder, version).file_uris()))
            record = _record(entry, "") if entry.get(APP_KEY) == app_id else None
            if int(entry["version"]) == 0 or (record is not None and record.commit.sequence < sequence):
                return NOTHING
    except DeltaError:
        return None
    return None


def attempts(folder: Place, app_id: str) -> dict[int, str]:
    """Sequence -> the attempt that made its version, for the last few commits."""
    entries = [entry for entry in open_table(folder).history(RECENT) if entry.get(APP_KEY) == app_id]
    return {record.commit.sequence: record.attempt for entry in entries if (record := _record(entry, "")) is not None}


def last_record(table: DeltaTable, app_id: str) -> CommitRecord | None:
    """Our newest commit in the log, looking past what maintenance (optimize, vacuum) wrote since."""
    for entry in _history(table):
        if entry.get(APP_KEY) == app_id and (record := _record(entry, str(table.metadata().id))) is not None:
            return record
    return None


def record_at(table: DeltaTable, app_id: str, version: int) -> CommitRecord | None:
    """Our commit that made this version; None when there is none."""
    found = (_record(entry, str(table.metadata().id)) for entry in _history(table) if entry.get(APP_KEY) == app_id and int(entry["version"]) == version)
    return next(found, None)


def versions_of(table: DeltaTable, app_id: str) -> list[int]:
    """The versions that we committed and whose record can be read, newest first, as far as the log goes back."""
    return [int(entry["version"]) for entry in _history(table) if entry.get(APP_KEY) == app_id and _record(entry, "") is not None]


def version_of(table: DeltaTable, attempt: str) -> int | None:
    """The version that this attempt committed; None when there is none."""
    return next((int(entry["version"]) for entry in _history(table) if entry.get(ATTEMPT_KEY) == attempt), None)


def restored_from(table: DeltaTable, app_id: str) -> int | None:
    """The version that the newest one brought back; None when it is no restored version of ours."""
    newest = next(_history(table))
    return int(newest[RESTORED_KEY]) if newest.get(APP_KEY) == app_id and RESTORED_KEY in newest else None


def quarantines(folder: Place, app_id: str) -> list[str]:
    """The folders of quarantined rows that our commits name, newest first, as far as the log goes back."""
    found = (_record(entry, "") for entry in _history(open_table(folder)) if entry.get(APP_KEY) == app_id)
    return [one.commit.quarantine.uri.rpartition("/")[2] for one in found if one is not None and one.commit.quarantine is not None]


def votes_named(folder: Place, app_id: str) -> Iterator[str | None]:
    """The manifest of kept votes that each of our commits names, newest first, as far as the log goes back. DeltaError: there is no table."""
    for entry in _history(open_table(folder)):
        record = _record(entry, "") if entry.get(APP_KEY) == app_id else None
        if record is not None:
            yield record.commit.votes


def _opened(folder: Place, uri: str) -> DeltaTable | None:
    """None when a log has been begun but holds no version: a writer was killed, or is at work."""
    for begun in (False, True):  # a first version may come between the look and the next line: then look again
        try:
            return open_table(folder)
        except DeltaError:
            if not any((folder / "_delta_log").glob("*.json")):
                return None
            if begun:
                raise _conflict(uri, "its Delta log cannot be read") from None
    return None


def _owner(table: DeltaTable) -> str | None:
    return next((str(entry[APP_KEY]) for entry in _history(table) if APP_KEY in entry), None)


def _history(table: DeltaTable) -> Iterator[dict[str, Any]]:
    """Commits, newest first: the last few are read first, because ours is mostly among them."""
    newest = table.history(RECENT)
    yield from newest
    if len(newest) == RECENT:
        yield from table.history()[RECENT:]


def _record(entry: dict[str, Any], table_id: str) -> CommitRecord | None:
    try:
        stored = Commit.model_validate_json(entry[COMMIT_KEY])
        functions = FunctionColumns.model_validate_json(entry[FUNCTIONS_KEY])
    except (KeyError, ValidationError):
        return None
    commit = stored.model_copy(update={"table_id": table_id, "version": int(entry["version"])})
    return CommitRecord(str(entry[APP_KEY]), str(entry.get(ATTEMPT_KEY)), commit, functions)


def _holds_data(folder: Place) -> bool:
    """Whether someone else's files are there; our own that no version names yet do not count, nor a log that was begun a moment ago."""
    entries = (path for path in folder.iterdir() if path.name not in ("lost+found", "_delta_log", RUNS, QUARANTINE, PROBE))
    return any(not (_holds_ours(path) if is_partition(path.name) else _is_ours(path)) for path in entries)


def _holds_ours(folder: Place) -> bool:
    return folder.is_dir() and all(map(_is_ours, folder.iterdir()))


def _is_ours(path: Place) -> bool:
    return path.name.startswith("labels-") and path.suffix == ".parquet"


def _conflict(uri: str, why: str) -> JobError:
    message = f"{uri}: {why}: give this LabelJob a folder of its own in spec.output.uri; nothing was written"
    return JobError(JobReason.OUTPUT_CONFLICT, message)
