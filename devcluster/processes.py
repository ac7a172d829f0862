"""Long-running processes of a cluster: started apart from us, known by pid and start time, ended only if they are ours."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from devcluster.folders import ClusterFolders

# Starts the program as a grandchild in a session of its own, so that it outlives us and init collects it.
_LAUNCHER = """
import subprocess, sys
log = open(sys.argv[1], "ab")
print(subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True).pid)
"""


@dataclass(frozen=True)
class Component:
    """One program of a cluster and how it is started."""

    name: str
    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()


def start(folders: ClusterFolders, component: Component) -> bool:
    """Start the component unless it runs. Returns whether it was started."""
    if is_running(folders, component.name):
        return False
    environment: Mapping[str, str] = os.environ | dict(component.environment)
    log = str(folders.logs / f"{component.name}.log")
    launcher = [sys.executable, "-c", _LAUNCHER, log, *component.command]
    launched = subprocess.run(launcher, env=environment, cwd=folders.root, check=True, capture_output=True, text=True)
    _record(folders, component.name, int(launched.stdout))
    return True


def is_running(folders: ClusterFolders, name: str) -> bool:
    """Whether the process that we started still runs (and its pid was not given to another)."""
    record = _recorded(folders, name)
    return record is not None and _start_time(record["pid"]) == record["started"]


def pid_of(folders: ClusterFolders, name: str) -> int:
    """Pid of a running component. Raises LookupError when it does not run."""
    record = _recorded(folders, name)
    if record is None or not is_running(folders, name):
        raise LookupError(f"{name} does not run")
    return record["pid"]


def stop(folders: ClusterFolders, name: str, *, timeout: float = 10.0) -> None:
    """End the process that we started: SIGTERM, then SIGKILL after `timeout` seconds."""
    if is_running(folders, name):
        pid = pid_of(folders, name)
        os.kill(pid, signal.SIGTERM)
        if not _ended(folders, name, timeout):
            os.kill(pid, signal.SIGKILL)
            _ended(folders, name, timeout)
    (folders.pids / name).unlink(missing_ok=True)


def running(folders: ClusterFolders) -> Sequence[str]:
    """Names of all components that run."""
    if not folders.pids.exists():
        return ()
    return tuple(path.name for path in sorted(folders.pids.iterdir()) if is_running(folders, path.name))


def log_tail(folders: ClusterFolders, name: str, lines: int = 15) -> str:
    """The end of a component's log, for error messages."""
    path = folders.logs / f"{name}.log"
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else "(no log)"


def _ended(folders: ClusterFolders, name: str, timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if not is_running(folders, name):
            return True
        time.sleep(0.05)
    return False


def _record(folders: ClusterFolders, name: str, pid: int) -> None:
    (folders.pids / name).write_text(json.dumps({"pid": pid, "started": _start_time(pid)}))


def _recorded(folders: ClusterFolders, name: str) -> dict[str, int] | None:
    path = folders.pids / name
    return json.loads(path.read_text()) if path.exists() else None


def _start_time(pid: int) -> int | None:
    """Start time in clock ticks since boot (field 22 of /proc/pid/stat); None when it does not run or is a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in ("Z", "X") else int(fields[19])
