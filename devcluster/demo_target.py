"""Where the demo runs: a cluster that is named, kind, or one that is built here. What it makes is written down, so that it can go again."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from devcluster import cluster, images
from devcluster.demo_record import Made, forget, recorded, recorded_at, state_folder, write_down
from devcluster.find import Found
from devcluster.folders import ClusterFolders, program
from devcluster.project_images import IMAGES, JOB, OPERATOR

KIND_CLUSTER = "labelplane"
OWN_CLUSTER = "demo"  # and never "dev", which is the user's own


class DemoError(Exception):
    """The demo cannot go on; the message says why and what to do."""


@dataclass(frozen=True)
class Target:
    """A cluster to run the demo on; `folders` only for one that was built here."""

    where: str
    kubeconfig: Path
    context: str | None = None
    folders: ClusterFolders | None = None
    operator_image: str = OPERATOR.tag
    job_image: str = JOB.tag

    def kubectl(self, *arguments: str, text_in: str | None = None) -> str:
        context = ["--context", self.context] if self.context else []
        return output([tool("kubectl"), "--kubeconfig", str(self.kubeconfig), *context, *arguments], text_in)

    def helm(self, *arguments: str) -> str:
        context = ["--kube-context", self.context] if self.context else []
        return output([tool("helm"), "--kubeconfig", str(self.kubeconfig), *context, *arguments])

    def exists(self, *what: str) -> bool:
        """Whether the API server has this object."""
        return bool(self.kubectl("get", *what, "--ignore-not-found", "-o", "name").strip())


def prepare(found: Found) -> Target:
    """Bring the cluster up where it is ours to bring up, and the images into it. Raises DemoError."""
    if found.kind == "named":
        return _named(found)
    if found.kind == "kind":
        return _kind()
    if found.kind == "assets":
        print("KUBEBUILDER_ASSETS holds an API server and no node, and the demo runs pods: a cluster is built instead", file=sys.stderr)
    return _built()


def _built() -> Target:
    folders = ClusterFolders(OWN_CLUSTER)
    write_down(Made("built", str(folders.kubeconfig), cluster=OWN_CLUSTER))
    cluster.up(OWN_CLUSTER)
    for image in IMAGES:
        images.build(image)
        images.load(folders, image.tag)
    return Target("built", folders.kubeconfig, folders=folders)


def _named(found: Found) -> Target:
    operator, job = os.environ.get("LABELPLANE_OPERATOR_IMAGE"), os.environ.get("LABELPLANE_JOB_IMAGE")
    if not operator or not job:
        raise DemoError("a named cluster pulls its images: push both, and name them in LABELPLANE_OPERATOR_IMAGE and LABELPLANE_JOB_IMAGE")
    return Target("named", found.kubeconfig or Path.home() / ".kube/config", found.context, None, operator, job)


def _kind() -> Target:
    """A kind cluster of our own, with a kubeconfig of its own: the user's is not touched. One of that name that is there already is used, and stays."""
    engine = "docker" if shutil.which("docker") else "podman"
    kubeconfig, context = state_folder() / "kind.kubeconfig", f"kind-{KIND_CLUSTER}"
    kubeconfig.parent.mkdir(parents=True, exist_ok=True)
    made = recorded_at("kind", kubeconfig, context)
    if KIND_CLUSTER in output(["kind", "get", "clusters"]).split():
        output(["kind", "export", "kubeconfig", "--name", KIND_CLUSTER, "--kubeconfig", str(kubeconfig)])
    else:
        made.cluster = KIND_CLUSTER
        write_down(made)
        output(["kind", "create", "cluster", "--name", KIND_CLUSTER, "--kubeconfig", str(kubeconfig), "--wait", "120s"])
    for image in IMAGES:
        output([engine, "build", "-t", image.tag, "-f", str(image.containerfile), str(image.context)])
        output(["kind", "load", "docker-image", image.tag, "--name", KIND_CLUSTER])
    return Target("kind", kubeconfig, context)


def note_before(target: Target, namespaces: tuple[str, ...], release: str, crds: tuple[str, ...]) -> None:
    """Write down, before it is made, what is not there yet."""
    made = recorded_at(target.where, target.kubeconfig, target.context)
    made.namespaces += [name for name in namespaces if name not in made.namespaces and not target.exists("namespace", name)]
    made.crds += [name for name in crds if name not in made.crds and not target.exists("crd", name)]
    installed = json.loads(target.helm("list", "--all-namespaces", "--filter", "^labelplane$", "-o", "json"))
    if not installed:
        made.release = release
    write_down(made)


def take_down() -> list[str]:
    """Remove what the demo made, everywhere it ran, and nothing else. Returns what was removed, in words."""
    removed = []
    for made in recorded():
        removed.append(_take_down(made))
        forget(made)
    shutil.rmtree(state_folder(), ignore_errors=True)
    return removed


def _take_down(made: Made) -> str:
    if made.cluster and made.where == "kind":
        output(["kind", "delete", "cluster", "--name", made.cluster, "--kubeconfig", made.kubeconfig])
    elif made.cluster:
        cluster.down(made.cluster)
    else:
        return _take_down_objects(made)
    return f"cluster {made.cluster} ({made.where})"


def _take_down_objects(made: Made) -> str:
    """What was made on a cluster that stays."""
    target = Target(made.where, Path(made.kubeconfig), made.context)
    for namespace in made.namespaces:
        if namespace != made.release:
            target.kubectl("delete", "namespace", namespace, "--ignore-not-found", "--timeout=120s")
    if made.release:
        target.helm("uninstall", "labelplane", "-n", made.release, "--ignore-not-found", "--wait")
    if made.release in made.namespaces:
        target.kubectl("delete", "namespace", made.release, "--ignore-not-found", "--timeout=120s")
    if made.crds:
        target.kubectl("delete", "crd", *made.crds, "--ignore-not-found", "--timeout=60s")
    release = ["the Helm release labelplane"] if made.release else []
    things = [*(f"namespace {name}" for name in made.namespaces), *release, *(f"CRD {name}" for name in made.crds)]
    return f"{', '.join(things) or 'nothing'} on {made.kubeconfig}{f' ({made.context})' if made.context else ''}"


def tool(name: str) -> str:
    """kubectl or helm: our own where it is built, else the user's. Raises DemoError."""
    try:
        return str(program(name))
    except FileNotFoundError:
        found = shutil.which(name)
        if found is None:
            raise DemoError(f"{name} is not here: install it, or build one with python -m devcluster build") from None
        return found


def output(command: list[str], text_in: str | None = None) -> str:
    """What a command prints. Raises DemoError with its error."""
    done = subprocess.run(command, input=text_in, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DemoError(f"{' '.join([Path(command[0]).name, *command[1:5]])} ...: {done.stderr.strip()}")
    return done.stdout
