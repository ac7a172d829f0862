"""A process that has loaded what Python commands import, and forks for each that it is asked for: `python forks_server.py SOCKET MODULE[:FUNCTION]…`.

Loading is most of what a small command takes, and tests run hundreds of them. A forked command is what `python -m MODULE` is: the module runs
as `__main__`, with arguments, environment, folder and files of its own. It is killed when whoever asked for it is gone.

It returns when the socket is there; the server behind it ends when the socket is gone or nobody has asked for a while.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import threading
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

LINGER_SECONDS = 120.0
LOOK_SECONDS = 1.0


class Server:
    """Connections, and the process of each that has asked for one."""

    def __init__(self, path: Path) -> None:
        self.path, self.asked = path, time.monotonic()
        self.running = dict[int, socket.socket]()
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        partial = path.with_suffix(".partial")  # a socket that is there answers
        self.listener.bind(str(partial))
        self.listener.listen(128)
        partial.rename(path)
        self.woken, self.wakes = os.pipe()
        os.set_blocking(self.woken, False)
        os.set_blocking(self.wakes, False)
        signal.set_wakeup_fd(self.wakes, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ, self._accept)
        self.selector.register(self.woken, selectors.EVENT_READ, self._reap)

    def serve(self) -> None:
        """Until nobody wants anything any more."""
        while self.running or (self.path.exists() and time.monotonic() - self.asked < LINGER_SECONDS):
            for key, _ in self.selector.select(LOOK_SECONDS):
                if key.fileobj is self.listener or key.fileobj == self.woken:
                    key.data()
                elif key.fileobj.fileno() >= 0:  # unless it was closed in this round
                    self._hear(key.fileobj, key.data)
        self.path.unlink(missing_ok=True)

    def _accept(self) -> None:
        self.asked = time.monotonic()
        connection, _ = self.listener.accept()
        try:
            asked, files = _request(connection)
        except (OSError, ValueError):  # whoever asked is gone
            connection.close()
            return
        pid = os.fork()
        if not pid:
            _become(asked, files)
        for file in files:
            os.close(file)
        self.running[pid] = connection
        self.selector.register(connection, selectors.EVENT_READ, pid)
        _say(connection, pid)

    def _hear(self, connection: socket.socket, pid: int) -> None:
        """Signals for the process; it is not reaped yet, so the number is its own."""
        try:
            said = connection.recv(64)
        except OSError:
            said = b""
        if not said:
            self.selector.unregister(connection)
        for number in said.split() or [signal.SIGKILL]:
            os.kill(pid, int(number))

    def _reap(self) -> None:
        os.read(self.woken, 4096)
        for pid in list(self.running):
            gone, status = os.waitpid(pid, os.WNOHANG)
            if gone:
                connection = self.running.pop(pid)
                if connection in self.selector.get_map():
                    self.selector.unregister(connection)
                _say(connection, os.waitstatus_to_exitcode(status))
                connection.close()


def _request(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    head, files, _, _ = socket.recv_fds(connection, 8, 3)
    size, data = int.from_bytes(head, "big"), b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise ConnectionResetError
        data += piece
    return json.loads(data), list(files)


def _say(connection: socket.socket, number: int) -> None:
    with suppress(OSError):  # nobody listens any more
        connection.sendall(b"%d\n" % number)


def _become(asked: dict[str, Any], files: list[int]) -> NoReturn:
    """The forked process: as if Python had been started with it."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        for place, file in enumerate(files):
            os.dup2(file, place)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # the server's own, and what was handed over
        os.chdir(asked["folder"])
        os.environ.clear()
        os.environ.update(asked["environment"])
        time.tzset()
        sys.executable = asked["python"]
        code = _run(asked["module"], asked["arguments"])
        threading._shutdown()
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # what was loaded for others is not taken down


def _run(module: str, arguments: list[str]) -> int:
    """As `python -m` does; returns the exit code."""
    sys.path[0] = str(Path.cwd())
    sys.argv = [module, *arguments]
    for name in (module, f"{module}.__main__"):
        sys.modules.pop(name, None)  # it runs under another name
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            return ended.code or 0
        print(ended.code, file=sys.stderr)
        return 1
    except BaseException:  # noqa: BLE001 what Python does with what nobody catches
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


def main() -> None:
    path, *loaded = sys.argv[1:]
    for one in loaded:
        name, _, function = one.partition(":")
        module = importlib.import_module(name)
        if function:
            getattr(module, function)()
    threads = [comm.read_text().strip() for comm in Path("/proc/self/task").glob("*/comm")]
    assert len([name for name in threads if name != "jemalloc_bg_thd"]) == 1, f"a fork has one thread, and what others hold it would hold for ever: {threads}"
    warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)  # the allocator's thread, which looks after forks itself
    gc.collect()
    gc.freeze()
    server = Server(Path(path))
    if not os.fork():  # whoever waits for the first process to end finds the server ready
        os.setsid()
        server.serve()
    os._exit(0)


if __name__ == "__main__":
    main()
