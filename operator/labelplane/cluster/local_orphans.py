"""Steps whose end nobody can tell: those of a command line that is gone, and those whose process that forked them is gone. They may go on."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labeljob.contract.reasons import ExitCode
from labeljob.contract.result import JobResult

GRACE_SECONDS = 30.0  # as a pod has
LOOK_SECONDS = 0.01
ZOMBIE = "Z"


def birth_of(pid: int) -> str | None:
    """When the process began, as the system tells it; None when no such process runs. A pid alone may be another's by now."""
    try:
        said = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        if Path("/proc/self/stat").exists():
            return None
    else:
        return None if said[0] == ZOMBIE else said[19]
    listed = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout.strip()
    return listed or None


def code_of_orphan(folder: Path, record: Mapping[str, Any], grace: float = GRACE_SECONDS) -> int:
    """End the step of the record if it still runs, and say how it ended: by what it reported, else as by a kill.

    It is gone before this returns: two attempts at once would both write. `grace`: seconds from SIGTERM to SIGKILL.
    """
    if record.get("birth") is not None and birth_of(int(record["pid"])) == record["birth"]:
        _end(int(record["pid"]), record["birth"], grace)
    result = folder / "result.json"
    if result.exists() and result.stat().st_size:
        failure = JobResult.model_validate_json(result.read_text()).failure
        return 0 if failure is None else int(ExitCode.TRANSIENT)
    return -signal.SIGKILL


def _end(pid: int, birth: str, grace: float) -> None:
    """SIGTERM, and SIGKILL where that does not help in time; back when it is gone."""
    killed, until = False, time.monotonic() + grace
    _signal(pid, signal.SIGTERM)
    while birth_of(pid) == birth:
        if not killed and time.monotonic() >= until:
            killed = True
            _signal(pid, signal.SIGKILL)
        time.sleep(LOOK_SECONDS)


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
