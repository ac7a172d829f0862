"""Steps forked from one process: each as if it had been started by itself."""

import json
import os
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

import pytest

from labeljob.contract.reasons import ExitCode
from labeljob.preloaded import allow_forks
from labelplane.cluster.local_orphans import birth_of
from labelplane.cluster.local_processes import Processes
from labelplane.cluster.local_starts import LOST, Child, Preloaded, _Server
from tests.patience import HANG_SECONDS


@pytest.fixture(scope="module")
def preloaded() -> Iterator[Preloaded]:
    made = Preloaded()
    yield made
    made.close()


def started(preloaded: Preloaded, folder: Path, name: str) -> Child:
    arguments = ["--config", str(folder / name), "--result", str(folder / f"{name}-result")]
    child = preloaded.start(arguments, os.environ | {"PLANTED": name}, folder / f"{name}-log")
    child.begin()
    return child


def test_its_own_session_environment_log_and_end(preloaded: Preloaded, tmp_path: Path) -> None:
    """A configuration that is no file yet is waited for: so long the step can be looked at."""
    os.mkfifo(tmp_path / "waits")
    (tmp_path / "bad").write_text("{}")
    waits, bad = started(preloaded, tmp_path, "waits"), started(preloaded, tmp_path, "bad")
    assert bad.wait() == ExitCode.BAD_SPEC
    assert bad.poll() == ExitCode.BAD_SPEC
    bad.terminate()  # it is over: nothing happens
    assert json.loads((tmp_path / "bad-result").read_text())["failure"]["reason"] == "ConfigInvalid"
    assert "ConfigInvalid" in (tmp_path / "bad-log").read_text()
    with (tmp_path / "waits").open("w"):
        assert os.getsid(waits.pid) == waits.pid
        assert waits.poll() is None
        waits.terminate()
        assert waits.wait() == ExitCode.TRANSIENT
    assert "terminated" in (tmp_path / "waits-log").read_text()


def test_what_is_loaded_starts_no_thread(preloaded: Preloaded, tmp_path: Path) -> None:
    """A fork has one thread, and what the others held it holds for ever; the allocator's own looks after that."""
    started(preloaded, tmp_path, "bad").wait()
    assert preloaded._server is not None
    names = [comm.read_text().strip() for comm in Path(f"/proc/{preloaded._server.process.pid}/task").glob("*/comm")]
    assert len([name for name in names if name != "jemalloc_bg_thd"]) == 1, names


def test_nothing_is_said_of_the_allocators_threads() -> None:
    """A warning of Python 3.12 and later would stand on the user's terminal; any other still does."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        allow_forks()
        warnings.warn("This process (pid=7) is multi-threaded, use of fork() may lead to deadlocks in the child.", DeprecationWarning, stacklevel=1)
        warnings.warn("another", DeprecationWarning, stacklevel=1)
    assert [str(one.message) for one in said] == ["another"]


def test_a_step_outlives_the_process_that_forked_it_and_the_next_has_another(preloaded: Preloaded, tmp_path: Path) -> None:
    """What nobody can tell the end of is lost, and may go on."""
    os.mkfifo(tmp_path / "waits")
    (tmp_path / "bad").write_text("{}")
    waits = started(preloaded, tmp_path, "waits")
    with (tmp_path / "waits").open("w"):  # it has begun
        lose(preloaded)
        assert waits.wait() == waits.poll() == LOST
        waits.terminate()
        assert started(preloaded, tmp_path, "bad").wait() == ExitCode.BAD_SPEC
        assert birth_of(waits.pid) is not None
    os.mkfifo(tmp_path / "goes-on")
    goes_on = started(preloaded, tmp_path, "goes-on")
    with (tmp_path / "goes-on").open("w"):
        preloaded.close()  # as with the end of the command
        assert goes_on.poll() == LOST
        assert birth_of(goes_on.pid) is not None


def lose(preloaded: Preloaded | None) -> None:
    """End the process that forks, as the system does where memory is short."""
    assert preloaded is not None
    assert preloaded._server is not None
    preloaded._server.process.kill()
    preloaded._server.process.wait()


def test_a_lost_step_is_ended_before_it_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two at once would both write; what is lost can be ended, one by one or with the command; and one whose record cannot be written does nothing."""
    processes = Processes(tmp_path)
    monkeypatch.setenv("PLANTED", str(tmp_path))
    with ExitStack() as held:
        for name in ("again", "ended", "stopped"):
            os.mkfifo(tmp_path / f"{name}-config")
            processes.start(name, tmp_path / f"{name}-config", {})
            held.enter_context((tmp_path / f"{name}-config").open("w"))  # it has begun, and waits
        ends_lost_steps(processes, tmp_path)


def ends_lost_steps(processes: Processes, folder: Path) -> None:
    first = {name: (child.pid, birth_of(child.pid)) for name, child in processes.children.items()}
    lose(processes.preloaded)
    assert processes.running() == frozenset()
    assert processes.followed("again")["attempts"] == 2
    again = processes.children["again"].pid
    assert birth_of(first["again"][0]) != first["again"][1]
    assert birth_of(again) is not None
    assert processes.running() == {"again"}
    processes.end("ended")
    assert birth_of(first["ended"][0]) != first["ended"][1]
    assert birth_of(first["stopped"][0]) == first["stopped"][1]
    (folder / "unnoted/record.partial").mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        processes.start("unnoted", folder / "again-config", {})
    processes.stop()
    assert birth_of(first["stopped"][0]) != first["stopped"][1]
    assert birth_of(again) is None
    assert "terminated" in (folder / "stopped/log").read_text()
    none_goes_on(str(folder))
    assert (folder / "unnoted/log").read_text() == ""


@contextmanager
def interrupted(preloaded: Preloaded) -> Iterator[None]:
    """Ctrl-C, once a step is asked for; by another signal, for SIGINT is pytest's."""
    before, over = signal.signal(signal.SIGUSR1, interrupt), threading.Event()
    hand = threading.Thread(target=press, args=(preloaded, threading.main_thread().ident, over))
    hand.start()
    with pytest.raises(KeyboardInterrupt):
        yield
    over.set()
    hand.join()
    signal.signal(signal.SIGUSR1, before)


def interrupt(number: int, _frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def press(preloaded: Preloaded, thread: int, over: threading.Event) -> None:
    """Again and again: a signal that comes just before a read does not end it."""
    while not over.wait(0.01):
        if preloaded._started:
            signal.pthread_kill(thread, signal.SIGUSR1)


@pytest.mark.parametrize("killed", [False, True], ids=["interrupted", "killed"])
def test_a_step_that_no_record_names_does_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], *, killed: bool) -> None:
    """The command ends while the first step is started: the next one would not know of it, and start it beside itself."""
    processes = Processes(tmp_path)
    os.mkfifo(tmp_path / "waits")
    monkeypatch.setenv("PLANTED", str(tmp_path))
    assert processes.preloaded is not None
    server = processes.preloaded._server = _Server()
    os.kill(server.process.pid, signal.SIGSTOP)  # it is slow
    with interrupted(processes.preloaded):
        processes.start("step", tmp_path / "waits", {})
    os.kill(server.process.pid, signal.SIGCONT)
    if killed:
        assert server.process.stdin is not None
        assert server.process.stdout is not None
        server.process.stdin.close()
        server.process.stdout.close()
        assert server.process.wait() == 0
    else:
        processes.stop()
    none_goes_on(str(tmp_path))
    assert not (tmp_path / "step/record.json").exists()
    assert (tmp_path / "step/log").read_text() == "".join(capfd.readouterr()) == ""


def none_goes_on(mark: str) -> None:
    """No step of the processes that were started with this in their environment; one that was held ends a moment after the process that forks."""
    until = time.monotonic() + HANG_SECONDS
    while with_environment(mark):
        assert time.monotonic() < until, "a step goes on"
        os.sched_yield()


def with_environment(mark: str) -> list[str]:
    """Ids of the processes that were started with it, or forked from one that was."""
    found = []
    for file in Path("/proc").glob("[0-9]*/environ"):
        try:
            found += [file.parent.name] if mark.encode() in file.read_bytes() else []
        except OSError:
            continue
    return found
