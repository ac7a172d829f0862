"""A memory cgroup of our own: the kernel holds whoever is in it to a limit, and kills what goes beyond, as it does with a pod."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
NAME = f"labelplane-bench-{os.getpid()}"
PROCESSES = "cgroup.procs"
Controllers = Sequence[tuple[Path, str]]  # a folder that groups are made in, and the file of a group that holds its limit
CONTROLLERS: Controllers = ((CGROUPS / "memory", "memory.limit_in_bytes"), (CGROUPS, "memory.max"))  # of cgroup v1, of v2


@contextmanager
def limited(limit: int, controllers: Controllers = CONTROLLERS) -> Iterator[Path | None]:
    """The file that a process writes its id to in order to be limited to so many bytes; None where no cgroup can be made, which needs root."""
    group = _made(limit, controllers)
    try:
        yield group / PROCESSES if group else None
    finally:
        if group:
            group.rmdir()


def _made(limit: int, controllers: Controllers) -> Path | None:
    for parent, setting in controllers:
        group = parent / NAME
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            if all((group / file).exists() for file in (PROCESSES, setting)):  # the kernel made them: it is no folder of another kind
                (group / setting).write_text(str(limit))
                return group
        except OSError:
            pass
        group.rmdir()
    return None
