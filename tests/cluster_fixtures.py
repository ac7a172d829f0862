"""Fixtures around a real cluster. They fail, and never skip, when it cannot be had."""

import json
import os
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from devcluster import cluster as devcluster
from devcluster import control_plane, images, processes
from devcluster.folders import ClusterFolders, program
from devcluster.project_images import IMAGES
from devcluster.volumes import Volume, make_volume, remove_volume
from tests.patience import HANG_SECONDS
from tests.reader import create_namespace, delete_namespace, read_object
from tests.sharing import SHARED, made, once

ROOT = Path(__file__).parents[1]
KEPT = "LABELPLANE_TEST_CLUSTER"
NAMESPACES = ("served", "finished")  # of `cluster`, shared by tests of all workers


@dataclass(frozen=True)
class RealCluster:
    """A running cluster and the tools to work with it."""

    folders: ClusterFolders

    @property
    def kubeconfig(self) -> Path:
        return self.folders.kubeconfig

    def kubectl(self, *arguments: str, check: bool = True, text_in: str | None = None) -> str:
        """Output of kubectl; with check=False, of stderr too. A failure shows what kubectl said."""
        done = devcluster.kubectl(self.folders, *arguments, check=False, text_in=text_in)
        if check and done.returncode:
            raise AssertionError(f"kubectl {' '.join(arguments)}: {done.stderr}")
        return done.stdout if check else done.stdout + done.stderr

    def get(self, namespace: str, plural: str, name: str = "", *, selector: str = "") -> dict[str, Any]:
        """An object, or a list. Over HTTP: tests ask so often that starting kubectl each time would be most of their work."""
        found: dict[str, Any] = read_object(self.folders, namespace, plural, name, selector)
        return found

    def apply(self, *manifests: dict[str, Any]) -> None:
        """Apply manifests as a user does."""
        self.kubectl("apply", "-f", "-", text_in=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifests)}))

    def helm(self, *arguments: str) -> str:
        command = [str(program("helm")), "--kubeconfig", str(self.kubeconfig), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def wait(self, what: str, found: Callable[[], Any], *, timeout: float = HANG_SECONDS, every: float = 0.3, last: Callable[[], object] | None = None) -> Any:
        """Poll until `found` gives something true; what it, or `last`, gave last is in the error."""
        deadline, answer = time.monotonic() + timeout, None
        while time.monotonic() < deadline:
            answer = found()
            if answer:
                return answer
            time.sleep(every)
        raise AssertionError(f"waited {timeout:.0f} s for {what}; last: {last() if last else answer}")

    def stop_component(self, name: str) -> None:
        processes.stop(self.folders, name)

    def pid(self, name: str) -> int:
        return processes.pid_of(self.folders, name)

    def restart_apiserver(self) -> None:
        """End the API server and start it again; returns when it answers."""
        processes.stop(self.folders, "kube-apiserver")
        self.bring_up()

    def bring_up(self) -> None:
        """Start every component that does not run."""
        node = (self.folders.root / "kubelet.yaml").exists()
        devcluster.up(self.folders.name, api_only=not node)

    def create_namespace(self) -> str:
        """A namespace in which pods can be made; returns its name."""
        name = f"test-{secrets.token_hex(4)}"
        create_namespace(self.folders, name)
        self.wait("the default ServiceAccount", lambda: self.get(name, "serviceaccounts")["items"])
        return name

    @contextmanager
    def new_namespace(self) -> Iterator[str]:
        name = self.create_namespace()
        try:
            yield name
        finally:
            delete_namespace(self.folders, name)


@pytest.fixture(scope="session")
def api_server() -> RealCluster:
    """etcd, API server and controller-manager with our CRDs; no node, so pods stay pending. One for all workers."""
    return RealCluster(ClusterFolders(once("api_server", _make_api_server)))


@pytest.fixture(scope="session")
def cluster() -> RealCluster:
    """A cluster that runs pods, with our CRDs and both images loaded. One for all workers.

    `LABELPLANE_TEST_CLUSTER=name` uses (and keeps) a devcluster of that name instead of a new one.
    """
    return RealCluster(ClusterFolders(once("cluster", _make_cluster)))


@dataclass(frozen=True)
class SharedNamespace:
    """A namespace of `cluster` with a claim `lake`, prepared once, in which tests of all workers look or work side by side."""

    name: str
    lake: Volume


def shared_namespace(cluster: RealCluster, what: str, prepare: Callable[[SharedNamespace], None]) -> SharedNamespace:
    """The namespace that goes by this word, one of NAMESPACES; the first worker that asks prepares it, and the run's end removes it."""

    def make() -> dict[str, str]:
        namespace = cluster.create_namespace()
        made = SharedNamespace(namespace, make_volume(cluster.folders, namespace, "lake"))
        prepare(made)
        return {"cluster": cluster.folders.name, "namespace": namespace, "folder": str(made.lake.folder)}

    return _shared(once(what, make))


def _shared(found: dict[str, str]) -> SharedNamespace:
    return SharedNamespace(found["namespace"], Volume("lake", found["namespace"], Path(found["folder"])))


def take_down() -> None:
    """Remove the namespaces that tests shared, and the clusters that this run made."""
    for found in filter(None, map(made, NAMESPACES)):
        real, shared = RealCluster(ClusterFolders(found["cluster"])), _shared(found)
        real.kubectl("delete", "namespace", shared.name, "--wait=false")
        real.kubectl("-n", shared.name, "delete", "pods", "--all", "--force", "--grace-period=0", check=False)
        remove_volume(real.folders, shared.lake)
    for name in SHARED:
        kept = name == "cluster" and KEPT in os.environ
        if made(name) and not kept:
            devcluster.down(made(name))


def _make_api_server() -> str:
    name = f"api-{os.getpid()}"
    _install_crds(RealCluster(devcluster.up(name, api_only=True)))
    return name


def _make_cluster() -> str:
    name = os.environ.get(KEPT, "test")
    real = RealCluster(devcluster.up(name))
    for image in IMAGES:
        images.build(image)
        images.load(real.folders, image.tag)
    _install_crds(real)
    return name


@pytest.fixture
def api_namespace(api_server: RealCluster) -> Iterator[str]:
    """A fresh namespace on `api_server`."""
    with api_server.new_namespace() as name:
        yield name


@pytest.fixture
def namespace(cluster: RealCluster) -> Iterator[str]:
    """A fresh namespace on `cluster`."""
    with cluster.new_namespace() as name:
        yield name


@pytest.fixture
def volume(cluster: RealCluster, namespace: str) -> Iterator[Callable[..., Volume]]:
    """Makes claims in `namespace`: `volume("lake")`, `volume("tiny", small_mebibytes=8)`."""
    made: list[Volume] = []

    def make(claim: str, **options: Any) -> Volume:
        made.append(make_volume(cluster.folders, namespace, claim, **options))
        return made[-1]

    yield make
    for one in made:
        cluster.kubectl("-n", namespace, "delete", "pods", "--all", "--force", "--grace-period=0", check=False)
        remove_volume(cluster.folders, one)


def plane_of(real: RealCluster) -> control_plane.ControlPlane:
    """Addresses of a cluster."""
    return control_plane.control_plane_of(real.folders)


def _install_crds(real: RealCluster) -> None:
    real.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(ROOT / "crds"))
    real.kubectl("wait", "--for=condition=Established", f"--timeout={HANG_SECONDS:.0f}s", "-f", str(ROOT / "crds"))
