"""Container images without Docker or a registry: built by buildah, imported into the cluster's containerd."""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from devcluster import node
from devcluster.folders import ClusterFolders, cache_root

BASE_IMAGE = "localhost/labelplane/base:bookworm-python3.11-compiled"
# Layers carry no times, so byte code that trusts the time of its source would be stale in every process.
COMPILE = "python3 -m compileall -q -f --invalidation-mode unchecked-hash /usr/lib/python3.11 /usr/lib/python3"
PAUSE_SOURCE = """
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
static void on_child(int s) { (void)s; while (waitpid(-1, 0, WNOHANG) > 0) {} }
static void on_end(int s) { _exit(128 + s); }
int main(void) { signal(SIGCHLD, on_child); signal(SIGINT, on_end); signal(SIGTERM, on_end); for (;;) pause(); }
"""


@dataclass(frozen=True)
class Image:
    """One image of the project."""

    tag: str
    containerfile: Path
    lock: Path
    context: Path


class ImageError(Exception):
    """An image could not be built; the message holds the end of the output."""


def ensure_pause_image(folders: ClusterFolders) -> None:
    """The sandbox image: a static program that waits and reaps; ended by a signal it says so, so that a pod of it that is evicted has not succeeded."""
    if node.PAUSE_IMAGE in node.ctr(folders, "images", "ls", "-q").split():
        return
    with tempfile.TemporaryDirectory() as scratch:
        source, program = Path(scratch) / "pause.c", Path(scratch) / "pause"
        source.write_text(PAUSE_SOURCE)
        subprocess.run(["gcc", "-static", "-Os", "-o", str(program), str(source)], check=True)
        (Path(scratch) / "Containerfile").write_text('FROM scratch\nCOPY pause /pause\nENTRYPOINT ["/pause"]\n')
        _buildah("bud", "--isolation", "chroot", "--timestamp", "0", "-t", node.PAUSE_IMAGE, scratch)
    load(folders, node.PAUSE_IMAGE)


def ensure_base_image() -> None:
    """Debian with Python, as the base that a registry would give."""
    if image_id(BASE_IMAGE):
        return
    archive = cache_root() / "base" / "bookworm.tar"
    if not archive.exists():
        archive.parent.mkdir(parents=True, exist_ok=True)
        _say("making the base image with mmdebstrap (about a minute) ...")
        partial = archive.with_suffix(".partial.tar")
        _run(["mmdebstrap", "--variant=minbase", "--include=python3,python3-venv,ca-certificates", "bookworm", str(partial)])
        partial.rename(archive)
    with tempfile.TemporaryDirectory() as scratch:
        containerfile = Path(scratch) / "Containerfile"
        containerfile.write_text(f"FROM scratch\nADD bookworm.tar /\nRUN {COMPILE}\n")
        _buildah("bud", "--isolation", "chroot", "--timestamp", "0", "-t", BASE_IMAGE, "-f", str(containerfile), str(archive.parent))


def build(image: Image) -> str:
    """Build an image (layers are cached) and return its id. Wheels come from the host, so that the build needs no network."""
    ensure_base_image()
    wheels = ensure_wheels(image.lock)
    _buildah(
        "bud", "--isolation", "chroot", "--timestamp", "0", "--layers",
        "--build-arg", f"BASE_IMAGE={BASE_IMAGE}", "--build-arg", "PIP_NO_INDEX=1", "--build-arg", "PIP_FIND_LINKS=/wheels",
        "--volume", f"{wheels}:/wheels:ro", "-t", image.tag, "-f", str(image.containerfile), str(image.context),
    )  # fmt: skip
    return image_id(image.tag)


def ensure_wheels(lock: Path) -> Path:
    """Folder of the locked wheels for the base image's Python, downloaded once per lock file."""
    folder = cache_root() / "wheels" / hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    if not (folder / "complete").exists():
        _say(f"downloading the wheels of {lock.parent.name}/{lock.name} ...")
        folder.mkdir(parents=True, exist_ok=True)
        _run([sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes", "--no-deps", "--only-binary=:all:",
              "--python-version=3.11", "--platform=manylinux_2_28_x86_64", "--platform=manylinux2014_x86_64",
              "--platform=manylinux_2_17_x86_64", "-r", str(lock), "-d", str(folder)])  # fmt: skip
        (folder / "complete").touch()
    return folder


def load(folders: ClusterFolders, tag: str) -> bool:
    """Import an image into the cluster unless the same one is there. Returns whether it was imported."""
    identity = image_id(tag)
    if not identity:
        raise ImageError(f"{tag} has not been built")
    marks = folders.root / "containerd/loaded.json"  # beside what it tells of
    loaded: dict[str, str] = json.loads(marks.read_text()) if marks.exists() else {}
    if loaded.get(tag) == identity and tag in node.ctr(folders, "images", "ls", "-q").split():
        return False
    with tempfile.TemporaryDirectory(dir=folders.root) as scratch:
        archive = Path(scratch) / "image.tar"
        _buildah("push", "--quiet", tag, f"docker-archive:{archive}:{tag}")  # not compressed, as an OCI archive always is: it is read once
        node.ctr(folders, "images", "import", str(archive))
    marks.write_text(json.dumps(loaded | {tag: identity}))
    return True


def image_id(tag: str) -> str:
    """Id of a built image; empty when there is none."""
    found = subprocess.run(["buildah", "inspect", "--type", "image", "--format", "{{.FromImageID}}", tag], capture_output=True, text=True, check=False)
    return found.stdout.strip() if found.returncode == 0 else ""


def _buildah(*arguments: str) -> None:
    _run(["buildah", *arguments], environment={"BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": os.environ.get("STORAGE_DRIVER", "vfs")})


def _run(command: list[str], environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | (environment or {}))
    if done.returncode:
        raise ImageError(f"{' '.join(command[:3])} failed:\n{(done.stdout + done.stderr)[-3000:]}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
