"""What code a `python` function is: the digest of the files that its module is made of, found without running any of it.

The files of `acme.rules:f` are those of the outermost package `acme`, its data included (of a namespace package the first real package or
module below); those of `acme_lfs:f` the one module. Modules beside it in the functions' folders that it imports are added, and what these
import. Other libraries belong to the image, whose digest is pinned beside.
"""

import ast
import hashlib
import importlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from labeljob.contract.digests import digest_of
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.labeling_functions.problem import Problem, summarise

COMPILED = ("__pycache__", ".pyc")


def code_digests(function_set: FunctionSet, folders: Sequence[str]) -> dict[str, str]:
    """SHA-256 of the code of each enabled `python` function, by its name.

    Args:
        folders: where modules are looked for first; then where Python looks.
    Raises:
        JobError: FUNCTIONS_INVALID: there is no such module.
    """
    named = [(i, one.name, one.python.entrypoint) for i, one in enumerate(function_set.functions) if one.python is not None and one.is_enabled]
    if not named:
        return {}
    importlib.invalidate_caches()
    missing, digests = list[Problem](), dict[str, str]()
    for index, name, entrypoint in named:
        module = entrypoint.partition(":")[0]
        spec = _real(module, folders)
        if spec is None:
            missing.append(Problem(f"spec.functions[{index}].python.entrypoint", no_module(module)))
        else:
            digests[name] = _digest(spec, folders)
    if missing:
        raise JobError(JobReason.FUNCTIONS_INVALID, summarise(missing))
    return digests


def places(entrypoints: Iterable[str], folders: Sequence[str]) -> list[str]:
    """Where the code of these is, files or folders, without links: it may be installed in a way that no path shows."""
    found: set[str] = set()
    for spec in (_real(entrypoint.partition(":")[0], folders) for entrypoint in entrypoints):
        if spec is not None and spec.has_location:
            found |= {str(Path(place).resolve()) for place in spec.submodule_search_locations or [str(spec.origin)]}
    return sorted(found)


def no_module(module: str) -> str:
    """That a module is not there, and what to do."""
    return f"there is no module {module}: add it to the image of spec.runtime.image (with labelplane run: beside the manifests), or correct the name"


def _real(module: str, folders: Sequence[str]) -> ModuleSpec | None:
    """The outermost package on the way to the module that is no namespace, or the module itself."""
    path: Sequence[str] | None = None
    names = module.split(".")
    for depth in range(1, len(names) + 1):
        spec = _found(".".join(names[:depth]), path, folders)
        if spec is None or (spec.loader is None and not spec.submodule_search_locations):
            return None
        if spec.origin is not None:
            return spec
        path = list(spec.submodule_search_locations or ())
    return None


def _found(name: str, path: Sequence[str] | None, folders: Sequence[str]) -> ModuleSpec | None:
    if path is not None:
        return PathFinder.find_spec(name, path)
    spec = PathFinder.find_spec(name, [*folders, *sys.path])
    finders = (find for finder in sys.meta_path if (find := getattr(finder, "find_spec", None)) is not None)  # built in, or installed as editable
    return spec or next((other for find in finders if (other := find(name, None)) is not None), None)


def _digest(spec: ModuleSpec, folders: Sequence[str]) -> str:
    files = _files(spec)
    if not files:
        return digest_of({spec.name: sys.version})
    waiting, seen = [spec], {spec.name}
    while waiting:
        for name in _imported(_files(waiting.pop()).values()) - seen:
            seen.add(name)
            if (beside := PathFinder.find_spec(name, list(folders))) is not None:
                files |= _files(beside)
                waiting.append(beside)
    return digest_of({name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()})


def _files(spec: ModuleSpec) -> dict[str, Path]:
    """Relative path -> file of a module or a whole package; none of what is built into Python."""
    if spec.submodule_search_locations:
        roots = [Path(location) for location in spec.submodule_search_locations]
        return {file.relative_to(root.parent).as_posix(): file for root in roots for file in _sources(root)}
    return {Path(spec.origin).name: Path(spec.origin)} if spec.has_location and spec.origin else {}


def _sources(root: Path) -> Iterator[Path]:
    return (file for file in sorted(root.rglob("*")) if file.is_file() and not any(part.endswith(COMPILED) for part in file.relative_to(root).parts))


def _imported(files: Iterable[Path]) -> set[str]:
    """First names of the modules that the sources import, anywhere in them."""
    names: set[str] = set()
    for file in files:
        if file.suffix != ".py":
            continue
        try:
            tree = ast.parse(file.read_bytes())
        except (SyntaxError, ValueError):
            continue  # its import says so
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                names.add(node.module.partition(".")[0])
    return names
