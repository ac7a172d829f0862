"""An earlier version of an output restored as a new one: nothing is rewritten, and nothing is lost.

The new version carries the record of the restored one under a sequence of its own. So whoever asks what stands there gets the pins of the rows that
do, a run that was under way when the version was restored is superseded, and the next run counts on from it.

    commit -> done
       | fails, or the reply is lost
       v
    reopen: this attempt is in the log -> done        it is not -> why it failed; asked again, what was restored meanwhile is found
"""

import uuid

from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError

from labeljob.contract.reasons import JobReason
from labeljob.contract.versions import VersionsRequest
from labeljob.errors import JobError
from labeljob.io.delta import lacks_files
from labeljob.io.delta_commits import CommitRecord, commit_properties, flush_log, restored_from, version_of
from labeljob.io.failures import writing
from labeljob.io.locations import Locations
from labeljob.io.places import Place, open_table
from labeljob.io.preflight import require_conditional_put
from labeljob.versions.history import at_version, gone, opened, record_of


def rollback(request: VersionsRequest, locations: Locations) -> dict[str, object]:
    """Restore `request.version`; the version that this made, as JSON data. Where that was the last thing done here, it is not done again.

    Raises:
        JobError: SOURCE_NOT_FOUND: no such version of this LabelJob's; PIN_BROKEN: its files are gone; SUPERSEDED: a run committed meanwhile;
            STORAGE_UNSAFE: commits could be lost in this store.
    """
    table = opened(request, locations)
    record = record_of(table, request, request.version)
    if request.version == table.version():
        raise JobError(JobReason.SOURCE_NOT_FOUND, f"{request.output}: version {request.version} is what stands there: name an earlier one")
    made, place = int(table.version()), locations.path(request.output)
    if restored_from(table, request.app_id) != request.version:
        made = restore(table, request, record, place)
    flush_log(place)
    return {"labelJob": request.job, "restored": request.version, "version": made, "run": record.commit.run, "rows": record.commit.metrics.get("rows")}


def restore(table: DeltaTable, request: VersionsRequest, record: CommitRecord, place: Place) -> int:
    """Commit on top of `table`; the version that this made. JobErrors as of `rollback`."""
    require_conditional_put(place, request.output)
    attempt = uuid.uuid4().hex
    sequence = (table.transaction_version(request.app_id) or 0) + 1
    properties = commit_properties(request.app_id, attempt, record.commit.model_copy(update={"sequence": sequence}), record.functions, restored=request.version)
    try:
        with writing(request.output, place):
            table.restore(request.version, commit_properties=properties)
        return int(table.version())
    except Exception as error:  # noqa: BLE001 it is raised again, or what failed came after the commit
        landed = _landed(place, attempt, error, request)
        if landed is None:
            raise _why(error, request, place) from None
        return landed


def _landed(place: Place, attempt: str, failure: Exception, request: VersionsRequest) -> int | None:
    """After a failure: the version that this attempt made, None when it made none. JobError when the log cannot be read either."""
    try:
        return version_of(open_table(place), attempt)
    except (DeltaError, OSError, JobError):
        reason, why = (failure.reason, failure.message) if isinstance(failure, JobError) else (JobReason.STORAGE_UNAVAILABLE, f"{request.output}: its log cannot be read")
        advice = f"whether version {request.version} was restored is not known: ask again, which finds it if it was"
        raise JobError(reason, f"{why}; {advice}") from None


def _why(error: Exception, request: VersionsRequest, place: Place) -> Exception:
    """What a failure means that made no version."""
    if isinstance(error, JobError):
        return error
    if isinstance(error, CommitFailedError) or (isinstance(error, DeltaError) and "already exists" in str(error)):
        return JobError(JobReason.SUPERSEDED, f"{request.output}: a run was committed meanwhile, and nothing was restored: look at it, and ask again")
    if lacks_files(place, at_version(place, request.output, request.version)):
        return gone(request.output, request.version)
    return error
