"""Where `python` functions come from and what they may use; apart from what runs them, so that a step that runs none loads no Arrow."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from labeljob.contract.config import FUNCTIONS_VARIABLE

MOST_ENDS = 9  # finding one row that ends a process takes three
DEFAULT_FOLDER = "/opt/labelplane/functions"  # of the job image


def quiet(event: str, **fields: object) -> None:
    """Tells nobody."""


@dataclass(frozen=True)
class PythonRuntime:
    """The surroundings of `python` functions.

    Attributes:
        folders: where modules are looked for first; then where Python looks.
        memory_bytes: what functions and their libraries may take, beyond the process that calls them.
        most_ends: how often a function may end its process before it is called no more.
        tell: called with an event and its fields; none holds content of rows.
        clock: seconds, from any moment on; how long each function takes is taken from it.
    """

    folders: tuple[str, ...] = (DEFAULT_FOLDER,)
    memory_bytes: int = 512 << 20
    most_ends: int = MOST_ENDS
    tell: Callable[..., None] = quiet
    clock: Callable[[], float] = time.perf_counter


DEFAULT_RUNTIME = PythonRuntime()


def folders_of(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The folders that LABELJOB_FUNCTIONS names, else the image's own."""
    named = [part for part in environment.get(FUNCTIONS_VARIABLE, "").split(os.pathsep) if part]
    return tuple(named) or (DEFAULT_FOLDER,)
