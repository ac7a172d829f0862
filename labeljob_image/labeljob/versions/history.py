"""The versions of an output table that a LabelJob committed, and whether their files are still there."""

from collections.abc import Iterable, Iterator
from typing import Protocol

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.io.delta import lacks_files
from labeljob.io.delta_commits import CommitRecord, open_output, record_at, versions_of
from labeljob.io.locations import Locations
from labeljob.io.places import Place, open_table

SHOWN = 10


class OfOutput(Protocol):
    """What asks about the output of a LabelJob."""

    @property
    def job(self) -> str: ...

    @property
    def output(self) -> str: ...

    @property
    def app_id(self) -> str: ...


def opened(request: OfOutput, locations: Locations) -> DeltaTable:
    """The output, when it is this LabelJob's. JobError SOURCE_NOT_FOUND, OUTPUT_CONFLICT."""
    table = open_output(locations.path(request.output), request.output, request.app_id)
    if table is None:
        raise JobError(JobReason.SOURCE_NOT_FOUND, f"{request.output}: there is no table of labels: run the LabelJob first")
    return table


def record_of(table: DeltaTable, request: OfOutput, version: int) -> CommitRecord:
    """The record of a version that this LabelJob committed. JobError SOURCE_NOT_FOUND."""
    found = record_at(table, request.app_id, version)
    if found is None:
        known = versions_of(table, request.app_id)
        named = ", ".join(str(one) for one in known[:SHOWN]) + (f" and {len(known) - SHOWN} more" if len(known) > SHOWN else "")
        raise JobError(JobReason.SOURCE_NOT_FOUND, f"{request.output}: LabelJob {request.job} has no version {version} there: it has {named or 'none'}")
    return found


def at_version(place: Place, uri: str, version: int) -> DeltaTable:
    """The table as it was then. JobError PIN_BROKEN where the log does not go back that far."""
    try:
        return open_table(place, version)
    except DeltaError:
        raise gone(uri, version, "the log of version {} is gone (cleaned up)") from None


def still_there(rows: Iterator[pa.RecordBatch], place: Place, uri: str, tables: Iterable[DeltaTable]) -> Iterator[pa.RecordBatch]:
    """Rows that are read of versions of a table. JobError PIN_BROKEN when a file of one of them is gone."""
    try:
        yield from rows
    except Exception:
        for table in tables:
            if lacks_files(place, table):
                raise gone(uri, table.version()) from None
        raise


def gone(uri: str, version: int, what: str = "files of version {} are gone (vacuumed)") -> JobError:
    """PIN_BROKEN: what was cleaned up does not come back."""
    return JobError(JobReason.PIN_BROKEN, f"{uri}: {what.format(version)}: name a later version")
