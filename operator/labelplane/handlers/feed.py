"""From an event to the cache and the queue."""

from collections.abc import Callable, Mapping
from typing import Any

from labelplane.api.groups import OWNER_KIND_LABEL, STEP_LABEL, Key
from labelplane.cluster.cache import Cache, key_of, same_version
from labelplane.cluster.paths import WatchedPath
from labelplane.handlers.queue import WorkQueue
from labelplane.resources.pod_times import seconds_run

JobFinished = Callable[[str, str], None]
PodEnded = Callable[[str, str, str, float], None]


class Feed:
    """Takes in what the watches say, and wakes the resources that it may concern."""

    def __init__(self, cache: Cache, queue: WorkQueue[Key], job_finished: JobFinished, pod_ended: PodEnded = lambda kind, namespace, step, seconds: None) -> None:
        self._cache = cache
        self._queue = queue
        self._job_finished = job_finished
        self._pod_ended = pod_ended

    def event(self, event_type: str | None, raw: Mapping[str, Any]) -> None:
        """One event of a watch, or one object of its first list (type None).

        The event of our own write finds the cache up to date: it wakes those who depend on the object, not the object.
        """
        key, known = key_of(raw), self._cache.get(key_of(raw))
        woken = self._cache.woken_by(raw)
        if self._cache.drop(raw) if event_type == "DELETED" else self._cache.put(raw):
            self._count_finished(known, raw)
            self._wake(woken | self._cache.woken_by(raw))
        elif event_type is not None and known is not None and same_version(known, raw):
            self._wake(woken - {key})

    def listed(self, watched: WatchedPath, items: list[dict[str, Any]], version: str) -> None:
        """A whole list: what is missing from it is gone.

        It stands for all events that a broken watch did not bring, the echo of our own writes among them: those who depend on an
        object are woken even where the cache knew it already.
        """
        collection = watched.collection
        typed = [{"kind": collection.kind, "apiVersion": collection.api_version, **item} for item in items]
        before = {key: raw for key, raw in self._cache if key.kind == collection.kind}
        changed = self._cache.replace(collection.kind, watched.namespace, typed, version)
        woken = {key for item in typed for key in self._cache.woken_by(item) - {key_of(item)}}
        for key in changed:
            now = self._cache.get(key)
            woken.update(*(self._cache.woken_by(raw) for raw in (before.get(key), now) if raw is not None))
        self._wake(woken)

    def resync(self) -> None:
        """Look at every resource again."""
        self._wake({key for key, _ in self._cache.resources()})

    def _wake(self, keys: set[Key]) -> None:
        for key in sorted(keys):
            self._queue.add(key)

    def _count_finished(self, before: Mapping[str, Any] | None, now: Mapping[str, Any]) -> None:
        """Only an end that we have seen coming is counted: a restart counts nothing twice."""
        if before is None:
            return
        labels = now["metadata"].get("labels") or {}
        if now["kind"] == "Job" and not job_outcome(before) and (outcome := job_outcome(now)):
            self._job_finished(str(labels.get(STEP_LABEL, "")), outcome)
        if now["kind"] == "Pod" and seconds_run(before) is None and (seconds := seconds_run(now)) is not None:
            self._pod_ended(str(labels.get(OWNER_KIND_LABEL, "")), key_of(now).namespace, str(labels.get(STEP_LABEL, "")), seconds)


def job_outcome(job: Mapping[str, Any]) -> str | None:
    """succeeded or failed; None while the Job runs."""
    conditions = (job.get("status") or {}).get("conditions") or ()
    true = {condition.get("type") for condition in conditions if condition.get("status") == "True"}
    return "succeeded" if "Complete" in true else "failed" if "Failed" in true else None
