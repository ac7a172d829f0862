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
from labeljob.io.durable import flush_folder
from labeljob.io.failures import writing
from labeljob.io.parquet_sink import ParquetSink
from labeljob.io.places import Place, open_table, table_address


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
    if place.exists() and not ((place / "_delta_log").is_dir() and _is_table_of_training_sets(place)):
        raise _conflict(uri, "something that is no table of training sets")
    address, options = table_address(place)
    properties = CommitProperties(custom_metadata={PROVENANCE_KEY: json.dumps(found.provenance)}, max_commit_retries=0)
    reader = pa.RecordBatchReader.from_batches(found.schema.remove_metadata(), (batch.replace_schema_metadata(None) for batch in found.batches()))
    try:
        with writing(uri, place):
            write_deltalake(address, reader, mode="overwrite", schema_mode="overwrite", commit_properties=properties, **options)
    except CommitFailedError:
        raise JobError(JobReason.SUPERSEDED, f"{uri}: somebody else wrote there meanwhile, and this was not written: ask again") from None
    if isinstance(place, Path):
        flush_folder(place / "_delta_log")
    return int(open_table(place).version())


def _write(found: TrainingSet, place: Place) -> None:
    sink = ParquetSink(place, found.schema)
    try:
        for batch in found.batches():
            sink.write(batch)
        sink.finish()
    except BaseException:
        sink.abandon()
        raise


def _is_training_set(place: Place) -> bool:
    try:
        with place.open("rb") as file:
            return PROVENANCE_KEY.encode() in (pq.read_metadata(file).metadata or {})
    except pa.ArrowException:
        return False


def _is_table_of_training_sets(place: Place) -> bool:
    """By the first entry of its log that can be read: others may have compacted the table since."""
    try:
        return any(PROVENANCE_KEY in entry for entry in open_table(place).history())
    except DeltaError:
        return False


def _conflict(uri: str, what: str) -> JobError:
    return JobError(JobReason.OUTPUT_CONFLICT, f"{uri}: {what} is there: name another place; nothing was written")
