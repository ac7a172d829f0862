"""Read manifests as kubectl would: files, folders, `List`s, several documents, stdin, and a kustomization's resources and ConfigMaps."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from labelplane.api.groups import API_VERSION, KINDS

Manifest = dict[str, Any]
KUSTOMIZATION = ("kustomization.yaml", "kustomization.yml")
UNDERSTOOD = {"apiVersion", "kind", "resources", "configMapGenerator", "generatorOptions"}


class ManifestError(Exception):
    """A file cannot be read as a manifest; the message names it and says why."""


@dataclass
class Loaded:
    """What was found: our resources in order, and ConfigMaps by name (key -> content)."""

    resources: list[Manifest] = field(default_factory=list)
    config_maps: dict[str, dict[str, bytes]] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)


class _Loader(yaml.SafeLoader):
    """PyYAML as it is, but for a key that stands twice, which would silently lose the first."""


def _mapping(loader: _Loader, node: yaml.MappingNode, *, deep: bool) -> dict[Any, Any]:
    keys = [loader.construct_object(key, deep=True) for key, _ in node.value]
    repeated = next((key for key in keys if keys.count(key) > 1), None)
    if repeated is not None:
        raise ManifestError(f"line {node.start_mark.line + 1}: key {repeated!r} stands twice: keep one")
    return yaml.SafeLoader.construct_mapping(loader, node, deep)


def _deep_mapping(loader: Any, node: Any) -> dict[Any, Any]:
    return _mapping(loader, node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _deep_mapping)


def load(paths: Iterable[str]) -> Loaded:
    """Everything in the paths; `-` is stdin. Raises ManifestError."""
    loaded = Loaded()
    for path in paths:
        if path == "-":
            _add_documents(loaded, sys.stdin.read(), "stdin")
        else:
            _add_path(loaded, Path(path))
    return loaded


def _add_path(loaded: Loaded, path: Path) -> None:
    if path.is_file():
        _add_documents(loaded, _text(path), str(path))
        return
    if not path.is_dir():
        raise ManifestError(f"{path}: there is no such file or folder")
    kustomization = next((path / name for name in KUSTOMIZATION if (path / name).exists()), None)
    if kustomization is not None:
        _add_kustomization(loaded, kustomization)
        return
    for file in sorted(path.iterdir()):
        if file.suffix in (".yaml", ".yml", ".json"):
            _add_documents(loaded, _text(file), str(file))


def _add_kustomization(loaded: Loaded, file: Path) -> None:
    content: Manifest = next(_documents(_text(file), str(file)), {})
    unknown = sorted(set(content) - UNDERSTOOD)
    if unknown:
        raise ManifestError(f"{file}: {unknown[0]} is not understood here and would change what is applied: render it with kubectl kustomize, and give the result")
    for resource in content.get("resources") or []:
        _add_path(loaded, file.parent / resource)
    suffix_free = (content.get("generatorOptions") or {}).get("disableNameSuffixHash") is True
    for generator in content.get("configMapGenerator") or []:
        if not suffix_free:
            raise ManifestError(f"{file}: set generatorOptions.disableNameSuffixHash: true, or the uris would not find ConfigMap {generator['name']}")
        loaded.config_maps[generator["name"]] = _generated(generator, file.parent)


def _generated(generator: Manifest, folder: Path) -> dict[str, bytes]:
    content: dict[str, bytes] = {}
    for entry in generator.get("files") or []:
        key, _, name = entry.rpartition("=")
        path = folder / name
        if not path.is_file():
            raise ManifestError(f"{path}: configMapGenerator {generator['name']} names a file that is not there")
        content[key or path.name] = path.read_bytes()
    for entry in generator.get("literals") or []:
        key, _, value = entry.partition("=")
        content[key] = value.encode()
    return content


def _add_documents(loaded: Loaded, text: str, source: str) -> None:
    for document in _documents(text, source):
        items = document.get("items") if document.get("kind") == "List" else [document]
        for item in items or []:
            _add(loaded, item, source)


def _add(loaded: Loaded, manifest: Manifest, source: str) -> None:
    kind, version = manifest.get("kind"), manifest.get("apiVersion")
    if version == API_VERSION and kind in {one.kind for one in KINDS}:
        if not isinstance(manifest.get("metadata"), dict) or "name" not in manifest["metadata"]:
            raise ManifestError(f"{source}: metadata.name is required")
        loaded.resources.append(manifest)
    elif kind == "ConfigMap":
        loaded.config_maps[manifest["metadata"]["name"]] = {key: str(value).encode() for key, value in (manifest.get("data") or {}).items()}
    else:
        loaded.ignored.append(f"{source}: {kind} {version} is not ours and is left out")


def _documents(text: str, source: str) -> Iterator[Any]:
    try:
        for document in yaml.load_all(text, Loader=_Loader):
            if document is None:
                continue
            if not isinstance(document, dict):
                raise ManifestError(f"{source}: a manifest is a mapping, this is a {type(document).__name__}")
            yield document
    except yaml.YAMLError as error:
        raise ManifestError(f"{source}: is not valid YAML: {str(error).splitlines()[0]}") from None
    except ManifestError as error:
        raise ManifestError(str(error) if source in str(error) else f"{source}: {error}") from None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except UnicodeDecodeError:
        raise ManifestError(f"{path}: is not UTF-8 text") from None
