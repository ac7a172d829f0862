"""Steps of a run or a fit in processes that end, or do something else, at a chosen touch of the file system under the output."""

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

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
Steps = list[tuple[Task, int]]
Outcome = TypeVar("Outcome")
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


def _child(folder: Path, task: Task, index: int, number: int, others: Steps) -> None:
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


def overtaken(folder: Path, task: ShardTask | FitPart, number: int, index: int, others: Steps) -> int:
    """Run the step; before its touch `number` it sleeps while these are run. Its exit code."""
    return _code(folder, task, index, number, others)


def _code(*given: Any) -> int:
    child = FORKED.Process(target=_child, args=given)
    child.start()
    child.join()
    assert child.exitcode is not None
    return child.exitcode


def killed_everywhere(folder: Path, task: LabelTask, of: str, every: int, between: Callable[[], None], after: Callable[[], Outcome]) -> list[Outcome]:
    """Kill one step of a run ("one pod", or in two shards "a shard" or "the commit") before every so many touches of the output, and go on with the run each time.

    Args:
        between: holds the output to what it must be after a kill. after: the same at the end of the run; its answers are returned, one for each kill.
    """
    shard, commit = ShardTask(label=task, shards=2), CommitTask(label=task, shards=2)
    done: Steps = {"one pod": [], "a shard": [(shard, 0)], "the commit": [(shard, 0), (shard, 1)]}[of]
    left: Steps = {"one pod": [(task, 0)], "a shard": [(shard, 1), (commit, 0)], "the commit": [(commit, 0)]}[of]
    (folder / "labels").mkdir(exist_ok=True)
    with put_back(folder):
        for one, index in done:
            step(folder, one, index)
        outcomes, number = list[Outcome](), every - 1
        while True:
            with put_back(folder):
                if not killed(folder, left[0][0], number, left[0][1]):
                    break
                between()
                for one, index in left:
                    step(folder, one, index)
                outcomes.append(after())
            number += every
    return outcomes


@contextmanager
def put_back(folder: Path) -> Iterator[None]:
    """The output is as it was before when this ends."""
    with TemporaryDirectory(dir=folder) as kept:
        shutil.copytree(folder / "labels", kept, dirs_exist_ok=True)
        try:
            yield
        finally:
            shutil.rmtree(folder / "labels")
            shutil.copytree(kept, folder / "labels")
