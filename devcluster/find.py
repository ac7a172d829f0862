"""Which cluster to use: one that is named, else kind, else binaries that are there, else one we build."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Found:
    """A cluster to use; `built` means that devcluster makes it."""

    kind: Literal["named", "kind", "assets", "built"]
    kubeconfig: Path | None = None
    context: str | None = None


def find() -> Found:
    """A context is used only when LABELPLANE_KUBECONFIG or LABELPLANE_CONTEXT names it: never one that merely is there."""
    kubeconfig, context = os.environ.get("LABELPLANE_KUBECONFIG"), os.environ.get("LABELPLANE_CONTEXT")
    if kubeconfig or context:
        return Found("named", Path(kubeconfig or os.environ.get("KUBECONFIG") or Path.home() / ".kube/config"), context)
    if _kind_works():
        return Found("kind", context="kind-labelplane")
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets and (Path(assets) / "kube-apiserver").exists():
        return Found("assets", Path(assets))
    return Found("built")


def _kind_works() -> bool:
    if shutil.which("kind") is None or not (shutil.which("docker") or shutil.which("podman")):
        return False
    engine = "docker" if shutil.which("docker") else "podman"
    return subprocess.run([engine, "info"], capture_output=True, check=False).returncode == 0
