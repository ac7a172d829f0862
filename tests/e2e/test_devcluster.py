"""The node of the development cluster: one on a machine, and nothing of it left when it is gone.

`devcluster.cluster.down` checks the latter itself whenever a cluster is taken down, at the end of this test run too; here are the parts of it
that can be tried beside a cluster that runs.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from devcluster import node, traces
from devcluster.folders import ClusterFolders
from devcluster.go_build import folder_of
from tests.cluster_fixtures import ROOT, RealCluster
from tests.e2e.operator import Installed

pytestmark = pytest.mark.cluster


def test_a_second_node_is_refused(cluster: RealCluster) -> None:
    """Its kube-proxy would undo the first one's rules: it says so before it makes anything, and names the other."""
    command = [sys.executable, "-m", "devcluster", "up", "--name", "second"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 1
    assert f"python -m devcluster down --name {cluster.folders.name}" in done.stderr
    assert not ClusterFolders("second").root.exists()


@pytest.fixture
def pod() -> Iterator[tuple[str, Path, list[Path]]]:
    """What a pod that still ran leaves of its network: (network, its namespace, files of CNI)."""
    network = f"lp-gone-{os.getpid()}"
    namespace = Path("/var/run/netns") / f"cni-{network}"
    namespace.parent.mkdir(exist_ok=True)
    namespace.touch()
    subprocess.run(["unshare", f"--net={namespace}", "true"], check=True)
    traces.CNI_RESULTS.mkdir(parents=True, exist_ok=True)
    files = [traces.CNI_RESULTS / f"{network}-c0ffee-eth0", traces.CNI_RESULTS / "cni-loopback-c0ffee-lo"]
    for file in files:
        file.write_text(json.dumps({"containerId": "c0ffee", "netns": str(namespace)}))
    yield network, namespace, files
    for file in files:
        file.unlink(missing_ok=True)
    subprocess.run(["umount", str(namespace)], check=False, capture_output=True)
    namespace.unlink(missing_ok=True)


def test_networks_of_pods_go(pod: tuple[str, Path, list[Path]]) -> None:
    network, namespace, files = pod
    traces.remove_pod_networks(f"{network}-of-another-cluster")
    assert os.path.ismount(namespace)
    traces.remove_pod_networks(network)
    assert not namespace.exists()
    assert [file for file in files if file.exists()] == []


def test_every_shim_of_a_cluster_is_known(cluster: RealCluster, operator: Installed) -> None:
    """At least the operator's pod has one; those of other clusters are not ours to end."""
    shims = [one for one in traces.left_behind(cluster.folders) if one.startswith("containerd-shim")]
    assert shims
    assert [one for one in traces.left_behind(ClusterFolders("another")) if one in shims] == []


def test_links_to_logs_go() -> None:
    """Those of this cluster only."""
    gone, kept = (traces.POD_LOGS / f"{name}-{os.getpid()}.log" for name in ("gone", "kept"))
    folders = ClusterFolders(f"gone-{os.getpid()}")
    traces.POD_LOGS.mkdir(exist_ok=True)
    gone.symlink_to(folders.root / "pod-logs/x.log")
    kept.symlink_to(ClusterFolders(f"gone-{os.getpid()}-not").root / "pod-logs/x.log")
    try:
        assert str(gone) in traces.left_behind(folders)
        traces.remove_log_links(folders)
        assert (gone.is_symlink(), kept.is_symlink()) == (False, True)
    finally:
        gone.unlink(missing_ok=True)
        kept.unlink(missing_ok=True)


def test_settings_of_the_machine_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Remembered once, before kubelet and kube-proxy change them, and given back when the node goes."""
    for name in traces.SETTINGS[:3]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1\n")
    monkeypatch.setattr(traces, "PROC_SYS", tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folders = ClusterFolders("settings")
    folders.make()
    traces.remember_settings(folders)
    (tmp_path / traces.SETTINGS[0]).write_text("500\n")
    traces.remember_settings(folders)  # as a second `up` does
    traces.restore_settings(folders)
    assert [(tmp_path / name).read_text().strip() for name in traces.SETTINGS[:3]] == ["1", "1", "1"]


def test_images_are_left_to_the_next_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In their file; one that is in use yet is not given away."""
    first, second = ClusterFolders("first"), ClusterFolders("second")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for folders in (first, second):
        (folders.root / "containerd").mkdir(parents=True)
    try:
        node.mount_images(first)
        with (first.root / "containerd/loaded").open("w"):
            node.keep_images(first)
            assert (first.root / "containerd").is_mount()
        node.keep_images(first)
        node.mount_images(second)
        assert (second.root / "containerd/loaded").exists()
        assert not (first.root / "containerd.img").exists()
    finally:
        for folders in (first, second):
            subprocess.run(["umount", str(folders.root / "containerd")], check=False, capture_output=True)


def test_a_node_whose_kept_images_are_damaged_begins_without_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its images are in the folder, and the file is not tried again."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folders = ClusterFolders("one")
    (folders.root / "containerd").mkdir(parents=True)
    (tmp_path / "labelplane" / f"node-images-{folder_of('containerd').name}.img").write_bytes(b"no filesystem" * 1000)
    node.mount_images(folders)
    assert not (folders.root / "containerd").is_mount()
    assert not list(tmp_path.rglob("*.img"))
    node.keep_images(folders)  # nothing to keep
    assert not list(tmp_path.rglob("*.img"))
