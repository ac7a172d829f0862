"""An earlier version of an output restored as a new one: nothing is rewritten, and nothing is lost.

The new version carries the record of the restored one under a sequence of its own. So whoever asks what stands there gets the pins of the rows that
do, a run that was under way when the version was restored is superseded, and the next run counts on from it.
"""

import uuid
from pathlib import Path
from typing import Protocol

from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError

from labeljob.contract.reasons import JobReason
from labeljob.contract.versions import VersionsRequest
from labeljob.errors import JobError
from labeljob.io.delta_commits import APP_KEY, ATTEMPT_KEY, COMMIT_KEY, FUNCTIONS_KEY, CommitRecord, open_output, record_at, versions_of
from labeljob.io.durable import flush_folder
from labeljob.io.failures import writing
from labeljob.io.locations import Locations

RESTORED_KEY = "labelplaneRestored"
SHOWN = 10


def rollback(request: VersionsRequest, locations: Locations) -> dict[str, object]:
    """Restore `request.version`; the version that this made, as JSON data.

    Raises:
        JobError: SOURCE_NOT_FOUND: no such version of this LabelJob's; PIN_BROKEN: its files are gone; SUPERSEDED: a run committed meanwhile.
    """
    table = opened(request, locations)
    record = record_of(table, request, request.version)
    if request.version == table.version():
        raise JobError(JobReason.SOURCE_NOT_FOUND, f"{request.output}: version {request.version} is what stands there: name an earlier one")
    place = locations.path(request.output)
    with writing(request.output, place):
        _restore(table, request, record)
    made = table.version()
    if isinstance(place, Path):
        flush_folder(place / "_delta_log")
    return {"labelJob": request.job, "restored": request.version, "version": made, "run": record.commit.run, "rows": record.commit.metrics.get("rows")}


def _restore(table: DeltaTable, request: VersionsRequest, record: CommitRecord) -> None:
    sequence = (table.transaction_version(request.app_id) or 0) + 1
    restored = record.commit.model_copy(update={"sequence": sequence})
    metadata = {
        APP_KEY: request.app_id, ATTEMPT_KEY: uuid.uuid4().hex, COMMIT_KEY: restored.model_dump_json(by_alias=True),
        FUNCTIONS_KEY: record.functions.model_dump_json(by_alias=True), RESTORED_KEY: str(request.version),
    }  # fmt: skip
    properties = CommitProperties(custom_metadata=metadata, app_transactions=[Transaction(request.app_id, sequence)], max_commit_retries=0)
    try:
        table.restore(request.version, commit_properties=properties)
    except CommitFailedError:
        raise JobError(JobReason.SUPERSEDED, f"{request.output}: a run was committed meanwhile, and nothing was restored: look at it, and ask again") from None
    except DeltaError as error:
        if "missing" not in str(error).lower() and "not found" not in str(error).lower():
            raise
        raise JobError(JobReason.PIN_BROKEN, f"{request.output}: files of version {request.version} are gone (vacuumed): name a later version") from None


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
        raise JobError(JobReason.SOURCE_NOT_FOUND, f"{request.output}: LabelJob {request.job} has no version {version} there: it has {named}")
    return found
