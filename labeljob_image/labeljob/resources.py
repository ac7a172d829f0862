"""What this process may use: the container's CPU quota and memory limit, read from cgroup v2 (v1 as second)."""

import os
import sys
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from labeljob.contract.config import SHARERS_VARIABLE

CGROUP = Path("/sys/fs/cgroup")
SHARE = 0.25  # of the memory limit for each DuckDB instance (functions, spool); Arrow batches and Python live in the rest

BATCH_ROWS = 65_536  # rows read, voted on and labelled at a time
BATCH_BYTES = 8 << 20  # of what is read at a time: fewer rows where they are long
PROCESS_SHARE = 0.75  # of a machine without a cgroup: what a job may have before an allocation fails, and its neighbours suffer


@dataclass(frozen=True)
class Resources:
    """Threads to use and bytes for DuckDB."""

    threads: int
    memory_bytes: int

    @property
    def memory_limit(self) -> str:
        """As DuckDB writes it."""
        return f"{max(64, self.memory_bytes >> 20)}MiB"


def available(cgroup: Path = CGROUP) -> Resources:
    """Threads = min(CPU quota rounded up, CPUs allowed); memory = a quarter of the smaller of limit and machine; both divided among sharers."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    machine = machine_memory()
    limit = _memory(cgroup)
    return Resources(max(1, min(cpus, _quota(cgroup) or cpus) // sharers()), int(SHARE * min(machine, limit or machine)) // sharers())


def sharers() -> int:
    """Jobs, this one among them, that whoever started it runs at once."""
    return int(os.environ.get(SHARERS_VARIABLE, "1"))


def machine_memory() -> int:
    """Bytes of the machine, whatever a cgroup allows."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def bound_memory(cgroup: Path = CGROUP, machine: int | None = None) -> int | None:
    """Bound this process where no cgroup does, as on a laptop; returns the bytes, None where it is left to the cgroup.

    DuckDB's memory limit binds its buffers, not what an expression builds. What the process may fill is bounded (RLIMIT_DATA),
    not its address space, of which allocators reserve far more than they use. Then an allocation fails, which is an error of
    the function that asked for it; otherwise the kernel would choose a victim.
    """
    total, limit = machine or machine_memory(), _memory(cgroup)
    if sys.platform != "linux" or (limit is not None and limit < total):
        return None
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    bound = int(PROCESS_SHARE * total) // sharers()
    resource.setrlimit(resource.RLIMIT_DATA, (bound if most == resource.RLIM_INFINITY else min(bound, most), most))
    return bound


def _quota(cgroup: Path) -> int | None:
    words = _read(cgroup / "cpu.max").split()
    if not words:
        words = [_read(cgroup / "cpu/cpu.cfs_quota_us").strip(), _read(cgroup / "cpu/cpu.cfs_period_us").strip()]
    if len(words) != 2 or not all(word.isdigit() for word in words):
        return None
    return max(1, ceil(int(words[0]) / int(words[1])))


def _memory(cgroup: Path) -> int | None:
    text = _read(cgroup / "memory.max").strip() or _read(cgroup / "memory/memory.limit_in_bytes").strip()
    return int(text) if text.isdigit() else None


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
