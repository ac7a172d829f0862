"""Read manifests as kubectl would: files, folders, `List`s, several documents, stdin, and a kustomization's resources and ConfigMaps."""

import base64
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from labeljob.contract.yaml_text import RepeatedKey, TooMuch, documents
from labelplane.api.groups import API_VERSION, GROUP, KINDS

Manifest = dict[str, Any]
KUSTOMIZATION = ("kustomization.yaml", "kustomization.yml")
UNDERSTOOD = {"apiVersion", "kind", "resources", "configMapGenerator", "generatorOptions"}
GENERATOR = {"name", "files", "literals"}
GENERATOR_OPTIONS = {"disableNameSuffixHash", "labels", "annotations"}
NAME = re.compile(r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")


class ManifestError(Exception):
    """A file cannot be read as a manifest; the message names it and says why."""


@dataclass
class Loaded:
    """What was found: our resources in order, ConfigMaps by name (key -> content), and the folder where file: uris start."""

    resources: list[Manifest] = field(default_factory=list)
    config_maps: dict[str, dict[str, bytes]] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)
    identities: set[tuple[str, tuple[str, str]]] = field(default_factory=set)
    folder: Path = Path()


def load(paths: Sequence[str]) -> Loaded:
    """Everything in the paths; `-` is stdin. Raises ManifestError, also when nothing of ours is there."""
    loaded = Loaded(folder=folder_of(Path(paths[0])))
    for path in paths:
        if path == "-":
            _add_documents(loaded, sys.stdin.read(), "stdin")
        else:
            _add_path(loaded, Path(path))
    if not loaded.resources:
        found = "; ".join(loaded.ignored) or "no manifest stands there"
        raise ManifestError(f"{', '.join(paths)}: no resource of {GROUP} was found ({found}): give the file or folder of one")
    return loaded


def folder_of(path: Path) -> Path:
    """A folder itself, or the folder of a file; of stdin the current one."""
    return path if path.is_dir() else path.parent


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
    _understood(file, "", content, UNDERSTOOD)
    for resource in content.get("resources") or []:
        if "://" in resource:
            raise ManifestError(f"{file}: {resource} is on the network, which is not read here: render it with kubectl kustomize, and give the result")
        _add_path(loaded, file.parent / resource)
    options = content.get("generatorOptions") or {}
    _understood(file, "generatorOptions.", options, GENERATOR_OPTIONS)
    for index, generator in enumerate(content.get("configMapGenerator") or []):
        _understood(file, f"configMapGenerator[{index}].", generator, GENERATOR)
        if "name" not in generator:
            raise ManifestError(f"{file}: configMapGenerator[{index}].name is required")
        if options.get("disableNameSuffixHash") is not True:
            raise ManifestError(f"{file}: set generatorOptions.disableNameSuffixHash: true, or the uris would not find ConfigMap {generator['name']}")
        loaded.config_maps[generator["name"]] = _generated(generator, file.parent)


def _understood(file: Path, prefix: str, content: Manifest, known: set[str]) -> None:
    unknown = sorted(set(content) - known)
    if unknown:
        raise ManifestError(f"{file}: {prefix}{unknown[0]} is not understood here and would change what is applied: render it with kubectl kustomize, and give the result")


def _generated(generator: Manifest, folder: Path) -> dict[str, bytes]:
    content: dict[str, bytes] = {}
    for entry in generator.get("files") or []:
        key, _, name = entry.rpartition("=")  # file, or key=file
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
        kind = str(document.get("kind"))
        listed = kind.endswith("List") and isinstance(document.get("items"), list)
        for item in document["items"] if listed else [document]:
            if not isinstance(item, dict):
                raise ManifestError(f"{source}: an item of {kind} is a mapping, this is a {type(item).__name__}")
            _add(loaded, item, source)


def _add(loaded: Loaded, manifest: Manifest, source: str) -> None:
    kind, version = manifest.get("kind"), manifest.get("apiVersion")
    if version == API_VERSION and kind in {one.kind for one in KINDS}:
        identity = (kind, _named(manifest, source))
        if identity in loaded.identities:
            raise ManifestError(f"{source}: {kind} {identity[1][1]} is given twice: keep one")
        loaded.identities.add(identity)
        loaded.resources.append(manifest)
    elif kind == "ConfigMap" and version == "v1":
        loaded.config_maps[_named(manifest, source)[1]] = _content(manifest, source)
    elif str(version).startswith(f"{GROUP}/"):
        known = ", ".join(one.kind for one in KINDS)
        raise ManifestError(f"{source}: {kind} {version} is not known: use {API_VERSION} and one of {known}")
    else:
        loaded.ignored.append(f"{source}: {kind} {version} is not ours and is left out")


def _named(manifest: Manifest, source: str) -> tuple[str, str]:
    """Namespace and name."""
    metadata = manifest.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(name, str) or not NAME.match(name):
        raise ManifestError(f"{source}: metadata.name of this {manifest.get('kind')} is required: lower-case letters, digits, - and .")
    namespace = (metadata or {}).get("namespace") or "default"
    if not isinstance(namespace, str) or not NAME.match(namespace):
        raise ManifestError(f"{source}: metadata.namespace of {name} is not a name: lower-case letters, digits and -")
    return namespace, name


def _content(manifest: Manifest, source: str) -> dict[str, bytes]:
    """The keys of a ConfigMap."""
    content: dict[str, bytes] = {}
    for key, value in (manifest.get("data") or {}).items():
        if not isinstance(value, str):
            raise ManifestError(f"{source}: ConfigMap {manifest['metadata']['name']}: data.{key} is not text: put it in quotes")
        content[key] = value.encode()
    for key, value in (manifest.get("binaryData") or {}).items():
        try:
            content[key] = base64.b64decode(str(value), validate=True)
        except ValueError:
            raise ManifestError(f"{source}: ConfigMap {manifest['metadata']['name']}: binaryData.{key} is not base64: encode it again") from None
    return content


def _documents(text: str, source: str) -> Iterator[Manifest]:
    try:
        for document in documents(text):
            if document is None:
                continue
            if not isinstance(document, dict):
                raise ManifestError(f"{source}: a manifest is a mapping, this is a {type(document).__name__}")
            yield document
    except (RepeatedKey, TooMuch) as error:
        raise ManifestError(f"{source}: {error}") from None
    except yaml.YAMLError as error:
        raise ManifestError(f"{source}: is not valid YAML: {_place(error)}") from None


def _place(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or str(error).splitlines()[0]
    return f"line {mark.line + 1}: {what}" if mark is not None else what


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except UnicodeDecodeError:
        raise ManifestError(f"{path}: is not UTF-8 text") from None
