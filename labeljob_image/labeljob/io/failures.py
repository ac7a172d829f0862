"""What goes wrong while writing, as reasons a person can act on."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

from deltalake.exceptions import CommitFailedError

from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.io.places import Place, refusal

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}


@contextmanager
def writing(uri: str, place: Place | None = None) -> Iterator[None]:
    """Turns errors of the file system under `uri` into VOLUME_FULL or OUTPUT_NOT_WRITABLE, and those of an object store into its reasons; others pass."""
    try:
        yield
    except (JobError, CommitFailedError):
        raise
    except Exception as error:
        known = (refusal(place, error) if place is not None else None) or _known(error, uri)
        if known is not None:
            raise known from None
        raise


def _known(error: Exception, uri: str) -> JobError | None:
    code = error.errno if isinstance(error, OSError) else None
    if code is None and (found := re.search(r"\(os error (\d+)\)|code: (\d+)|\[errno (\d+)\]", str(error), re.IGNORECASE)):
        code = int(next(group for group in found.groups() if group))
    if code in _FULL:
        message = f"{uri}: no room left to write: enlarge the volume or free space; nothing of this run is visible"
        return JobError(JobReason.VOLUME_FULL, message)
    if code in _DENIED:
        message = f"{uri}: it cannot be written: check that the volume is not read-only and that runtime.fsGroup may write it"
        return JobError(JobReason.OUTPUT_NOT_WRITABLE, message)
    return None
