"""etcd, the API server, the controller-manager and the scheduler."""

import json
import socket
import subprocess
from dataclasses import dataclass

from devcluster.certificates import make_certificates, make_tokens
from devcluster.folders import ClusterFolders, program
from devcluster.processes import Component

SERVICE_RANGE = "10.96.0.0/16"
SERVICE_ADDRESS = "10.96.0.1"


@dataclass(frozen=True)
class ControlPlane:
    """Addresses of one control plane, fixed when the cluster is first made."""

    address: str
    node: str
    etcd_port: int
    etcd_peer_port: int
    api_port: int
    manager_port: int
    scheduler_port: int
    proxy_port: int

    @property
    def server(self) -> str:
        return f"https://{self.address}:{self.api_port}"


def control_plane_of(folders: ClusterFolders) -> ControlPlane:
    """The recorded control plane, or a new one on free ports."""
    path = folders.root / "control-plane.json"
    if path.exists():
        return ControlPlane(**json.loads(path.read_text()))
    ports = _free_ports(6)
    plane = ControlPlane(machine_address(), socket.gethostname().lower(), *ports)
    path.write_text(json.dumps(plane.__dict__))
    return plane


def prepare(folders: ClusterFolders, plane: ControlPlane) -> None:
    """Certificates, tokens and one kubeconfig for each user."""
    make_certificates(folders, ["127.0.0.1", plane.address, SERVICE_ADDRESS])
    tokens = make_tokens(folders, plane.node)
    for user, token in tokens.items():
        path = folders.kubeconfig if user == "admin" else folders.root / f"{user.split(':')[1]}.kubeconfig"
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(json.dumps(_kubeconfig(folders, plane, token)))


def api_components(folders: ClusterFolders, plane: ControlPlane) -> tuple[Component, ...]:
    """What an API server without a node needs."""
    return (_etcd(folders, plane), _api_server(folders, plane), _controller_manager(folders, plane))


def scheduler(folders: ClusterFolders, plane: ControlPlane) -> Component:
    """The scheduler."""
    flags = [f"--kubeconfig={folders.root}/kube-scheduler.kubeconfig", "--leader-elect=false", f"--secure-port={plane.scheduler_port}"]
    flags += [f"--cert-dir={folders.root}/scheduler-pki", "--bind-address=127.0.0.1"]
    return Component("kube-scheduler", (str(program("kube-scheduler")), *flags))


def machine_address() -> str:
    """An address of this machine that is not loopback: a kubelet needs one."""
    lines = subprocess.run(["ip", "-4", "-o", "addr", "show", "scope", "global"], capture_output=True, text=True, check=False).stdout
    found = [line.split()[3].split("/")[0] for line in lines.splitlines() if not line.split()[1].startswith(("lp-", "docker", "cni", "br-"))]
    return found[0] if found else "127.0.0.1"


def _etcd(folders: ClusterFolders, plane: ControlPlane) -> Component:
    client, peer = f"http://127.0.0.1:{plane.etcd_port}", f"http://127.0.0.1:{plane.etcd_peer_port}"
    flags = [f"--data-dir={folders.root}/etcd", f"--listen-client-urls={client}", f"--advertise-client-urls={client}"]
    flags += [f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}"]
    return Component("etcd", (str(program("etcd")), *flags, "--unsafe-no-fsync", "--log-level=warn"))


def _api_server(folders: ClusterFolders, plane: ControlPlane) -> Component:
    pki = folders.certificates
    flags = [
        f"--etcd-servers=http://127.0.0.1:{plane.etcd_port}",
        f"--secure-port={plane.api_port}",
        f"--advertise-address={plane.address}",
        f"--tls-cert-file={pki}/apiserver.crt",
        f"--tls-private-key-file={pki}/apiserver.key",
        f"--client-ca-file={pki}/ca.crt",
        f"--token-auth-file={pki}/tokens.csv",
        f"--kubelet-client-certificate={pki}/kubelet-client.crt",
        f"--kubelet-client-key={pki}/kubelet-client.key",
        "--kubelet-preferred-address-types=InternalIP",
        f"--service-account-key-file={pki}/sa.pub",
        f"--service-account-signing-key-file={pki}/sa.key",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        "--watch-cache=true",
    ]
    return Component("kube-apiserver", (str(program("kube-apiserver")), *flags))


def _controller_manager(folders: ClusterFolders, plane: ControlPlane) -> Component:
    pki = folders.certificates
    flags = [
        f"--kubeconfig={folders.root}/kube-controller-manager.kubeconfig",
        f"--root-ca-file={pki}/ca.crt",
        f"--service-account-private-key-file={pki}/sa.key",
        "--use-service-account-credentials=true",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        f"--secure-port={plane.manager_port}",
        f"--cert-dir={folders.root}/manager-pki",
        "--node-monitor-grace-period=40s",
        "--kube-api-qps=500",  # at the default of 20 the Jobs of a hundred short tests wait a minute for their first pod
        "--kube-api-burst=1000",
        "--concurrent-job-syncs=20",
    ]
    return Component("kube-controller-manager", (str(program("kube-controller-manager")), *flags))


def _kubeconfig(folders: ClusterFolders, plane: ControlPlane, token: str) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "dev", "cluster": {"server": plane.server, "certificate-authority": f"{folders.certificates}/ca.crt"}}],
        "users": [{"name": "dev", "user": {"token": token}}],
        "contexts": [{"name": "dev", "context": {"cluster": "dev", "user": "dev"}}],
        "current-context": "dev",
    }


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()
