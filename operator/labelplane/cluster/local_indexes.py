"""An Indexed Job on a laptop: a child for each index, in a folder of the Job's, so many at once as its record says."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from labelplane.cluster.local_processes import Processes, Record, now, read_record, write_record
from labelplane.plan.observed import Indexes, ObservedJob


def following(processes: Processes, name: str) -> Record:
    """The Job's record, brought up to date; ended children make room for the next, and the first that fails for good ends the others."""
    record = read_record(processes.root / name)
    if record["exit"] is not None:
        return record
    before, parts = dict(record["parts"]), record["parts"]
    under_way = [index for index in _started(processes, name) if str(index) not in parts]
    for index in list(under_way):
        child = processes.followed(f"{name}/{index}")
        if child["exit"] is not None:
            parts[str(index)] = _ended(processes, name, index, child)
            under_way.remove(index)
    failed = _failed(parts)
    if failed:
        for index in under_way:
            processes.end(f"{name}/{index}")
        record |= {"exit": parts[str(failed[0])]["exit"], "finished": now()}
    elif len(parts) == record["completions"]:
        record |= {"exit": 0, "finished": now()}
    else:
        _start_next(processes, name, record, len(under_way))
    if parts != before or record["exit"] is not None:
        write_record(processes.root / name, record)
    return record


def observed_indexes(processes: Processes, job: ObservedJob, record: Mapping[str, Any]) -> ObservedJob:
    """What a decision needs to know of it."""
    parts = record["parts"]
    rows = [part["rows"] for part in parts.values() if part["rows"] is not None]
    failed = _failed(parts)
    done = len(parts) - len(failed)
    indexes = Indexes(record["completions"], done, failed, sum(rows) if rows else None)
    spent = sum(part["seconds"] for part in parts.values())
    observed = replace(job, indexes=indexes, pod_seconds=spent if job.finished else None)
    if not failed:
        return observed
    attempts = parts[str(failed[0])]["attempts"]
    return replace(observed, index=failed[0], attempts=attempts, result=processes.result(f"{job.name}/{failed[0]}"))


def _start_next(processes: Processes, name: str, record: Record, running: int) -> None:
    started = _started(processes, name)
    free = (index for index in range(record["completions"]) if index not in started)
    for index, _ in zip(free, range(record["atOnce"] - running), strict=False):
        child = {"uid": record["uid"], "owner": record["owner"], "step": record["step"], "created": now()}
        processes.start(f"{name}/{index}", processes.root / name / "config.json", child, index, record["atOnce"])


def _started(processes: Processes, name: str) -> set[int]:
    """Indexes whose child was started, by this command line or an earlier one."""
    return {int(path.parent.name) for path in (processes.root / name).glob("*/record.json")}


def _ended(processes: Processes, name: str, index: int, child: Record) -> Record:
    result = processes.result(f"{name}/{index}")
    rows = result.shard.rows if result is not None and result.shard is not None else None
    return {"exit": child["exit"], "seconds": child["seconds"], "attempts": child["attempts"], "rows": rows}


def _failed(parts: Mapping[str, Mapping[str, Any]]) -> tuple[int, ...]:
    return tuple(sorted(int(index) for index, part in parts.items() if part["exit"] != 0))
