"""Before anything is written to an object store: does it keep to If-None-Match? One that ignores it loses commits, and says nothing."""

from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.io.object_path import ObjectPath
from labeljob.io.places import Place

PROBE = "_labelplane_probe"  # readers of Delta and Parquet pass over names that begin with _
TEXT = b"Labelplane puts this object only where none is, to see that the store refuses to replace it. It may be deleted.\n"


def require_conditional_put(place: Place, uri: str) -> None:
    """Nothing to do on a volume. The object that was put stays: the next time its refusal, one request, is the proof.

    Raises:
        JobError: STORAGE_UNSAFE; STORAGE_DENIED when the key may not write there.
    """
    if isinstance(place, ObjectPath):
        probe = place / PROBE
        if _is_put(probe) and _is_put(probe):
            probe.unlink(missing_ok=True)
            message = f"{uri}: the store replaces an object although If-None-Match forbids it, so that two writers would lose commits: use a store that keeps to it"
            raise JobError(JobReason.STORAGE_UNSAFE, message)


def _is_put(probe: ObjectPath) -> bool:
    try:
        probe.put(TEXT, only_new=True)
    except FileExistsError:
        return False
    return True
