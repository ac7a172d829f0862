"""The job's end of the process that `python` functions run in: started with nothing of the job's but the columns of a batch, and watched.

It inherits no environment but a path and a language, no open file but its end of a socket pair, an empty folder to work in, and nobody reads
what it prints. It leads a session of its own, so that what its functions start ends with it.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from labeljob.labeling_functions import python_frames as frames
from labeljob.labeling_functions.scope import ERROR_VOTE
from labeljob.votes import ABSTAIN

MODULE = "labeljob.labeling_functions.python_worker"
LOAD_SECONDS = 300.0
LOOK = 0.2  # seconds between looks whether the process lives: what it has started may hold its end of the socket open
Failures = Mapping[str, int]  # what -> rows


class Ended(Exception):
    """The process ended, or had to be ended; `how` is for people."""

    def __init__(self, how: str) -> None:
        super().__init__(how)
        self.how = how


class FunctionProcess:
    """One process. Whoever is told `Ended` closes it.

    Args:
        folders: where modules are looked for first. readable: what else their code is in.
        memory_bytes: what it may take beyond the bare process.
    """

    def __init__(self, classes: Sequence[str], folders: Sequence[str], memory_bytes: int, threads: int, readable: Sequence[str] = ()) -> None:
        self._classes = len(classes)
        self._loaded: set[int] = set()
        self._folder = tempfile.mkdtemp(prefix="functions-")
        self._socket, theirs = socket.socketpair()
        given = {
            "classes": list(classes), "folders": list(folders), "readable": list(readable), "memory": memory_bytes, "threads": threads,
            "scratch": self._folder, "job": os.getpid(),
        }  # fmt: skip
        command = [sys.executable, "-P", "-m", MODULE, str(theirs.fileno()), json.dumps(given)]
        quiet: Any = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
        with theirs:
            self._process = subprocess.Popen(
                command, **quiet, cwd=self._folder, env=_environment(self._folder, threads), pass_fds=[theirs.fileno()], start_new_session=True
            )

    def load(self, position: int, entrypoint: str) -> str | None:
        """Import a function unless that is done; why it cannot be, or None. Raises Ended."""
        if position in self._loaded:
            return None
        self._send(frames.LOAD, json.dumps({"position": position, "entrypoint": entrypoint}).encode(), LOAD_SECONDS)
        problem = self._json(frames.LOADED, LOAD_SECONDS).get("problem")
        if problem is None:
            self._loaded.add(position)
        return None if problem is None else str(problem)

    def call(self, position: int, batch: Any, allowance: int, seconds: float) -> tuple[npt.NDArray[np.int8], Failures]:
        """Votes of a loaded function, int8 [n_rows] with ERROR_VOTE where it fails, and of what how many rows fail. Raises Ended.

        Args:
            batch: pyarrow.RecordBatch of the function's columns.
            allowance: failing rows to find one by one. seconds: for each call of the function.
        """
        self._send(frames.CALL, json.dumps({"position": position, "allowance": allowance, "seconds": seconds}).encode(), seconds)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema) as stream:
            stream.write_batch(batch)
        self._send(frames.ROWS, sink.getvalue(), seconds)
        kind, payload = self._receive(batch.num_rows, seconds)
        while kind == frames.BEGIN:
            kind, payload = self._receive(batch.num_rows, seconds)
        votes: npt.NDArray[np.int8] = np.frombuffer(payload, np.int8)
        known = ((votes >= ABSTAIN) & (votes < self._classes)) | (votes == ERROR_VOTE)
        if kind != frames.VOTES or len(votes) != batch.num_rows or not known.all():
            raise self._garbled()
        return votes, {str(what): int(rows) for what, rows in self._json(frames.FAILURES, seconds).items()}

    def close(self) -> None:
        """End it and all that it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        self._socket.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _send(self, kind: int, payload: Any, seconds: float) -> None:
        self._socket.settimeout(seconds)
        try:
            self._socket.sendall(frames.HEADER.pack(kind, len(payload)))
            self._socket.sendall(payload)
        except TimeoutError:
            raise _late(seconds) from None
        except OSError:
            raise self._ended() from None

    def _json(self, kind: int, seconds: float) -> Mapping[str, Any]:
        found, payload = self._receive(frames.MOST_JSON, seconds)
        if found != kind:
            raise self._garbled()
        try:
            given = json.loads(payload)
        except ValueError:
            raise self._garbled() from None
        if not isinstance(given, dict):
            raise self._garbled()
        return given

    def _receive(self, most: int, seconds: float) -> tuple[int, bytes]:
        until = time.monotonic() + seconds
        kind, length = frames.HEADER.unpack(self._exactly(frames.HEADER.size, until, seconds))
        if length > most:
            raise self._garbled()
        return kind, self._exactly(length, until, seconds)

    def _exactly(self, length: int, until: float, seconds: float) -> bytes:
        data = bytearray()
        while len(data) < length:
            left = until - time.monotonic()
            if left <= 0:
                raise _late(seconds)
            self._socket.settimeout(min(left, LOOK))
            try:
                part = self._socket.recv(length - len(data))
            except TimeoutError:
                if self._process.poll() is not None:
                    raise self._ended() from None
                continue
            except OSError:
                raise self._ended() from None
            if not part:
                raise self._ended()
            data += part
        return bytes(data)

    def _ended(self) -> Ended:
        """It has hung up: how it ended, or that it goes on without us."""
        try:
            code = self._process.wait(LOOK)
        except subprocess.TimeoutExpired:
            return Ended("hung up")
        if code == frames.OUT_OF_MEMORY:
            return Ended("ran out of memory")
        return Ended(f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}")

    @staticmethod
    def _garbled() -> Ended:
        return Ended("sent what is no answer")


def _late(seconds: float) -> Ended:
    return Ended(f"took longer than {seconds:g} s")


def _environment(folder: str, threads: int) -> dict[str, str]:
    """All that the process sees of its surroundings. The seed of hashes is fixed: a set's order must not make a vote."""
    here = str(Path(__file__).parents[2])
    path = [here, *(part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part)]
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONPATH": os.pathsep.join(str(Path(part).absolute()) for part in path),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": folder,
        "TMPDIR": folder,
        "OMP_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
    }
