"""Build the programs from Go modules into the cache. A finished build is never done again; a broken-off one leaves nothing."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from devcluster.folders import cache_root
from devcluster.versions import STAGING, TOOLS, Tool


class BuildError(Exception):
    """A program could not be built; the message holds the end of the compiler's output."""


def folder_of(program: str) -> Path:
    """The cache folder that holds a program."""
    tool = next(tool for tool in TOOLS if program in dict(tool.commands))
    return cache_root() / "bin" / tool.key


def build_all(*, api_only: bool = False) -> None:
    """Build what is missing, with a line of progress for each tool."""
    wanted = [tool for tool in TOOLS if tool.api_only or not api_only]
    missing = [tool for tool in wanted if not _is_built(tool)]
    for number, tool in enumerate(missing, 1):
        started = time.monotonic()
        _say(f"[{number}/{len(missing)}] building {tool.name} {tool.version} (minutes when the Go cache is cold) ...")
        build(tool)
        _say(f"[{number}/{len(missing)}] built {tool.name} in {time.monotonic() - started:.0f} s")


def build(tool: Tool) -> None:
    """Build one tool into its cache folder."""
    target = cache_root() / "bin" / tool.key
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{tool.name}-") as scratch:
        module, output = Path(scratch) / "module", Path(scratch) / "out"
        module.mkdir()
        output.mkdir()
        _write_module(tool, module)
        packages = [package for _, package in tool.commands]
        _go(module, tool, "get", *(f"{package}@{tool.version}" for package in packages))
        for name, package in tool.commands:
            _go(module, tool, "build", "-tags", tool.tags, "-ldflags", tool.linker_flags, "-o", str(output / name), package)
        _publish(output, target)


def _is_built(tool: Tool) -> bool:
    folder = cache_root() / "bin" / tool.key
    return all((folder / name).exists() for name, _ in tool.commands)


def _write_module(tool: Tool, folder: Path) -> None:
    lines = [f"module labelplane.dev/build/{tool.name}"]
    if tool.name.startswith("kubernetes"):
        lines += ["go 1.26.0", *(f"replace {name} => {name} {STAGING}" for name in _staging_modules(folder, tool))]
    (folder / "go.mod").write_text("\n".join(lines) + "\n")


def _staging_modules(folder: Path, tool: Tool) -> list[str]:
    """Modules that k8s.io/kubernetes keeps beside itself and requires at v0.0.0."""
    (folder / "go.mod").write_text("module labelplane.dev/build/lookup\n")
    described = json.loads(_go(folder, tool, "mod", "download", "-json", f"k8s.io/kubernetes@{tool.version}"))
    text = Path(described["GoMod"]).read_text()
    return [line.split("=>")[0].replace("replace", "").strip() for line in text.splitlines() if "=> ./staging" in line]


def _go(folder: Path, tool: Tool, *arguments: str) -> str:
    environment = os.environ | {"CGO_ENABLED": "1" if tool.cgo else "0", "GOFLAGS": "-mod=mod"}
    done = subprocess.run(["go", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"go {' '.join(arguments[:2])} failed for {tool.name} {tool.version}:\n{done.stderr[-3000:]}")
    return done.stdout


def _publish(output: Path, target: Path) -> None:
    """Make the programs visible at once; somebody who was faster wins."""
    try:
        output.rename(target)
    except OSError:
        if not target.exists():
            raise
        shutil.rmtree(output, ignore_errors=True)


def missing_programs(names: Iterable[str]) -> list[str]:
    """Those that are not built yet."""
    return [name for name in names if not (folder_of(name) / name).exists()]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
