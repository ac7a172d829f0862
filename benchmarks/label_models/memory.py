"""Peak memory of this process."""

import resource
import sys
from pathlib import Path

STATUS = Path("/proc/self/status")
CLEAR = Path("/proc/self/clear_refs")


def reset_peak() -> float:
    """Forget the peak so far where the system can (Linux); the resident memory now, in MB."""
    try:
        CLEAR.write_text("5")
        return _field("VmRSS")
    except OSError:
        return peak()


def peak() -> float:
    """The highest resident memory since `reset_peak`, in MB (10^6 bytes)."""
    try:
        return _field("VmHWM")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def _field(name: str) -> float:
    (line,) = [one for one in STATUS.read_text().splitlines() if one.startswith(name + ":")]
    return int(line.split()[1]) * 1024 / 1e6
