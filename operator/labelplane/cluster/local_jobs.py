"""Jobs on a laptop: child processes that run the same entry point as the job image. Their records survive the command line."""

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from labeljob.contract.config import JobConfig, Mount
from labeljob.contract.digests import canonical_json
from labeljob.contract.reasons import ExitCode
from labeljob.contract.result import JobResult
from labelplane.plan.actions import JobIntent
from labelplane.plan.observed import ObservedJob

ATTEMPTS = 4
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
    _children: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def start(self, owner_uid: str, intent: JobIntent) -> None:
        """Start the job unless it is there already."""
        if (self.root / intent.name / "record.json").exists():
            return
        folder = self.root / intent.name
        folder.mkdir(parents=True, exist_ok=True)
        config = intent.config.model_copy(update={"mounts": self._mounts(intent)})
        (folder / "config.json").write_bytes(canonical_json(config.wire()))
        record = {"uid": str(uuid.uuid4()), "owner": owner_uid, "step": config.step, "created": _now(), "attempts": 0, "exit": None}
        self._launch(intent.name, record)

    def observed(self, owner_uid: str) -> tuple[ObservedJob, ...]:
        """The jobs of a resource, oldest first."""
        records = {path.parent.name: self._followed(path.parent.name) for path in self.root.glob("*/record.json")}
        mine = ((name, record) for name, record in records.items() if record["owner"] == owner_uid)
        return tuple(self._observed(name, record) for name, record in sorted(mine, key=lambda pair: pair[1]["created"]))

    def delete(self, name: str) -> None:
        """End the child, if it runs, and forget the job."""
        child = self._children.pop(name, None)
        if child is not None and child.poll() is None:
            child.terminate()
            child.wait()
        for path in (self.root / name).glob("*"):
            path.unlink()
        (self.root / name).rmdir()

    def running(self) -> frozenset[str]:
        """Names of the jobs whose child runs."""
        return frozenset(name for name, child in self._children.items() if child.poll() is None)

    def progress(self) -> list[JobProgress]:
        """What each child that runs has logged last."""
        return [_progress(name, self.log(name)) for name, child in sorted(self._children.items()) if child.poll() is None]

    def stop(self) -> None:
        """End every child of this process; their jobs start again with the next command."""
        for child in self._children.values():
            if child.poll() is None:
                child.terminate()
        for child in self._children.values():
            child.wait()

    def log(self, name: str) -> Path:
        """The job's log: one JSON object a line."""
        return self.root / name / "log"

    def _mounts(self, intent: JobIntent) -> tuple[Mount, ...]:
        secrets = (f"secret://{one.secret}" for one in intent.config.access if one.secret)
        prefixes = dict.fromkeys(prefix_of(uri) for uri in (*intent.writes, *intent.reads, *secrets) if not uri.startswith("s3://"))
        return tuple(Mount(prefix=prefix, path=str(self._folder(prefix))) for prefix in prefixes)

    def _folder(self, prefix: str) -> Path:
        return self.folders[prefix] if prefix in self.folders else self.root.parent / "missing" / prefix.replace("://", "-")

    def _launch(self, name: str, record: dict[str, Any]) -> None:
        folder = self.root / name
        (folder / "result.json").unlink(missing_ok=True)
        command = [sys.executable, "-m", "labeljob.run", "--config", str(folder / "config.json"), "--result", str(folder / "result.json")]
        with (folder / "log").open("ab") as log:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self._children[name] = child
        self._write(name, record | {"pid": child.pid, "birth": _birth(child.pid), "attempts": record["attempts"] + 1, "exit": None})

    def _followed(self, name: str) -> dict[str, Any]:
        """The record, brought up to date: an ended child's exit code, or a new attempt where one can help."""
        record: dict[str, Any] = json.loads((self.root / name / "record.json").read_text())
        if record["exit"] is not None:
            return record
        child = self._children.get(name)
        code = child.poll() if child is not None else _code_of_orphan(self.root / name, record)
        if code is None:
            return record
        if code not in (0, ExitCode.BAD_SPEC, ExitCode.BAD_DATA, ExitCode.NO_ROOM) and record["attempts"] < ATTEMPTS:
            self._launch(name, record)
        else:
            self._write(name, record | {"exit": code, "finished": _now()})
        return json.loads((self.root / name / "record.json").read_text())  # type: ignore[no-any-return]

    def _observed(self, name: str, record: Mapping[str, Any]) -> ObservedJob:
        ended = record["exit"] is not None
        result = self.root / name / "result.json"
        return ObservedJob(
            name=name,
            uid=record["uid"],
            step=record["step"],
            state=("succeeded" if record["exit"] == 0 else "failed") if ended else "running",
            created_at=datetime.fromisoformat(record["created"]),
            finished_at=datetime.fromisoformat(record["finished"]) if ended else None,
            result=JobResult.model_validate_json(result.read_text()) if ended and result.exists() else None,
            attempts=record["attempts"],
        )

    def _write(self, name: str, record: Mapping[str, Any]) -> None:
        path = self.root / name / "record.json"
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(record))
        partial.replace(path)


def prefix_of(uri: str) -> str:
    """`pvc://claim`, `configmap://name`, `secret://name` or `file:`."""
    if uri.startswith("file:"):
        return "file:"
    scheme, rest = uri.split("://", 1)
    return f"{scheme}://{rest.split('/', 1)[0]}"


def run_once(config: JobConfig, folder: Path) -> JobResult:
    """Run one job to its end and return what it reports. Raises OSError when it left nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_bytes(canonical_json(config.wire()))
    command = [sys.executable, "-m", "labeljob.run", "--config", str(folder / "config.json"), "--result", str(folder / "result.json")]
    subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return JobResult.model_validate_json((folder / "result.json").read_text())


def _progress(name: str, log: Path) -> JobProgress:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - LOG_TAIL))
        lines = [line for line in file.read().split(b"\n") if line.startswith(b"{") and line.endswith(b"}")]
    records = (json.loads(line) for line in reversed(lines))
    last: dict[str, Any] = next((record for record in records if record.get("event") == "progress"), {})
    return JobProgress(name, last.get("phase", "starting"), last.get("rows_done", 0), last.get("rows_total"))


def _birth(pid: int) -> str | None:
    """When the process began, as the system tells it; None when there is no such process. A pid alone may be another's by now."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return None
    said = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout.strip()
    return said or None


def _code_of_orphan(folder: Path, record: Mapping[str, Any]) -> int | None:
    """A job whose command line is gone: what it reported, else ended as by a kill."""
    result = folder / "result.json"
    if result.exists() and result.stat().st_size:
        failure = JobResult.model_validate_json(result.read_text()).failure
        return 0 if failure is None else int(ExitCode.TRANSIENT)
    pid = int(record["pid"])
    if record.get("birth") is None or _birth(pid) != record["birth"]:
        return -signal.SIGKILL  # it is gone, and its number may be another's
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return -signal.SIGKILL
    return -signal.SIGTERM


def _now() -> str:
    return datetime.now(UTC).isoformat()
