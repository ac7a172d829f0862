"""Steps of a run or a fit in processes that end, or do something else, at a chosen touch of the file system under the output."""

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from labeljob.contract.config import CommitTask, FitTask, LabelTask, ShardTask
from labeljob.contract.reasons import ExitCode, exit_code
from labeljob.errors import JobError
from labeljob.steps.commit import run_commit
from labeljob.steps.fit import run_fit
from labeljob.steps.fit_shard import run_fit_shard
from labeljob.steps.label import run_label
from labeljob.steps.shard import run_shard
from tests.unit.job.builders import context


@dataclass(frozen=True)
class FitPart:
    """A shard of a fit."""

    fit: FitTask


Task = ShardTask | CommitTask | LabelTask | FitPart | FitTask
TOUCHES = ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree")
FORKED = get_context("forkserver")
FORKED.set_forkserver_preload([__name__])


def step(folder: Path, task: Task, index: int = 0) -> None:
    """Run one step here."""
    if isinstance(task, ShardTask):
        run_shard(task, index, context(folder))
    elif isinstance(task, CommitTask):
        run_commit(task, context(folder))
    elif isinstance(task, FitPart):
        run_fit_shard(task.fit, index, context(folder))
    elif isinstance(task, FitTask):
        run_fit(task, context(folder))
    else:
        run_label(task, context(folder))


def _at_touch(number: int, below: str, act: Callable[[], None]) -> None:
    """Call `act` before the touch of that number, counted from 0."""
    seen = [0]

    def hook(event: str, given: tuple[Any, ...]) -> None:
        if event in TOUCHES and isinstance(given[0], str | os.PathLike) and os.fspath(given[0]).startswith(below):
            seen[0] += 1
            if seen[0] == number + 1:
                act()

    sys.addaudithook(hook)


def _child(folder: Path, task: Task, index: int, number: int, others: list[tuple[Task, int]]) -> None:
    def act() -> None:
        if not others:
            os.kill(os.getpid(), signal.SIGKILL)
        for other, at in others:
            step(folder, other, at)

    _at_touch(number, str(folder / ("model" if isinstance(task, FitPart | FitTask) else "labels")), act)
    try:
        step(folder, task, index)
    except FileNotFoundError:  # another attempt took its folder away: it is tried again
        sys.exit(int(ExitCode.TRANSIENT))
    except JobError as error:
        sys.exit(int(exit_code(error.reason)))


def killed(folder: Path, task: Task, number: int, index: int = 0) -> bool:
    """Run the step in a process of its own that SIGKILL ends before its touch `number`; False when there is no such touch."""
    return _code(folder, task, index, number, []) == -signal.SIGKILL


def overtaken(folder: Path, task: ShardTask | FitPart, number: int, index: int, others: list[tuple[Task, int]]) -> int:
    """Run the step; before its touch `number` it sleeps while these are run. Its exit code."""
    return _code(folder, task, index, number, others)


def _code(*given: Any) -> int:
    child = FORKED.Process(target=_child, args=given)
    child.start()
    child.join()
    assert child.exitcode is not None
    return child.exitcode
