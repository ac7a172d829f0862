"""An Indexed Job as its status and pods tell of it. Its own status says which parts are done; pods are read only for what it cannot say."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from labelplane.plan.observed import Indexes, PodProblem
from labelplane.resources.claims import waits_for_volumes_since
from labelplane.resources.job import FINAL_EXIT_CODES
from labelplane.resources.pod_problems import pod_problem
from labelplane.resources.pod_times import ends, instant

INDEX = "batch.kubernetes.io/job-completion-index"  # a label and an annotation of each pod
Raw = Mapping[str, Any]


def is_indexed(job: Raw) -> bool:
    return bool(job.get("spec", {}).get("completionMode") == "Indexed")


def indexes_of(job: Raw, pods: Sequence[Raw]) -> Indexes:
    """How far the parts are."""
    status, total = job.get("status") or {}, int(job["spec"].get("completions") or 0)
    done = frozenset(numbers(status.get("completedIndexes")))
    return Indexes(total, len(done), tuple(numbers(status.get("failedIndexes"))), _rows(pods, done))


def numbers(ranges: str | None) -> Iterator[int]:
    """`0,2-4` is 0, 2, 3, 4."""
    for part in filter(None, (ranges or "").split(",")):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def index_of(pod: Raw) -> int:
    """The pod's index; -1 for one that has none."""
    metadata = pod["metadata"]
    found = (metadata.get("annotations") or {}).get(INDEX) or (metadata.get("labels") or {}).get(INDEX)
    return int(found) if found is not None and str(found).isdigit() else -1


def culprit(pods: Iterable[Raw], failed: Iterable[int]) -> Raw | None:
    """The pod that made the Job fail: one that no retry could help, else one of an index that was given up.

    A Job that fails ends its other pods, so that what the newest of them says is that it was stopped.
    """
    given_up = frozenset(failed)
    bad = [(pod, code) for pod in pods if (code := _exit_code(pod)) not in (None, 0) or pod.get("status", {}).get("phase") == "Failed"]
    final = [pod for pod, code in bad if code in FINAL_EXIT_CODES]
    chosen = final or [pod for pod, _ in bad if index_of(pod) in given_up] or ([] if given_up else [pod for pod, _ in bad])
    lowest = min((index_of(pod) for pod in chosen), default=None)
    newest = sorted((pod for pod in chosen if index_of(pod) == lowest), key=lambda pod: pod["metadata"].get("creationTimestamp") or "")
    return newest[-1] if newest else None


def trouble(job: Raw, pods: Iterable[Raw]) -> tuple[int, PodProblem] | None:
    """The lowest part that is not done and whose pod does not run, and why. That some parts wait for room while others run is no trouble."""
    status = job.get("status") or {}
    done, some_run = frozenset(numbers(status.get("completedIndexes"))), bool(status.get("ready"))
    by_index: dict[int, list[Raw]] = {}
    every = list(pods)
    for pod in every:
        index = index_of(pod)
        if index not in done and pod.get("status", {}).get("phase") != "Running" and not (some_run and is_unscheduled(pod)):
            by_index.setdefault(index, []).append(pod)
    for index in sorted(by_index):
        found = pod_problem(sorted(by_index[index], key=lambda pod: pod["metadata"].get("creationTimestamp") or ""))
        if found is not None:
            return index, found if found.since is None else replace(found, since=max([found.since, *_ends(every)]))
    return None


def volumes_awaited_since(job: Raw, pods: Sequence[Raw]) -> datetime | None:
    """Since when the pod that has waited longest for its volumes does, if no pod runs."""
    if (job.get("status") or {}).get("ready"):
        return None
    waits = [since for pod in pods if (since := waits_for_volumes_since([pod])) is not None]
    return max([min(waits), *_ends(pods)]) if waits else None


def _ends(pods: Iterable[Raw]) -> list[datetime]:
    """When containers ended: until then a pod of the Job had what the others wait for."""
    return [moment for pod in pods for one in ends(pod) if (moment := instant(one.get("finishedAt"))) is not None]


def is_unscheduled(pod: Raw) -> bool:
    """No node has taken it."""
    conditions = pod.get("status", {}).get("conditions") or []
    return any(one["type"] == "PodScheduled" and one["status"] == "False" for one in conditions)


def _rows(pods: Iterable[Raw], done: frozenset[int]) -> int | None:
    """Rows of the parts that are done: as many in those whose pods are gone as in the others."""
    told: dict[int, int] = {}
    for pod in pods:
        index = index_of(pod)
        if index in done:
            rows = next((rows for ended in ends(pod) if (rows := rows_told(ended.get("message") or "")) is not None), None)
            if rows is not None:
                told[index] = rows
    return round(sum(told.values()) / len(told) * len(done)) if told else None


@lru_cache(maxsize=8192)
def rows_told(message: str) -> int | None:
    """Rows that a shard's result reports. Each message is read once, however often its Job is looked at."""
    try:
        rows = json.loads(message)["shard"]["rows"]
    except (ValueError, KeyError, TypeError):
        return None
    return rows if isinstance(rows, int) else None


def _exit_code(pod: Raw) -> int | None:
    return next((int(ended["exitCode"]) for ended in ends(pod)), None)
