"""A training set as one Parquet file or as a Delta table: at once, and never in the place of anything else."""

import json
import uuid
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError

from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.features.training_set import PROVENANCE_KEY, TrainingSet
from labeljob.io.delta_commits import ATTEMPT_KEY, version_of
from labeljob.io.durable import flush_folder
from labeljob.io.failures import writing
from labeljob.io.parquet_sink import ParquetSink
from labeljob.io.places import Place, open_table, remove_folder, table_address
from labeljob.io.preflight import PROBE, require_conditional_put

UPKEEP = ("OPTIMIZE", "VACUUM")  # begin the names of operations that change no row


def write_parquet(found: TrainingSet, place: Place, uri: str) -> None:
    """One file, rows in order of id, with the provenance in its metadata; an earlier training set there is replaced when all is written.

    Raises:
        JobError: OUTPUT_CONFLICT: something else is there; VOLUME_FULL, OUTPUT_NOT_WRITABLE.
    """
    if place.is_dir() or (place.is_file() and not _is_training_set(place)):
        raise _conflict(uri, "a folder" if place.is_dir() else "a file that is no training set")
    with writing(uri, place):
        if not isinstance(place, Path):
            _write(found, place)
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        beside = place.with_name(f".{place.name}.{uuid.uuid4().hex}")
        try:
            _write(found, beside)
            beside.replace(place)
        finally:
            beside.unlink(missing_ok=True)
        flush_folder(place.parent)


def write_delta(found: TrainingSet, place: Place, uri: str) -> int:
    """One new version of a table of training sets, with the provenance in its commit; returns its number.

    Raises:
        JobError: OUTPUT_CONFLICT: something else is there; SUPERSEDED: somebody else wrote there meanwhile; VOLUME_FULL, OUTPUT_NOT_WRITABLE.
    """
    there, log = _holds_something(place), place / "_delta_log"
    if there and not (log.is_dir() and _is_table_of_training_sets(place)):
        raise _conflict(uri, "something that is no table of training sets")
    require_conditional_put(place, uri)
    address, options = table_address(place)
    attempt = uuid.uuid4().hex
    properties = CommitProperties(custom_metadata={PROVENANCE_KEY: json.dumps(found.provenance), ATTEMPT_KEY: attempt}, max_commit_retries=0)
    reader = pa.RecordBatchReader.from_batches(found.schema.remove_metadata(), (batch.replace_schema_metadata(None) for batch in found.batches()))
    try:
        with writing(uri, place):
            write_deltalake(address, reader, mode="overwrite", schema_mode="overwrite", commit_properties=properties, **options)
    except CommitFailedError:
        raise JobError(JobReason.SUPERSEDED, f"{uri}: somebody else wrote there meanwhile, and this was not written: ask again") from None
    except BaseException:
        if not there and not log.is_dir():  # what was begun would be taken for somebody else's
            remove_folder(place)
        raise
    if isinstance(place, Path):
        flush_folder(place / "_delta_log")
    version = version_of(open_table(place), attempt)
    assert version is not None  # noqa: S101 it was just written, and logs are kept for longer
    return version


def _write(found: TrainingSet, place: Place) -> None:
    sink = ParquetSink(place, found.schema)
    try:
        for batch in found.batches():
            sink.write(batch)
        sink.finish()
    except BaseException:
        sink.abandon()
        raise


def _holds_something(place: Place) -> bool:
    """An empty folder is nothing, and so is what a first look at an object store leaves."""
    return any(one.name != PROBE for one in place.iterdir()) if place.is_dir() else place.exists()


def _is_training_set(place: Place) -> bool:
    try:
        with place.open("rb") as file:
            return PROVENANCE_KEY.encode() in (pq.read_metadata(file).metadata or {})
    except pa.ArrowException:
        return False


def _is_table_of_training_sets(place: Place) -> bool:
    """By what was written there last: others may have compacted and cleaned the table since, but not put rows of their own there."""
    try:
        return PROVENANCE_KEY in next((entry for entry in open_table(place).history() if not str(entry.get("operation", "")).startswith(UPKEEP)), {})
    except DeltaError:
        return False


def _conflict(uri: str, what: str) -> JobError:
    return JobError(JobReason.OUTPUT_CONFLICT, f"{uri}: {what} is there: name another place; nothing was written")
