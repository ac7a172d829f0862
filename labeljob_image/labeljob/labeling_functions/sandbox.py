"""What the process of `python` functions may do: Landlock where the kernel has it, limits of the process everywhere. Standard library only.

Landlock is the kernel's own way for a process without privileges to give up rights, for itself and all that it starts: here reading any file
but libraries and the functions' folders, writing any but in its own folder, TCP, and signals to other processes. It also bars a look into the
memory or environment of a process outside. It must come before the first thread.
"""

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Iterable
from pathlib import Path

CREATE, ADD, RESTRICT = 444, 445, 446  # system calls, the same on every architecture that we build for
VERSION_FLAG, PATH_BENEATH = 1, 1
SET_PDEATHSIG, NO_NEW_PRIVILEGES = 1, 38  # prctl
EXECUTE, READ_FILE, READ_DIR = 1 << 0, 1 << 2, 1 << 3
FILE_RIGHTS = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14 | 1 << 15  # the others are about entries of a folder
RIGHTS_SINCE = ((1, 13), (2, 14), (3, 15), (5, 16))  # from this version on the lowest so many rights of files are known
NET_SINCE, SCOPE_SINCE = 4, 6
LIBRARIES = ("/usr", "/lib", "/lib64", "/bin", "/nix/store", "/etc/ld.so.cache", "/etc/localtime", "/etc/ssl")
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/proc/self", "/proc/cpuinfo", "/proc/meminfo")


class _Ruleset(ctypes.Structure):
    _fields_ = [("files", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32)]


def confine(readable: Iterable[str], writable: Iterable[str]) -> int:
    """Give up all but these files and what the system's libraries need; returns the version of Landlock, 0 where there is none.

    Raises:
        OSError: there is Landlock, and it refused.
    """
    version = landlock_version()
    if version == 0:
        return 0
    libc = ctypes.CDLL(None, use_errno=True)
    rights = (1 << max(bits for since, bits in RIGHTS_SINCE if version >= since)) - 1
    ruleset = _Ruleset(rights, 3 if version >= NET_SINCE else 0, 3 if version >= SCOPE_SINCE else 0)
    size = 24 if version >= SCOPE_SINCE else 16 if version >= NET_SINCE else 8
    handle = _checked(libc.syscall(CREATE, ctypes.byref(ruleset), ctypes.c_size_t(size), ctypes.c_uint32(0)))
    for path in (*LIBRARIES, *DEVICES, *readable):
        _allow(libc, handle, path, EXECUTE | READ_FILE | READ_DIR)
    for path in (*writable, "/dev/null"):
        _allow(libc, handle, path, rights)
    _checked(libc.prctl(NO_NEW_PRIVILEGES, ctypes.c_ulong(1), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0)))
    _checked(libc.syscall(RESTRICT, ctypes.c_int(handle), ctypes.c_uint32(0)))
    os.close(handle)
    return version


def landlock_version() -> int:
    """Of this kernel; 0 where there is none, or it is switched off."""
    if sys.platform != "linux":
        return 0
    return max(0, int(ctypes.CDLL(None).syscall(CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(VERSION_FLAG))))


def _allow(libc: ctypes.CDLL, handle: int, path: str, rights: int) -> None:
    if not Path(path).exists():
        return
    parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = _PathBeneath(rights if Path(path).is_dir() else rights & FILE_RIGHTS, parent)
        _checked(libc.syscall(ADD, ctypes.c_int(handle), ctypes.c_int(PATH_BENEATH), ctypes.byref(rule), ctypes.c_uint32(0)))
    finally:
        os.close(parent)


def _checked(returned: int) -> int:
    if returned < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return returned


def end_with_parent(parent: int) -> None:
    """Be killed when the job ends, however it does; elsewhere than on Linux, the process ends when it next waits for the job.

    Args:
        parent: the job's process id; when it has ended already, so does this process.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL))
    if os.getppid() != parent:
        sys.exit()


def bound(memory_bytes: int) -> None:
    """Leave no core dump, which would hold rows; take at most so much memory more than now."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        now = int(Path("/proc/self/status").read_text().partition("VmData:")[2].split()[0]) << 10
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        limit = now + memory_bytes if most == resource.RLIM_INFINITY else min(now + memory_bytes, most)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
