"""Which volumes a job mounts, and where it finds them."""

from dataclasses import dataclass
from typing import Any

from labeljob.contract.config import JobConfig, Mount
from labeljob.contract.datasets import CREDENTIAL_KEYS
from labelplane.plan.actions import JobIntent

CONFIG_FOLDER = "/etc/labelplane"
CONFIG_FILE = "config.json"
SECRET_MODE = 0o440  # the pod's group, which is its fsGroup, may read


@dataclass(frozen=True)
class MountedVolume:
    """A claim, ConfigMap or Secret that a job sees at a path."""

    name: str
    prefix: str
    path: str
    source: tuple[str, str]  # ("pvc" | "configmap" | "secret", name)
    writable: bool


def mounted_volumes(intent: JobIntent) -> tuple[MountedVolume, ...]:
    """One volume for each claim and ConfigMap named by the intent's URIs, and each Secret that opens one, in order of first use."""
    writable = {_source(uri) for uri in intent.writes}
    secrets = (f"secret://{one.secret}" for one in intent.config.access if one.secret)
    sources = dict.fromkeys(_source(uri) for uri in (*intent.writes, *intent.reads, *secrets) if not uri.startswith("s3://"))
    return tuple(
        MountedVolume(f"data-{index}", f"{kind}://{name}", f"/mnt/{kind}/{name}", (kind, name), (kind, name) in writable)
        for index, (kind, name) in enumerate(sources)
    )


def config_with_mounts(intent: JobIntent) -> JobConfig:
    """The job's configuration, completed with where its data is mounted."""
    mounts = tuple(Mount(prefix=volume.prefix, path=volume.path) for volume in mounted_volumes(intent))
    return intent.config.model_copy(update={"mounts": mounts})


def volume_manifest(volume: MountedVolume) -> dict[str, Any]:
    """A ConfigMap, or a Secret or a key in it, that is missing is reported by the job itself, in words; so its volume is optional."""
    kind, name = volume.source
    if kind == "secret":
        items = [{"key": key, "path": key} for key in CREDENTIAL_KEYS]  # optional, each of them
        return {"name": volume.name, "secret": {"secretName": name, "items": items, "defaultMode": SECRET_MODE, "optional": True}}
    if kind == "configmap":
        return {"name": volume.name, "configMap": {"name": name, "optional": True}}
    return {"name": volume.name, "persistentVolumeClaim": {"claimName": name, "readOnly": not volume.writable}}


def mount_manifest(volume: MountedVolume) -> dict[str, Any]:
    """Inputs are mounted read-only."""
    return {"name": volume.name, "mountPath": volume.path, "readOnly": not volume.writable}


def _source(uri: str) -> tuple[str, str]:
    scheme, rest = uri.split("://", 1)
    return scheme, rest.split("/", 1)[0]
