"""Storage for tests and demos: a folder of the node as a PersistentVolume, or a small filesystem that fills up."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from devcluster.cluster import kubectl
from devcluster.folders import ClusterFolders

JOB_USER = 65532


@dataclass(frozen=True)
class Volume:
    """A bound claim and the folder behind it."""

    claim: str
    namespace: str
    folder: Path


def make_volume(folders: ClusterFolders, namespace: str, claim: str, *, small_mebibytes: int | None = None) -> Volume:
    """A PersistentVolume on a folder that pods of JOB_USER can write, and its claim.

    fsGroup does not apply to hostPath volumes, so the folder is given to JOB_USER. With `small_mebibytes` the folder
    is a filesystem of that size of its own.
    """
    folder = folders.root / "volumes" / f"{namespace}-{claim}"
    folder.mkdir(parents=True, exist_ok=True)
    if small_mebibytes and not folder.is_mount():
        _mount_small(folder, small_mebibytes)
    shutil.chown(folder, JOB_USER, JOB_USER)
    kubectl(folders, "apply", "-f", "-", text_in=json.dumps(_manifests(namespace, claim, folder)))
    return Volume(claim, namespace, folder)


def remove_volume(folders: ClusterFolders, volume: Volume) -> None:
    """Delete the PersistentVolume and what is behind it."""
    kubectl(folders, "delete", "pv", f"{volume.namespace}-{volume.claim}", "--ignore-not-found", "--wait=false", check=False)
    if volume.folder.is_mount():
        subprocess.run(["umount", "-l", str(volume.folder)], check=True)
    shutil.rmtree(volume.folder, ignore_errors=True)
    volume.folder.with_suffix(".img").unlink(missing_ok=True)


def _mount_small(folder: Path, mebibytes: int) -> None:
    image = folder.with_suffix(".img")
    with image.open("wb") as file:
        file.truncate(mebibytes * 1024 * 1024)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(image)], check=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(folder)], check=True)


def _manifests(namespace: str, claim: str, folder: Path) -> dict[str, object]:
    name = f"{namespace}-{claim}"
    size = {"storage": "1Gi"}
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": size,
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "",
            "hostPath": {"path": str(folder), "type": "Directory"},
            "claimRef": {"namespace": namespace, "name": claim},
        },
    }
    request = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": claim, "namespace": namespace},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "", "volumeName": name, "resources": {"requests": size}},
    }
    return {"apiVersion": "v1", "kind": "List", "items": [volume, request]}
