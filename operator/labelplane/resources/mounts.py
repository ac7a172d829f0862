"""Which volumes a job mounts, and where it finds them."""

from dataclasses import dataclass
from typing import Any

from labeljob.contract.config import JobConfig, Mount
from labeljob.contract.privacy import SecretKeyRef
from labelplane.plan.actions import JobIntent

CONFIG_FOLDER = "/etc/labelplane"
CONFIG_FILE = "config.json"
SECRET_MODE = 0o440  # read by the pod's group, and by nobody else


@dataclass(frozen=True)
class MountedVolume:
    """A claim or ConfigMap that a job sees at a path."""

    name: str
    prefix: str
    path: str
    source: tuple[str, str]  # ("pvc" | "configmap", name)
    writable: bool


def mounted_volumes(intent: JobIntent) -> tuple[MountedVolume, ...]:
    """One volume for each claim and ConfigMap named by the intent's URIs, in order of first use."""
    writable = {_source(uri) for uri in intent.writes}
    sources = dict.fromkeys(_source(uri) for uri in (*intent.writes, *intent.reads))
    return tuple(
        MountedVolume(f"data-{index}", f"{kind}://{name}", f"/mnt/{kind}/{name}", (kind, name), (kind, name) in writable)
        for index, (kind, name) in enumerate(sources)
    )


def config_with_mounts(intent: JobIntent) -> JobConfig:
    """The job's configuration, completed with where its data is mounted."""
    mounts = tuple(Mount(prefix=volume.prefix, path=volume.path) for volume in mounted_volumes(intent))
    secrets = tuple(Mount(prefix=f"secret://{ref.name}", path=_secret_folder(ref)) for ref in intent.secrets)
    return intent.config.model_copy(update={"mounts": mounts + secrets})


def secret_volume(index: int, ref: SecretKeyRef) -> dict[str, Any]:
    """One key of a Secret. One that is missing is reported by the job itself, in words, as a ConfigMap is."""
    source = {"secretName": ref.name, "items": [{"key": ref.key, "path": ref.key}], "defaultMode": SECRET_MODE, "optional": True}
    return {"name": f"secret-{index}", "secret": source}


def secret_mount(index: int, ref: SecretKeyRef) -> dict[str, Any]:
    """Where the job finds it."""
    return {"name": f"secret-{index}", "mountPath": _secret_folder(ref), "readOnly": True}


def _secret_folder(ref: SecretKeyRef) -> str:
    return f"/mnt/secret/{ref.name}"


def volume_manifest(volume: MountedVolume) -> dict[str, Any]:
    """A ConfigMap that is missing is reported by the job itself, in words; so its volume is optional."""
    kind, name = volume.source
    if kind == "configmap":
        return {"name": volume.name, "configMap": {"name": name, "optional": True}}
    return {"name": volume.name, "persistentVolumeClaim": {"claimName": name, "readOnly": not volume.writable}}


def mount_manifest(volume: MountedVolume) -> dict[str, Any]:
    """Inputs are mounted read-only."""
    return {"name": volume.name, "mountPath": volume.path, "readOnly": not volume.writable}


def _source(uri: str) -> tuple[str, str]:
    scheme, rest = uri.split("://", 1)
    return scheme, rest.split("/", 1)[0]
