"""The environment of the peers: built once for each requirements file, kept in the cache."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
REQUIREMENTS = Path(__file__).with_name("peers-requirements.txt")
READY = ".ready"
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")


class PeersMissing(RuntimeError):
    """The peers could not be installed; the message says why."""


def folder_of(requirements: Path = REQUIREMENTS) -> Path:
    """`peers-<digest>` in `$XDG_CACHE_HOME/labelplane` or `~/.cache/labelplane`: other pins or another Python, another folder."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "labelplane"
    text = requirements.read_bytes() + f"{sys.version_info[:2]}".encode()
    return cache / f"peers-{hashlib.sha256(text).hexdigest()[:12]}"


def python_of_peers() -> Path:
    """The interpreter that has the peers, installing them at the first call (some minutes, 5 GB).

    Raises:
        PeersMissing: the installation failed, for example offline.
    """
    folder = folder_of()
    python = folder / "bin/python"
    if not (folder / READY).exists():
        print(f"installing the peers in {folder} (once)", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(folder)])
        _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(REQUIREMENTS)])
        (folder / READY).touch()
    return python


def _run(command: list[str]) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise PeersMissing((done.stderr or done.stdout).strip().splitlines()[-1:][0] if (done.stderr or done.stdout).strip() else f"exit code {done.returncode}")


def child_environment() -> dict[str, str]:
    """Environment of a measuring process: one thread, the project's packages, nothing of the caller's Python."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return kept | ONE_THREAD | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'labeljob_image'}", "PYTHONHASHSEED": "0", "CUDA_VISIBLE_DEVICES": ""}
