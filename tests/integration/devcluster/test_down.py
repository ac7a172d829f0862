"""A cluster that is taken down leaves nothing."""

import os

import pytest

from devcluster import cluster, processes
from devcluster.folders import ClusterFolders

pytestmark = pytest.mark.apiserver


def test_down_leaves_neither_process_nor_file() -> None:
    name = f"down-{os.getpid()}"
    folders = cluster.up(name, api_only=True)
    pids = [processes.pid_of(folders, component) for component in processes.running(folders)]
    assert len(pids) == 3  # etcd, API server, controller-manager
    cluster.down(name)
    assert not folders.root.exists()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_down_of_what_never_was_is_no_error() -> None:
    cluster.down("never-was")
    assert not ClusterFolders("never-was").root.exists()
