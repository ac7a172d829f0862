"""Debian packages that a node needs, installed when they are missing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NODE_PACKAGES = {
    "containernetworking-plugins": "/usr/lib/cni/bridge",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "buildah": "buildah",
    "mmdebstrap": "mmdebstrap",
    "libseccomp-dev": "/usr/include/seccomp.h",
    "pkg-config": "pkg-config",
    "libc6-dev": "/usr/include/stdio.h",
    "gcc": "gcc",
}


class PackagesMissingError(Exception):
    """Packages are missing and cannot be installed from here."""


def require_node_packages() -> None:
    """Install what is missing. Raises PackagesMissingError with the command to run when this user may not."""
    missing = [package for package, mark in NODE_PACKAGES.items() if not _present(mark)]
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise PackagesMissingError(f"install these packages first: apt-get install {' '.join(missing)}")
    print(f"installing {', '.join(missing)} ...", file=sys.stderr, flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing]):
        subprocess.run(command, env=environment, check=True, stdout=sys.stderr)


def _present(mark: str) -> bool:
    return Path(mark).exists() if mark.startswith("/") else shutil.which(mark) is not None
