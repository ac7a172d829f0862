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
    folders = _folders(root, directory, loaded, volumes) | secret_folders(secrets)
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
    found = {}
    for volume in volumes:
        claim, equals, folder = volume.partition("=")
        if not claim or not equals or not folder:
            raise ManifestError(f"--volume {volume}: write it as claim=FOLDER")
        found[f"pvc://{claim}"] = Path(folder).absolute()
    return found


def secret_folders(secrets: Iterable[str]) -> dict[str, Path]:
    """`--secret name=FOLDER`, a folder with a file for each key, as prefix of a URI -> folder. Raises ManifestError."""
    found = {}
    for secret in secrets:
        name, equals, folder = secret.partition("=")
        if not name or not equals or not Path(folder).is_dir():
            raise ManifestError(f"--secret {name}: write it as name=FOLDER, a folder with a file for each key")
        found[f"secret://{name}"] = Path(folder).absolute()
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
