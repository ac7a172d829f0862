"""What the workers of one test run share: clusters that are made once, and turns between tests that disturb others and the rest.

Every worker is a process of its own; files in a folder of the run carry what they agree on.
"""

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SHARED = ("cluster", "api_server")  # fixtures that all workers use at once


def run_folder() -> Path:
    """The folder of this run; pytest's first process names it to its workers by the environment."""
    named = os.environ.setdefault("LABELPLANE_TEST_RUN", tempfile.mkdtemp(prefix="labelplane-tests-"))
    return Path(named)


def remove_run_folder() -> None:
    shutil.rmtree(run_folder(), ignore_errors=True)


@contextmanager
def turn(name: str, *, alone: bool) -> Iterator[None]:
    """Hold the name together with others, or alone; waits as long as needed."""
    with (run_folder() / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield


def once(name: str, make: Callable[[], Any]) -> Any:
    """What `make` gave in the worker that came first, as JSON data. A failure is every worker's: each tries again."""
    result = run_folder() / f"{name}.json"
    with turn(f"making-{name}", alone=True):
        if not result.exists():
            result.write_text(json.dumps(make()))
        return json.loads(result.read_text())


def made(name: str) -> Any:
    """What `once` made under this name; None when nobody asked for it."""
    result = run_folder() / f"{name}.json"
    return json.loads(result.read_text()) if result.exists() else None
