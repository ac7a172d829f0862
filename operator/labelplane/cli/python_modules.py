"""The modules of `python` functions on a laptop: beside the manifests. Nothing here imports them."""

import importlib
import os
import sys
from collections.abc import Iterable, Iterator
from importlib.machinery import PathFinder
from pathlib import Path

from labeljob.contract.config import FUNCTIONS_VARIABLE
from labeljob.contract.digests import digest_of
from labelplane.cli.manifests import Manifest


def is_at_hand(entrypoint: str, folder: Path) -> bool:
    """Whether the module can be imported on this machine; where it cannot, it is in an image."""
    importlib.invalidate_caches()
    path = [str(folder.absolute()), *filter(None, os.environ.get(FUNCTIONS_VARIABLE, "").split(os.pathsep)), *sys.path]
    first = entrypoint.partition(":")[0].partition(".")[0]
    return first in sys.builtin_module_names or PathFinder.find_spec(first, path) is not None


def code_digest(manifests: Iterable[Manifest], folder: Path) -> str | None:
    """Of the code beside the manifests, so that a run sees when it has changed; None where no function is written in Python."""
    named = {entrypoint.partition(":")[0].partition(".")[0] for manifest in manifests for entrypoint in _entrypoints(manifest)}
    if not named:
        return None
    packages = (file for name in sorted(named) for file in (folder / name).rglob("*") if "__pycache__" not in file.parts)
    files = {file.relative_to(folder).as_posix(): file for file in (*folder.glob("*.py"), *packages) if file.is_file()}
    return digest_of({name: file.read_bytes().hex() for name, file in files.items()})


def _entrypoints(manifest: Manifest) -> Iterator[str]:
    """Of a manifest that nobody has checked yet."""
    spec = manifest.get("spec")
    functions = spec.get("functions") if isinstance(spec, dict) else None
    for function in functions if isinstance(functions, list) else []:
        python = function.get("python") if isinstance(function, dict) else None
        entrypoint = python.get("entrypoint") if isinstance(python, dict) else None
        if isinstance(entrypoint, str):
            yield entrypoint
