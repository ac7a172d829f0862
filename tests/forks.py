"""Python commands of tests, forked from a process of the run that has loaded what they import; where they cannot be, they are started."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.forks_client import Forked
from tests.sharing import run_folder, turn

ROOT = Path(__file__).parents[1]
PYTHON = sys.executable  # which a test may set
CODE = os.pathsep.join(str(ROOT / part) for part in ("operator", "labeljob_image"))
READING = ("explain", "explain_sets", "labels", "page", "sets", "sets_page")
RUN = {  # what is run, by server; a process of the operator's has nothing of the job's loaded
    "commands": ("labelplane.cli.main", "labeljob.preloaded", "labeljob.run", "labeljob.reading", "labeljob.features", "labeljob.versions"),
    "operator": ("labelplane.handlers.main",),
}
LOADED = {
    "commands": (
        "labeljob.preloaded:load", *(f"labeljob.reading.{part}" for part in READING),
        *(f"labeljob.{package}.__main__" for package in ("reading", "features", "versions")), "labelplane.cli.main",
    ),
    "operator": ("labelplane.handlers.main",),
}  # fmt: skip


def python(server: str = "commands") -> str:
    """A Python for `-m labelplane.cli.main` and the processes that it starts."""
    if sys.platform != "linux":
        return PYTHON
    _serve(server)
    return str(_launcher(server))


def forked(server: str, module: str, arguments: Sequence[str], environment: Mapping[str, str], log: int) -> Forked | subprocess.Popen[bytes]:
    """A module that runs, and says all into this file."""
    if sys.platform != "linux":
        return subprocess.Popen([PYTHON, "-m", module, *arguments], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    _serve(server)
    with Path(os.devnull).open() as nothing:
        return Forked(str(_socket(server)), module, arguments, environment, (nothing.fileno(), log, log), PYTHON)


def _socket(server: str) -> Path:
    return run_folder() / f"{server}.socket"


def _launcher(server: str) -> Path:
    return run_folder() / f"{server}-python"


def _serve(server: str) -> None:
    """See that the server is there; the worker that misses it starts it."""
    if _socket(server).exists():
        return
    with turn(f"making-{server}", alone=True):
        if _socket(server).exists():
            return
        launched = f"import sys; sys.path.append({str(ROOT / 'tests')!r}); from forks_client import launch; "
        text = f"#!{PYTHON} -IS\n{launched}launch({str(_socket(server))!r}, {RUN[server]!r}, {PYTHON!r})\n"
        _launcher(server).write_text(text)
        _launcher(server).chmod(0o755)
        command = [PYTHON, str(ROOT / "tests/forks_server.py"), str(_socket(server)), *LOADED[server]]
        subprocess.run(command, env=os.environ | {"PYTHONPATH": CODE}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
