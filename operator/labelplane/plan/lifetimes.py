"""When Jobs go: superseded ones at once while they run, finished ones after their lifetime and never before status holds their result."""

from collections.abc import Collection
from datetime import datetime, timedelta

from labelplane.plan.actions import DeleteJob
from labelplane.plan.observed import Observed

DEFAULT_SECONDS = 168 * 3600.0


def expired(observed: Observed, *, needed: Collection[str], seconds: float, now: datetime) -> tuple[tuple[DeleteJob, ...], float | None]:
    """Jobs to delete now, and seconds until the next one is due. Those in `needed` have a result that is not in status yet."""
    deletions: list[DeleteJob] = []
    due: list[float] = []
    for job in observed.jobs:
        if job.name in needed or job.deleting:
            continue
        end = (job.finished_at or now) + timedelta(seconds=seconds if job.finished else 0)
        if end <= now:
            deletions.append(DeleteJob(job.name, job.uid))
        else:
            due.append((end - now).total_seconds())
    return tuple(deletions), min(due, default=None)
