"""One node: containerd, runc, a bridge network, kubelet and kube-proxy."""

import json
import shutil
import subprocess
from pathlib import Path

import yaml

from devcluster.control_plane import ControlPlane
from devcluster.folders import ClusterFolders, cache_root, program
from devcluster.go_build import folder_of
from devcluster.processes import Component

POD_RANGE = "10.244.0.0/24"
KUBELET_PORT = 10250
IMAGE_BYTES = 32 << 30  # at most: what is not written takes no room
PAUSE_IMAGE = "localhost/labelplane/pause:2"
BASE_OF_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def bridge_name(folders: ClusterFolders) -> str:
    """The network bridge of this cluster (at most 15 characters)."""
    return f"lp-{folders.name}"[:15]


def socket_path(folders: ClusterFolders) -> str:
    """Where containerd listens."""
    return f"{folders.root}/containerd.sock"


def prepare(folders: ClusterFolders, plane: ControlPlane) -> None:
    """Write the configuration of every part of the node."""
    for name in ("cni", "containerd", "containerd-state", "kubelet"):
        (folders.root / name).mkdir(exist_ok=True)
    mount_images(folders)
    (folders.root / "containerd.toml").write_text(_containerd(folders))
    (folders.root / "cni" / "10-bridge.conflist").write_text(json.dumps(_network(folders)))
    (folders.root / "kubelet.yaml").write_text(yaml.safe_dump(_kubelet(folders)))
    (folders.root / "kube-proxy.yaml").write_text(yaml.safe_dump(_proxy(folders, plane)))
    for switch in ("net.ipv4.ip_forward=1",):
        subprocess.run(["sysctl", "-q", "-w", switch], check=True)


def mount_images(folders: ClusterFolders) -> None:
    """A filesystem in one sparse file for images and containers; the last node's, with the images that it had loaded, where that was left.

    Where no such file can be made or mounted (no loop devices, another's rights, a damaged file) they are in the folder itself, and go with it.
    """
    root, image = folders.root / "containerd", folders.root / "containerd.img"
    if root.is_mount():
        return
    try:
        _kept().rename(image)
    except FileNotFoundError:
        with image.open("wb") as file:
            file.truncate(IMAGE_BYTES)
        made = _done("mkfs.ext4", "-q", "-m", "0", "-O", "^has_journal", "-E", "lazy_itable_init=1", str(image))
    else:
        made = True
    if not made or not _done("mount", "-o", "loop,noatime", str(image), str(root)):
        image.unlink()


def _done(*command: str) -> bool:
    """Whether a command of the system is there and succeeds."""
    return shutil.which(command[0]) is not None and subprocess.run(command, check=False, capture_output=True).returncode == 0


def keep_images(folders: ClusterFolders) -> None:
    """Leave that file to the next node, once containerd has ended; unless something uses it yet."""
    if (folders.root / "containerd").is_mount() and _done("umount", str(folders.root / "containerd")):
        (folders.root / "containerd.img").rename(_kept())


def _kept() -> Path:
    return cache_root() / f"node-images-{folder_of('containerd').name}.img"


def containerd(folders: ClusterFolders) -> Component:
    """The container runtime; the shim and runc are found beside it."""
    path = f"{folder_of('containerd')}:{folder_of('runc')}:{BASE_OF_PATH}"
    command = (str(program("containerd")), "--config", f"{folders.root}/containerd.toml")
    return Component("containerd", command, (("PATH", path),))


def kubelet(folders: ClusterFolders, plane: ControlPlane) -> Component:
    """The node's agent."""
    flags = [
        f"--config={folders.root}/kubelet.yaml",
        f"--kubeconfig={folders.root}/node.kubeconfig",
        f"--root-dir={folders.root}/kubelet",
        f"--cert-dir={folders.root}/kubelet/pki",
        f"--hostname-override={plane.node}",
        f"--node-ip={plane.address}",
    ]
    return Component("kubelet", (str(program("kubelet")), *flags))


def proxy(folders: ClusterFolders, plane: ControlPlane) -> Component:
    """Service addresses by iptables."""
    flags = [f"--config={folders.root}/kube-proxy.yaml", f"--hostname-override={plane.node}"]
    return Component("kube-proxy", (str(program("kube-proxy")), *flags))


def ctr(folders: ClusterFolders, *arguments: str) -> str:
    """Run containerd's own client in the namespace of the kubelet."""
    command = [str(program("ctr")), "-a", socket_path(folders), "-n", "k8s.io", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _containerd(folders: ClusterFolders) -> str:
    # no_sync: what a machine that goes down loses is made anew.
    # restrict_oom_score_adj: a root without CAP_SYS_RESOURCE may not set a negative score, and every sandbox would fail.
    return f"""version = 3
root = "{folders.root}/containerd"
state = "{folders.root}/containerd-state"
[grpc]
  address = "{socket_path(folders)}"
[plugins.'io.containerd.metadata.v1.bolt']
  no_sync = true
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
      BinaryName = "{program("runc")}"
      SystemdCgroup = false
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ["/usr/lib/cni"]
    conf_dir = "{folders.root}/cni"
[plugins.'io.containerd.cri.v1.images']
  snapshotter = "overlayfs"
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = "{PAUSE_IMAGE}"
"""


def _network(folders: ClusterFolders) -> dict[str, object]:
    ranges = [[{"subnet": POD_RANGE}]]
    bridge = {
        "type": "bridge",
        "bridge": bridge_name(folders),
        "isGateway": True,
        "ipMasq": True,
        "hairpinMode": True,
        "ipam": {"type": "host-local", "ranges": ranges, "routes": [{"dst": "0.0.0.0/0"}], "dataDir": f"{folders.root}/cni-state"},
    }
    return {"cniVersion": "1.0.0", "name": bridge_name(folders), "plugins": [bridge, {"type": "portmap", "capabilities": {"portMappings": True}}]}


def _kubelet(folders: ClusterFolders) -> dict[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{folders.certificates}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": f"unix://{socket_path(folders)}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": "/",
        "failCgroupV1": False,
        "failSwapOn": False,
        "enforceNodeAllocatable": [],
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        "resolvConf": "/etc/resolv.conf",
        "port": KUBELET_PORT,
        "healthzPort": 0,
        "readOnlyPort": 0,
        "maxPods": 200,
        "podLogsDir": f"{folders.root}/pod-logs",
        "volumePluginDir": f"{folders.root}/kubelet/plugins",
        "syncFrequency": "10s",
        "registerWithTaints": [],
    }


def _proxy(folders: ClusterFolders, plane: ControlPlane) -> dict[str, object]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clientConnection": {"kubeconfig": f"{folders.root}/kube-proxy.kubeconfig"},
        "clusterCIDR": POD_RANGE,
        "healthzBindAddress": "",
        "metricsBindAddress": f"127.0.0.1:{plane.proxy_port}",
        "conntrack": {"maxPerCore": 0},
    }
