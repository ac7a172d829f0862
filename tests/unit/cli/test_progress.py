"""Progress on a terminal: a bar while a job runs, from what the job itself logs, and none in a file."""

import asyncio
import io
import math
import os
import pty
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console

from labelplane.cli.progress import bars, show
from labelplane.cli.run import until_one_ends
from labelplane.cluster.local_jobs import JobProgress, LocalJobs
from tests.e2e import rollouts
from tests.forks import python
from tests.patience import HANG_SECONDS
from tests.unit.cli.test_run import events, write


def test_bars_come_move_and_go() -> None:
    display = bars(Console(file=io.StringIO(), force_terminal=True))
    show(display, [JobProgress("a", "vote", 10, 100), JobProgress("b", "starting", 0, None)])
    show(display, [JobProgress("a", "write", 50, 100)])
    assert [(task.description, task.completed, task.total) for task in display.tasks] == [("a: write", 50, 100)]
    show(display, [])
    assert display.tasks == []


def test_no_bar_where_nobody_looks() -> None:
    assert bars(Console(file=io.StringIO())).disable


def test_a_job_that_has_logged_nothing_yet(tmp_path: Path) -> None:
    jobs = LocalJobs(tmp_path, {})
    (tmp_path / "job").mkdir()
    jobs.log("job").write_text('not json\n{"event": "started"}\n{"event": "progress", "phase": "vote", "rows_done": 7, "rows_to')
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    jobs.processes.children["job"] = child
    try:
        assert jobs.progress() == [JobProgress("job", "starting", 0, None)]
        jobs.log("job").write_text('{"event": "progress", "phase": "vote", "rows_done": 7, "rows_total": 9}\n{"event": "other"}\n')
        assert jobs.progress() == [JobProgress("job", "vote", 7, 9)]
    finally:
        assert child.stdin
        child.stdin.close()
        child.wait()
    assert jobs.progress() == []


async def test_it_waits_until_a_job_ends_or_the_time_is_up(tmp_path: Path) -> None:
    """Nothing is decided meanwhile; what has ended since somebody looked is not waited for."""
    jobs, display = LocalJobs(tmp_path, {}), bars(Console(file=io.StringIO()))
    (tmp_path / "job").mkdir()
    jobs.log("job").write_text("")
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)  # noqa: ASYNC220 - returns at once
    jobs.processes.children["job"] = child
    began = time.monotonic()
    await until_one_ends(jobs, frozenset(), 0.2, display)
    assert time.monotonic() - began >= 0.2
    await until_one_ends(jobs, frozenset({"ended"}), math.inf, display)
    waiting = asyncio.create_task(until_one_ends(jobs, frozenset(), math.inf, display))
    assert not (await asyncio.wait([waiting], timeout=0.2))[0]
    assert child.stdin
    child.stdin.close()
    child.wait()
    await asyncio.wait_for(waiting, HANG_SECONDS)


def test_a_run_on_a_terminal_shows_rows(tmp_path: Path) -> None:
    """From the job's log to the screen."""
    few = {"uri": "pvc://lake/events", "format": "delta", "version": 0}  # the fit is not what is looked at
    for manifest in (rollouts.function_set("default"), rollouts.label_model("default", trainingData=few), rollouts.label_job("default")):
        write(tmp_path, manifest)
    events(tmp_path, 500, seed=0)
    events(tmp_path, 400_000, seed=0)
    here, there = pty.openpty()
    command = [python(), "-m", "labelplane.cli.main", "run", str(tmp_path), "--volume", f"lake={tmp_path}/lake", "--no-report"]
    child = subprocess.Popen(command, stderr=there, stdout=subprocess.DEVNULL, env=os.environ | {"TERM": "xterm", "COLUMNS": "160"})
    os.close(there)
    shown = _all_of(here)
    assert child.wait() == 0
    assert "400000" in shown
    assert "Labeled" in shown


def _all_of(descriptor: int) -> str:
    parts = []
    try:
        while part := os.read(descriptor, 65536):
            parts.append(part)
    except OSError:  # the other end of a pty has closed
        pass
    os.close(descriptor)
    return b"".join(parts).decode(errors="replace")
