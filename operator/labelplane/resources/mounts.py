"""Which volumes a job mounts, and where it finds them."""

from dataclasses import dataclass
from typing import Any

from labeljob.contract.config import JobConfig, Mount
from labeljob.contract.datasets import CREDENTIAL_KEYS
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
    """One volume for each claim and ConfigMap named by the intent's URIs, in order of first use. An object store needs none."""
    writable = {_source(uri) for uri in intent.writes}
    sources = dict.fromkeys(_source(uri) for uri in (*intent.writes, *intent.reads) if not uri.startswith("s3://"))
    return tuple(
        MountedVolume(f"data-{index}", f"{kind}://{name}", f"/mnt/{kind}/{name}", (kind, name), (kind, name) in writable)
        for index, (kind, name) in enumerate(sources)
    )


@dataclass(frozen=True)
class MountedSecret:
    """A Secret of which a job sees some keys, as files."""

    name: str
    keys: tuple[str, ...]

    @property
    def path(self) -> str:
        return f"/mnt/secret/{self.name}"


def mounted_secrets(intent: JobIntent) -> tuple[MountedSecret, ...]:
    """Each Secret once, whatever it is for: those whose key hashes columns, and those that open an object store."""
    keys: dict[str, tuple[str, ...]] = {}
    for ref in intent.secrets:
        keys[ref.name] = (*keys.get(ref.name, ()), ref.key)
    for name in dict.fromkeys(one.secret for one in intent.config.access if one.secret):
        keys[name] = (*keys.get(name, ()), *CREDENTIAL_KEYS)
    return tuple(MountedSecret(name, tuple(dict.fromkeys(of))) for name, of in keys.items())


def config_with_mounts(intent: JobIntent) -> JobConfig:
    """The job's configuration, completed with where its data is mounted."""
    mounts = tuple(Mount(prefix=volume.prefix, path=volume.path) for volume in mounted_volumes(intent))
    secrets = tuple(Mount(prefix=f"secret://{secret.name}", path=secret.path) for secret in mounted_secrets(intent))
    return intent.config.model_copy(update={"mounts": mounts + secrets})


def secret_volume(index: int, secret: MountedSecret) -> dict[str, Any]:
    """Some keys of a Secret, and no others. What is missing is reported by the job itself, in words, as a ConfigMap is."""
    items = [{"key": key, "path": key} for key in secret.keys]
    return {"name": f"secret-{index}", "secret": {"secretName": secret.name, "items": items, "defaultMode": SECRET_MODE, "optional": True}}


def secret_mount(index: int, secret: MountedSecret) -> dict[str, Any]:
    """Where the job finds it."""
    return {"name": f"secret-{index}", "mountPath": secret.path, "readOnly": True}


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
