"""How a laptop starts the job's steps: forked from one process that has loaded what they need, or, but for Linux, each by itself."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

READ = 1 << 16


class Child(Protocol):
    """A step that was started; as much of `subprocess.Popen` as is used."""

    pid: int

    def poll(self) -> int | None:
        """Its exit code when it has ended, negative for a signal."""

    def terminate(self) -> None:
        """SIGTERM."""

    def wait(self) -> int:
        """The exit code, once it has ended."""


def started_alone(arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> Child:
    """A step in a process that loads everything itself."""
    command = [sys.executable, "-m", "labeljob.run", *arguments]
    with log.open("ab") as file:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True, env=dict(environment))


@dataclass
class Preloaded:
    """The process that steps are forked from (`labeljob.preloaded`), started with the first of them. It ends with this one."""

    _server: "subprocess.Popen[bytes] | None" = None
    _unread: bytes = b""
    _pids: dict[str, int] = field(default_factory=dict)
    _codes: dict[str, int] = field(default_factory=dict)
    _started: int = 0

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> Child:
        """Fork a step. OSError: the process that forks could not be started, or is gone."""
        self._started += 1
        key = str(self._started)
        if self._server is None:
            command = [sys.executable, "-m", "labeljob.preloaded"]
            self._server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        self.tell({"start": key, "arguments": list(arguments), "environment": dict(environment), "log": str(log.absolute())})
        while key not in self._pids:
            if not self.listen(wait=True):
                raise ChildProcessError("the process that steps are forked from has ended")
        return _Forked(self, key, self._pids[key])

    def tell(self, words: Mapping[str, Any]) -> None:
        """Send a request."""
        pipe = _of(self._server).stdin
        assert pipe is not None  # noqa: S101 Popen was told to make one
        pipe.write(json.dumps(words).encode() + b"\n")
        pipe.flush()

    def code(self, key: str) -> int | None:
        """How a step has ended, as far as it was said."""
        return self._codes.get(key)

    def listen(self, *, wait: bool) -> bool:
        """Take in what was said; False when nothing will be any more."""
        pipe: IO[bytes] | None = _of(self._server).stdout
        assert pipe is not None  # noqa: S101 Popen was told to make one
        os.set_blocking(pipe.fileno(), wait)
        try:
            data = os.read(pipe.fileno(), READ)
        except BlockingIOError:
            return True
        *lines, self._unread = (self._unread + data).split(b"\n")
        for line in lines:
            said = json.loads(line)
            if "started" in said:
                self._pids[said["started"]] = said["pid"]
            else:
                self._codes[said["ended"]] = said["code"]
        return bool(data)

    def close(self) -> None:
        """End the process that forks."""
        if self._server is not None:
            self._server.communicate()
            self._server = None


def _of(server: "subprocess.Popen[bytes] | None") -> "subprocess.Popen[bytes]":
    if server is None:
        raise ChildProcessError("no step was started")
    return server


@dataclass
class _Forked:
    """A step that `Preloaded` has forked; when that is gone, nobody can tell how it ended."""

    _from: Preloaded
    _key: str
    pid: int

    def poll(self) -> int | None:
        return self._ended(wait=False)

    def terminate(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._from.tell({"end": self._key})

    def wait(self) -> int:
        code = None
        while code is None:
            code = self._ended(wait=True)
        return code

    def _ended(self, *, wait: bool) -> int | None:
        code = self._from.code(self._key)
        if code is None and not self._from.listen(wait=wait):
            return -signal.SIGKILL
        return self._from.code(self._key)
