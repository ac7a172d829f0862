"""Many steps from one start: `python -m labeljob.preloaded` loads what steps need, and forks for each step that it is told of.

For a laptop, where one command runs several steps: loading is half of what a small one takes. It reads one JSON object a line from stdin,

    {"start": KEY, "arguments": [...], "environment": {...}, "log": FILE}     as `python -m labeljob.run` with these would start, but held
    {"begin": KEY}                                                            let it go on
    {"end": KEY}                                                              SIGTERM, if it still runs

and says on stdout {"started": KEY, "pid": N} and {"ended": KEY, "code": N}, negative for a signal. With the end of stdin, or when nobody listens, it ends; steps
that have begun go on, one that is held ends with it: whoever asked may be gone without having noted its pid.
Linux alone: elsewhere a fork of a process that has loaded so much may crash.
"""

import contextlib
import gc
import json
import os
import select
import signal
import sys
import warnings
from collections.abc import Mapping
from types import FrameType
from typing import Any, NoReturn

from labeljob import run

READ = 1 << 16  # bytes at a time
FORK_WARNING = r".*use of fork\(\) may lead to deadlocks"


class Forks:
    """The steps that run, by process id."""

    def __init__(self, ours: tuple[int, ...] = ()) -> None:
        self._ours, self._running = ours, dict[int, str]()  # `ours`: open files that no step is to have
        self._held = dict[str, int]()  # by key, the end of a pipe that the step reads from

    def obey(self, told: Mapping[str, Any]) -> None:
        """Start a step, let it begin, or end one."""
        if "start" in told:
            self._fork(told)
        if told.get("begin") in self._held:
            with contextlib.suppress(BrokenPipeError):  # it has been killed
                os.write(self._held[told["begin"]], b"\n")
            os.close(self._held.pop(told["begin"]))
        for pid in [pid for pid, key in self._running.items() if key == told.get("end")]:
            os.kill(pid, signal.SIGTERM)  # it is not reaped yet, so the number is its own

    def reap(self) -> None:
        """Say which have ended."""
        for pid in list(self._running):
            gone, status = os.waitpid(pid, os.WNOHANG)
            if gone:
                key = self._running.pop(pid)
                if key in self._held:
                    os.close(self._held.pop(key))
                _say(ended=key, code=os.waitstatus_to_exitcode(status))

    def _fork(self, told: Mapping[str, Any]) -> None:
        waits, lets_go = os.pipe()
        pid = os.fork()
        if not pid:
            for file in (lets_go, *self._held.values()):
                os.close(file)
            _step(told, waits, self._ours)
        os.close(waits)
        self._held[told["start"]], self._running[pid] = lets_go, told["start"]
        _say(started=told["start"], pid=pid)


def main() -> None:
    """Until the end of stdin."""
    allow_forks()
    _load()
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, _only_wake)
    forks, unread = Forks((woken, wakes)), b""
    while True:
        ready, _, _ = select.select([sys.stdin.fileno(), woken], [], [])
        if woken in ready:
            os.read(woken, READ)
            forks.reap()
        if sys.stdin.fileno() in ready:
            data = os.read(sys.stdin.fileno(), READ)
            if not data:
                return
            *lines, unread = (unread + data).split(b"\n")
            for line in lines:
                forks.obey(json.loads(line))


def allow_forks() -> None:
    """Python 3.12 and later warn of a fork beside threads. The allocators' are the only ones, and look after forks; a test says so."""
    warnings.filterwarnings("ignore", FORK_WARNING, DeprecationWarning)


def _only_wake(_number: int, _frame: FrameType | None) -> None:
    """Nothing: that it was handled wakes `select`."""


def _load() -> None:
    """What steps import when they begin."""
    from labeljob.without_pandas import start_arrow

    start_arrow()
    import labeljob.steps.check
    import labeljob.steps.commit
    import labeljob.steps.fit
    import labeljob.steps.fit_shard
    import labeljob.steps.label
    import labeljob.steps.label_one
    import labeljob.steps.resolve
    import labeljob.steps.shard  # noqa: F401

    gc.collect()
    gc.freeze()  # what is loaded stays; it need not be copied to be looked at


def _step(told: Mapping[str, Any], waits: int, ours: tuple[int, ...]) -> NoReturn:
    """The forked process: once it is let go, as if it had been started anew, in a session of its own."""
    code = 1
    if not os.read(waits, 1):
        os._exit(code)
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        nothing, log = os.open(os.devnull, os.O_RDONLY), os.open(told["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        for file, place in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(file, place)
        for file in (nothing, log, waits, *ours):
            os.close(file)
        os.environ.clear()
        os.environ.update(told["environment"])
        code = run.main(told["arguments"])
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:  # noqa: BLE001 what Python does with what nobody catches
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # what was loaded for the others is not taken down


def _say(**words: Any) -> None:
    print(json.dumps(words), flush=True)


def _to_the_end() -> NoReturn:
    """`main`, and nothing after it: libraries complain of what was frozen."""
    code = 1
    try:
        with contextlib.suppress(BrokenPipeError):  # whoever asked is gone, as at the end of stdin
            main()
        code = 0
    except BaseException:  # noqa: BLE001 what Python does with what nobody catches
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


if __name__ == "__main__":
    _to_the_end()
