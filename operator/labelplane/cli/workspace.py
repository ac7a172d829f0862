"""The state folder of a command: resources applied, ConfigMaps materialised, claims mapped to folders."""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

from labelplane.api.groups import FUNCTION_SET, LABEL_JOB, LABEL_MODEL, Key
from labelplane.cli.manifests import Loaded, ManifestError, folder_of
from labelplane.cluster.local import LocalCluster
from labelplane.cluster.local_jobs import LocalJobs, prefix_of
from labelplane.cluster.local_store import LocalStore, Resource

FOLDERS = "folders.json"
ORDER = (FUNCTION_SET.kind, LABEL_MODEL.kind, LABEL_JOB.kind)


def state_folder(directory: Path, state: Path | None) -> Path:
    """`--state`, or `.labelplane` in the manifests' folder."""
    return (state or folder_of(directory) / ".labelplane").absolute()


def open_cluster(directory: Path, state: Path | None, loaded: Loaded, volumes: Iterable[str], secrets: Iterable[str] = ()) -> tuple[LocalCluster, list[Key]]:
    """The local cluster with the manifests applied, and their keys in order of dependence."""
    root = state_folder(directory, state)
    store = LocalStore(root)
    for name, content in loaded.config_maps.items():
        _materialise(root / "configmaps" / name, content)
    folders = _folders(root, directory, loaded, volumes) | _known_secrets(root) | secret_folders(secrets)
    _remember(root, folders)
    keys = [store.apply(resource) for resource in loaded.resources]
    return LocalCluster(store, LocalJobs(root / "jobs", folders)), sorted(keys, key=in_order)


def in_order(key: Key) -> tuple[int, Key]:
    """Sorts what others depend on first."""
    return ORDER.index(key.kind), key


def known_folders(root: Path) -> dict[str, Path]:
    """Where the last run found each volume: prefix of a URI -> folder."""
    file = root / FOLDERS
    if not file.exists():
        raise ManifestError(f"{root}: nothing has been run here: labelplane run the manifests first")
    return {prefix: Path(path) for prefix, path in json.loads(file.read_text()).items()}


def _known_secrets(root: Path) -> dict[str, Path]:
    """Folders of Secrets that an earlier command was given: what was hashed with them is read with them."""
    return {prefix: path for prefix, path in known_folders(root).items() if prefix.startswith("secret://")} if (root / FOLDERS).exists() else {}


def _remember(root: Path, folders: dict[str, Path]) -> None:
    root.mkdir(parents=True, exist_ok=True)
    (root / FOLDERS).write_text(json.dumps({prefix: str(path) for prefix, path in folders.items()}, indent=2))


def uris_in(node: object) -> Iterable[str]:
    """Every `uri` in a spec."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "uri" and isinstance(value, str):
                yield value
            else:
                yield from uris_in(value)
    elif isinstance(node, list):
        for child in node:
            yield from uris_in(child)


def _folders(root: Path, directory: Path, loaded: Loaded, volumes: Iterable[str]) -> dict[str, Path]:
    folders = {"file:": folder_of(directory).absolute()}
    for resource in loaded.resources:
        for uri in uris_in(resource.get("spec")):
            if uri.startswith(("pvc://", "configmap://")):
                kind = "volumes" if uri.startswith("pvc://") else "configmaps"
                folders[prefix_of(uri)] = root / kind / prefix_of(uri).split("://")[1]
    folders |= claims(volumes)
    for prefix, path in folders.items():
        if prefix.startswith(("pvc://", "configmap://")):
            path.mkdir(parents=True, exist_ok=True)
    return folders


def claims(volumes: Iterable[str]) -> dict[str, Path]:
    """`--volume claim=FOLDER`, as prefix of a URI -> folder. Raises ManifestError."""
    return _given(volumes, "volume", "claim", "pvc://")


def secret_folders(secrets: Iterable[str]) -> dict[str, Path]:
    """`--secret name=FOLDER`, as prefix of a URI -> folder with a file for each key. Raises ManifestError."""
    found = _given(secrets, "secret", "name", "secret://")
    for prefix, folder in found.items():
        if not folder.is_dir():
            raise ManifestError(f"--secret {prefix.removeprefix('secret://')}={folder}: there is no such folder: make it, with a file for each key")
    return found


def _given(options: Iterable[str], option: str, what: str, scheme: str) -> dict[str, Path]:
    found = {}
    for given in options:
        name, equals, folder = given.partition("=")
        if not name or not equals or not folder:
            raise ManifestError(f"--{option} {given}: write it as {what}=FOLDER")
        found[f"{scheme}{name}"] = Path(folder).absolute()
    return found


def _materialise(folder: Path, content: dict[str, bytes]) -> None:
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    for key, value in content.items():
        (folder / Path(key).name).write_bytes(value)


def resources(cluster: LocalCluster, keys: Iterable[Key]) -> list[Resource]:
    """The stored resources of these keys."""
    return [found for key in keys if (found := cluster.store.get(key)) is not None]
