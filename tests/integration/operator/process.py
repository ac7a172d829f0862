"""The operator as a process of its own, as its image starts it."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import aiohttp

from tests.cluster_fixtures import ROOT, RealCluster
from tests.forks import Forked, forked
from tests.patience import HANG_SECONDS


@dataclass
class OperatorProcess:
    """A running operator; `log` holds what it has said."""

    process: subprocess.Popen[bytes] | Forked
    log: Path
    probe_port: int
    metrics_port: int

    def said(self) -> str:
        return self.log.read_text()

    def kill(self) -> None:
        """As a node under memory pressure would."""
        self.process.kill()
        self.process.wait()

    async def terminate(self, seconds: float = HANG_SECONDS) -> int:
        """As kubelet does; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return await self.ended(seconds)

    async def ended(self, seconds: float = HANG_SECONDS) -> int:
        """The exit code, once it has ended by itself."""
        return await asyncio.to_thread(self.process.wait, seconds)

    async def probe(self, path: str) -> tuple[int, str]:
        """Status and text of /healthz, /readyz or /metrics; 0 when nobody answers."""
        port = self.metrics_port if path == "/metrics" else self.probe_port
        try:
            async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as response:
                return response.status, await response.text()
        except aiohttp.ClientError:
            return 0, ""

    async def until_ready(self) -> None:
        """Wait for /readyz; fails with the log."""
        deadline = asyncio.get_running_loop().time() + HANG_SECONDS
        while (await self.probe("/readyz"))[0] != 200:
            assert self.process.poll() is None, self.said()
            assert asyncio.get_running_loop().time() < deadline, self.said()
            await asyncio.sleep(0.1)


@asynccontextmanager
async def operator_process(kubeconfig: Path, *namespaces: str, code: str | None = None, **settings: str) -> AsyncIterator[OperatorProcess]:
    """An operator that is ready, serving these namespaces; gone afterwards. `code`: what its Python runs, if not `labelplane.handlers.main`."""
    probe_port, metrics_port = free_ports(2)
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT / 'operator'}:{ROOT / 'labeljob_image'}",
        "LABELPLANE_KUBECONFIG": str(kubeconfig),
        "LABELPLANE_JOB_IMAGE": "labelplane/labeljob",
        "LABELPLANE_NAMESPACES": ",".join(namespaces),
        "LABELPLANE_PROBE_PORT": str(probe_port),
        "LABELPLANE_METRICS_PORT": str(metrics_port),
        **settings,
    }
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "operator.log"
        with log.open("wb") as output:
            running = OperatorProcess(_started(code, environment, output), log, probe_port, metrics_port)
        try:
            await running.until_ready()
            yield running
        finally:
            running.kill()


def _started(code: str | None, environment: dict[str, str], output: BinaryIO) -> subprocess.Popen[bytes] | Forked:
    if code is None:
        return forked("operator", "labelplane.handlers.main", (), environment, output.fileno())
    return subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=output, stdout=output)


def restart_control_plane(server: RealCluster) -> None:
    """Restart the API server. The controller-manager too: it may take minutes to look again, and is not what is tested."""
    server.stop_component("kube-controller-manager")
    server.restart_apiserver()


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()
