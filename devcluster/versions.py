"""What is built, in which version. The cache key follows from this file alone."""

import hashlib
from dataclasses import dataclass

KUBERNETES = "v1.36.3"
STAGING = "v0.36.3"
_COMPONENT = "k8s.io/component-base/version"
_KUBERNETES_FLAGS = f"-s -w -X {_COMPONENT}.gitVersion={KUBERNETES} -X {_COMPONENT}.gitMajor=1 -X {_COMPONENT}.gitMinor=36"


@dataclass(frozen=True)
class Tool:
    """Commands of one Go module, built with one go.mod of their own.

    `commands` maps the program's name to its package.
    """

    name: str
    version: str
    commands: tuple[tuple[str, str], ...]
    tags: str = ""
    cgo: bool = False
    linker_flags: str = "-s -w"
    api_only: bool = False  # enough for an API server without a node

    @property
    def key(self) -> str:
        """Name of the cache folder: changes with anything that changes the programs."""
        identity = hashlib.sha256(repr(self).encode()).hexdigest()[:10]
        return f"{self.name}-{self.version}-{identity}"


def _kubernetes(*names: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, f"k8s.io/kubernetes/cmd/{name}") for name in names)


_HELM = "helm.sh/helm/v3/pkg"
_HELM_FLAGS = "-s -w " + " ".join(
    f"-X {_HELM}/{package}.k8sVersion{part}" for package in ("chartutil", "lint/rules") for part in ("Major=1", "Minor=36")
)
_CONTAINERD = "github.com/containerd/containerd/v2/cmd"

TOOLS = (
    Tool(
        "kubernetes-api",
        KUBERNETES,
        _kubernetes("kube-apiserver", "kube-controller-manager", "kubectl"),
        linker_flags=_KUBERNETES_FLAGS,
        api_only=True,
    ),
    Tool("etcd", "v3.6.16", (("etcd", "go.etcd.io/etcd/server/v3"),), api_only=True),
    Tool("kubernetes-node", KUBERNETES, _kubernetes("kubelet", "kube-scheduler", "kube-proxy"), linker_flags=_KUBERNETES_FLAGS),
    Tool(
        "containerd",
        "v2.2.9",
        tuple((name, f"{_CONTAINERD}/{name}") for name in ("containerd", "containerd-shim-runc-v2", "ctr")),
        tags="no_btrfs no_zfs no_devmapper",
    ),
    Tool("runc", "v1.3.4", (("runc", "github.com/opencontainers/runc"),), tags="seccomp", cgo=True),
    Tool("helm", "v3.22.0", (("helm", "helm.sh/helm/v3/cmd/helm"),), linker_flags=_HELM_FLAGS, api_only=True),
    Tool("versitygw", "v1.8.0", (("versitygw", "github.com/versity/versitygw/cmd/versitygw"),)),  # an S3 server, for tests
)
