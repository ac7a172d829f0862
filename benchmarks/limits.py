"""A memory cgroup of our own: the kernel holds whoever is in it to a limit, and kills what goes beyond, as it does with a pod."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
NAME = f"labelplane-bench-{os.getpid()}"
CONTROLLERS = ((CGROUPS / "memory", "memory.limit_in_bytes"), (CGROUPS, "memory.max"))  # of cgroup v1, of v2


@contextmanager
def limited(limit: int) -> Iterator[Path | None]:
    """The file that a process writes its id to in order to be limited to so many bytes; None where no cgroup can be made, which needs root."""
    group = _made(limit)
    try:
        yield group / "cgroup.procs" if group else None
    finally:
        if group:
            group.rmdir()


def _made(limit: int) -> Path | None:
    for parent, setting in CONTROLLERS:
        group = parent / NAME
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            (group / setting).write_text(str(limit))
        except OSError:
            group.rmdir()
            continue
        return group
    return None
