"""How a laptop starts the job's steps: forked from one process that has loaded what they need, or, but for Linux, each by itself."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

READ = 1 << 16
LOST = 256  # in place of an exit code: nobody can tell any more how it ended, nor whether


class StartError(Exception):
    """A step cannot be started; what to do is said."""


class Child(Protocol):
    """A step that was started; as much of `subprocess.Popen` as is used."""

    pid: int

    def begin(self) -> None:
        """Let it do its work: its pid is noted, so that whoever comes later finds it."""

    def poll(self) -> int | None:
        """Its exit code when it has ended, negative for a signal, or LOST."""

    def terminate(self) -> None:
        """SIGTERM."""

    def wait(self) -> int:
        """The exit code, once it has ended, or LOST."""


class _Alone(subprocess.Popen[bytes]):
    """A step in a process that nothing holds: it has begun already."""

    def begin(self) -> None:
        """Nothing."""


def started_alone(arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> Child:
    """A step in a process that loads everything itself."""
    command = [sys.executable, "-m", "labeljob.run", *arguments]
    with log.open("ab") as file:
        return _Alone(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True, env=dict(environment))


class _Server:
    """One `labeljob.preloaded`, and what it has said of its steps by their keys."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "labeljob.preloaded"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        assert self.process.stdin is not None  # noqa: S101 Popen was told to make them
        assert self.process.stdout is not None  # noqa: S101
        self._requests, self._answers = self.process.stdin, self.process.stdout
        self._unread = b""
        self.pids, self.codes = dict[str, int](), dict[str, int]()

    def tell(self, words: Mapping[str, Any]) -> None:
        """Send a request. BrokenPipeError: it is gone."""
        self._requests.write(json.dumps(words).encode() + b"\n")
        self._requests.flush()

    def listen(self, *, wait: bool) -> bool:
        """Take in what was said; False when nothing will be any more."""
        os.set_blocking(self._answers.fileno(), wait)
        try:
            data = os.read(self._answers.fileno(), READ)
        except BlockingIOError:
            return True
        *lines, self._unread = (self._unread + data).split(b"\n")
        for said in map(json.loads, lines):
            if "started" in said:
                self.pids[said["started"]] = said["pid"]
            else:
                self.codes[said["ended"]] = said["code"]
        return bool(data)


class Preloaded:
    """The process that steps are forked from, started with the first of them, and anew where it is gone. It ends with this one."""

    def __init__(self) -> None:
        self._server: _Server | None = None
        self._started = 0

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> Child:
        """Fork a step, and hold it until it is let begin; where this process ends before, the step does nothing.

        Raises:
            StartError: the process that forks has ended.
        """
        if self._server is not None and self._server.process.poll() is not None:
            self.close()
        server = self._server = self._server or _Server()
        self._started += 1
        key = str(self._started)
        with contextlib.suppress(BrokenPipeError):  # nothing will be said then
            server.tell({"start": key, "arguments": list(arguments), "environment": dict(environment), "log": str(log.absolute())})
        while key not in server.pids:
            if not server.listen(wait=True):
                raise StartError("the process that a job's steps are forked from has ended: what it said stands above; run the command again")
        return _Forked(server, key, server.pids[key])

    def close(self) -> None:
        """End the process that forks."""
        if self._server is not None:
            self._server.process.communicate()
            self._server = None


@dataclass
class _Forked:
    """A step of a server; when that is gone, the step is lost, though it may go on."""

    _server: _Server
    _key: str
    pid: int

    def begin(self) -> None:
        self._tell("begin")

    def poll(self) -> int | None:
        return self._ended(wait=False)

    def terminate(self) -> None:
        self._tell("end")

    def wait(self) -> int:
        code = None
        while code is None:
            code = self._ended(wait=True)
        return code

    def _tell(self, word: str) -> None:
        with contextlib.suppress(BrokenPipeError, ValueError):  # it is gone, or closed
            self._server.tell({word: self._key})

    def _ended(self, *, wait: bool) -> int | None:
        codes = self._server.codes
        if self._key not in codes and (self._server.process.stdout is None or self._server.process.stdout.closed or not self._server.listen(wait=wait)):
            return codes.get(self._key, LOST)
        return codes.get(self._key)
