"""Where things are kept: a cache that outlives clusters, and a state folder for each cluster."""

import os
from dataclasses import dataclass
from pathlib import Path


def cache_root() -> Path:
    """`$XDG_CACHE_HOME/labelplane`, or `~/.cache/labelplane`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "labelplane"


def program(name: str) -> Path:
    """A built program. Raises FileNotFoundError when `build` has not been run."""
    from devcluster.go_build import folder_of

    return folder_of(name) / name


@dataclass(frozen=True)
class ClusterFolders:
    """All files of one cluster."""

    name: str

    @property
    def root(self) -> Path:
        return cache_root() / "cluster" / self.name

    @property
    def certificates(self) -> Path:
        return self.root / "pki"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def pids(self) -> Path:
        return self.root / "pids"

    @property
    def kubeconfig(self) -> Path:
        return self.root / "kubeconfig"

    def make(self) -> None:
        for folder in (self.root, self.certificates, self.logs, self.pids):
            folder.mkdir(parents=True, exist_ok=True)
