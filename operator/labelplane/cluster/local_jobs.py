"""Jobs on a laptop: child processes in place of pods, one for a Job, or one for each index of an Indexed Job."""

import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from labeljob.contract.config import JobConfig, Mount
from labeljob.contract.digests import canonical_json
from labeljob.contract.result import JobResult
from labelplane.cluster.local_indexes import following, observed_indexes
from labelplane.cluster.local_processes import Processes, environment_of, now, read_record, write_record
from labelplane.plan.actions import JobIntent
from labelplane.plan.observed import ObservedJob

LOG_TAIL = 4096  # bytes; the last lines of a log


@dataclass(frozen=True)
class JobProgress:
    """How far a running job says that it is; `total` rows may not be known."""

    job: str
    phase: str
    done: int
    total: int | None


@dataclass
class LocalJobs:
    """Starts, follows and remembers jobs below `root`; `folders` maps a URI's prefix to a folder."""

    root: Path
    folders: Mapping[str, Path]
    processes: Processes = field(init=False)

    def __post_init__(self) -> None:
        self.processes = Processes(self.root, functions=self.folders.get("file:"))

    def start(self, owner_uid: str, intent: JobIntent) -> None:
        """Start the job unless it is there already; of an Indexed Job's children, as many as may run at once."""
        folder = self.root / intent.name
        if (folder / "record.json").exists():
            return
        folder.mkdir(parents=True, exist_ok=True)
        config = intent.config.model_copy(update={"mounts": self._mounts(intent)})
        (folder / "config.json").write_bytes(canonical_json(config.wire()))
        record = {"uid": str(uuid.uuid4()), "owner": owner_uid, "step": config.step, "created": now()}
        if intent.completions is None:
            self.processes.start(intent.name, folder / "config.json", record)
            return
        write_record(folder, record | {"completions": intent.completions, "atOnce": _at_once(intent.parallelism), "parts": {}, "exit": None})
        following(self.processes, intent.name)

    def observed(self, owner_uid: str) -> tuple[ObservedJob, ...]:
        """The jobs of a resource, oldest first."""
        records = {path.parent.name: self._followed(path.parent.name) for path in self.root.glob("*/record.json")}
        mine = ((name, record) for name, record in records.items() if record["owner"] == owner_uid)
        return tuple(self._observed(name, record) for name, record in sorted(mine, key=lambda pair: pair[1]["created"]))

    def delete(self, name: str) -> None:
        """End its children, those that run, and forget the job."""
        for child in [child for child in self.processes.children if _job_of(child) == name]:
            self.processes.end(child)
        shutil.rmtree(self.root / name)

    def running(self) -> frozenset[str]:
        """The children that run: the name of a Job, or `<Job>/<index>`."""
        return self.processes.running()

    def progress(self) -> list[JobProgress]:
        """What each job that runs has logged last."""
        running = self.running()
        return [self._progress(job, sorted(name for name in running if _job_of(name) == job)) for job in sorted({_job_of(name) for name in running})]

    def stop(self) -> None:
        """End every child of this process; their jobs start again with the next command."""
        self.processes.stop()

    def log(self, name: str) -> Path:
        """A child's log: one JSON object a line."""
        return self.root / name / "log"

    def _mounts(self, intent: JobIntent) -> tuple[Mount, ...]:
        secrets = (f"secret://{one.secret}" for one in intent.config.access if one.secret)
        prefixes = dict.fromkeys(prefix_of(uri) for uri in (*intent.writes, *intent.reads, *secrets, *(ref.uri for ref in intent.secrets)) if not uri.startswith("s3://"))
        return tuple(Mount(prefix=prefix, path=str(self._folder(prefix))) for prefix in prefixes)

    def _folder(self, prefix: str) -> Path:
        return self.folders[prefix] if prefix in self.folders else self.root.parent / "missing" / prefix.replace("://", "-")

    def _followed(self, name: str) -> dict[str, Any]:
        indexed = "completions" in read_record(self.root / name)
        return following(self.processes, name) if indexed else self.processes.followed(name)

    def _observed(self, name: str, record: Mapping[str, Any]) -> ObservedJob:
        ended = record["exit"] is not None
        job = ObservedJob(
            name=name,
            uid=record["uid"],
            step=record["step"],
            state=("succeeded" if record["exit"] == 0 else "failed") if ended else "running",
            created_at=datetime.fromisoformat(record["created"]),
            finished_at=datetime.fromisoformat(record["finished"]) if ended else None,
        )
        return observed_indexes(self.processes, job, record) if "completions" in record else self._with_result(job, record)

    def _with_result(self, job: ObservedJob, record: Mapping[str, Any]) -> ObservedJob:
        spent = record.get("seconds") or None
        return replace(job, attempts=record["attempts"], result=self.processes.result(job.name) if job.finished else None, pod_seconds=spent if job.finished else None)

    def _progress(self, job: str, children: list[str]) -> JobProgress:
        """Of an Indexed Job, the shards that are done, and rows of all that are done or run."""
        told = [_logged(self.log(child)) for child in children]
        if children == [job]:
            return JobProgress(job, told[0].get("phase", "starting"), told[0].get("rows_done", 0), told[0].get("rows_total"))
        record = read_record(self.root / job)
        rows = sum(part["rows"] or 0 for part in record["parts"].values()) + sum(one.get("rows_done", 0) for one in told)
        return JobProgress(job, f"{len(record['parts'])}/{record['completions']} shards", rows, None)


def _at_once(parallelism: int) -> int:
    """No more than there are CPUs, and GiB of memory: pods have theirs, children share the machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(parallelism, os.cpu_count() or 1, memory >> 30))


def _job_of(child: str) -> str:
    return child.partition("/")[0]


def prefix_of(uri: str) -> str:
    """`pvc://claim`, `configmap://name`, `secret://name` or `file:`."""
    if uri.startswith("file:"):
        return "file:"
    scheme, rest = uri.split("://", 1)
    return f"{scheme}://{rest.split('/', 1)[0]}"


def run_once(config: JobConfig, folder: Path, functions: Path) -> JobResult:
    """Run one job to its end and return what it reports; `functions`: the folder of modules. Raises OSError when it left nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_bytes(canonical_json(config.wire()))
    command = [sys.executable, "-m", "labeljob.run", "--config", str(folder / "config.json"), "--result", str(folder / "result.json")]
    subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False, env=environment_of(functions))
    return JobResult.model_validate_json((folder / "result.json").read_text())


def _logged(log: Path) -> dict[str, Any]:
    """The last line of progress in a log."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - LOG_TAIL))
        lines = [line for line in file.read().split(b"\n") if line.startswith(b"{") and line.endswith(b"}")]
    records = (json.loads(line) for line in reversed(lines))
    last: dict[str, Any] = next((record for record in records if record.get("event") == "progress"), {})
    return last
