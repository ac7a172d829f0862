"""Bring a cluster up and take it down again, leaving nothing behind."""

import shutil
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from devcluster import control_plane, images, node, traces
from devcluster.folders import ClusterFolders, program
from devcluster.go_build import build_all
from devcluster.processes import Component, is_running, log_tail, running, start, stop
from devcluster.system_packages import require_node_packages

STOP_ORDER = ("kube-proxy", "kubelet", "containerd", "kube-scheduler", "kube-controller-manager", "kube-apiserver", "etcd")


class ClusterError(Exception):
    """The cluster did not come up; the message holds the end of the guilty component's log."""


def up(name: str, *, api_only: bool = False) -> ClusterFolders:
    """Start what does not run yet and wait until it is ready."""
    folders = ClusterFolders(name)
    if not api_only:
        _refuse_second_node(folders)
        require_node_packages()
    build_all(api_only=api_only)
    folders.make()
    plane = control_plane.control_plane_of(folders)
    control_plane.prepare(folders, plane)
    _start(folders, *control_plane.api_components(folders, plane))
    _wait(folders, "kube-apiserver", lambda: _kubectl(folders, "get", "--raw", "/readyz"))
    _wait(folders, "kube-controller-manager", lambda: _healthy(plane.manager_port) and _kubectl(folders, "-n", "default", "get", "serviceaccount", "default"))
    if not api_only:
        _start_node(folders, plane)
    return folders


def down(name: str) -> None:
    """Remove the cluster and all that it made; the cache of programs and images stays.

    Raises:
        ClusterError: something outlived it; the message names it.
    """
    folders = ClusterFolders(name)
    if not folders.root.exists():
        return
    empty = False
    if is_running(folders, "containerd"):
        stop(folders, "kubelet")
        empty = _remove_containers(folders)
    for component in (*STOP_ORDER, *running(folders)):
        stop(folders, component)
    if empty:
        node.keep_images(folders)
    _unmount_below(folders.root)
    had_node = (folders.root / "kube-proxy.yaml").exists()
    if had_node:
        traces.remove_traces(folders)
    shutil.rmtree(folders.root)
    if had_node and (left := traces.left_behind(folders)):
        raise ClusterError(f"cluster {name} is gone, and left behind: {', '.join(left)}")


def kubectl(folders: ClusterFolders, *arguments: str, check: bool = True, text_in: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run kubectl as the administrator."""
    command = [str(program("kubectl")), "--kubeconfig", str(folders.kubeconfig), *arguments]
    return subprocess.run(command, check=check, capture_output=True, text=True, input=text_in)


def _refuse_second_node(folders: ClusterFolders) -> None:
    """Two nodes on one machine would write each other's iptables rules and settings, and one would take the other's away when it goes."""
    if is_running(folders, "kubelet") or not _listens(node.KUBELET_PORT):
        return
    others = [ClusterFolders(path.name) for path in folders.root.parent.glob("*") if path.name != folders.name]
    names = [one.name for one in others if is_running(one, "kubelet")]
    remedy = f"python -m devcluster down --name {names[0]}" if names else "stop it"
    raise ClusterError(f"another node runs on this machine (port {node.KUBELET_PORT}; cluster {', '.join(names) or 'unknown'}), and there is room for one: {remedy}")


def _listens(port: int) -> bool:
    """Whether somebody listens on this port of the machine."""
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


def _start_node(folders: ClusterFolders, plane: control_plane.ControlPlane) -> None:
    traces.remember_settings(folders)
    node.prepare(folders, plane)
    _allow_proxy(folders)
    _start(folders, node.containerd(folders), control_plane.scheduler(folders, plane))
    _wait(folders, "containerd", lambda: bool(node.ctr(folders, "version")))
    images.ensure_pause_image(folders)
    _start(folders, node.kubelet(folders, plane), node.proxy(folders, plane))
    ready = 'jsonpath={.status.conditions[?(@.type=="Ready")].status}'
    _wait(folders, "kubelet", lambda: kubectl(folders, "get", "node", plane.node, "-o", ready, check=False).stdout == "True")


def _allow_proxy(folders: ClusterFolders) -> None:
    made = kubectl(
        folders, "create", "clusterrolebinding", "devcluster-proxy", "--clusterrole=system:node-proxier", "--user=system:kube-proxy", check=False
    )
    if made.returncode and "already exists" not in made.stderr:
        raise ClusterError(made.stderr)


def _start(folders: ClusterFolders, *components: Component) -> None:
    for component in components:
        if start(folders, component):
            print(f"started {component.name}", file=sys.stderr, flush=True)


def _kubectl(folders: ClusterFolders, *arguments: str) -> bool:
    return kubectl(folders, *arguments, check=False).returncode == 0


def _healthy(port: int) -> bool:
    """Whether a component says so itself; its certificate is its own, made at start."""
    trusting = ssl._create_unverified_context()
    try:
        with urllib.request.urlopen(f"https://127.0.0.1:{port}/healthz", timeout=5, context=trusting) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _wait(folders: ClusterFolders, component: str, ready: Callable[[], bool], *, timeout: float = 90.0) -> None:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if not is_running(folders, component):
            break
        try:
            if ready():
                return
        except subprocess.CalledProcessError:
            pass
        time.sleep(0.25)
    raise ClusterError(f"{component} is not ready; the end of its log:\n{log_tail(folders, component)}")


def _remove_containers(folders: ClusterFolders) -> bool:
    """End every container, then its sandbox, as the runtime itself lists them; returns whether none is left."""
    for kind, *flags in (("task", "--force"), ("container",)):
        found = node.ctr(folders, kind, "ls", "-q").split()
        if found:
            command = [str(program("ctr")), "-a", node.socket_path(folders), "-n", "k8s.io", kind, "rm", *flags, *found]
            subprocess.run(command, check=False, capture_output=True)  # one that ends by itself meanwhile is reported, and the others go
    return not node.ctr(folders, "container", "ls", "-q").split()


def _unmount_below(root: Path) -> None:
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for mount in sorted((m for m in mounts if m.startswith(f"{root}/")), reverse=True):
        subprocess.run(["umount", "-l", mount], check=False)
