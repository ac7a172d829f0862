"""Identity of the job code and its libraries: the pin where there is no image digest (G7, DESIGN §4.7)."""

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path

LIBRARIES = ("deltalake", "duckdb", "numpy", "pandas", "pyarrow", "pydantic", "pydantic-core")


def digest_of_sources(package: Path, libraries: Mapping[str, str]) -> str:
    """`sha256:` over the .py files below `package` (path and content) and the versions of libraries, both sorted."""
    digest = hashlib.sha256()
    files = sorted((path.relative_to(package).as_posix(), path) for path in package.rglob("*.py"))
    for name, path in files:
        digest.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    for name, number in sorted(libraries.items()):
        digest.update(f"{name}=={number}\n".encode())
    return f"sha256:{digest.hexdigest()}"


@cache
def build_digest() -> str:
    """The digest of this build: equal in an image and a checkout that have the same sources and libraries."""
    return digest_of_sources(Path(__file__).parent, {name: version(name) for name in LIBRARIES})
