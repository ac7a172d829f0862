"""Asking `tests/forks_server.py` for a Python command, forked from a process that has loaded what the command imports.

Each launcher (`tests/forks.py`) is this file, too: it imports little, and nothing of ours.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import FrameType
from typing import NoReturn

PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Forked:
    """A command that runs; as much of `subprocess.Popen` as is used. It is killed when the process that asked for it ends."""

    def __init__(self, server: str, module: str, arguments: Sequence[str], environment: Mapping[str, str], files: tuple[int, int, int], python: str) -> None:
        """Start `python -m MODULE` with these files as stdin, stdout and stderr; `python`: its sys.executable. OSError: no server answers."""
        asked = {"module": module, "arguments": list(arguments), "environment": dict(environment), "folder": os.getcwd(), "python": python}  # noqa: PTH109 no pathlib: it is loaded each time
        data = json.dumps(asked).encode()
        self._unread, self._code = b"", None
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._connection.connect(server)
            socket.send_fds(self._connection, [len(data).to_bytes(8, "big")], files)
            self._connection.sendall(data)
            self.pid = int(self._line(None))
        except BaseException:
            self._connection.close()
            raise

    def poll(self) -> int | None:
        """The exit code if it has ended, negative for a signal."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once it has ended; subprocess.TimeoutExpired when it has not after so many seconds."""
        if self._code is None:
            try:
                self._code = int(self._line(timeout))
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0.0) from None
            self._connection.close()
        return self._code

    def send_signal(self, number: int) -> None:
        """Unless it has ended."""
        with suppress(OSError):  # it has
            self._connection.sendall(b"%d\n" % number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _line(self, timeout: float | None) -> bytes:
        """The next that the server says; ConnectionResetError where it is gone."""
        self._connection.settimeout(timeout)
        while b"\n" not in self._unread:
            said = self._connection.recv(64)
            if not said:
                raise ConnectionResetError("the process that commands are forked from has ended")
            self._unread += said
        line, _, self._unread = self._unread.partition(b"\n")
        return line


def launch(server: str, modules: Sequence[str], python: str) -> NoReturn:
    """Do as this Python would with the arguments of this process: `-m MODULE` of one of these is forked, and anything else is started."""
    flag, module, *arguments = [*sys.argv[1:], "", ""][:2] + sys.argv[3:]
    if flag == "-m" and module in modules:
        signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)  # until there is something to pass them on to
        try:
            child = Forked(server, module, arguments, os.environ, (0, 1, 2), sys.argv[0])
        except OSError:  # the server has nobody to serve any more, and has ended
            signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)
        else:
            _exit_as(child)
    os.execv(python, [python, *sys.argv[1:]])


def _exit_as(child: Forked) -> NoReturn:
    """End as the child does; what would end this process ends the child."""

    def pass_on(number: int, _frame: FrameType | None) -> None:
        child.send_signal(number)

    for number in PASSED_ON:
        signal.signal(number, pass_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)
    code = child.wait()
    if code < 0:
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)
