"""A cluster that is taken down leaves nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from devcluster import processes
from devcluster.folders import ClusterFolders
from tests.cluster_fixtures import ROOT

pytestmark = pytest.mark.apiserver


def devcluster(*arguments: str) -> str:
    """As a user calls it, in a process of its own."""
    done = subprocess.run([sys.executable, "-m", "devcluster", *arguments], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_down_leaves_neither_process_nor_file() -> None:
    name = f"down-{os.getpid()}"
    folders = ClusterFolders(name)
    assert Path(devcluster("up", "--api-only", "--name", name)) == folders.kubeconfig
    components = {component: processes.pid_of(folders, component) for component in processes.running(folders)}
    assert set(components) == {"etcd", "kube-apiserver", "kube-controller-manager"}
    devcluster("down", "--name", name)
    assert not folders.root.exists()
    assert [component for component, pid in components.items() if alive(pid)] == []


def alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and is not yet collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_down_of_what_never_was_is_no_error() -> None:
    devcluster("down", "--name", "never-was")
    assert not ClusterFolders("never-was").root.exists()
