"""A real S3 server for tests: versitygw over a folder, one for each worker. Had, and never skipped: it is built where it is missing."""

import os
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from devcluster.folders import program
from devcluster.go_build import build, missing_programs
from devcluster.versions import TOOLS
from tests.sharing import once

NAME = "versitygw"
REGION = "us-east-1"
START_SECONDS = 60.0


@dataclass(frozen=True)
class ObjectStoreServer:
    """Where it listens, whose keys it takes, and the folder that holds a folder for each bucket."""

    endpoint: str
    folder: Path
    key: str = "test-key"
    secret: str = field(default="test-secret-3b1f", repr=False)

    def bucket(self) -> str:
        """A new, empty bucket."""
        name = f"b-{secrets.token_hex(6)}"
        (self.folder / name).mkdir()
        return name

    def keys(self, **changes: str | None) -> dict[str, str]:
        """The keys of a Secret that opens it; `changes`: other values, None for none."""
        given: dict[str, str | None] = {
            "AWS_ACCESS_KEY_ID": self.key, "AWS_SECRET_ACCESS_KEY": self.secret, "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": self.endpoint, "AWS_ALLOW_HTTP": "true",
        }  # fmt: skip
        return {name: value for name, value in (given | changes).items() if value is not None}

    def add_user(self, key: str, secret: str) -> None:
        """A user who may do nothing with the buckets of others."""
        called = ("admin", "--access", self.key, "--secret", self.secret, "--endpoint-url", self.endpoint, "--region", REGION)
        subprocess.run([program(NAME), *called, "create-user", "--access", key, "--secret", secret, "--role", "user"], check=True, capture_output=True)


def write_secret(folder: Path, keys: dict[str, str]) -> Path:
    """The keys as a mounted Secret has them: a file each."""
    folder.mkdir(parents=True)
    for name, value in keys.items():
        (folder / name).write_text(value)
    return folder


@pytest.fixture(scope="session")
def object_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStoreServer]:
    """The server of this worker."""
    with serve(tmp_path_factory.mktemp("object-store")) as server:
        yield server


@contextmanager
def serve(folder: Path, address: str = "127.0.0.1", certificate: Path | None = None) -> Iterator[ObjectStoreServer]:
    """A server on a port of its own, ended with the block; `certificate`: a .crt, its .key beside it, for https."""
    (folder / "data").mkdir()
    (folder / "users").mkdir()
    once(NAME, _build)
    port = _free_port(address)
    secured = ["--cert", str(certificate), "--key", str(certificate.with_suffix(".key"))] if certificate else []
    server = ObjectStoreServer(f"{'https' if certificate else 'http'}://{address}:{port}", folder / "data")
    keys = {"ROOT_ACCESS_KEY_ID": server.key, "ROOT_SECRET_ACCESS_KEY": server.secret}
    command = [str(program(NAME)), "--port", f"{address}:{port}", "--quiet", *secured, "--iam-dir", str(folder / "users"), "posix", str(folder / "data")]
    with (folder / "log").open("wb") as log:
        child = subprocess.Popen(command, env=os.environ | keys, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        _wait(child, (address, port), folder / "log")
        yield server
    finally:
        child.terminate()
        child.wait()


def _build() -> bool:
    if missing_programs([NAME]):
        build(next(tool for tool in TOOLS if tool.name == NAME))
    return True


def _free_port(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def _wait(child: "subprocess.Popen[bytes]", at: tuple[str, int], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while child.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(at) == 0:
                return
        time.sleep(0.02)
    raise AssertionError(f"the object store did not start: {log.read_text()}")
