"""What `labelplane diff` and `labelplane rollback` ask about the versions of an output table."""

from typing import Literal

from labeljob.contract.base import Wire
from labeljob.contract.config import Access, Mount


class VersionsRequest(Wire):
    """Two versions to compare, or one to restore."""

    action: Literal["diff", "rollback"]
    job: str  # name of the LabelJob, as shown
    mounts: tuple[Mount, ...]
    access: tuple[Access, ...] = ()
    output: str
    app_id: str
    artifacts: str
    before: int | None = None  # diff: the earlier version
    version: int  # diff: the later one; rollback: the one to restore
