"""A module of `python` functions, good and bad ones, as a user may have written it; `RULES` is its source."""

import os
from pathlib import Path
from typing import Any

LEFTOVER = f"a leftover of {os.getpid()}"  # no other run's
RULES = '''
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc


def texts(batch):
    return batch.column("message").to_pylist()


def large(batch):
    """The columns are those asked for, in that order."""
    assert batch.schema.names == ["count", "message"]
    assert batch.num_rows <= 8192
    return pc.if_else(pc.greater(batch.column("count"), 2), "risky", pa.scalar(None, pa.string()))


def dictionary(batch):
    return pa.array(["normal"] * batch.num_rows).dictionary_encode()


def chunked(batch):
    return pa.chunked_array([pa.array(["risky"] * (batch.num_rows - 1), pa.large_string()), pa.array([None], pa.large_string())])


def silent(batch):
    return pa.nulls(batch.num_rows)


def too_short(batch):
    return pa.array(["risky"])[: batch.num_rows - 1]


def a_list(batch):
    return ["risky"] * batch.num_rows


def numbers(batch):
    return pa.array([1] * batch.num_rows)


def other_class(batch):
    return pa.array(["hazardous" if text == "bad" else "normal" for text in texts(batch)])


def raises(batch):
    for text in texts(batch):
        if text == "bad":
            raise KeyError("planted-value")
    return pa.array(["normal"] * batch.num_rows)


def raises_by_name(batch):
    raise type("planted-value", (Exception,), {})


def exits(batch):
    if "bad" in texts(batch):
        sys.exit(7)
    return pa.array(["normal"] * batch.num_rows)


def prints(batch):
    """More than a pipe holds."""
    print("planted-value" * 100_000)
    print("planted-value" * 100_000, file=sys.stderr)
    os.write(1, b"planted-value" * 100_000)
    return pa.array(["normal"] * batch.num_rows)


def spies(batch):
    """Risky where anything of the job's is to be seen."""
    found = [name for name in os.environ if name.startswith("PLANTED")]
    found += [name for name in os.listdir(".")] + [name for name in sys.argv[1:]]
    found += [number for number in os.listdir("/proc/self/fd") if os.path.realpath(f"/proc/self/fd/{number}").startswith("/planted")]
    return pa.array(["risky" if found else "normal"] * batch.num_rows)


def looks_around(batch):
    """Risky where anything outside can be read, written, called or signalled."""
    attempts = [
        lambda: Path(f"/proc/{os.getppid()}/environ").read_bytes(),
        lambda: Path("/etc/passwd").read_bytes(),
        lambda: os.listdir("/"),
        lambda: Path("/dev/shm/planted").write_text("x"),
        lambda: os.kill(os.getppid(), 0),
        lambda: socket.create_connection(("127.0.0.1", PORT), 1),
    ]
    allowed = []
    for position, attempt in enumerate(attempts):
        try:
            attempt()
            allowed.append(position)
        except (PermissionError, FileNotFoundError):
            pass
    Path("mine").write_text("x")
    Path("mine").unlink()
    return pa.array(["risky" if allowed else "normal"] * batch.num_rows)


PORT = 9


def dies(batch):
    if "die" in texts(batch):
        os.kill(os.getpid(), 9)
    return pa.array(["normal"] * batch.num_rows)


def always_dies(batch):
    os._exit(0)


def forks_and_dies(batch):
    """Its child holds all that it has open."""
    if "fork" in texts(batch):
        if os.fork() == 0:
            time.sleep(1000)
        os._exit(3)
    return pa.array(["normal"] * batch.num_rows)


def hangs(batch):
    threading.Event().wait()


def hoards(batch):
    if "hoard" in texts(batch):
        bytearray(1 << 30)
    return pa.array(["normal"] * batch.num_rows)


def garbles(batch):
    for number in os.listdir("/proc/self/fd"):
        try:
            os.write(int(number), b"garbage" * 1000)
        except OSError:
            pass
    return pa.array(["normal"] * batch.num_rows)


def leaves_a_child(batch):
    child = subprocess.Popen(["sh", "-c", "echo started; sleep 1000; :", LEFTOVER], stdout=subprocess.PIPE)
    child.stdout.readline()
    return pa.array(["normal"] * batch.num_rows)


def counts_rows(batch):
    """Not row by row."""
    return pa.array(["risky" if batch.num_rows > 1 else "normal"] * batch.num_rows)


not_callable = 1
'''
RULES += f"LEFTOVER = {LEFTOVER!r}\n"


def write(folder: Path, **modules: str) -> str:
    """Modules into a folder; returns it."""
    for name, source in modules.items():
        (folder / f"{name}.py").write_text(source)
    return str(folder)


def python(function: str, *columns: str, module: str = "rules", **more: Any) -> dict[str, Any]:
    return {"python": {"entrypoint": f"{module}:{function}", "columns": list(columns or ("message",)), **more}}
