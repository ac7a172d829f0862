"""A LabelingFunctionSet out of a YAML file, without the operator.

`labeljob` never imports `labelplane`, and need not: the part of the spec that says what votes, `FunctionSet`, belongs to the contract that
both share, and so does the reading of YAML. What the operator alone knows of (`spec.runtime`, metadata) is left out here.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from labeljob.contract.function_set import FunctionSet
from labeljob.contract.reasons import JobReason
from labeljob.contract.yaml_text import documents
from labeljob.errors import JobError
from labeljob.io.locations import Locations

KIND, GROUP = "LabelingFunctionSet", "labelplane.dev/"
SHOWN = 10


class ManifestError(ValueError):
    """The file is no manifest of a LabelingFunctionSet; the message names the file and the field."""


def read_function_set(path: Path, name: str | None = None) -> FunctionSet:
    """The set (of that name) in a file. Raises ManifestError, FileNotFoundError."""
    found = [one for one in _manifests(path) if one.get("kind") == KIND and str(one.get("apiVersion")).startswith(GROUP)]
    named = [(_name(one), one) for one in found]
    chosen = [one for its, one in named if name in (None, its)]
    if len(chosen) != 1:
        there = ", ".join(its for its, _ in named) or "none"
        raise ManifestError(f"{path}: has {len(chosen)} LabelingFunctionSets{f' named {name}' if name else ''} (it has {there}): give one, or its name=")
    spec = chosen[0].get("spec")
    if not isinstance(spec, dict):
        raise ManifestError(f"{path}: spec is missing")
    try:
        return FunctionSet.model_validate({key: value for key, value in spec.items() if key != "runtime"}, strict=True)
    except ValidationError as error:
        raise ManifestError(f"{path}: " + "; ".join(_described(error))) from None


def _manifests(path: Path) -> Iterator[Mapping[str, Any]]:
    if path.is_dir():
        raise ManifestError(f"{path}: is a folder: name the file in it that holds the LabelingFunctionSet")
    try:
        yield from (one for one in documents(path.read_text(encoding="utf-8")) if isinstance(one, dict))
    except yaml.YAMLError as error:
        raise ManifestError(f"{path}: is not valid YAML: {' '.join(str(error).split())}") from None
    except UnicodeDecodeError:
        raise ManifestError(f"{path}: is not UTF-8 text") from None


def _name(manifest: Mapping[str, Any]) -> str:
    metadata = manifest.get("metadata")
    return str(metadata.get("name")) if isinstance(metadata, dict) else "unnamed"


def _described(error: ValidationError) -> Iterator[str]:
    for one in error.errors(include_input=False, include_url=False)[:SHOWN]:
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in one["loc"])
        yield f"spec{place}: {str(one['msg']).removeprefix('Value error, ')}"


class ManifestFiles(Locations):
    """Where the lookup tables of a manifest are on this machine."""

    def __init__(self, manifest: Path, tables: Mapping[str, str | Path]) -> None:
        super().__init__(())
        self._folder = manifest.parent
        self._tables = {uri: Path(path) for uri, path in tables.items()}

    def existing(self, uri: str) -> Path:
        """The table's file; JobError SOURCE_NOT_FOUND says how to name it."""
        path = self._tables.get(uri) or self._found(uri)
        if path is None or not path.exists():
            where = f"{path} is not there" if path else "nothing beside the manifest says where it is"
            raise JobError(JobReason.SOURCE_NOT_FOUND, f"{uri}: {where}: give its file as tables={{{uri!r}: 'path'}}")
        return path

    def _found(self, uri: str) -> Path | None:
        if uri.startswith("file:"):
            rest = uri.removeprefix("file:")
            return Path("/" + rest.lstrip("/")) if rest.startswith("///") else self._folder / rest
        return self._generated().get(uri)

    def _generated(self) -> dict[str, Path]:
        """Files of the kustomization's ConfigMaps, by uri."""
        files: dict[str, Path] = {}
        for kustomization in (self._folder / name for name in ("kustomization.yaml", "kustomization.yml")):
            content: Mapping[str, Any] = next(_manifests(kustomization), {}) if kustomization.is_file() else {}
            for generator in content.get("configMapGenerator") or []:
                for entry in generator.get("files") or []:
                    key, _, name = str(entry).rpartition("=")
                    files[f"configmap://{generator.get('name')}/{key or Path(name).name}"] = self._folder / name
        return files
